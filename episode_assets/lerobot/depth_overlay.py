"""Depth laid over the stored picture: one value for each of its pixels, along the same ray.

Both cameras of a phone look from one place, so a pixel of the picture and the pixel of the depth image on its ray show
the same point. The nearest measured value is taken, none is made up between two.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from episode_assets.lerobot.picture_change import PictureChange
from episode_assets.lerobot.source import EpisodeSource

Floats = NDArray[np.float64]
Depth = NDArray[np.uint16]


@dataclass(frozen=True)
class DepthOverlay:
    """How the depth images of a bundle lie under its stored pictures.

    Attributes:
        picture: (F, 4) float64, fx, fy, cx, cy of the stored picture, px; NaN where unknown.
        depth: (F, 4) float64, the same of the turned depth image.
        size: Width and height of the stored picture.
        shown: Width and height of the part of it that shows something; the rest is padding.
    """

    picture: Floats
    depth: Floats
    size: tuple[int, int]
    shown: tuple[int, int]

    @classmethod
    def of(cls, source: EpisodeSource, change: PictureChange) -> DepthOverlay:
        """Return the overlay of frames that the changed camera sees."""
        unknown = np.full_like(source.intrinsics, np.nan)
        depth = unknown if source.depth_intrinsics is None else source.depth_intrinsics
        return cls(source.intrinsics, depth, change.size, change.resized)

    @cached_property
    def is_known(self) -> NDArray[np.bool_]:
        """(F,) bool, both intrinsics are known."""
        return np.asarray(np.isfinite(self.picture).all(axis=1) & np.isfinite(self.depth).all(axis=1))

    def told(self, source: EpisodeSource) -> EpisodeSource:
        """Return the frames as rows tell of them: depth has the pixels of the picture, where both are known."""
        return replace(
            source,
            has_depth=source.has_depth & self.is_known,
            depth_intrinsics=self.picture,
            depth_size=self.size,
        )

    def lay(self, image: Depth, frame: int) -> Depth:
        """Return a turned depth image (H, W) uint16 in the pixels of the stored picture; 0 where it shows nothing."""
        height, width = image.shape
        columns = self._places(frame, axis=0, length=self.shown[0])
        rows = self._places(frame, axis=1, length=self.shown[1])
        inside_x, inside_y = (columns >= 0) & (columns < width), (rows >= 0) & (rows < height)
        laid = np.zeros(self.size[::-1], np.uint16)
        laid[np.ix_(np.flatnonzero(inside_y), np.flatnonzero(inside_x))] = image[
            np.ix_(rows[inside_y], columns[inside_x])
        ]
        return laid

    def _places(self, frame: int, *, axis: int, length: int) -> NDArray[np.int64]:
        """Return the column (axis 0) or row (axis 1) of the depth image that each one of the picture looks along."""
        ray = (np.arange(length) - self.picture[frame, 2 + axis]) / self.picture[frame, axis]
        place = ray * self.depth[frame, axis] + self.depth[frame, 2 + axis]
        return np.asarray(np.rint(place), dtype=np.int64)
