"""Edges, borders and pieces of a triangle mesh: the connectivity that cleaning, closing and refining ask for."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Triangles = NDArray[np.int32]


class Edges(NamedTuple):
    """The edges of a mesh.

    Attributes:
        directed: (3M, 2) int64, the edges of all triangles as they run: of triangle i at 3i, 3i + 1 and 3i + 2.
        name: (3M,) int64, the undirected edge that each of them is.
        uses: (E,) int64, how many triangles have the undirected edge.
    """

    directed: NDArray[np.int64]
    name: NDArray[np.int64]
    uses: NDArray[np.int64]

    @property
    def is_border(self) -> NDArray[np.bool_]:
        """(3M,) bool, no other triangle has the edge."""
        return np.asarray(self.uses[self.name] == 1)


def edges_of(triangles: Triangles) -> Edges:
    """Return the edges of (M, 3) triangles."""
    corners = triangles.astype(np.int64)
    directed = corners[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)
    low, high = directed.min(axis=1), directed.max(axis=1)
    count = int(high.max(initial=0)) + 1
    _, name, uses = np.unique(low * count + high, return_inverse=True, return_counts=True)
    return Edges(directed, name.reshape(-1), uses)


def border_vertices(edges: Edges, V: int) -> NDArray[np.bool_]:
    """Return (V,) flags of the vertices on an edge that only one triangle has."""
    flags = np.zeros(V, dtype=np.bool_)
    flags[edges.directed[edges.is_border].reshape(-1)] = True
    return flags


def pieces_of(triangles: Triangles, V: int) -> tuple[int, NDArray[np.int32]]:
    """Return the number of connected pieces and (V,) which of them each vertex belongs to."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    first, second = triangles[:, [0, 1]].reshape(-1), triangles[:, [1, 2]].reshape(-1)
    graph = coo_array((np.ones(len(first), np.int8), (first, second)), shape=(V, V))
    count, piece = connected_components(graph, directed=False)
    return int(count), np.asarray(piece, dtype=np.int32)


def diagonals(points: NDArray[np.floating], piece: NDArray[np.int32], count: int) -> NDArray[np.float64]:
    """Return (count,) metres, the diagonal of the box around the points (N, 3) of each piece."""
    low, high = np.full((count, 3), np.inf), np.full((count, 3), -np.inf)
    np.minimum.at(low, piece, points)
    np.maximum.at(high, piece, points)
    return np.asarray(np.linalg.norm(np.maximum(high - low, 0.0), axis=1))
