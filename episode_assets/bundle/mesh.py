"""The mesh of a recording as a PLY file: welded triangles without colours.

Colours that came with the recording are raw pixels and have no way in here. Aggregating the pieces of a mesh
belongs to `recording`, cleaning and colouring from blurred pictures to the scene.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from episode_assets.errors import ArtifactDamaged

FACE_DTYPE = np.dtype([("count", "u1"), ("vertices", "<i4", (3,))])


@dataclass(frozen=True)
class Mesh:
    """A triangle mesh.

    Attributes:
        vertices: (V, 3) float32, world frame, metres.
        triangles: (M, 3) int32 rows of `vertices`.
    """

    vertices: NDArray[np.float32]
    triangles: NDArray[np.int32]


def weld(vertices: NDArray[np.floating], triangles: NDArray[np.integer]) -> tuple[Mesh, int]:
    """Give equal corners one vertex, in the order of their first use.

    Corners are equal when their float32 coordinates are. Triangles with a corner that is not finite, or with two
    equal corners, are dropped.

    Args:
        vertices: (N, 3) world metres.
        triangles: (M, 3) rows of `vertices`.

    Returns:
        The mesh and the number of dropped triangles.
    """
    points = np.ascontiguousarray(vertices, dtype=np.float32) + np.float32(0.0)  # -0.0 equals 0.0
    corners = np.asarray(triangles, dtype=np.int64)
    is_used = np.isfinite(points).all(axis=1)[corners].all(axis=1)
    _, first, names = np.unique(points.view("V12").reshape(-1), return_index=True, return_inverse=True)
    corners = first[names][corners]
    is_flat = (
        (corners[:, 0] == corners[:, 1]) | (corners[:, 1] == corners[:, 2]) | (corners[:, 0] == corners[:, 2])
    )
    kept = corners[is_used & ~is_flat]
    used, rows = np.unique(kept, return_inverse=True)
    mesh = Mesh(points[used], rows.reshape(-1, 3).astype(np.int32))
    return mesh, len(corners) - len(kept)


def write_ply(path: Path, mesh: Mesh) -> None:
    """Write a binary little endian PLY: float x, y, z; faces as `list uchar int vertex_indices`."""
    header = (
        "ply\nformat binary_little_endian 1.0\n"
        f"element vertex {len(mesh.vertices)}\nproperty float x\nproperty float y\nproperty float z\n"
        f"element face {len(mesh.triangles)}\nproperty list uchar int vertex_indices\nend_header\n"
    )
    faces = np.empty(len(mesh.triangles), dtype=FACE_DTYPE)
    faces["count"] = 3
    faces["vertices"] = mesh.triangles
    with path.open("wb") as stream:
        stream.write(header.encode("ascii"))
        stream.write(mesh.vertices.astype("<f4", copy=False).tobytes())
        stream.write(faces.tobytes())


def read_ply(path: Path, *, remedy: str) -> Mesh:
    """Read a PLY of the layout that `write_ply` writes; vertex colours are passed over.

    Raises:
        ArtifactDamaged: The file is not such a PLY or is cut short.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ArtifactDamaged(
            f"the mesh cannot be read: {error.strerror}", where=path.name, remedy=remedy
        ) from error
    end = data.find(b"end_header\n")
    lines = data[: max(end, 0)].decode("ascii", errors="replace").splitlines()
    if end < 0 or lines[:2] != ["ply", "format binary_little_endian 1.0"]:
        raise ArtifactDamaged("no binary little endian PLY header", where=path.name, remedy=remedy)
    V, M = _element_count(lines, "vertex"), _element_count(lines, "face")
    is_coloured = "property uchar red" in lines
    vertex = np.dtype([("xyz", "<f4", (3,)), ("rgb", "u1", (3,))] if is_coloured else [("xyz", "<f4", (3,))])
    start = end + len(b"end_header\n")
    expected = start + V * vertex.itemsize + M * FACE_DTYPE.itemsize
    if V < 0 or M < 0 or len(data) != expected:
        raise ArtifactDamaged(
            f"the PLY has {len(data)} bytes, its header asks for {expected}", where=path.name, remedy=remedy
        )
    points = np.frombuffer(data, vertex, V, start)["xyz"]
    faces = np.frombuffer(data, FACE_DTYPE, M, start + V * vertex.itemsize)
    if np.any(faces["count"] != 3) or (M and not 0 <= faces["vertices"].min() <= faces["vertices"].max() < V):
        raise ArtifactDamaged("the PLY has faces that name no vertex", where=path.name, remedy=remedy)
    return Mesh(np.ascontiguousarray(points), np.ascontiguousarray(faces["vertices"]))


def _element_count(lines: list[str], name: str) -> int:
    for line in lines:
        words = line.split()
        if words[:2] == ["element", name] and len(words) == 3 and words[2].isdigit():
            return int(words[2])
    return -1
