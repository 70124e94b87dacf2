"""The point clouds of a recording as one: accumulated in the world frame, a mean point per voxel, without colours.

Points inside the blurred rectangles of any picture are left out, as depth is there. Reading clouds belongs to
`recording`; what is built from depth images, to the scene.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from episode_assets.bundle.annotation import AnnotationFile
from episode_assets.bundle.inputs import Inputs
from episode_assets.footage import FaceSpace
from episode_assets.recording import UndecodableCloud, nearest

GROUP = "point-cloud"
MOST_VOXELS = 500_000
"""More than these, and voxels become twice as large: some 20 MB, with as much again while they are merged."""

BATCH_POINTS = 200_000
"""After so many points the voxels are counted."""

SLICE_POINTS = 50_000
"""Points made exact at once; about 5 MB."""

FARTHEST_VOXEL = 1 << 20
"""Voxels are counted from the origin in 21 bits per axis; at 2 cm that is 21 km."""

DIAGONAL = 1.75
"""A point of a cube and the mean of all its points are closer than so many edges."""


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
    _sum: list[NDArray[np.float64]] = field(default_factory=lambda: [np.empty(0) for _ in range(3)])
    _count: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))

    def add(self, points: NDArray[np.floating]) -> int:
        """Add points (N, 3) metres; returns how many lie too far out to be counted."""
        far = 0
        for start in range(0, len(points), SLICE_POINTS):
            exact = np.asarray(points[start : start + SLICE_POINTS], dtype=np.float64)
            is_near = (np.abs(exact) < (FARTHEST_VOXEL - 1) * self.size_m).all(axis=1)
            far += len(exact) - int(is_near.sum())
            self._insert(exact[is_near].T)
        while len(self._key) > self.most:
            self.size_m *= 2
            self._merge(self._keys(map(self.mean_along, range(3))))
        return far

    @property
    def means(self) -> NDArray[np.float64]:
        """Mean point of every cube, (V, 3) metres, in the order of the cubes."""
        return np.stack([self.mean_along(axis) for axis in range(3)], axis=1)

    def mean_along(self, axis: int) -> NDArray[np.float64]:
        """Mean x, y or z of every cube, (V,) metres."""
        return np.asarray(self._sum[axis] / self._count)

    @property
    def counts(self) -> NDArray[np.int64]:
        """How many points each mean stands for, (V,)."""
        return self._count

    def drop(self, is_hidden: NDArray[np.bool_]) -> int:
        """Forget some of the cubes (V,); returns how many points they stood for."""
        hidden = int(self._count[is_hidden].sum())
        self._key, self._count = self._key[~is_hidden], self._count[~is_hidden]
        self._sum = [sums[~is_hidden] for sums in self._sum]
        return hidden

    def _keys(self, axes: Iterable[NDArray[np.float64]]) -> NDArray[np.int64]:
        """Return the cubes of points given as their x, y and z, (N,) each; memory holds one axis at a time."""
        keys = np.zeros((), np.int64)
        for values in axes:
            keys = (keys << 21) | (np.floor(values / self.size_m).astype(np.int64) + FARTHEST_VOXEL)
        return keys

    def _insert(self, axes: NDArray[np.float64]) -> None:
        # Sums grow point by point in the order of the recording, however the points come.
        keys = self._keys(axes)
        distinct = np.unique(keys)
        at = np.searchsorted(self._key, distinct)
        is_new = np.ones(len(distinct), np.bool_)
        inside = at < len(self._key)
        is_new[inside] = self._key[at[inside]] != distinct[inside]
        self._insert_empty(at[is_new], distinct[is_new])
        place = np.searchsorted(self._key, keys)
        for axis, sums in enumerate(self._sum):
            np.add.at(sums, place, axes[axis])
        np.add.at(self._count, place, 1)

    def _insert_empty(self, at: NDArray[np.intp], keys: NDArray[np.int64]) -> None:
        self._key = np.insert(self._key, at, keys)
        for axis, sums in enumerate(self._sum):
            self._sum[axis] = np.insert(sums, at, 0.0)
        self._count = np.insert(self._count, at, 0)

    def _merge(self, keys: NDArray[np.int64]) -> None:
        self._key = np.unique(keys)
        place, total = np.searchsorted(self._key, keys), len(self._key)
        for axis, sums in enumerate(self._sum):
            self._sum[axis] = np.bincount(place, sums, total).astype(np.float64, copy=False)
        self._count = np.bincount(place, self._count, total).astype(np.int64)


@dataclass
class CloudCount:
    """What happened to the clouds of a recording.

    Attributes:
        used: Messages with points in the grid.
        elsewhere: Messages in another frame than the poses, which are not moved there.
        undecodable: Messages that do not decode.
        unseen: Messages left out since nobody can tell where in them a blurred face is.
        hidden: Points left out since they lie in the blurred rectangles of a picture.
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
    boxes = inputs.boxes if inputs.config.depth_faces == "hole" else inputs.boxes.drawn()
    tolerance_s = inputs.config.depth_tolerance_s
    space = FaceSpace(inputs.raw, inputs.frames, boxes, inputs.rgb, inputs.poses, tolerance_s)
    count.far = add_clouds(grid, _published_points(inputs, space, count))
    # Clouds gather what was seen over minutes: any picture may show a face that a later cloud still holds.
    count.hidden = grid.drop(space.hides(grid.means, size_m=DIAGONAL * grid.size_m))
    return grid, count


