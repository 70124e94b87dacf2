"""Making rectangles of a picture unreadable, and measuring what is left of their detail.

The blur throws information away instead of spreading it: a rectangle is averaged down to a few cells, at most eight
on its long side, for luma and chroma alike, and those few values are drawn out again. No filter can bring back more
than the cells hold. Which rectangles are blurred belongs to `redaction`.
"""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from episode_assets.video import Picture

Method = Literal["cells", "fill"]

_MIN_CELL_PX = 8
"""No cell is smaller: eight cells across a face of 16 pixels would leave it as it is."""
FILL_LUMA = 126
FILL_CHROMA = 128
_BLOCK_PX = 8
_QUIET_RMS = 1.0
"""Detail below this many grey levels is noise of the source's own compression: there is nothing to lose."""
_SPREAD_PX = 8
"""How far the encoder's largest transform block carries an edge: a plain rectangle of 44x120 beside a textured wall had
a third of the source's detail, all of it along its border (measured)."""
_ROUNDING_POWER = (1 / 12) * (1 - 1 / 25)
"""Mean square of `detail_rms` for a picture without any detail: whole grey levels leave an error of variance 1/12, of
which a 5x5 mean takes away 1/25. In a rectangle on a plain wall this is more than a quarter of the source's detail."""


def blur_rectangles(picture: Picture, rectangles: NDArray[np.int32], *, method: Method, cells: int) -> None:
    """Blur rectangles in place, in all three planes.

    Args:
        picture: The picture; its planes are written to.
        rectangles: (R, 4) int32 half-open rectangles with even coordinates; empty ones are passed over.
        method: `cells` averages, `fill` paints a uniform grey.
        cells: Number of cells on the long side, at least 1.
    """
    planes = ((picture.y, 1, FILL_LUMA), (picture.u, 2, FILL_CHROMA), (picture.v, 2, FILL_CHROMA))
    for group in _touching_groups(rectangles[(rectangles[:, 2:] > rectangles[:, :2]).all(axis=1)]):
        for plane, shrink, grey in planes:
            if method == "fill":
                for x0, y0, x1, y1 in (group // shrink).tolist():
                    plane[y0:y1, x0:x1] = grey
            else:
                _average_out(plane, group, shrink=shrink, cells=cells)


def cell_grid(width: int, height: int, *, cells: int) -> tuple[int, int]:
    """Return how many cells (columns, rows) a rectangle of this many pixels is averaged to."""
    long_side = max(width, height)
    count = max(1, min(cells, long_side // _MIN_CELL_PX))
    return max(1, round(count * width / long_side)), max(1, round(count * height / long_side))


def _touching_groups(rectangles: NDArray[np.int32]) -> list[NDArray[np.int32]]:
    """Return the rectangles in groups such that those of different groups share no pixel."""
    groups: list[NDArray[np.int32]] = []
    for rectangle in rectangles:
        shared = [bool(_overlapping(group, rectangle).any()) for group in groups]
        merged = [group for group, touches in zip(groups, shared, strict=True) if touches]
        groups = [group for group, touches in zip(groups, shared, strict=True) if not touches]
        groups.append(np.concatenate([*merged, rectangle[None]]))
    return groups


def _overlapping(group: NDArray[np.int32], rectangle: NDArray[np.int32]) -> NDArray[np.bool_]:
    apart = (group[:, 2:] <= rectangle[:2]) | (group[:, :2] >= rectangle[2:])
    return np.asarray(~apart.any(axis=1))


def _average_out(plane: NDArray[np.uint8], group: NDArray[np.int32], *, shrink: int, cells: int) -> None:
    """Replace overlapping rectangles by their averages; where several overlap, by a mixture without edges.

    The edge of one rectangle inside another would be new detail, and now and then looks like a face. So each one's
    weight falls to nothing towards its own border.
    """
    places = (group // shrink).tolist()
    left, top = (min(place[axis] for place in places) for axis in (0, 1))
    right, bottom = (max(place[axis] for place in places) for axis in (2, 3))
    total = np.zeros((bottom - top, right - left), np.float32)
    weights = np.zeros_like(total)
    for (x0, y0, x1, y1), (wx0, wy0, wx1, wy1) in zip(places, group.tolist(), strict=True):
        inside = (slice(y0 - top, y1 - top), slice(x0 - left, x1 - left))
        weight = _tent(y1 - y0)[:, None] * _tent(x1 - x0)[None, :]
        total[inside] += weight * _smooth(plane[y0:y1, x0:x1], cell_grid(wx1 - wx0, wy1 - wy0, cells=cells))
        weights[inside] += weight
    target = plane[top:bottom, left:right]
    covered = weights > 0
    target[covered] = np.rint(total[covered] / weights[covered]).astype(np.uint8)


def _tent(length: int) -> NDArray[np.float32]:
    steps = np.arange(1, length + 1, dtype=np.float32)
    return np.asarray(np.minimum(steps, steps[::-1]), dtype=np.float32)


def _smooth(plane: NDArray[np.uint8], grid: tuple[int, int]) -> NDArray[np.float32]:
    """Average a plane to a grid of cells and draw it out again without kinks: linear, then a mean of one cell."""
    height, width = plane.shape
    columns, rows = min(grid[0], width), min(grid[1], height)
    small = cv2.resize(plane, (columns, rows), interpolation=cv2.INTER_AREA).astype(np.float32)
    drawn = cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)
    window = (max(1, width // columns), max(1, height // rows))
    return np.asarray(cv2.blur(drawn, window, borderType=cv2.BORDER_REPLICATE), dtype=np.float32)


def detail_rms(luma: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the local detail of luma: RMS of what a 5x5 mean takes away, for each whole 8x8 block.

    Args:
        luma: (h, w) uint8.

    Returns:
        (h // 8, w // 8) float32 grey levels; empty if a side is shorter than 8.
    """
    rows, columns = luma.shape[0] // _BLOCK_PX, luma.shape[1] // _BLOCK_PX
    if rows == 0 or columns == 0:
        return np.zeros((rows, columns), np.float32)
    values = luma.astype(np.float32)
    fine = values - cv2.blur(values, (5, 5), borderType=cv2.BORDER_REPLICATE)
    squares = np.square(fine[: rows * _BLOCK_PX, : columns * _BLOCK_PX])
    blocks = squares.reshape(rows, _BLOCK_PX, columns, _BLOCK_PX).mean(axis=(1, 3))
    return np.asarray(np.sqrt(blocks), dtype=np.float32)


def kept_detail(source: NDArray[np.uint8], result: NDArray[np.uint8]) -> float:
    """Return which share of the source's local detail a region still has, 0 where the source had none.

    What rounding to whole grey levels puts into any picture is no detail, and counted in neither of them. Nor is what
    the encoder's transform carries over the border from the sharp surroundings, so the outermost pixels are left out.

    Args:
        source: (h, w) uint8 luma before the blur.
        result: The same region of the published picture.
    """
    source, result = _inside(source), _inside(result)
    before = _detail_power(source)
    if before < _QUIET_RMS**2:
        return 0.0
    after = max(0.0, _detail_power(result) - _ROUNDING_POWER)
    return float(np.sqrt(after / (before - _ROUNDING_POWER)))


def _inside(luma: NDArray[np.uint8]) -> NDArray[np.uint8]:
    inset = min(_SPREAD_PX, min(luma.shape) // 4)
    return luma[inset : luma.shape[0] - inset, inset : luma.shape[1] - inset]


def _detail_power(luma: NDArray[np.uint8]) -> float:
    rms = detail_rms(luma)
    return float(np.mean(np.square(rms))) if rms.size else 0.0
