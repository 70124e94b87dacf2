"""Cleaning a welded mesh: what is wrong with it goes, and every kind of it is counted.

Nothing is moved and nothing added here. Real surfaces stay: tables are not cleared and pieces are dropped only where
they are both small and coarse, as floating specks are.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from episode_assets.outcome import Json
from episode_assets.ply import Mesh
from episode_assets.scene.config import ShapeConfig
from episode_assets.scene.topology import Triangles, diagonals, edges_of, pieces_of

LEAST_AREA_M2 = 1e-10
"""A triangle of less area (a hundredth of a square millimetre) is a line; its normal is noise."""


def cleaned(mesh: Mesh, config: ShapeConfig) -> tuple[Mesh, dict[str, Json]]:
    """Return the mesh without lines, repeats, surplus triangles and specks, and how many triangles went for what."""
    counts: dict[str, Json] = {}
    triangles = mesh.triangles
    for kind, find in (
        ("without_area", _has_area),
        ("repeated", _is_first),
        ("non_manifold", _is_manifold),
        ("specks", _is_no_speck),
    ):
        is_kept = find(mesh.vertices, triangles, config)
        counts[kind] = int((~is_kept).sum())
        triangles = triangles[is_kept]
    return without_unused(Mesh(mesh.vertices, triangles)), counts


def without_unused(mesh: Mesh) -> Mesh:
    """Return the mesh without the vertices that no triangle names; the order of the others stays."""
    used, rows = np.unique(mesh.triangles, return_inverse=True)
    return Mesh(mesh.vertices[used], rows.reshape(-1, 3).astype(np.int32))


def areas_m2(vertices: NDArray[np.floating], triangles: Triangles) -> NDArray[np.float64]:
    """Return (M,) areas in square metres."""
    first, second, third = (vertices[triangles[:, i]].astype(np.float64) for i in range(3))
    return np.asarray(np.linalg.norm(np.cross(second - first, third - first), axis=1) / 2)


def _has_area(vertices: NDArray[np.float32], triangles: Triangles, _config: ShapeConfig) -> NDArray[np.bool_]:
    return np.asarray(areas_m2(vertices, triangles) >= LEAST_AREA_M2)


def _is_first(
    _vertices: NDArray[np.float32], triangles: Triangles, _config: ShapeConfig
) -> NDArray[np.bool_]:
    """The second of two triangles with the same corners is the same surface again, perhaps seen from behind."""
    _, first = np.unique(np.sort(triangles, axis=1), axis=0, return_index=True)
    is_first = np.zeros(len(triangles), dtype=np.bool_)
    is_first[first] = True
    return is_first


def _is_manifold(
    vertices: NDArray[np.float32], triangles: Triangles, _config: ShapeConfig
) -> NDArray[np.bool_]:
    """Of the triangles at an edge the two largest stay: with a third one the surface has no sides."""
    edges = edges_of(triangles)
    area = np.repeat(areas_m2(vertices, triangles), 3)
    order = np.lexsort((np.arange(len(area)), -area, edges.name))
    start = np.cumsum(edges.uses) - edges.uses
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order)) - np.repeat(start, edges.uses)
    return np.asarray((rank < 2).reshape(-1, 3).all(axis=1))


def _is_no_speck(
    vertices: NDArray[np.float32], triangles: Triangles, config: ShapeConfig
) -> NDArray[np.bool_]:
    """A small piece of few triangles floats where depth was wrong; a finely measured cup and a coarse wall stay."""
    count, piece = pieces_of(triangles, len(vertices))
    of_triangle = piece[triangles[:, 0]]
    faces = np.bincount(of_triangle, minlength=count)
    is_speck = (faces < config.piece_triangles) & (diagonals(vertices, piece, count) < config.piece_m)
    return np.asarray(~is_speck[of_triangle])
