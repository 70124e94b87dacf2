"""Cutting a picture that is too large for one look into overlapping tiles and smaller versions of itself.

Every face is whole in at least one of them. A *level* is the picture at one scale, cut into tiles of one size. The
first one is fine enough for the smallest face; each of the others shrinks the one before, until one tile holds it all.
Scales are chosen by `searching`; what BlazeFace does inside its own small input is in `blazeface`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from episode_assets.anonymization.boxes import Boxes, no_boxes, shares_inside
from episode_assets.anonymization.detectors import RGB
from episode_assets.anonymization.union import add_to_hull, joined_boxes

TILE_MULTIPLE = 32
"""Sides of tiles are multiples of this, which every net's own multiple divides."""

_LARGEST_SHRINK = 4.0
_SURROUNDINGS = 2.0
"""A tile shows at least half a face's height around a face that it has to find: nets look at what surrounds one."""
_CUT_PX = 2.0
"""A box this close to the border of a tile may show a part of a face; pixels of the level."""
_SAME_SHARE = 0.5
"""Where this much of a box that a tile's border cuts lies inside another box, it is a part of what that one shows."""


@dataclass(frozen=True)
class Level:
    """The picture at one scale.

    Attributes:
        face_px: Smallest face that is found here, in pixels of the source.
        size: (width, height) of the whole picture at this scale.
        tile: (width, height) of its tiles; the whole size where there is one.
        corners: Upper left corner (x, y) of each tile.
    """

    face_px: float
    size: tuple[int, int]
    tile: tuple[int, int]
    corners: tuple[tuple[int, int], ...]

    def cut(self, picture: RGB) -> list[RGB]:
        """Return the tiles of the picture at this scale."""
        width, height = self.tile
        return [np.ascontiguousarray(picture[y : y + height, x : x + width]) for x, y in self.corners]

    def placed(self, found: Sequence[Boxes]) -> Iterator[tuple[Boxes, NDArray[np.bool_]]]:
        """Yield the boxes of each tile in pixels of the level, and which of them the tile's border may cut."""
        for (x, y), boxes in zip(self.corners, found, strict=True):
            # A border of the picture itself cuts no more in a tile than it does in the whole.
            near_low = np.array([0 if x == 0 else _CUT_PX, 0 if y == 0 else _CUT_PX])
            ends = np.array([x + self.tile[0] < self.size[0], y + self.tile[1] < self.size[1]])
            near_high = np.where(ends, np.array(self.tile) - _CUT_PX, np.inf)
            low, high = boxes[:, :2] < near_low, boxes[:, 2:4] > near_high
            is_cut = np.asarray(((low & (near_low > 0)) | high).any(axis=1))
            yield boxes + np.array([x, y, x, y, 0], np.float32), is_cut


def plan_levels(
    input_size: Callable[[float], tuple[int, int]], *, face_px: float, height: int, tile_px: int
) -> tuple[Level, ...]:
    """Return the levels in which every face from `face_px` on is whole in a tile; the finest first.

    A face between the smallest one of a level and the smallest one of the next has to be found on that level. There
    tiles overlap by `_SURROUNDINGS` times the largest of those faces, and an interval no longer than the overlap lies
    inside one tile: take the last tile that begins before it; the next one begins after it, and so at least an
    overlap before this one's end.

    Args:
        input_size: From the smallest face in source pixels to the (width, height) that the picture must have.
        face_px: The smallest face that has to be found.
        height: Height of the picture in source pixels.
        tile_px: Longest side of a tile, a multiple of `TILE_MULTIPLE`.
    """
    levels: list[Level] = []
    size = input_size(face_px)
    while max(size) > tile_px:
        shrink = min(max(size) / tile_px, _LARGEST_SHRINK)
        smaller = input_size(face_px * shrink)
        largest_px = min(face_px * shrink / height, 1.0) * size[1]
        overlap = min(math.ceil(_SURROUNDINGS * largest_px) + 1, tile_px // 2)
        levels.append(_level(face_px, size, tile_px=tile_px, overlap=overlap))
        if max(smaller) >= max(size):  # a detector whose input does not follow the size of faces
            return tuple(levels)
        size, face_px = smaller, face_px * shrink
    return (*levels, Level(face_px, size, size, ((0, 0),)))


def one_of_each(found: Iterable[tuple[Boxes, NDArray[np.bool_]]]) -> Boxes:
    """Join what the tiles of all levels found, in pixels of one of them; coarse levels should come first.

    Boxes of one face give way to their hull, as those of several detectors do. So does a box that a tile's border
    cuts with the box that holds most of it. Nothing that was found is left uncovered.
    """
    looks = list(found)
    known = joined_boxes([boxes[~is_cut] for boxes, is_cut in looks])
    cut = np.concatenate([no_boxes(), *(boxes[is_cut] for boxes, is_cut in looks)])
    for box in cut:
        shares = shares_inside(box[None], known)[0]
        if shares.max(initial=0.0) >= _SAME_SHARE:
            add_to_hull(known, int(np.argmax(shares)), box)
        else:
            known = joined_boxes([known, box[None]])
    return known


def _level(face_px: float, size: tuple[int, int], *, tile_px: int, overlap: int) -> Level:
    (width, xs), (height, ys) = (_along(length, tile_px, overlap) for length in size)
    return Level(face_px, size, (width, height), tuple((x, y) for y in ys for x in xs))


def _along(length: int, tile_px: int, overlap: int) -> tuple[int, list[int]]:
    """Return the side of the tiles along one direction and where they start; as even as their multiple allows."""
    if length <= tile_px:
        return length, [0]
    count = math.ceil((length - overlap) / (tile_px - overlap))
    even = (length + overlap * (count - 1)) / count
    side = min(tile_px, math.ceil(even / TILE_MULTIPLE) * TILE_MULTIPLE)
    return side, np.rint(np.linspace(0, length - side, count)).astype(int).tolist()
