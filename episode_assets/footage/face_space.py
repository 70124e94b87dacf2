"""Where in the world faces are: the space that blurred rectangles hide, for everything that is accumulated there.

A point cloud or a mesh gathers what was seen over minutes, so every blurred picture has a say about it. Rectangles in
depth images belong to `holes`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from episode_assets.footage.boxes import FaceBoxes
from episode_assets.footage.frames import FrameTable
from episode_assets.footage.intrinsics import Intrinsics, depth_intrinsics
from episode_assets.footage.lens import Lens, is_known, lens_at
from episode_assets.footage.poses import FramePoses
from episode_assets.recording import ImageMessage, RecordingView, UndecodableImage, depth_or_none, nearest

MOST_VIEWS = 4000
"""Pictures with faces that are looked through. Of more, one out of several, with the rectangles of all of them."""

BEHIND_M = 0.3
"""A point so far behind what the depth sensor measured in front of it is no part of it: a head is 0.2 m deep."""

BOX_MARGIN = 0.1
"""Rectangles grow by this share of their size on each side: poses and lenses are known only so well."""

DEPTH_MARGIN_PX = 5
"""The farthest depth within so many pixels counts, since depth and poses are not taken at the same moment."""

TOGETHER_NS = 1_000_000_000
"""A face that was placed stands for the pictures so near in time for which nobody knows where the camera was."""

BLOCK_M = 0.5
FARTHEST_BLOCK = (1 << 20) - 1
"""Points are sorted by cubes of this edge, counted in 21 bits per axis: 500 km to either side of their middle."""

NEAR_M = 0.01

Points = NDArray[np.float64]


@dataclass(frozen=True)
class FaceSpace:
    """What the blurred rectangles of a recording hide in the world.

    Attributes:
        raw: The recording; of its pixels only depth is read, to know how far away the faces are.
        frames: The pictures.
        boxes: The rectangles.
        rgb: Intrinsics at every picture, None when never known.
        poses: Pose at every picture.
        tolerance_s: Largest distance between a picture and its depth image.
    """

    raw: RecordingView
    frames: FrameTable
    boxes: FaceBoxes
    rgb: Intrinsics | None
    poses: FramePoses
    tolerance_s: float

    @cached_property
    def unplaced_ns(self) -> int | None:
        """Stamp of the first picture with a face that may lie anywhere in the world; None when all are placed.

        Where the camera was lost for longer than a second nothing could be added to a map either.
        """
        stamps = self.frames.stamp_ns
        faces = self._with_face
        missing = stamps[faces[~self._is_placed[faces]]]
        placed, tracked = stamps[faces[self._is_placed[faces]]], stamps[self._is_placed]
        is_open = ~_is_near(placed, missing) & (_is_near(tracked, missing) | (len(tracked) == 0))
        return int(missing[is_open][0]) if is_open.any() else None

    def places(self, frame: int) -> bool:
        """Return whether it is known where the camera of a picture was, and what it saw there."""
        return bool(self._is_placed[frame])

    def hides(self, points: Points, *, size_m: float = 0.0) -> NDArray[np.bool_]:
        """Return which points (N, 3) world metres lie in a rectangle of any picture, and not behind what is seen there.

        Where depth was measured, what lies `BEHIND_M` behind it is not hidden; without depth, all along the ray is.

        Args:
            points: Places in the frame of the poses.
            size_m: Rectangles grow by the width that this has at the point: how much a point stands for.
        """
        hidden = np.zeros(len(points), np.bool_)
        if len(self.boxes) == 0 or len(points) == 0:
            return hidden
        blocks = _Blocks.of(points)
        for view in self._views():
            rows = np.flatnonzero(blocks.may_be_seen(view) & ~hidden)
            hidden[rows] = view.hides(points[rows], size_m)
        return hidden

    @cached_property
    def _is_placed(self) -> NDArray[np.bool_]:
        if self.rgb is None or not is_known(self.rgb):
            return np.zeros(len(self.frames), np.bool_)
        return np.asarray(self.rgb.valid & self.poses.valid)

    @cached_property
    def _with_face(self) -> NDArray[np.int64]:
        return np.unique(self.boxes.frame_index)

    def _views(self) -> Iterator[_View]:
        placed = self._with_face[self._is_placed[self._with_face]]
        groups = np.array_split(placed, min(len(placed), MOST_VIEWS)) if len(placed) else []
        middles = [int(group[len(group) // 2]) for group in groups]
        for group, middle, depth in zip(groups, middles, self._depths(middles), strict=True):
            assert self.rgb is not None
            pose = self.poses.world_from_optical[middle]
            yield _View(
                lens_at(self.rgb, middle),
                pose[:3, :3],
                pose[:3, 3],
                self.boxes.of_frames(group.tolist()),
                depth,
            )

    def _depths(self, frames: list[int]) -> Iterator[_Depth | None]:
        """Yield the depth image of each picture, None where there is none."""
        stream = self.raw.depth
        if stream is None or len(stream) == 0:
            yield from (None for _ in frames)
            return
        tolerance_ns = round(self.tolerance_s * 1e9)
        positions = nearest(stream.stamp_ns, self.frames.stamp_ns[frames], tolerance_ns=tolerance_ns)
        messages = stream.read_at(positions[positions >= 0].tolist())
        cameras: dict[tuple[int, int], Intrinsics | None] = {}
        for frame, position in zip(frames, positions.tolist(), strict=True):
            yield self._depth(frame, next(messages)[1], cameras) if position >= 0 else None

    def _depth(
        self,
        frame: int,
        message: ImageMessage | UndecodableImage,
        cameras: dict[tuple[int, int], Intrinsics | None],
    ) -> _Depth | None:
        image = depth_or_none(message)
        if image is None:
            return None
        height, width = image.shape
        if (height, width) not in cameras:
            stamps = self.frames.stamp_ns
            cameras[height, width] = depth_intrinsics(self.raw, self.rgb, stamps, width=width, height=height)
        camera = cameras[height, width]
        return None if camera is None or not camera.valid[frame] else _Depth.of(image, camera.K[frame])


def _is_near(known_ns: NDArray[np.int64], stamps_ns: NDArray[np.int64]) -> NDArray[np.bool_]:
    if len(known_ns) == 0:
        return np.zeros(len(stamps_ns), np.bool_)
    return np.asarray(nearest(known_ns, stamps_ns, tolerance_ns=TOGETHER_NS) >= 0)


@dataclass(frozen=True)
class _Depth:
    """How far one sees: (H, W) float32 metres, infinite where nobody knows, and the matrix of the depth image."""

    metres: NDArray[np.float32]
    K: NDArray[np.float64]

    @classmethod
    def of(cls, image_mm: NDArray[np.uint16], K: NDArray[np.float64]) -> _Depth:
        metres = image_mm.astype(np.float32) / np.float32(1000)
        around = np.ones((DEPTH_MARGIN_PX, DEPTH_MARGIN_PX), np.uint8)
        farthest = np.asarray(cv2.dilate(metres, around), np.float32)
        return cls(np.where(image_mm > 0, farthest, np.float32(np.inf)), K)

    def along(self, x: Points, y: Points) -> NDArray[np.float32]:
        """Return how far one sees along rays (x, y, 1)."""
        height, width = self.metres.shape
        column = np.rint(np.clip(self.K[0, 0] * x + self.K[0, 2], -1, width)).astype(np.int64)
        row = np.rint(np.clip(self.K[1, 1] * y + self.K[1, 2], -1, height)).astype(np.int64)
        is_in = (column >= 0) & (column < width) & (row >= 0) & (row < height)
        seen = np.full(len(x), np.inf, np.float32)
        seen[is_in] = self.metres[row[is_in], column[is_in]]
        return seen


@dataclass(frozen=True)
class _View:
    """One picture with faces: `p_world = R p_optical + t`, its rectangles (B, 4) and its depth."""

    lens: Lens
    R: NDArray[np.float64]
    t: NDArray[np.float64]
    rectangles_px: NDArray[np.int32]
    depth: _Depth | None

    def hides(self, points: Points, size_m: float) -> NDArray[np.bool_]:
        """Return which points lie in a rectangle and not behind what is seen there."""
        seen = (points - self.t) @ self.R
        z = np.maximum(seen[:, 2], NEAR_M)
        x, y = seen[:, 0] / z, seen[:, 1] / z
        u, v = self.lens.pixels(x.astype(np.float32), y.astype(np.float32))
        size_px = size_m * self.lens.focal_px / z
        found = np.zeros(len(points), np.bool_)
        for x0, y0, x1, y1 in self._grown.tolist():
            found |= (u >= x0 - size_px) & (u <= x1 + size_px) & (v >= y0 - size_px) & (v <= y1 + size_px)
        found &= seen[:, 2] > NEAR_M
        return found if self.depth is None else found & (z <= self.depth.along(x, y) + BEHIND_M)

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """Least x and y, greatest x and y of the rays (x, y, 1) through the border of all rectangles."""
        low, high = self._grown[:, :2].min(axis=0), self._grown[:, 2:].max(axis=0)
        shares = np.linspace(0, 1, 9)[:, None]
        corners = np.array([low, (high[0], low[1]), high, (low[0], high[1]), low])
        border = [a * (1 - shares) + b * shares for a, b in pairwise(corners)]
        rays = self.lens.rays(np.concatenate(border))
        return (*rays.min(axis=0).tolist(), *rays.max(axis=0).tolist())

    @cached_property
    def _grown(self) -> NDArray[np.float64]:
        low, high = self.rectangles_px[:, :2].astype(np.float64), self.rectangles_px[:, 2:].astype(np.float64)
        margin = BOX_MARGIN * (high - low) + 1
        return np.concatenate([low - margin, high + margin], axis=1)


@dataclass(frozen=True)
class _Blocks:
    """Points by the cube that they lie in, so that those which a picture cannot show cost next to nothing."""

    middle: Points
    name: NDArray[np.intp]

    @classmethod
    def of(cls, points: Points) -> _Blocks:
        origin = np.floor(np.median(points, axis=0))
        keys = np.zeros(len(points), np.int64)
        for axis in range(3):
            cells = np.clip(
                np.floor((points[:, axis] - origin[axis]) / BLOCK_M), -FARTHEST_BLOCK, FARTHEST_BLOCK
            )
            keys = (keys << 21) | (cells.astype(np.int64) + FARTHEST_BLOCK)
        distinct, name = np.unique(keys, return_inverse=True)
        cells = np.stack([(distinct >> shift) & (2 * FARTHEST_BLOCK + 1) for shift in (42, 21, 0)], axis=1)
        return cls(origin + (cells - FARTHEST_BLOCK + 0.5) * BLOCK_M, name.reshape(-1))

    def may_be_seen(self, view: _View) -> NDArray[np.bool_]:
        """Return which points lie in a cube whose ball is not wholly outside the rectangles of a picture."""
        radius = BLOCK_M
        seen = (self.middle - view.t) @ view.R
        x0, y0, x1, y1 = view.bounds
        is_out = seen[:, 2] < -radius
        for axis, low, high in ((0, x0, x1), (1, y0, y1)):
            is_out |= seen[:, axis] - low * seen[:, 2] < -radius * np.hypot(1, low)
            is_out |= high * seen[:, 2] - seen[:, axis] < -radius * np.hypot(1, high)
        return np.asarray(~is_out[self.name])
