"""Closing small holes of a mesh: a fan of triangles around the middle of each.

What closes a hole was never measured, so only holes of a few edges are closed, and all are counted. The outer border
of a piece is no hole.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from episode_assets.outcome import Json
from episode_assets.ply import Mesh
from episode_assets.scene.topology import Edges, diagonals, edges_of, pieces_of

LARGEST_SHARE = 0.5
"""A loop of border edges wider than this share of its piece is taken for the outer border of that piece."""


def closed(mesh: Mesh, *, hole_edges: int) -> tuple[Mesh, dict[str, Json]]:
    """Return the mesh with its holes of at most so many edges closed, and counts.

    The triangles that were there keep their rows; a hole of three edges becomes one triangle, a larger one gets a
    vertex in its middle.
    """
    loops = border_loops(edges_of(mesh.triangles))
    count, piece = pieces_of(mesh.triangles, len(mesh.vertices))
    widths = diagonals(mesh.vertices, piece, count)
    holes = [
        loop for loop in loops if len(loop) <= hole_edges and _is_inside(loop, mesh, widths[piece[loop[0]]])
    ]
    middles, fans, next_vertex = [], [], len(mesh.vertices)
    for loop in holes:
        if len(loop) == 3:
            fans.append(loop[::-1][None])
            continue
        middles.append(mesh.vertices[loop].astype(np.float64).mean(axis=0))
        fans.append(np.stack([np.roll(loop, -1), loop, np.full(len(loop), next_vertex)], axis=1))
        next_vertex += 1
    added = sum(map(len, fans))
    counts: dict[str, Json] = {"border_loops": len(loops), "closed": len(holes), "triangles_added": added}
    if not holes:
        return mesh, counts
    vertices = np.concatenate([mesh.vertices, np.asarray(middles, np.float32).reshape(-1, 3)])
    return Mesh(vertices, np.concatenate([mesh.triangles, *fans]).astype(np.int32)), counts


def _is_inside(loop: NDArray[np.int64], mesh: Mesh, piece_m: float) -> bool:
    extent = np.ptp(mesh.vertices[loop].astype(np.float64), axis=0)
    return bool(np.linalg.norm(extent) <= LARGEST_SHARE * piece_m)


def border_loops(edges: Edges) -> list[NDArray[np.int64]]:
    """Return the closed chains of border edges, each the way its triangles run, in the order of their lowest vertex.

    Chains that meet themselves or each other in a vertex are left out: where they go on is not decided there.
    """
    border = edges.directed[edges.is_border]
    starts, uses = np.unique(border[:, 0], return_counts=True)
    is_single = np.isin(border[:, 0], starts[uses == 1])
    following = dict(border[is_single].tolist())
    loops, seen = [], set[int]()
    for start in sorted(following):
        chain = _chain_from(start, following, seen)
        if chain is not None and len(chain) >= 3:
            loops.append(np.array(chain, dtype=np.int64))
    return loops


def _chain_from(start: int, following: dict[int, int], seen: set[int]) -> list[int] | None:
    """Return the vertices from `start` back to it; None where the chain ends or runs into another."""
    chain, vertex = [], start
    while vertex in following and vertex not in seen:
        seen.add(vertex)
        chain.append(vertex)
        vertex = following[vertex]
    return chain if chain and vertex == start else None
