"""Which rectangles of pixels are made unreadable for the box around a face, or for a polygon that a person drew.

Every shape comes down to rectangles with even coordinates, so that luma and chroma samples cover the same area.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def redaction_rectangles(
    boxes: NDArray[np.float32], *, scale: float, width: int, height: int
) -> NDArray[np.int32]:
    """Return the rectangles to blur for boxes around faces.

    Detectors fit tightly, so hair, chin and ears stick out: each box is scaled about its centre, cut at the
    picture, and widened to even coordinates, so that luma and chroma samples cover the same area.

    Args:
        boxes: (N, 4) float32 x0, y0, x1, y1 in pixels.
        scale: Factor on width and height.
        width: Width of the picture in pixels; an odd one counts as one more, as the padded planes do.
        height: Height of the picture in pixels, likewise.

    Returns:
        (N, 4) int32 half-open rectangles with even coordinates; zero-sized where a box misses the picture.
    """
    corners = boxes.astype(np.float64)
    centre = (corners[:, :2] + corners[:, 2:]) / 2
    half = (corners[:, 2:] - corners[:, :2]) / 2 * scale
    low = np.floor((centre - half) / 2) * 2
    high = np.ceil((centre + half) / 2) * 2
    limits = np.array([width + width % 2, height + height % 2], np.float64)
    return np.concatenate([np.clip(low, 0, limits), np.clip(high, 0, limits)], axis=1).astype(np.int32)


_LINES = 8
"""Scan lines in a row of 2 pixels; what lies between two of them is less than a pixel."""


def polygon_rectangles(corners: NDArray[np.float64], *, width: int, height: int) -> NDArray[np.int32]:
    """Return rectangles that together cover a polygon: every block of 2x2 pixels that it touches, and no other.

    Args:
        corners: (N, 2) x, y in pixels, in order around the area; they may lie outside the picture.
        width: Width of the picture in pixels.
        height: Height of the picture in pixels.

    Returns:
        (R, 4) int32 half-open rectangles with even coordinates that share no pixel; none if it misses the picture.
    """
    rows, columns = (height + 1) // 2, (width + 1) // 2
    is_touched = np.zeros((rows, columns), np.bool_)
    for line in range(rows * _LINES):
        for left, right in _crossings(corners, (line + 0.5) * 2 / _LINES).reshape(-1, 2):
            first, last = np.clip([np.floor(left / 2), np.ceil(right / 2)], 0, columns).astype(int)
            is_touched[line // _LINES, first:last] = True
    inside = ((corners >= 0) & (corners < (width, height))).all(axis=1)
    column, row = (corners[inside] // 2).astype(int).T
    is_touched[row, column] = True
    return 2 * _tiles(is_touched)


def _crossings(corners: NDArray[np.float64], y: float) -> NDArray[np.float64]:
    """Return where a horizontal line enters and leaves a polygon, in turn."""
    (x0, y0), (x1, y1) = corners.T, np.roll(corners, -1, axis=0).T
    hit = (y0 <= y) != (y1 <= y)
    return np.sort(x0[hit] + (y - y0[hit]) / (y1[hit] - y0[hit]) * (x1[hit] - x0[hit]))


def _tiles(is_covered: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Return half-open rectangles that tile the covered cells; equal runs of neighbouring rows become one."""
    tiles: list[tuple[int, int, int, int]] = []
    growing: dict[tuple[int, int], int] = {}
    for y, row in enumerate([*is_covered, np.zeros(is_covered.shape[1], np.bool_)]):
        edges = np.flatnonzero(np.diff(row.astype(np.int8), prepend=0, append=0)).tolist()
        runs = set(zip(edges[::2], edges[1::2], strict=True))
        ended = [(x0, top, x1, y) for (x0, x1), top in growing.items() if (x0, x1) not in runs]
        tiles += sorted(ended)
        growing = {run: growing.get(run, y) for run in runs}
    return np.array(tiles, np.int32).reshape(-1, 4)
