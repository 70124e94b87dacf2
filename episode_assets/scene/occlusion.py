"""What hides what: the mesh itself, seen as a cloud of points through a picture's camera.

Filling triangles is slow without a renderer, so the surface is sampled once, evenly, and each sample covers a cell as
wide as the distance between samples appears at its distance. Cells of several sizes are kept in a pyramid.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from episode_assets.footage import Lens
from episode_assets.ply import Mesh

CELLS_ACROSS = 192
"""Cells of the finest level across a picture; a phone's depth sensor has a few more."""

LEVELS = 6
LEAST_SPACING_M = 0.015
MOST_SAMPLES = 250_000
COARSER = 1.25
"""Spacing of the samples, how many there may be on triangles that are larger than it, and the step by which the spacing
grows until there are so few."""

PIECE_M = 1.0
"""Triangles with a longer edge are cut into quarters, so that of a stray one only what is near counts."""

LARGEST_SLOPE = 3.0
"""Beyond 72 degrees between view and normal a surface hides itself; it takes hardly any colour from there anyway."""

NEAR_M = 0.05

Points = NDArray[np.float32]


@dataclass(frozen=True)
class Samples:
    """Points all over a surface.

    Attributes:
        points: (N, 3) float32 world metres.
        spacing_m: No place on the surface is farther than this from the next sample.
    """

    points: Points
    spacing_m: float


def sampled(mesh: Mesh, eyes: Points, *, reach_m: float) -> Samples:
    """Return samples of the surface where it matters, from its corners and an even grid on every larger triangle.

    The spacing is as fine as the largest number of samples allows: what no camera can see takes no part in that.

    Args:
        mesh: The surface.
        eyes: (C, 3) float32 world metres, where the cameras are.
        reach_m: How far they look.
    """
    corners = _pieces_near(mesh.vertices[mesh.triangles], eyes, reach_m)
    longest = _longest_edges(corners)
    spacing = LEAST_SPACING_M
    while _grid_points(longest / spacing) > MOST_SAMPLES:
        spacing *= COARSER
    steps = np.ceil(longest / spacing).astype(np.int64)
    grids = [_grid(corners[steps == step], int(step)) for step in np.unique(steps[steps > 1])]
    points = np.concatenate([corners[steps <= 1].reshape(-1, 3), *grids])
    cells = np.floor(points / (spacing / 2)).astype(np.int64)
    _, first = np.unique(np.ascontiguousarray(cells).view("V24").reshape(-1), return_index=True)
    return Samples(points[np.sort(first)], spacing)


def _pieces_near(corners: Points, eyes: Points, reach_m: float) -> Points:
    """Return the triangles (M, 3, 3) within reach of an eye, large ones in quarters of quarters within reach.

    Coordinates of a mesh are bounded, so that quartering ends; it keeps only what is near, which is little.
    """
    small: list[Points] = []
    while len(corners):
        corners = corners[_is_near(corners, eyes, reach_m)]
        is_small = _longest_edges(corners) <= PIECE_M
        small.append(corners[is_small])
        corners = _quarters(corners[~is_small])
    return np.concatenate(small) if small else np.empty((0, 3, 3), np.float32)


def _is_near(corners: Points, eyes: Points, reach_m: float) -> NDArray[np.bool_]:
    """Return which triangles (M, 3, 3) lie in boxes, of whole metres, that are within reach of an eye."""
    boxes = np.concatenate([np.floor(corners.min(axis=1)), np.ceil(corners.max(axis=1))], axis=1)
    distinct, name = np.unique(boxes, axis=0, return_inverse=True)
    is_near = np.zeros(len(distinct), np.bool_)
    for eye in eyes:
        beside = np.maximum(np.maximum(distinct[:, :3] - eye, eye - distinct[:, 3:]), 0)
        is_near |= np.einsum("bi,bi->b", beside, beside) <= reach_m**2
    return np.asarray(is_near[name.reshape(-1)])


def _longest_edges(corners: Points) -> NDArray[np.floating]:
    return np.asarray(np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2).max(axis=1, initial=0.0))


def _quarters(corners: Points) -> Points:
    a, b, c = corners[:, 0], corners[:, 1], corners[:, 2]
    ab, bc, ca = (a + b) / 2, (b + c) / 2, (c + a) / 2
    parts = ((a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca))
    return np.concatenate([np.stack(part, axis=1) for part in parts])


