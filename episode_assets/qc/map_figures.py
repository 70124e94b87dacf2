"""Figures of the scene mesh and the point cloud, by Stera's names, with what tells a usable map from a broken one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from episode_assets.bundle.clouds import PointCloud
from episode_assets.qc.numbers import Block, number

Floats = NDArray[np.floating]

WORLD_LIMIT_M = 100.0
_SMALLEST_AREA_M2 = 1e-12
_SHARES = (5, 95)


@dataclass(frozen=True)
class MeshFigures:
    """Figures of a triangle mesh in the world frame.

    Attributes:
        vertices: How many.
        faces: How many.
        low_m: (3,) smallest coordinates.
        high_m: (3,) largest.
        area_m2: Sum of the triangle areas.
        edge_mean_m: Mean edge length, every triangle counted with its three.
        edge_percentiles_m: 5th and 95th percentile.
        degenerate: Triangles without area.
        far: Vertices more than 100 m from the origin.
    """

    vertices: int
    faces: int
    low_m: Floats
    high_m: Floats
    area_m2: float
    edge_mean_m: float
    edge_percentiles_m: tuple[float, float]
    degenerate: int
    far: int

    def share_inside(self, points: Floats, *, margin_m: float) -> float | None:
        """Return the share of finite points (N, 3) inside the box of the mesh; None without any."""
        points = points[np.isfinite(points).all(axis=1)]
        if len(points) == 0:
            return None
        inside = (points >= self.low_m - margin_m) & (points <= self.high_m + margin_m)
        return float(inside.all(axis=1).mean())


def mesh_figures(vertices: Floats, triangles: NDArray[np.integer]) -> MeshFigures | None:
    """Return the figures of a mesh, vertices (V, 3) metres and triangles (M, 3); None where it has no face."""
    if len(vertices) == 0 or len(triangles) == 0:
        return None
    corners = [vertices[triangles[:, i]] for i in range(3)]
    sides = [corners[(i + 1) % 3] - corners[i] for i in range(3)]
    areas = 0.5 * np.linalg.norm(np.cross(sides[0], -sides[2]), axis=1)
    lengths = np.concatenate([np.linalg.norm(side, axis=1) for side in sides])
    low, high = np.percentile(lengths, _SHARES)
    return MeshFigures(
        vertices=len(vertices),
        faces=len(triangles),
        low_m=vertices.min(axis=0),
        high_m=vertices.max(axis=0),
        area_m2=float(areas.sum()),
        edge_mean_m=float(lengths.mean()),
        edge_percentiles_m=(float(low), float(high)),
        degenerate=int((areas < _SMALLEST_AREA_M2).sum()),
        far=int((np.linalg.norm(vertices, axis=1) > WORLD_LIMIT_M).sum()),
    )


def mesh_block(figures: MeshFigures | None, *, coloured_percent: float | None = None) -> Block | None:
    """Return the block of a mesh; colours count only where they were taken from blurred pictures."""
    if figures is None:
        return None
    extents, area = figures.high_m - figures.low_m, figures.area_m2
    return {
        "vertex_count": figures.vertices,
        "face_count": figures.faces,
        "bbox_extents": [number(value) for value in extents],
        "bbox_volume_m3": number(extents.prod()),
        "surface_area_m2": number(area),
        "edge_length_mean_m": number(figures.edge_mean_m),
        "edge_length_p5_m": number(figures.edge_percentiles_m[0]),
        "edge_length_p95_m": number(figures.edge_percentiles_m[1]),
        "color_coverage_pct": number(coloured_percent),
        "verts_per_m2": number(figures.vertices / area) if area > 0 else None,
        "faces_per_m2": number(figures.faces / area) if area > 0 else None,
        "degenerate_faces": figures.degenerate,
        "far_vertices": figures.far,
    }


@dataclass(frozen=True)
class CloudFigures:
    """Figures of the point cloud of a bundle, which holds the means of the points in small cubes.

    Attributes:
        points: How many means.
        measured: How many points they are the means of.
        low_m: (3,) smallest coordinates.
        high_m: (3,) largest.
    """

    points: int
    measured: int
    low_m: Floats
    high_m: Floats


def cloud_figures(cloud: PointCloud | None) -> CloudFigures | None:
    """Return the figures of a point cloud; None where there is none or it is empty."""
    if cloud is None or len(cloud.points) == 0:
        return None
    low, high = cloud.points.min(axis=0), cloud.points.max(axis=0)
    return CloudFigures(len(cloud.points), int(cloud.count.sum()), low, high)


def cloud_block(figures: CloudFigures | None) -> Block | None:
    """Return the block of a point cloud; its colours were raw pixels and are gone."""
    if figures is None:
        return None
    extents = (figures.high_m - figures.low_m).astype(np.float64)
    volume = float(extents.prod())
    return {
        "point_count": figures.points,
        "measured_point_count": figures.measured,
        "bbox_extents": [number(value) for value in extents],
        "bbox_volume_m3": number(volume),
        "density_pts_per_m3": number(figures.points / volume) if volume > 0 else None,
        "color_coverage_pct": None,
    }