def add_clouds(grid: VoxelGrid, clouds: Iterable[NDArray[np.floating]]) -> int:
    """Add the points (N, 3) of clouds to a grid, as many at once as fit; returns how many lie too far out."""
    far = 0
    waiting: list[NDArray[np.floating]] = []
    for points in clouds:
        waiting.append(points)
        if sum(map(len, waiting)) >= BATCH_POINTS:
            far += grid.add(np.concatenate(waiting))
            waiting.clear()
    return far + (grid.add(np.concatenate(waiting)) if waiting else 0)


def _published_points(inputs: Inputs, space: FaceSpace, count: CloudCount) -> Iterator[NDArray[np.floating]]:
    world = world_frame(inputs)
    for stream in inputs.raw.point_clouds:
        if stream.frame_id.strip("/") != world:
            count.elsewhere += len(stream)
            continue
        for cloud in stream.read():
            if isinstance(cloud, UndecodableCloud):
                count.undecodable += 1
                continue
            if not _is_seen(cloud.stamp_ns, inputs, space):
                count.unseen += 1
            elif len(cloud.points):
                count.used += 1
                yield cloud.points


def world_frame(inputs: Inputs) -> str:
    """Return the frame that clouds have to lie in: that of the poses, or of the first cloud where there are none."""
    named = [stream.frame_id for stream in (inputs.pose, *inputs.raw.point_clouds) if stream is not None]
    return named[0].strip("/") if named else ""


def _is_seen(stamp_ns: int, inputs: Inputs, space: FaceSpace) -> bool:
    """Return whether it is known what of a cloud shows a face: pictures tell, and somebody knows where they were."""
    tolerance_ns = round(inputs.config.pose_tolerance_s * 1e9)
    stamps = np.array([stamp_ns], np.int64)
    frame = int(nearest(inputs.frames.stamp_ns, stamps, tolerance_ns=tolerance_ns)[0])
    if frame < 0:
        return False
    if space.unplaced_ns is not None and stamp_ns >= space.unplaced_ns - tolerance_ns:
        return False
    around = range(max(frame - 1, 0), min(frame + 2, len(inputs.frames)))
    return len(space.boxes.of_frames(around)) == 0 or space.places(frame)


def write_cloud(file: AnnotationFile, grid: VoxelGrid, *, frame_id: str, messages: int) -> None:
    """Write `/point-cloud`: `points` (V, 3) float32 world metres, and in `count` how many were averaged in each."""
    points = np.empty((len(grid.counts), 3), np.float32)
    for axis in range(3):
        points[:, axis] = grid.mean_along(axis)
    file.put(f"/{GROUP}/points", points, units="m", is_packed=True)
    file.put(f"/{GROUP}/count", grid.counts.astype(np.int32), is_packed=True)
    file.describe(f"/{GROUP}", {"frame_id": frame_id, "voxel_m": grid.size_m, "messages": messages})
