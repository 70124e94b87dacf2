"""Welding: the loose triangles of markers become a mesh whose neighbours share their corners.

Aggregating markers belongs to `recording`, removing what is wrong with a welded mesh to `cleaning`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from episode_assets.ply import Mesh

FARTHEST_M = 1e6
"""float32 has steps of 6 cm this far from the origin, and nobody's room is there."""


def weld(vertices: NDArray[np.floating], triangles: NDArray[np.integer]) -> tuple[Mesh, int]:
    """Give equal corners one vertex, in the order of their first use.

    Corners are equal when their float32 coordinates are. Triangles with a corner that is not finite or
    farther than `FARTHEST_M` away, or with two equal corners, are dropped.

    Args:
        vertices: (N, 3) world metres.
        triangles: (M, 3) rows of `vertices`.

    Returns:
        The mesh and the number of dropped triangles.
    """
    points = np.ascontiguousarray(vertices, dtype=np.float32) + np.float32(0.0)  # -0.0 equals 0.0
    corners = np.asarray(triangles, dtype=np.int64)
    with np.errstate(invalid="ignore"):
        is_a_place = (np.abs(points) <= FARTHEST_M).all(axis=1)
    is_used = is_a_place[corners].all(axis=1)
    _, first, names = np.unique(points.view("V12").reshape(-1), return_index=True, return_inverse=True)
    corners = first[names][corners]
    is_flat = (
        (corners[:, 0] == corners[:, 1]) | (corners[:, 1] == corners[:, 2]) | (corners[:, 0] == corners[:, 2])
    )
    kept = corners[is_used & ~is_flat]
    used, rows = np.unique(kept, return_inverse=True)
    mesh = Mesh(points[used], rows.reshape(-1, 3).astype(np.int32))
    return mesh, len(corners) - len(kept)
