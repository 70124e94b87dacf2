"""The point clouds of a recording as one: accumulated in the world frame, a mean point per voxel, without colours.

Points inside the blurred rectangles of the picture taken meanwhile are left out, as depth is there. Reading clouds
belongs to `recording`; what is built from depth images, to the scene.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from episode_assets.bundle.annotation import AnnotationFile
from episode_assets.bundle.inputs import Inputs
from episode_assets.recording import UndecodableCloud, nearest

GROUP = "point-cloud"
MOST_VOXELS = 500_000
"""More than these, and voxels become twice as large: some 20 MB, with three times as much while they are merged."""

BATCH_POINTS = 200_000
FARTHEST_VOXEL = 1 << 20
"""Voxels are counted from the origin in 21 bits per axis; at 2 cm that is 21 km."""

NEAREST_PICTURE_NS = 1_000_000_000
"""A cloud is looked at through the picture nearest in time, which is no more than so far away."""

BOX_MARGIN = 0.1
"""Rectangles grow by this share of their size on each side: lenses bend what the pinhole model does not."""


@dataclass(frozen=True)
class PointCloud:
    """The point cloud of a bundle.

    Attributes:
        points: (V, 3) float32 world metres.
        count: (V,) int32, measured points that each one is the mean of.
        voxel_m: Edge of the cubes in which they were averaged.
        frame_id: The world, by the recording's own name.
    """

    points: NDArray[np.float32]
    count: NDArray[np.int32]
    voxel_m: float
    frame_id: str


@dataclass
class VoxelGrid:
    """Points as they are added, one mean per cube.

    Attributes:
        size_m: Edge of a cube, metres; doubles whenever there are too many.
        most: Cubes that are too many.
    """

    size_m: float
    most: int = MOST_VOXELS
    _key: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    _sum: NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 3)))
    _count: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))

    def add(self, points: NDArray[np.floating]) -> int:
        """Add points (N, 3) metres; returns how many lie too far out to be counted."""
        exact = np.asarray(points, dtype=np.float64)
        is_near = (np.abs(exact) < (FARTHEST_VOXEL - 1) * self.size_m).all(axis=1)
        near = exact[is_near]
        self._merge(
            np.concatenate([self._key, self._keys(near)]),
            np.concatenate([self._sum, near]),
            np.concatenate([self._count, np.ones(len(near), np.int64)]),
        )
        while len(self._key) > self.most:
            self.size_m *= 2
            self._merge(self._keys(self.means), self._sum, self._count)
        return len(exact) - len(near)

    @property
    def means(self) -> NDArray[np.float64]:
        """Mean point of every cube, (V, 3) metres, in the order of the cubes."""
        return np.asarray(self._sum / self._count[:, None])

    @property
    def counts(self) -> NDArray[np.int64]:
        """How many points each mean stands for, (V,)."""
        return self._count

    def _keys(self, points: NDArray[np.float64]) -> NDArray[np.int64]:
        x, y, z = (np.floor(points / self.size_m).astype(np.int64) + FARTHEST_VOXEL).T
        return np.asarray((x << 42) | (y << 21) | z)

    def _merge(self, keys: NDArray[np.int64], sums: NDArray[np.float64], counts: NDArray[np.int64]) -> None:
        self._key, place = np.unique(keys, return_inverse=True)
        total = len(self._key)
        self._sum = np.stack([np.bincount(place, sums[:, axis], total) for axis in range(3)], axis=1)
        self._count = np.bincount(place, counts, total).astype(np.int64)


@dataclass
class CloudCount:
    """What happened to the clouds of a recording.

    Attributes:
        used: Messages with points in the grid.
        elsewhere: Messages in another frame than the poses, which are not moved there.
        undecodable: Messages that do not decode.
        unseen: Messages left out since nobody can tell where in them a blurred face is.
        hidden: Points left out since they lie behind blurred rectangles.
        far: Points too far from the origin.
    """

    used: int = 0
    elsewhere: int = 0
    undecodable: int = 0
    unseen: int = 0
    hidden: int = 0
    far: int = 0


def accumulate(inputs: Inputs, *, voxel_m: float) -> tuple[VoxelGrid, CloudCount]:
    """Return all clouds in the frame of the poses as one grid, and what was left out."""
    grid, count = VoxelGrid(voxel_m), CloudCount()
    waiting: list[NDArray[np.floating]] = []
    for points in _published_points(inputs, count):
        waiting.append(points)
        if sum(map(len, waiting)) >= BATCH_POINTS:
            count.far += grid.add(np.concatenate(waiting))
            waiting.clear()
    if waiting:
        count.far += grid.add(np.concatenate(waiting))
    return grid, count


def _published_points(inputs: Inputs, count: CloudCount) -> Iterator[NDArray[np.floating]]:
    world = world_frame(inputs)
    for stream in inputs.raw.point_clouds:
        if stream.frame_id.strip("/") != world:
            count.elsewhere += len(stream)
            continue
        for cloud in stream.read():
            if isinstance(cloud, UndecodableCloud):
                count.undecodable += 1
                continue
            points = _without_faces(cloud.points, cloud.stamp_ns, inputs, count)
            if len(points):
                count.used += 1
                yield points


def world_frame(inputs: Inputs) -> str:
    """Return the frame that clouds have to lie in: that of the poses, or of the first cloud where there are none."""
    named = [stream.frame_id for stream in (inputs.pose, *inputs.raw.point_clouds) if stream is not None]
    return named[0].strip("/") if named else ""


def _without_faces(
    points: NDArray[np.floating], stamp_ns: int, inputs: Inputs, count: CloudCount
) -> NDArray[np.floating]:
    boxes = inputs.boxes if inputs.config.depth_faces == "hole" else inputs.boxes.drawn()
    stamps = np.array([stamp_ns], np.int64)
    frame = int(nearest(inputs.frames.stamp_ns, stamps, tolerance_ns=NEAREST_PICTURE_NS)[0])
    if frame < 0:
        count.unseen += 1
        return points[:0]
    around = range(max(frame - 1, 0), min(frame + 2, len(inputs.frames)))
    rectangles = boxes.of_frames(around)
    if len(rectangles) == 0:
        return points
    if inputs.rgb is None or not (inputs.rgb.valid[frame] and inputs.poses.valid[frame]):
        count.unseen += 1
        return points[:0]
    hidden = behind(points, rectangles, inputs.rgb.K[frame], inputs.poses.world_from_optical[frame])
    count.hidden += int(hidden.sum())
    return points[~hidden]


def behind(
    points: NDArray[np.floating],
    rectangles_px: NDArray[np.int32],
    K: NDArray[np.float64],
    world_from_optical: NDArray[np.float64],
) -> NDArray[np.bool_]:
    """Return which points (N, 3) world metres a camera sees within any of the rectangles (B, 4), grown by a margin.

    u = fx X/Z + cx, v = fy Y/Z + cy for points before the camera, Z > 0.
    """
    R, t = world_from_optical[:3, :3], world_from_optical[:3, 3]
    seen = (points - t) @ R
    is_before = seen[:, 2] > 0
    depth = np.where(is_before, seen[:, 2], 1.0)
    u = K[0, 0] * seen[:, 0] / depth + K[0, 2]
    v = K[1, 1] * seen[:, 1] / depth + K[1, 2]
    found = np.zeros(len(points), np.bool_)
    for x0, y0, x1, y1 in rectangles_px.tolist():
        wide, high = BOX_MARGIN * (x1 - x0), BOX_MARGIN * (y1 - y0)
        found |= (u >= x0 - wide) & (u <= x1 + wide) & (v >= y0 - high) & (v <= y1 + high)
    return np.asarray(found & is_before)


def write_cloud(file: AnnotationFile, grid: VoxelGrid, *, frame_id: str, messages: int) -> None:
    """Write `/point-cloud`: `points` (V, 3) float32 world metres, and in `count` how many were averaged in each."""
    file.put(f"/{GROUP}/points", grid.means.astype(np.float32), units="m", is_packed=True)
    file.put(f"/{GROUP}/count", grid.counts.astype(np.int32), is_packed=True)
    file.describe(f"/{GROUP}", {"frame_id": frame_id, "voxel_m": grid.size_m, "messages": messages})
