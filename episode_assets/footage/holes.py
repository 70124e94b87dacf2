"""Where depth shows what the video hides: the blurred rectangles of a picture, mapped to its depth image and removed.

Which frames are paired belongs to the callers; the rectangles come from `boxes`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from episode_assets.footage.boxes import FaceBoxes
from episode_assets.footage.frames import FrameTable
from episode_assets.footage.intrinsics import Intrinsics

NEIGHBOUR_DT_NS = 10_000_000
"""Beyond this distance between depth and picture the boxes of the picture on the other side count as well.

A face crosses less than the margin that the blur adds around it in 10 ms; a depth frame 60 ms away shows it elsewhere.
"""

SAME_ASPECT_RATIO = 0.02
SAME_FOCAL_RATIO = 0.02
SAME_CENTRE_RATIO = 0.01
"""Largest differences at which both images are taken to show one field of view: relative difference of the aspect
ratios and of the focal lengths in image widths, and shift of the optical centre in image widths."""

Rectangle = tuple[int, int, int, int]


@dataclass
class DepthHoles:
    """Removes faces from depth images of one size, and counts what was removed.

    Attributes:
        frames: The pictures.
        boxes: Where they were blurred.
        height: Rows of the depth images.
        width: Columns.
        rgb: Intrinsics of the pictures, None when unknown.
        depth: Depth's own intrinsics, None when unknown or derived from those of the pictures.
        pixels: Measured depth pixels that were removed so far.
        images: Depth images that lost any.
        blanked: Depth images removed whole, since nobody knows where in them the face is.
    """

    frames: FrameTable
    boxes: FaceBoxes
    height: int
    width: int
    rgb: Intrinsics | None
    depth: Intrinsics | None
    pixels: int = 0
    images: int = 0
    blanked: int = 0

    def cut(
        self, image: NDArray[np.uint16], frame: int, dt_ns: int, *, out: NDArray[np.uint16] | None = None
    ) -> NDArray[np.uint16]:
        """Return the depth image of a picture without its faces; the given one is not changed.

        Args:
            image: (height, width) uint16 mm.
            frame: Row of the picture table.
            dt_ns: Stamp of the depth image minus that of the picture.
            out: (height, width) uint16, where an image with holes is made instead of in memory of its own.
        """
        if len(self.boxes) == 0:
            return image
        rectangles = self.boxes.of_frames(self._frames_around(frame, dt_ns))
        if len(rectangles) == 0:
            return image
        holed = np.empty_like(image) if out is None else out
        np.copyto(holed, image)
        removed = 0
        for x0, y0, x1, y1 in self._areas(rectangles, frame):
            area = holed[y0:y1, x0:x1]
            removed += int(np.count_nonzero(area))
            area[...] = 0
        self.pixels += removed
        self.images += removed > 0
        return holed

    def _frames_around(self, frame: int, dt_ns: int) -> Sequence[int]:
        if abs(dt_ns) <= NEIGHBOUR_DT_NS:
            return (frame,)
        other = frame + (1 if dt_ns > 0 else -1)
        return (frame, other) if 0 <= other < len(self.frames) else (frame,)

    def _areas(self, rectangles_px: NDArray[np.int32], frame: int) -> list[Rectangle]:
        picture, size = (self.frames.width, self.frames.height), (self.width, self.height)
        if abs((size[0] / size[1]) / (picture[0] / picture[1]) - 1.0) > SAME_ASPECT_RATIO:
            self.blanked += 1
            return [(0, 0, *size)]
        areas = rectangles_by_size(rectangles_px, picture=picture, depth=size)
        if self.rgb is None or self.depth is None or not (self.rgb.valid[frame] and self.depth.valid[frame]):
            return areas
        K, K_depth = self.rgb.K[frame], self.depth.K[frame]
        if shows_same_view(K, K_depth, picture=picture, depth=size):
            return areas
        return areas + rectangles_by_intrinsics(rectangles_px, K, K_depth, depth=size)


def rectangles_by_size(
    rectangles_px: NDArray[np.int32], *, picture: tuple[int, int], depth: tuple[int, int]
) -> list[Rectangle]:
    """Map rectangles between images of one field of view, grown outward to whole depth pixels.

    Pixel edges scale by the ratio of the sizes: u_d + 0.5 = (u + 0.5) W_d / W.

    Args:
        rectangles_px: (B, 4) int32 x0, y0, x1, y1, half-open.
        picture: Width and height of the picture.
        depth: Width and height of the depth image.

    Returns:
        Half-open rectangles in depth pixels, inside the image.
    """
    (width, height), (columns, rows) = picture, depth
    return [
        _inside(
            x0 * columns // width,
            y0 * rows // height,
            -(-x1 * columns // width),
            -(-y1 * rows // height),
            depth,
        )
        for x0, y0, x1, y1 in rectangles_px.tolist()
    ]


def rectangles_by_intrinsics(
    rectangles_px: NDArray[np.int32],
    K: NDArray[np.float64],
    K_depth: NDArray[np.float64],
    *,
    depth: tuple[int, int],
) -> list[Rectangle]:
    """Map rectangles along the rays of two pinhole cameras that share one centre and orientation.

    Edges lie half a pixel before pixel centres: u_d = fx_d (u - cx) / fx + cx_d with u = edge - 0.5.
    """
    areas = []
    for x0, y0, x1, y1 in rectangles_px.tolist():
        left, right = (
            (K_depth[0, 0] * (x - 0.5 - K[0, 2]) / K[0, 0] + K_depth[0, 2] + 0.5) for x in (x0, x1)
        )
        top, bottom = (
            (K_depth[1, 1] * (y - 0.5 - K[1, 2]) / K[1, 1] + K_depth[1, 2] + 0.5) for y in (y0, y1)
        )
        areas.append(_inside(math.floor(left), math.floor(top), math.ceil(right), math.ceil(bottom), depth))
    return areas


def shows_same_view(
    K: NDArray[np.float64], K_depth: NDArray[np.float64], *, picture: tuple[int, int], depth: tuple[int, int]
) -> bool:
    """Return whether two calibrations differ in no more than the size of their images."""
    for axis in (0, 1):
        focal, focal_depth = K[axis, axis] / picture[axis], K_depth[axis, axis] / depth[axis]
        shift = abs(K[axis, 2] / picture[axis] - K_depth[axis, 2] / depth[axis])
        if abs(focal_depth / focal - 1.0) > SAME_FOCAL_RATIO or shift > SAME_CENTRE_RATIO:
            return False
    return True


def _inside(x0: int, y0: int, x1: int, y1: int, size: tuple[int, int]) -> Rectangle:
    width, height = size
    return (
        min(max(x0, 0), width),
        min(max(y0, 0), height),
        min(max(x1, 0), width),
        min(max(y1, 0), height),
    )
