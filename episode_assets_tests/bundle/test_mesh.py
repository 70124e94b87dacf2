"""mesh.ply is read here by a parser of its own, written from the header alone."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from episode_assets.bundle import EpisodeBundle
from episode_assets.errors import ArtifactDamaged
from episode_assets_tests.bundle.conftest import Maker
from episode_assets_tests.bundle.recordings import MESH_COLOURS, MESH_CORNERS, Scene


def parsed_ply(path: Path) -> tuple[list[tuple[float, ...]], list[tuple[int, ...]]]:
    """Read a coloured PLY value by value, as its header describes it."""
    data = path.read_bytes()
    head, _, body = data.partition(b"end_header\n")
    words = [line.split() for line in head.decode("ascii").splitlines()]
    assert words[0] == ["ply"]
    assert words[1] == ["format", "binary_little_endian", "1.0"]
    counts = {line[1]: int(line[2]) for line in words if line[0] == "element"}
    properties = [line[1:] for line in words if line[0] == "property"]
    assert properties == [
        ["float", "x"],
        ["float", "y"],
        ["float", "z"],
        ["uchar", "red"],
        ["uchar", "green"],
        ["uchar", "blue"],
        ["list", "uchar", "int", "vertex_indices"],
    ]
    vertices = [struct.unpack_from("<3f3B", body, 15 * i) for i in range(counts["vertex"])]
    at, faces = 15 * counts["vertex"], []
    for _ in range(counts["face"]):
        size = body[at]
        faces.append(struct.unpack_from(f"<{size}i", body, at + 1))
        at += 1 + 4 * size
    assert at == len(body)
    return vertices, faces


def test_the_mesh_of_the_scene_is_taken_over_byte_for_byte(make: Maker) -> None:
    made = make(Scene(frames=3))

    vertices, faces = parsed_ply(made.path / "mesh.ply")

    assert (made.path / "mesh.ply").read_bytes() == (made.path.parent / "mesh/mesh.ply").read_bytes()
    triangles = np.array(vertices)[np.array(faces)]
    assert np.allclose(triangles[..., :3].reshape(-1, 3), MESH_CORNERS)
    assert np.array(vertices)[:, 3:].tolist() == MESH_COLOURS.tolist()


def test_the_reader_gives_the_same_mesh(make: Maker) -> None:
    made = make(Scene(frames=3))
    vertices, faces = parsed_ply(made.path / "mesh.ply")

    with EpisodeBundle.open(made.path) as bundle:
        mesh = bundle.mesh

    assert mesh is not None
    assert mesh.colours is not None
    assert np.allclose(np.hstack([mesh.vertices, mesh.colours]), vertices)
    assert mesh.triangles.tolist() == [list(face) for face in faces]


@pytest.mark.parametrize("damage", [b"ply\nformat ascii 1.0\nend_header\n", b"", b"ply\n"])
def test_a_file_that_is_no_such_mesh_is_named(make: Maker, damage: bytes) -> None:
    made = make(Scene(frames=3))
    size = (made.path / "mesh.ply").stat().st_size

    with EpisodeBundle.open(made.path) as bundle:
        (made.path / "mesh.ply").write_bytes(damage.ljust(size, b"\0"))
        with pytest.raises(ArtifactDamaged, match=r"mesh\.ply"):
            _ = bundle.mesh