def _grid_points(steps: NDArray[np.floating]) -> float:
    many = np.ceil(steps[steps > 1]).astype(np.float64)
    return float(((many + 1) * (many + 2) / 2).sum())


def _grid(corners: Points, steps: int) -> Points:
    """Return the points that cut each side of triangles (M, 3, 3) into so many equal parts, and those between."""
    first, second = (part.reshape(-1) for part in np.mgrid[: steps + 1, : steps + 1])
    is_inside = first + second <= steps
    first, second = first[is_inside], second[is_inside]
    shares = np.stack([first, second, steps - first - second], axis=1).astype(np.float32) / np.float32(steps)
    return np.asarray(np.einsum("gk,mkc->mgc", shares, corners).reshape(-1, 3), dtype=np.float32)


@dataclass(frozen=True)
class NearestSurface:
    """How far the nearest surface is in every direction of a picture.

    Attributes:
        depth_m: (rows, columns) float32 along the optical axis, infinite where the mesh has no surface.
        cell_px: Width of a cell in pixels of the picture.
        spacing_m: Distance between the samples that it was made from.
        focal_px: Focal length of the picture.
    """

    depth_m: NDArray[np.float32]
    cell_px: float
    spacing_m: float
    focal_px: float

    def hides(
        self, u: Points, v: Points, z: Points, slope: Points, *, tolerance_m: float
    ) -> NDArray[np.bool_]:
        """Return (N,) whether something lies before points of a surface.

        Args:
            u: (N,) column in pixels of the picture, inside it.
            v: (N,) row.
            z: (N,) distance along the optical axis, m.
            slope: (N,) tangent of the angle between view and normal: by so much the depth of the own surface changes
                over the width of a cell.
            tolerance_m: How much nearer something must be to hide a point.
        """
        rows = np.clip(((v + 0.5) / self.cell_px).astype(np.int32), 0, self.depth_m.shape[0] - 1)
        columns = np.clip(((u + 0.5) / self.cell_px).astype(np.int32), 0, self.depth_m.shape[1] - 1)
        cell_m = np.maximum(2 * self.spacing_m, self.cell_px * z / self.focal_px)
        allowed = tolerance_m + cell_m * np.minimum(slope, LARGEST_SLOPE)
        return np.asarray(z > self.depth_m[rows, columns] + allowed)


def nearest_surface(
    samples: Samples, R: NDArray[np.floating], t: NDArray[np.floating], lens: Lens
) -> NearestSurface:
    """Return how far the surface is in each cell of a picture.

    Args:
        samples: The surface.
        R: (3, 3) rotation of the camera, `p_world = R p_optical + t`.
        t: (3,) metres.
        lens: The camera's projection.
    """
    width, height = lens.size
    cell_px = width / CELLS_ACROSS
    shape = (-(-round(height / cell_px) // 2**LEVELS) * 2**LEVELS, CELLS_ACROSS)
    seen = ((samples.points - t.astype(np.float32)) @ R.astype(np.float32)).astype(np.float32)
    seen = seen[seen[:, 2] > NEAR_M]
    z = seen[:, 2]
    u, v = lens.pixels(seen[:, 0] / z, seen[:, 1] / z)
    columns, rows = np.floor((u + 0.5) / cell_px), np.floor((v + 0.5) / cell_px)
    is_in = (columns >= 0) & (columns < shape[1]) & (rows >= 0) & (rows < shape[0])
    columns, rows, z = columns[is_in].astype(np.int32), rows[is_in].astype(np.int32), z[is_in]
    cells = samples.spacing_m * lens.focal_px / (z * cell_px)
    level = np.clip(np.ceil(np.log2(np.maximum(cells, 1e-6))), 0, LEVELS).astype(np.int32)
    nearest = np.full((shape[0] >> LEVELS, shape[1] >> LEVELS), np.inf, np.float32)
    for step in range(LEVELS, -1, -1):
        if step < LEVELS:
            nearest = np.repeat(np.repeat(nearest, 2, axis=0), 2, axis=1)
        chosen = level == step
        np.minimum.at(nearest, (rows[chosen] >> step, columns[chosen] >> step), z[chosen])
    return NearestSurface(nearest, cell_px, samples.spacing_m, lens.focal_px)
