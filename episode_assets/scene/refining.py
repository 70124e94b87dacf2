"""Smoothing and refining a mesh, with a limit on how far the surface may move. Borders stay where they are.

Without the limit both would round a table's edge off by a part of the length of its triangles, which on coarse meshes
is decimetres.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from episode_assets.outcome import Json
from episode_assets.ply import Mesh
from episode_assets.scene.config import ShapeConfig
from episode_assets.scene.topology import border_vertices, edges_of

LAPLACIAN_SHARE = 0.5
"""How far a smoothing step moves a vertex towards the middle of its neighbours."""

MOST_NEIGHBOURS = 64
"""trimesh's Loop subdivision holds a table of vertices by their largest number of neighbours."""

Points = NDArray[np.float64]


def smoothed(mesh: Mesh, config: ShapeConfig) -> tuple[Mesh, dict[str, Json]]:
    """Return the mesh after Laplacian smoothing, and how far it moved."""
    import trimesh

    if config.smoothing_steps == 0 or config.displacement_m == 0:
        return mesh, {"steps": 0, "largest_move_m": 0.0}
    before = mesh.vertices.astype(np.float64)
    body = trimesh.Trimesh(before, mesh.triangles, process=False, validate=False)
    border = np.flatnonzero(border_vertices(edges_of(mesh.triangles), len(before)))
    trimesh.smoothing.filter_laplacian(
        body,
        lamb=LAPLACIAN_SHARE,
        iterations=config.smoothing_steps,
        volume_constraint=False,
        laplacian_operator=trimesh.smoothing.laplacian_calculation(body, pinned_vertices=border),
    )
    after = limited(before, np.asarray(body.vertices), config.displacement_m)
    largest = float(np.linalg.norm(after - before, axis=1).max(initial=0.0))
    counts: dict[str, Json] = {"steps": config.smoothing_steps, "largest_move_m": round(largest, 6)}
    return Mesh(after.astype(np.float32), mesh.triangles), counts


def refined(mesh: Mesh, config: ShapeConfig) -> tuple[Mesh, dict[str, Json]]:
    """Return the mesh after as many Loop subdivisions as the settings ask for, and why there were no more.

    Loop, C. (1987), Smooth subdivision surfaces based on triangles. A vertex moves from where a flat subdivision would
    put it by at most `displacement_m`.
    """
    done, stopped = 0, "asked_for"
    while done < config.subdivisions:
        why = _why_not(mesh, config)
        if why is not None:
            stopped = why
            break
        mesh = _subdivided(mesh, config.displacement_m)
        done += 1
    return mesh, {"subdivisions": done, "stopped_by": stopped}


def _why_not(mesh: Mesh, config: ShapeConfig) -> str | None:
    edges = edges_of(mesh.triangles)
    if len(mesh.vertices) + len(edges.uses) > config.vertices:
        return "vertices"
    ends = mesh.vertices[edges.directed]
    if float(np.median(np.linalg.norm(ends[:, 1] - ends[:, 0], axis=1))) <= config.edge_m:
        return "edge_m"
    if int(np.bincount(mesh.triangles.reshape(-1)).max(initial=0)) > MOST_NEIGHBOURS:
        return "neighbours"
    return None


def _subdivided(mesh: Mesh, limit_m: float) -> Mesh:
    import trimesh

    before = mesh.vertices.astype(np.float64)
    loop, triangles = trimesh.remesh.subdivide_loop(before, mesh.triangles.astype(np.int64), iterations=1)
    flat = np.empty_like(loop)
    flat[: len(before)] = before
    # Four rows for each triangle, the first three of which hold one corner and the middles of its edges.
    rows = triangles.reshape(-1, 4, 3)
    corners, middles = rows[:, [0, 1, 2], [0, 1, 2]], rows[:, 3]
    flat[middles] = (before[corners] + before[np.roll(corners, -1, axis=1)]) / 2
    after = limited(flat, loop, limit_m)
    is_border = np.flatnonzero(border_vertices(edges_of(mesh.triangles), len(before)))
    after[is_border] = before[is_border]
    return Mesh(after.astype(np.float32), triangles.astype(np.int32))


def limited(before: Points, after: Points, limit_m: float) -> Points:
    """Return points (N, 3) moved from `before` towards `after` by at most `limit_m`."""
    move = after - before
    length = np.linalg.norm(move, axis=1, keepdims=True)
    return np.asarray(before + move * np.minimum(1.0, limit_m / np.maximum(length, 1e-12)))
