"""A triangle mesh and the PLY file that it is exchanged as: positions, faces, and colours where there are any.

Only the format belongs here. Aggregating the pieces of a mesh belongs to `recording`, everything that changes or
colours one to `scene`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from episode_assets.errors import ArtifactDamaged

FORMAT = "format binary_little_endian 1.0"
COLOUR_PROPERTIES = ("property uchar red", "property uchar green", "property uchar blue")
FACE_DTYPE = np.dtype([("count", "u1"), ("vertices", "<i4", (3,))])


@dataclass(frozen=True)
class Mesh:
    """A triangle mesh.

    Attributes:
        vertices: (V, 3) float32, world frame, metres.
        triangles: (M, 3) int32 rows of `vertices`.
        colours: (V, 3) uint8 red, green, blue, or None for a mesh without colours.
    """

    vertices: NDArray[np.float32]
    triangles: NDArray[np.int32]
    colours: NDArray[np.uint8] | None = None


def write_ply(path: Path, mesh: Mesh) -> None:
    """Write a binary little endian PLY: float x, y, z, uchar red, green, blue; `list uchar int vertex_indices`.

    The colours are left out where the mesh has none.
    """
    header = (
        f"ply\n{FORMAT}\nelement vertex {len(mesh.vertices)}\n"
        "property float x\nproperty float y\nproperty float z\n"
        + ("" if mesh.colours is None else "".join(f"{line}\n" for line in COLOUR_PROPERTIES))
        + f"element face {len(mesh.triangles)}\nproperty list uchar int vertex_indices\nend_header\n"
    )
    points = np.empty(len(mesh.vertices), dtype=_vertex_dtype(is_coloured=mesh.colours is not None))
    points["xyz"] = mesh.vertices
    if mesh.colours is not None:
        points["rgb"] = mesh.colours
    faces = np.empty(len(mesh.triangles), dtype=FACE_DTYPE)
    faces["count"] = 3
    faces["vertices"] = mesh.triangles
    with path.open("wb") as stream:
        stream.write(header.encode("ascii"))
        stream.write(points.tobytes())
        stream.write(faces.tobytes())


def read_ply(path: Path, *, remedy: str) -> Mesh:
    """Read a PLY of the layout that `write_ply` writes.

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
    if end < 0 or lines[:2] != ["ply", FORMAT]:
        raise ArtifactDamaged("no binary little endian PLY header", where=path.name, remedy=remedy)
    V, M = _element_count(lines, "vertex"), _element_count(lines, "face")
    is_coloured = COLOUR_PROPERTIES[0] in lines
    vertex = _vertex_dtype(is_coloured=is_coloured)
    start = end + len(b"end_header\n")
    expected = start + V * vertex.itemsize + M * FACE_DTYPE.itemsize
    if V < 0 or M < 0 or len(data) != expected:
        raise ArtifactDamaged(
            f"the PLY has {len(data)} bytes, its header asks for {expected}", where=path.name, remedy=remedy
        )
    points = np.frombuffer(data, vertex, V, start)
    faces = np.frombuffer(data, FACE_DTYPE, M, start + V * vertex.itemsize)
    if np.any(faces["count"] != 3) or (M and not 0 <= faces["vertices"].min() <= faces["vertices"].max() < V):
        raise ArtifactDamaged("the PLY has faces that name no vertex", where=path.name, remedy=remedy)
    return Mesh(
        np.ascontiguousarray(points["xyz"]),
        np.ascontiguousarray(faces["vertices"]),
        np.ascontiguousarray(points["rgb"]) if is_coloured else None,
    )


def _vertex_dtype(*, is_coloured: bool) -> np.dtype[np.void]:
    return np.dtype([("xyz", "<f4", (3,)), *([("rgb", "u1", (3,))] if is_coloured else [])])


def _element_count(lines: list[str], name: str) -> int:
    for line in lines:
        words = line.split()
        if words[:2] == ["element", name] and len(words) == 3 and words[2].isdigit():
            return int(words[2])
    return -1
