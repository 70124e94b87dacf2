"""How a hand looks when it is drawn into a picture: whose it is by colour, how sure by strength, not read by dashes.

Only the drawing of one hand onto the planes of one picture belongs here; which hands, and where the pictures come
from, is in `hands_preview`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from episode_assets.bundle.layout import FINGER_BONES, PALM_BONES
from episode_assets.video import Picture

COLOURS: Mapping[str, tuple[int, int, int]] = {
    "left": (255, 100, 100),
    "right": (100, 255, 100),
    "other": (110, 160, 255),
}
"""RGB of the wearer's hands (as in the Rerun file of the Stera layout) and of everybody else's."""

FAINTEST = 0.4
"""How strongly a hand covers the picture that nothing is sure about, or that was not read in it; 1 hides it."""

_REFERENCE_HEIGHT_PX = 480
"""Strokes are one pixel wide for each so many rows of the picture."""

_FRACTION_BITS = 3
_WORD_SIZE = 0.45
_STRIP_STRENGTH = 0.6


@dataclass(frozen=True)
class DrawnHand:
    """One hand to draw.

    Attributes:
        joints_px: (21, 2) float32 pixels of the recorded picture, NaN where there is nothing to draw.
        colour: A name in `COLOURS`.
        is_read: Whether it was read in this picture; what is interpolated is dashed.
        confidence: 0 to 1.
    """

    joints_px: NDArray[np.float32]
    colour: str
    is_read: bool
    confidence: float

    @property
    def strength(self) -> float:
        """How much of the picture below its strokes is covered, `FAINTEST` to 1."""
        sure = min(max(self.confidence, 0.0), 1.0) if self.is_read else 0.0
        return FAINTEST + (1 - FAINTEST) * sure


def draw_hand(picture: Picture, hand: DrawnHand) -> None:
    """Draw a hand onto the planes of a picture; what lies outside of it is cut off."""
    is_known = np.asarray(np.isfinite(hand.joints_px).all(axis=1))
    if not is_known.any():
        return
    mask = np.zeros(picture.y.shape, np.uint8)
    unit = max(1, round(picture.height / _REFERENCE_HEIGHT_PX))
    for start, end in FINGER_BONES + PALM_BONES:
        if is_known[start] and is_known[end]:
            _stroke(mask, hand.joints_px[start], hand.joints_px[end], unit, is_dashed=not hand.is_read)
    for joint in hand.joints_px[is_known]:
        cv2.circle(
            mask, _fixed(joint), (2 * unit + 1) << _FRACTION_BITS, 255, -1, cv2.LINE_AA, _FRACTION_BITS
        )
    _write(picture, mask, hand, hand.joints_px[is_known], unit)
    _blend(picture, mask, COLOURS[hand.colour], hand.strength)


def _stroke(
    mask: NDArray[np.uint8],
    start: NDArray[np.float32],
    end: NDArray[np.float32],
    unit: int,
    *,
    is_dashed: bool,
) -> None:
    pieces = _dashes(start, end, length_px=5.0 * unit) if is_dashed else iter([(start, end)])
    for first, last in pieces:
        cv2.line(mask, _fixed(first), _fixed(last), 255, 2 * unit, cv2.LINE_AA, _FRACTION_BITS)


def _dashes(
    start: NDArray[np.float32], end: NDArray[np.float32], *, length_px: float
) -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """Yield every other piece of a line, about as long as asked for; it begins and ends with one."""
    distance = float(np.hypot(*(end - start)))
    pieces = 2 * int(np.ceil(distance / (2 * length_px))) - 1 if distance > length_px else 1
    for piece in range(0, pieces, 2):
        yield start + (end - start) * (piece / pieces), start + (end - start) * ((piece + 1) / pieces)


def _write(
    picture: Picture, mask: NDArray[np.uint8], hand: DrawnHand, joints_px: NDArray[np.float32], unit: int
) -> None:
    """Write the confidence above the hand on a darkened strip; `filled` where it was not read."""
    words = f"{hand.confidence:.2f}" if hand.is_read else "filled"
    size = _WORD_SIZE * unit
    (width, height), below = cv2.getTextSize(words, cv2.FONT_HERSHEY_SIMPLEX, size, unit)
    x = int(np.clip(joints_px[:, 0].mean() - width / 2, 0, max(0, mask.shape[1] - width)))
    y = int(np.clip(joints_px[:, 1].min() - 6 * unit, height, mask.shape[0] - 1))
    _darken(picture, x, y - height, x + width, y + below)
    cv2.putText(mask, words, (x, y), cv2.FONT_HERSHEY_SIMPLEX, size, 255, unit, cv2.LINE_AA)


def _darken(picture: Picture, x0: int, y0: int, x1: int, y1: int) -> None:
    """Lay black over a rectangle, so that thin letters can be read on anything."""
    for plane, value, step in ((picture.y, 16.0, 1), (picture.u, 128.0, 2), (picture.v, 128.0, 2)):
        strip = plane[max(0, y0) // step : y1 // step + 1, max(0, x0) // step : x1 // step + 1]
        _lay(strip, np.full(strip.shape, 255, np.uint8), value, _STRIP_STRENGTH)


def _fixed(point: NDArray[np.float32]) -> tuple[int, int]:
    # OpenCV takes 16 bit coordinates and more; joints far outside would wrap.
    x, y = np.clip(np.round(point * (1 << _FRACTION_BITS)), -(1 << 17), 1 << 17).astype(int)
    return int(x), int(y)


def _blend(picture: Picture, mask: NDArray[np.uint8], colour: tuple[int, int, int], strength: float) -> None:
    """Lay a colour over the planes where the mask is set, inside the mask's bounding box alone."""
    x, y, width, height = cv2.boundingRect(mask)
    if width == 0:
        return
    # Whole chroma pixels, so that all three planes change in the same place.
    x0, y0, x1, y1 = x // 2, y // 2, (x + width + 1) // 2, (y + height + 1) // 2
    luma = mask[2 * y0 : 2 * y1, 2 * x0 : 2 * x1]
    chroma = cv2.resize(luma, (x1 - x0, y1 - y0), interpolation=cv2.INTER_AREA)
    values = _limited(colour)
    _lay(picture.y[2 * y0 : 2 * y1, 2 * x0 : 2 * x1], luma, values[0], strength)
    _lay(picture.u[y0:y1, x0:x1], chroma, values[1], strength)
    _lay(picture.v[y0:y1, x0:x1], chroma, values[2], strength)


def _lay(plane: NDArray[np.uint8], mask: NDArray[np.uint8], value: float, strength: float) -> None:
    cover = mask.astype(np.float32) * np.float32(strength / 255)
    plane[:] = np.rint(plane + (np.float32(value) - plane) * cover).astype(np.uint8)


def _limited(colour: tuple[int, int, int]) -> tuple[float, float, float]:
    """Return full-range RGB as limited-range BT.601 luma and colour differences (ITU-T H.273)."""
    r, g, b = (part / 255 for part in colour)
    luma = 0.299 * r + 0.587 * g + 0.114 * b
    return 16 + 219 * luma, 128 + 224 * (b - luma) / 1.772, 128 + 224 * (r - luma) / 1.402
