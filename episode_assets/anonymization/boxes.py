"""Boxes as arrays: how much two of them share, which of several is kept, how much of one others cover.

A set of boxes is a float32 array (N, 5) with columns x0, y0, x1, y1 in pixels (x right, y down, half-open) and
score 0..1. What boxes mean over time belongs to `tracks`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Boxes = NDArray[np.float32]
"""(N, 5) float32: x0, y0, x1, y1 in pixels, score."""


SAME_OVERLAP = 0.3
"""Intersection over union from which on two boxes are taken for the same face."""


def no_boxes() -> Boxes:
    """Return an empty set of boxes."""
    return np.zeros((0, 5), np.float32)


def overlap_ratios(left: NDArray[np.float32], right: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return intersection over union of every pair.

    Args:
        left: (A, >=4) boxes.
        right: (B, >=4) boxes.

    Returns:
        (A, B) float64 in 0..1; 0 where both boxes are empty.
    """
    a, b = left[:, None, :4].astype(np.float64), right[None, :, :4].astype(np.float64)
    shared = _shared(a, b)
    union = _area(a[..., 2:] - a[..., :2]) + _area(b[..., 2:] - b[..., :2]) - shared
    ratios = np.zeros(shared.shape)
    np.divide(shared, union, out=ratios, where=union > 0)
    return ratios


def shares_inside(boxes: NDArray[np.float32], holders: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return what share of each box (A, >=4) lies inside each holder (B, >=4): (A, B) in 0..1."""
    a, b = boxes[:, None, :4].astype(np.float64), holders[None, :, :4].astype(np.float64)
    shared = _shared(a, b)
    area = np.broadcast_to(_area(a[..., 2:] - a[..., :2]), shared.shape)
    shares = np.zeros(shared.shape)
    np.divide(shared, area, out=shares, where=area > 0)
    return shares


def keep_best(boxes: Boxes, *, max_overlap: float) -> Boxes:
    """Drop boxes that share more than `max_overlap` (intersection over union) with a better one.

    Greedy non-maximum suppression; equal scores keep the order given, so the result is deterministic.
    """
    ranked = boxes[np.argsort(-boxes[:, 4], kind="stable")]
    corners = ranked[:, :4].astype(np.float64)
    area = _area(corners[:, 2:] - corners[:, :2])
    left, kept = np.arange(len(ranked)), []
    while len(left):
        best, left = left[0], left[1:]
        kept.append(best)
        shared = _shared(corners[left], corners[best])
        left = left[shared <= max_overlap * (area[left] + area[best] - shared)]
    return ranked[np.array(kept, np.intp)]


def _shared(left: NDArray[np.float64], right: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the area that boxes share, (..., 4) each."""
    sides = np.minimum(left[..., 2:], right[..., 2:]) - np.maximum(left[..., :2], right[..., :2])
    return _area(np.maximum(sides, 0.0))


def _area(sides: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the areas of (..., 2) widths and heights; `np.prod` takes twice the time."""
    area: NDArray[np.float64] = sides[..., 0] * sides[..., 1]
    return area


def widened(boxes: Boxes, *, factor: float) -> Boxes:
    """Return the boxes scaled about their centres; scores stay."""
    centre = (boxes[:, :2] + boxes[:, 2:4]) / 2
    half = (boxes[:, 2:4] - boxes[:, :2]) * (factor / 2)
    return np.concatenate([centre - half, centre + half, boxes[:, 4:]], axis=1).astype(np.float32)


def covered_share(
    boxes: Boxes, rectangles: NDArray[np.int32], *, width: int, height: int
) -> NDArray[np.float64]:
    """Return what share of each box's area inside the picture lies under the union of `rectangles`.

    Args:
        boxes: (N, 5) boxes; coordinates may be fractional and are widened to whole pixels.
        rectangles: (R, 4) int32 half-open pixel rectangles.
        width: Width of the picture in pixels.
        height: Height of the picture in pixels.

    Returns:
        (N,) float64 in 0..1; 1 for a box without a pixel in the picture.
    """
    shares = np.ones(len(boxes))
    limits = np.array([width, height, width, height])
    corners = np.concatenate([np.floor(boxes[:, :2]), np.ceil(boxes[:, 2:4])], axis=1)
    corners = np.clip(corners, 0, limits).astype(np.int64)
    for index, (x0, y0, x1, y1) in enumerate(corners):
        if x1 <= x0 or y1 <= y0:
            continue
        under = np.zeros((y1 - y0, x1 - x0), np.bool_)
        for rx0, ry0, rx1, ry1 in rectangles:
            under[max(ry0 - y0, 0) : max(ry1 - y0, 0), max(rx0 - x0, 0) : max(rx1 - x0, 0)] = True
        shares[index] = under.mean()
    return shares


def lie_inside(boxes: Boxes, holders: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return which boxes lie inside one of the holders, but for a pixel that rounding may have cost.

    Args:
        boxes: (N, >=4) boxes.
        holders: (H, 4) x0, y0, x1, y1.

    Returns:
        (N,) bool.
    """
    low = boxes[:, None, :2] >= holders[None, :, :2] - 1
    high = boxes[:, None, 2:4] <= holders[None, :, 2:] + 1
    is_held = np.asarray((low & high).all(axis=2))
    return np.asarray(is_held.any(axis=1))
