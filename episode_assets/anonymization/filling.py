"""Painting drawn areas over, and measuring in the decoded result that nothing of them is left.

An area is painted in one grey before anything else happens to a picture, in all three planes, so that not one value
of its source is used again. What is painted belongs to `areas`; faces belong to `blur`.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from episode_assets.anonymization.colours import GREY
from episode_assets.video import Picture

MAX_LEFT = 8.0
"""Largest local deviation from the grey, RMS of grey levels. Measured with text around and under the area: 1 to 4 at
crf 18 where a side has 16 px; 56 at crf 40, where the encoder passes over a small area and the text stays readable."""

_WINDOW_PX = 16
_SPREAD_PX = 8
"""How far the encoder carries what lies beside an area into it; see `blur`."""


def fill(picture: Picture, areas: Sequence[NDArray[np.int32]]) -> None:
    """Paint areas in place.

    Args:
        picture: The picture; its planes are written to.
        areas: For each area its rectangles, (R, 4) int32, half-open, even coordinates.
    """
    for plane, shrink, grey in _planes(picture):
        for rectangles in areas:
            for x0, y0, x1, y1 in (rectangles // shrink).tolist():
                plane[y0:y1, x0:x1] = grey


def left_in(picture: Picture, area: NDArray[np.int32], faces: NDArray[np.int32]) -> float:
    """Return how far a painted area is from plain grey in the decoded result, where it is farthest.

    Args:
        picture: The decoded result.
        area: (R, 4) rectangles of the area.
        faces: (N, 4) rectangles that were blurred on top of it; they are measured on their own.

    Returns:
        The largest RMS deviation in any window of 16x16 pixels, in grey levels of luma or chroma.
    """
    mask = _inner_mask(picture, area, faces)
    return max(_deviation(plane, mask[::shrink, ::shrink], grey) for plane, shrink, grey in _planes(picture))


def _planes(picture: Picture) -> tuple[tuple[NDArray[np.uint8], int, int], ...]:
    return (picture.y, 1, GREY.y), (picture.u, 2, GREY.u), (picture.v, 2, GREY.v)


def _inner_mask(picture: Picture, area: NDArray[np.int32], faces: NDArray[np.int32]) -> NDArray[np.uint8]:
    mask = np.zeros((picture.height, picture.width), np.uint8)
    for x0, y0, x1, y1 in area.tolist():
        mask[y0:y1, x0:x1] = 1
    sides = area[:, 2:].max(axis=0) - area[:, :2].min(axis=0)
    inset = min(_SPREAD_PX, int(sides.min()) // 4)
    inner = cv2.erode(mask, np.ones((2 * inset + 1, 2 * inset + 1), np.uint8))
    mask = np.asarray(inner if inner.any() else mask, dtype=np.uint8)
    for x0, y0, x1, y1 in faces.tolist():
        mask[max(y0 - _SPREAD_PX, 0) : y1 + _SPREAD_PX, max(x0 - _SPREAD_PX, 0) : x1 + _SPREAD_PX] = 0
    return mask


def _deviation(plane: NDArray[np.uint8], mask: NDArray[np.uint8], grey: int) -> float:
    squares = np.square(plane.astype(np.float32) - grey) * mask
    window = (_WINDOW_PX, _WINDOW_PX)
    total = cv2.boxFilter(squares, -1, window, normalize=False, borderType=cv2.BORDER_CONSTANT)
    count = cv2.boxFilter(
        mask.astype(np.float32), -1, window, normalize=False, borderType=cv2.BORDER_CONSTANT
    )
    means = total[mask > 0] / np.maximum(count[mask > 0], 1.0)
    return float(np.sqrt(max(float(means.max(initial=0.0)), 0.0)))
