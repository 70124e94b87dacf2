"""How far a picture moved against the one before: the median motion of a grid of points, in pixels.

Rotation of the camera moves the whole picture, so the median over many points follows it while hands and people that
move on their own are outvoted. Hands come in from below; the lowest third of the picture is therefore not asked. What
the motion is compared with belongs to the caller.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Grey = NDArray[np.uint8]

_COLUMNS, _ROWS = 16, 6
_MARGIN_RATIO = 0.04
_ASKED_HEIGHT_RATIO = 0.65
_WINDOW_PX = (15, 15)
_LEVELS = 4
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
        found, status, _ = cv2.calcOpticalFlowPyrLK(
            previous, grey, points, None, winSize=_WINDOW_PX, maxLevel=_LEVELS, criteria=_STOP
        )
        return _shift((found - points)[status.ravel() == 1, 0], len(points))


def _grid(width: int, height: int) -> NDArray[np.float32]:
    margin = _MARGIN_RATIO * width
    x = np.linspace(margin, width - margin, _COLUMNS)
    y = np.linspace(min(margin, height / 2), _ASKED_HEIGHT_RATIO * height, _ROWS)
    grid = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 1, 2)
    return np.asarray(grid, dtype=np.float32)


def _shift(moved: NDArray[np.float32], asked: int) -> Shift | None:
    if len(moved) < _FEWEST_POINTS:
        return None
    agrees = _agrees(moved, np.median(moved, axis=0))
    if agrees.any():
        # Points that lost their way scatter to one side and pull the median along; those that agree do not.
        agrees = _agrees(moved, np.median(moved[agrees], axis=0))
    x, y = np.median(moved[agrees] if agrees.any() else moved, axis=0)
    return Shift(float(x), float(y), int(agrees.sum()) / asked)


def _agrees(moved: NDArray[np.float32], centre: NDArray[np.float32]) -> NDArray[np.bool_]:
    limit = _AGREES_PX + _AGREES_RATIO * np.hypot(*centre)
    return np.asarray(np.hypot(*(moved - centre).T) < limit)
