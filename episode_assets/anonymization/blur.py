"""Making parts of a picture unreadable, and measuring what is left of their detail.

The blur throws information away instead of spreading it. A rectangle is averaged down to a few cells, at most eight on
its long side and none smaller than eight pixels, for luma and chroma alike, and those few values are drawn out again:
block averages first, then a low-pass without kinks. The cells grow with the face, so what survives does not:

- `cells=1`: one colour, the mean of the rectangle; besides it place and size of what is hidden.
- `cells=n`: at most n x n mean colours. Whatever has the same means gives the same picture.
- `fill`: place and size only.

No filter can bring back more than that. In an ellipse the same means of its rectangle are drawn. Which rectangles are
blurred, and which pixels of them an ellipse has, belongs to `redaction`. Resistance to recognition was not measured.
"""

from __future__ import annotations

from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from episode_assets.anonymization.colours import GREY, Colour
from episode_assets.anonymization.redaction import Shape, drawn_rectangles
from episode_assets.video import Picture

Method = Literal["cells", "fill"]

_MIN_CELL_PX = 8
"""No cell is smaller: eight cells across a face of 16 pixels would leave it as it is."""
_QUIET_RMS = 1.0
"""Detail below this many grey levels is noise of the source's own compression: there is nothing to lose."""
_FAINT_RMS = 2.0
"""Detail below this is so faint that in a small region chance looks like some of it."""
_ALIKE_PX = 5
"""Pixels, on average, that say the same as their neighbours."""
_SPREAD_PX = 8
"""How far the encoder's largest transform block carries an edge: a plain rectangle of 44x120 beside a textured wall had
a third of the source's detail, all of it along its border (measured)."""
_SMALLEST_PX = 8
"""Less than this of a region, its outermost pixels left out, is too little to measure detail in."""
_ROUNDING_POWER = (1 / 12) * (1 - 1 / 25)
"""Mean square of the detail of a picture without any: whole grey levels leave an error of variance 1/12, of which a 5x5
mean takes away 1/25. In a rectangle on a plain wall this is more than a quarter of the source's detail."""


