"""A truncated signed distance field in sparse blocks: what depth images say about where surfaces are.

Curless, B. and Levoy, M. (1996), A volumetric method for building complex models from range images; blocks as in
Niessner, M. et al. (2013), Real-time 3D reconstruction at scale using voxel hashing. Which images are fused belongs to
`fusion`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from episode_assets.ply import Mesh
from episode_assets.scene.welding import weld

SIDE = 8
"""Voxels along a block."""

KEY_BITS = 20
"""Bits for each coordinate of a block in its key: with blocks of 32 cm, 160 km to either side."""

FIRST_CAPACITY = 256
BATCH = 512
"""Blocks that are brought up to date at once, which bounds the memory of an image."""

FINEST_STEP = 4096
"""Vertices are rounded to this fraction of a voxel, so that neighbouring blocks give the same ones."""

NEAREST_VOXEL_M = 1e-3
"""Voxels nearer to the camera than this, or behind it, appear nowhere in its image."""

Floats = NDArray[np.float32]
Blocks = NDArray[np.int64]


@dataclass(frozen=True)
class Camera:
    """A depth camera at one moment: `p_world = R p_optical + t`, K in pixels of the depth image."""

    K: Floats
    R: Floats
    t: Floats


@dataclass
class VoxelField:
    """Distances to the nearest surface, positive in free space, around every surface that was measured.

    Attributes:
        voxel_m: Size of a voxel.
        truncation_m: Distances beyond this count as this.
        capacity: Most blocks.
        refused: Blocks that did not fit any more.
    """

    voxel_m: float
    truncation_m: float
    capacity: int
    refused: int = 0
    _slots: dict[int, int] = field(default_factory=dict)
    _blocks: Blocks = field(default_factory=lambda: np.empty((FIRST_CAPACITY, 3), np.int64))
    _distance: Floats = field(default_factory=lambda: np.zeros((FIRST_CAPACITY, SIDE**3), np.float32))
    _weight: Floats = field(default_factory=lambda: np.zeros((FIRST_CAPACITY, SIDE**3), np.float32))

    def __len__(self) -> int:
        return len(self._slots)

    def add(self, depth_m: Floats, camera: Camera) -> None:
        """Fuse one depth image (H, W), 0 where nothing is known."""
        self._allocate(self._touched(depth_m, camera))
        visible = self._in_view(depth_m, camera)
        for start in range(0, len(visible), BATCH):
            self._update(visible[start : start + BATCH], depth_m, camera)

    @property
    def _block_m(self) -> float:
        return SIDE * self.voxel_m

    def _touched(self, depth_m: Floats, camera: Camera) -> Blocks:
        """Return the blocks (B, 3) along the rays of every second pixel, near what it measured."""
        v, u = (2 * part for part in np.nonzero(depth_m[::2, ::2]))
        z = depth_m[v, u]
        rays = np.stack(
            [(u - camera.K[0, 2]) / camera.K[0, 0], (v - camera.K[1, 2]) / camera.K[1, 1], np.ones(len(u))], 1
        )
        steps = (
            np.linspace(-1, 1, 1 + 2 * int(np.ceil(self.truncation_m / self._block_m))) * self.truncation_m
        )
        points = [(rays * (z + step)[:, None]) @ camera.R.T + camera.t for step in steps]
        blocks = np.floor(np.concatenate(points) / self._block_m).astype(np.int64)
        is_near = (np.abs(blocks) < 2 ** (KEY_BITS - 1)).all(axis=1)
        return _blocks_of(np.unique(_keys_of(blocks[is_near])))

    def _allocate(self, blocks: Blocks) -> None:
        keys = _keys_of(blocks).tolist()
        fresh = [row for row, key in enumerate(keys) if key not in self._slots]
        taken = fresh[: self.capacity - len(self)]
        self.refused += len(fresh) - len(taken)
        self._make_room(len(self) + len(taken))
        for row in taken:
            self._blocks[len(self._slots)] = blocks[row]
            self._slots[keys[row]] = len(self._slots)

    def _make_room(self, count: int) -> None:
        have = len(self._blocks)
        if count <= have:
            return
        more = min(max(count, 2 * have), max(self.capacity, count)) - have
        self._blocks = np.concatenate([self._blocks, np.empty((more, 3), np.int64)])
        self._distance = np.concatenate([self._distance, np.zeros((more, SIDE**3), np.float32)])
        self._weight = np.concatenate([self._weight, np.zeros((more, SIDE**3), np.float32)])

    def _in_view(self, depth_m: Floats, camera: Camera) -> NDArray[np.int64]:
        """Return the blocks that the image can say something about: what is free now may not have been before."""
        radius = np.float32(self._block_m * np.sqrt(3) / 2)
        middle = ((self._blocks[: len(self)] + 0.5) * self._block_m).astype(np.float32)
        x, y, z = ((middle - camera.t) @ camera.R).T
        height, width = depth_m.shape
        is_seen = (z > -radius) & (z < depth_m.max(initial=0) + self.truncation_m + radius)
        for place, axis, size in ((x, 0, width), (y, 1, height)):
            focal, before = camera.K[axis, axis], camera.K[axis, 2] + 0.5
            # A block lies outside the picture only where its ball does, on the far side of a plane through the camera.
            is_seen &= focal * place + before * z > -radius * np.hypot(focal, before)
            is_seen &= (size - before) * z - focal * place > -radius * np.hypot(focal, size - before)
        return np.flatnonzero(is_seen)

    def _update(self, slots: NDArray[np.int64], depth_m: Floats, camera: Camera) -> None:
        corner = ((self._blocks[slots] * self._block_m) - camera.t).astype(np.float32) @ camera.R
        inside = (_VOXELS + np.float32(0.5)) * np.float32(self.voxel_m) @ camera.R
        x, y, z = ((corner[:, None, axis] + inside[None, :, axis]) for axis in range(3))
        is_before = z > NEAREST_VOXEL_M
        z = np.maximum(z, np.float32(NEAREST_VOXEL_M))
        u = np.rint(camera.K[0, 0] * x / z + camera.K[0, 2])
        v = np.rint(camera.K[1, 1] * y / z + camera.K[1, 2])
        height, width = depth_m.shape
        is_in = is_before & (u >= 0) & (u < width) & (v >= 0) & (v < height)
        measured = np.zeros(z.shape, np.float32)
        measured[is_in] = depth_m[v[is_in].astype(np.int32), u[is_in].astype(np.int32)]
        distance = measured - z
        is_told = (measured > 0) & (distance > -self.truncation_m)
        weight = self._weight[slots]
        told = np.minimum(distance, np.float32(self.truncation_m))
        mean = self._distance[slots]
        mean += np.where(is_told, (told - mean) / (weight + 1), np.float32(0))
        self._distance[slots] = mean
        self._weight[slots] = weight + is_told

    def surface(self, *, observations: int) -> Mesh:
        """Return the surface where the distance is zero, between voxels that were seen so many times."""
        from skimage.measure import marching_cubes

        vertices, triangles, count = [], [], 0
        order = np.argsort(_keys_of(self._blocks[: len(self)]), kind="stable")
        for slot in order.tolist():
            distance, is_known = self._with_neighbours(slot, observations)
            cells = _cells(is_known)
            if not cells.any() or not _has_both_signs(distance, is_known):
                continue
            try:
                places, faces, _, _ = marching_cubes(
                    distance, 0.0, mask=cells, gradient_direction="descent", allow_degenerate=False
                )
            except RuntimeError:  # no surface in the cells that count
                continue
            places = np.rint(places.astype(np.float64) * FINEST_STEP) / FINEST_STEP
            vertices.append((self._blocks[slot] * SIDE + places + 0.5) * self.voxel_m)
            triangles.append(faces + count)
            count += len(places)
        if not vertices:
            return Mesh(np.empty((0, 3), np.float32), np.empty((0, 3), np.int32))
        mesh, _ = weld(np.concatenate(vertices), np.concatenate(triangles))
        return mesh

    def _with_neighbours(self, slot: int, observations: int) -> tuple[Floats, NDArray[np.bool_]]:
        """Return the distances (9, 9, 9) of a block and of the first voxels behind it, and which are known."""
        distance = np.zeros((SIDE + 1,) * 3, np.float32)
        weight = np.zeros((SIDE + 1,) * 3, np.float32)
        for step in _STEPS:
            other = self._slots.get(int(_keys_of(self._blocks[slot] + step)))
            if other is not None:
                here = tuple(slice(SIDE, None) if ahead else slice(0, SIDE) for ahead in step)
                there = tuple(slice(0, 1) if ahead else slice(0, SIDE) for ahead in step)
                distance[here] = self._distance[other].reshape((SIDE,) * 3)[there]
                weight[here] = self._weight[other].reshape((SIDE,) * 3)[there]
        return distance, weight >= observations


_VOXELS = np.stack(np.meshgrid(*[np.arange(SIDE, dtype=np.float32)] * 3, indexing="ij"), axis=-1).reshape(
    -1, 3
)
_STEPS = np.stack(np.meshgrid(*[np.arange(2)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)


def _keys_of(blocks: Blocks) -> NDArray[np.int64]:
    shifted = blocks + 2 ** (KEY_BITS - 1)
    return np.asarray(
        (shifted[..., 0] << 2 * KEY_BITS) | (shifted[..., 1] << KEY_BITS) | shifted[..., 2], dtype=np.int64
    )


def _blocks_of(keys: NDArray[np.int64]) -> Blocks:
    mask = 2**KEY_BITS - 1
    parts = np.stack([keys >> 2 * KEY_BITS, (keys >> KEY_BITS) & mask, keys & mask], axis=-1)
    return np.asarray(parts - 2 ** (KEY_BITS - 1))


def _cells(is_known: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which cells have eight known corners, each at its last corner, where marching cubes looks for it."""
    cells = np.zeros_like(is_known)
    whole = np.ones((SIDE,) * 3, np.bool_)
    for step in _STEPS.tolist():
        whole &= is_known[tuple(slice(ahead, SIDE + ahead) for ahead in step)]
    cells[1:, 1:, 1:] = whole
    return cells


def _has_both_signs(distance: Floats, is_known: NDArray[np.bool_]) -> bool:
    known = distance[is_known]
    return bool(known.min() < 0 < known.max())
