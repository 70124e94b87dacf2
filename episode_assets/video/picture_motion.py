"""How far a picture moved against the one before: the median motion of a grid of points, in pixels.

Rotation of the camera moves the whole picture, so the median over many points follows it while hands and people that
move on their own are outvoted. Hands come in from below; the lowest third of the picture is therefore not asked. What
the motion is compared with belongs to the caller.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

Grey = NDArray[np.uint8]

_COLUMNS, _ROWS = 16, 6
_MARGIN_RATIO = 0.04
_ASKED_HEIGHT_RATIO = 0.65
_WINDOW_PX = (15, 15)
_LEVELS, _NEAR_LEVELS = 4, 2
_SURE = 0.4
_COARSE = 4
_COARSE_LEAST_PX = 16
_STOP = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 10, 0.03)
_FEWEST_POINTS = 8
_AGREES_PX, _AGREES_RATIO = 1.0, 0.2


@dataclass(frozen=True)
class Shift:
    """Motion of a picture against the one before.

    Attributes:
        x_px: Positive where the scene moved right.
        y_px: Positive where it moved down.
        agreement: Share of the points asked that moved like that, to 1 px and a fifth of the way; 0 to 1.
    """

    x_px: float
    y_px: float
    agreement: float


class MotionMeter:
    """Measures single-channel pictures of one size one after the other (pyramidal Lucas-Kanade, Bouguet 2001)."""

    def __init__(self) -> None:
        self._previous: Grey | None = None

    def see(self, grey: Grey) -> None:
        """Take a picture as the previous one without measuring it."""
        self._previous = grey

    def forget(self) -> None:
        """Take the next picture for one whose predecessor was not seen."""
        self._previous = None

    def measure(self, grey: Grey) -> Shift | None:
        """Return the motion since the previous picture, which this one becomes.

        None where there is no previous picture of that size, or where fewer than 8 points have structure to follow.
        """
        previous, self._previous = self._previous, grey
        if previous is None or previous.shape != grey.shape:
            return None
        points = _grid(grey.shape[1], grey.shape[0])
        shift = _followed(previous, grey, points, np.zeros(2, np.float32))
        if shift is not None and shift.agreement >= _SURE:
            return shift
        guess = _coarse(previous, grey)
        again = None if guess is None else _followed(previous, grey, points, guess)
        return max((item for item in (shift, again) if item), key=lambda item: item.agreement, default=None)


def _followed(
    before: Grey, now: Grey, points: NDArray[np.float32], guess: NDArray[np.float32]
) -> Shift | None:
    """Follow the points from where the guess has them, (2,) pixels."""
    found, status, _ = cv2.calcOpticalFlowPyrLK(
        before,
        now,
        points,
        points + guess,
        winSize=_WINDOW_PX,
        maxLevel=_NEAR_LEVELS if guess.any() else _LEVELS,
        criteria=_STOP,
        flags=cv2.OPTFLOW_USE_INITIAL_FLOW,
    )
    return _shift((found - points)[status.ravel() == 1, 0], len(points))


def _coarse(before: Grey, now: Grey) -> NDArray[np.float32] | None:
    """Return where the middle of the upper half went, to 4 px, by correlation; None where pictures are too small.

    Quick turns move a picture by a third of its width, which is too far to be followed from nothing.
    """
    height, width = (side // _COARSE for side in before.shape)
    if min(height, width) < _COARSE_LEAST_PX:
        return None
    small = [cv2.resize(grey, (width, height), interpolation=cv2.INTER_AREA) for grey in (before, now)]
    top, bottom = round(0.13 * height), round(0.53 * height)
    left, right = round(0.3 * width), round(0.7 * width)
    searched = small[1][: round(0.75 * height)]
    scores = cv2.matchTemplate(searched, small[0][top:bottom, left:right], cv2.TM_CCOEFF_NORMED)
    x, y = cv2.minMaxLoc(scores)[3]
    return np.array([x - left, y - top], np.float32) * _COARSE


@lru_cache(maxsize=8)
def _grid(width: int, height: int) -> NDArray[np.float32]:
    """Return the points (P, 1, 2) that are asked, read-only."""
    margin = _MARGIN_RATIO * width
    x = np.linspace(margin, width - margin, _COLUMNS)
    y = np.linspace(min(margin, height / 2), _ASKED_HEIGHT_RATIO * height, _ROWS)
    grid = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 1, 2).astype(np.float32)
    grid.flags.writeable = False
    return grid


def _shift(moved: NDArray[np.float32], asked: int) -> Shift | None:
    if len(moved) < _FEWEST_POINTS:
        return None
    agrees = _agrees(moved, _median(moved))
    if agrees.any():
        # Points that lost their way scatter to one side and pull the median along; those that agree do not.
        agrees = _agrees(moved, _median(moved[agrees]))
    x, y = _median(moved[agrees] if agrees.any() else moved)
    return Shift(float(x), float(y), int(agrees.sum()) / asked)


def _median(moved: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return (2,) as `np.median` does, which for some tens of points takes ten times as long."""
    ordered = np.sort(moved, axis=0)
    return np.asarray((ordered[(len(moved) - 1) // 2] + ordered[len(moved) // 2]) / 2)


def _agrees(moved: NDArray[np.float32], centre: NDArray[np.float32]) -> NDArray[np.bool_]:
    limit = _AGREES_PX + _AGREES_RATIO * np.hypot(*centre)
    return np.asarray(np.hypot(*(moved - centre).T) < limit)