def blur_rectangles(
    picture: Picture,
    rectangles: NDArray[np.int32],
    *,
    method: Method,
    cells: int,
    shape: Shape = "box",
    colour: Colour = GREY,
) -> None:
    """Blur rectangles in place, or the ellipses in them, in all three planes.

    Args:
        picture: The picture; its planes are written to.
        rectangles: (R, 4) int32 half-open rectangles with even coordinates; empty ones are passed over.
        method: `cells` averages, `fill` paints in one colour.
        cells: Number of cells on the long side, at least 1.
        shape: What is hidden of each rectangle; see `drawn_rectangles`.
        colour: Of the method `fill`.
    """
    rectangles = rectangles[(rectangles[:, 2:] > rectangles[:, :2]).all(axis=1)]
    drawn = drawn_rectangles(rectangles, shape=shape, width=picture.width, height=picture.height)
    planes = ((picture.y, 1), (picture.u, 2), (picture.v, 2))
    if method == "fill":
        for (plane, shrink), value in zip(planes, colour, strict=True):
            for tiles in drawn:
                for x0, y0, x1, y1 in (tiles // shrink).tolist():
                    plane[y0:y1, x0:x1] = value
        return
    for rows in _touching_groups(rectangles):
        covered = None if shape == "box" else np.concatenate([drawn[row] for row in rows])
        for plane, shrink in planes:
            _average_out(plane, rectangles[rows], covered, shrink=shrink, cells=cells)


def cell_grid(width: int, height: int, *, cells: int) -> tuple[int, int]:
    """Return how many cells (columns, rows) a rectangle of this many pixels is averaged to."""
    long_side = max(width, height)
    count = max(1, min(cells, long_side // _MIN_CELL_PX))
    return max(1, round(count * width / long_side)), max(1, round(count * height / long_side))


def _touching_groups(rectangles: NDArray[np.int32]) -> list[list[int]]:
    """Return the numbers of the rectangles in groups such that those of different groups share no pixel."""
    groups: list[list[int]] = []
    for row, rectangle in enumerate(rectangles):
        shared = [bool(_overlapping(rectangles[group], rectangle).any()) for group in groups]
        merged = [other for group, touches in zip(groups, shared, strict=True) if touches for other in group]
        groups = [group for group, touches in zip(groups, shared, strict=True) if not touches]
        groups.append([*merged, row])
    return groups


def _overlapping(group: NDArray[np.int32], rectangle: NDArray[np.int32]) -> NDArray[np.bool_]:
    apart = (group[:, 2:] <= rectangle[:2]) | (group[:, :2] >= rectangle[2:])
    return np.asarray(~apart.any(axis=1))


def _average_out(
    plane: NDArray[np.uint8],
    group: NDArray[np.int32],
    tiles: NDArray[np.int32] | None,
    *,
    shrink: int,
    cells: int,
) -> None:
    """Replace overlapping rectangles by their averages, or only tiles of them; all in luma pixels."""
    bounds = np.concatenate([group[:, :2].min(axis=0), group[:, 2:].max(axis=0)])
    left, top, right, bottom = (bounds // shrink).tolist()
    mean, is_covered = _means(plane[top:bottom, left:right], group, bounds[:2], shrink=shrink, cells=cells)
    if tiles is not None:
        is_covered = _painted(tiles - np.tile(bounds[:2], 2), mean.shape, shrink=shrink)
    np.copyto(plane[top:bottom, left:right], mean, where=is_covered)


def _means(
    plane: NDArray[np.uint8],
    group: NDArray[np.int32],
    origin: NDArray[np.int32],
    *,
    shrink: int,
    cells: int,
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Return the averages of overlapping rectangles, a mixture without edges where several overlap, and where they lie.

    The edge of one rectangle inside another would be new detail, and now and then looks like a face. So each one's
    weight falls to nothing towards its own border.
    """
    grids = [cell_grid(x1 - x0, y1 - y0, cells=cells) for x0, y0, x1, y1 in group.tolist()]
    if len(group) == 1:
        return _rounded(_smooth(plane, grids[0])), np.ones(plane.shape, np.bool_)
    total = np.zeros(plane.shape, np.float32)
    weights = np.zeros(plane.shape, np.float32)
    for (x0, y0, x1, y1), grid in zip(((group - np.tile(origin, 2)) // shrink).tolist(), grids, strict=True):
        weight = _tent(y1 - y0)[:, None] * _tent(x1 - x0)[None, :]
        total[y0:y1, x0:x1] += weight * _smooth(plane[y0:y1, x0:x1], grid)
        weights[y0:y1, x0:x1] += weight
    return _rounded(total / np.maximum(weights, 1.0)), weights > 0


def _rounded(values: NDArray[np.floating[Any]]) -> NDArray[np.uint8]:
    return np.asarray(np.rint(values), dtype=np.uint8)


def _painted(tiles: NDArray[np.int32], shape: tuple[int, ...], *, shrink: int) -> NDArray[np.bool_]:
    """Return which pixels of a plane tiles cover."""
    is_covered = np.zeros(shape, np.bool_)
    for x0, y0, x1, y1 in (tiles // shrink).tolist():
        is_covered[y0:y1, x0:x1] = True
    return is_covered


def _tent(length: int) -> NDArray[np.float32]:
    steps = np.arange(1, length + 1, dtype=np.float32)
    return np.asarray(np.minimum(steps, steps[::-1]), dtype=np.float32)


def _smooth(plane: NDArray[np.uint8], grid: tuple[int, int]) -> NDArray[np.float32]:
    """Average a plane to a grid of cells and draw it out again without kinks: linear, then a mean of one cell."""
    height, width = plane.shape
    columns, rows = min(grid[0], width), min(grid[1], height)
    small = cv2.resize(plane, (columns, rows), interpolation=cv2.INTER_AREA).astype(np.float32)
    if columns == rows == 1:
        return np.full(plane.shape, small[0, 0], np.float32)
    drawn = cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)
    window = (max(1, width // columns), max(1, height // rows))
    return np.asarray(cv2.blur(drawn, window, borderType=cv2.BORDER_REPLICATE), dtype=np.float32)


def kept_detail(
    source: NDArray[np.uint8], result: NDArray[np.uint8], tiles: NDArray[np.int32] | None = None
) -> float:
    """Return which share of the source's local detail a region still has, 0 where the source had none.

    Detail is the RMS of what a 5x5 mean takes away from luma. What rounding to whole grey levels puts into any picture
    is none, and counted in neither of them. Nor is what the encoder's transform carries over the border from the sharp
    surroundings, so the outermost pixels are left out. In a region so small that this reaches everywhere, only detail
    that looks like the source's counts: a find of 9x12 px had 78 % of the source's, none of it its own (measured).

    Args:
        source: (h, w) uint8 luma before the blur.
        result: The same region of the published picture.
        tiles: (T, 4) rectangles of the pixels that were blurred in it; None for all. No others count.
    """
    inset = min(_SPREAD_PX, min(source.shape) // 4)
    if min(source.shape) - 2 * inset < _SMALLEST_PX:
        return 0.0
    inside = None if tiles is None else _eroded(_painted(tiles, source.shape, shrink=1), inset)
    before, after = (_detail(luma, inset, inside) for luma in (source, result))
    power = _mean_product(before, before)
    if power < _QUIET_RMS**2:
        return 0.0
    if inset < _SPREAD_PX:
        return _likeness(before, after, power)
    left = max(0.0, _mean_product(after, after) - _ROUNDING_POWER)
    return float(np.sqrt(left / (power - _ROUNDING_POWER)))


def _likeness(before: NDArray[np.float32], after: NDArray[np.float32], power: float) -> float:
    """Return how much of the source's detail the result still shows; of faint detail, how much it shows for certain.

    A rectangle of 26x36 px on a plain wall seemed to keep 28 % of a detail of one grey level: what its neighbour cast
    into it, and chance.
    """
    slope = _mean_product(before, after) / power
    if power >= _FAINT_RMS**2:
        return abs(slope)
    # The standard error of a regression slope, with as many observations as are independent.
    rest = after - slope * before
    error = np.sqrt(_mean_product(rest, rest) / power * _ALIKE_PX / len(rest))
    return max(0.0, abs(slope) - float(error))


def _eroded(is_inside: NDArray[np.bool_], inset: int) -> NDArray[np.bool_]:
    kernel = np.ones((2 * inset + 1, 2 * inset + 1), np.uint8)
    eroded = cv2.erode(is_inside.astype(np.uint8), kernel)
    return np.asarray(_without_border(eroded, inset), dtype=np.bool_)


def _without_border(values: NDArray[np.uint8], inset: int) -> NDArray[np.uint8]:
    return values[inset : values.shape[0] - inset, inset : values.shape[1] - inset]


def _detail(luma: NDArray[np.uint8], inset: int, is_inside: NDArray[np.bool_] | None) -> NDArray[np.float32]:
    """Return what a 5x5 mean takes away, (N,) float32."""
    values = _without_border(luma, inset).astype(np.float32)
    fine = values - cv2.blur(values, (5, 5), borderType=cv2.BORDER_REPLICATE)
    return np.asarray(fine.ravel() if is_inside is None else fine[is_inside], dtype=np.float32)


def _mean_product(left: NDArray[np.float32], right: NDArray[np.float32]) -> float:
    return float(np.mean(left * right, dtype=np.float64)) if left.size else 0.0
