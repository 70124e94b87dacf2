"""What a mesh of the scene is made from, what it says about itself, and when there is none."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import trimesh  # noqa: TID253  # an independent reader

from episode_assets.errors import ArtifactDamaged, BadConfig, UnauditedArtifact
from episode_assets.pipeline.settings import build_config, load_settings
from episode_assets.scene import SceneMeshConfig, build_scene_mesh
from episode_assets.scene.config import ColourConfig, FusionConfig, ShapeConfig
from episode_assets_tests.scene.places import Built, Place, marker

PLAIN = SceneMeshConfig(
    shape=ShapeConfig(piece_triangles=0, hole_edges=0, smoothing_steps=0, subdivisions=0),
    colour=ColourConfig(enabled=False),
)
"""The mesh as it was sent, without anything done to it but welding and cleaning."""

TRIANGLE = np.array([[0.0, 0, -2], [1, 0, -2], [0, 1, -2]])


def corners_of(built: Built) -> list[list[float]]:
    mesh = built.mesh
    return sorted(np.round(mesh.vertices[mesh.triangles].reshape(-1, 3), 4).tolist())


def test_another_library_reads_the_mesh_with_its_colours(built: Built) -> None:
    mesh = trimesh.load(built.directory / "mesh.ply", process=False)

    assert len(mesh.vertices) == len(built.mesh.vertices)
    assert np.array_equal(mesh.faces, built.mesh.triangles)
    assert np.array_equal(mesh.visual.vertex_colors[:, :3], built.colours)


def test_the_record_tells_every_step_and_the_outcome_the_same(built: Built) -> None:
    document = built.document

    assert (document["schema"], document["source"], document["colours"]) == (
        "scene_mesh",
        "marker",
        "recoloured",
    )
    assert list(document["steps"]) == ["weld", "faces", "clean", "close", "smooth", "refine", "colour"]
    assert set(built.outcome.core) == {"mesh.ply", "mesh.json"}
    assert built.outcome.privacy is not None
    assert built.outcome.privacy["audit"] == "passed"
    assert built.outcome.privacy["colours"] == "recoloured"
    assert built.outcome.summary["vertices"] == len(built.mesh.vertices)


def test_the_same_input_gives_the_same_bytes_for_any_number_of_workers(
    room: Place, built: Built, tmp_path: Path
) -> None:
    again = room.build(tmp_path / "again", workers=3)

    for name in ("mesh.ply", "mesh.json"):
        assert (again.directory / name).read_bytes() == (built.directory / name).read_bytes()


@pytest.mark.parametrize("privacy", [None, {}, {"audit": "failed"}])
def test_without_a_passed_audit_there_is_no_mesh(room: Place, tmp_path: Path, privacy) -> None:
    with pytest.raises(UnauditedArtifact):
        room.build(tmp_path / "mesh", privacy=privacy)

    assert list((tmp_path / "mesh").iterdir()) == []


def test_a_video_of_another_recording_is_refused(room: Place, tmp_path: Path) -> None:
    view = room.view
    view.recording_id = "garden-76543210"

    with pytest.raises(ArtifactDamaged, match="belongs to"):
        build_scene_mesh(view, room.blurred, tmp_path, privacy=room.privacy)


def test_no_mesh_is_made_where_none_is_asked_for(room: Place, tmp_path: Path) -> None:
    made = room.build(tmp_path / "mesh", SceneMeshConfig(source="none"))

    assert made.skipped() == {"mesh.ply": "not_asked_for"}
    assert made.outcome.core == ("mesh.json",)
    assert made.document["skipped"][0]["code"] == "not_asked_for"


@pytest.mark.parametrize("lacking", ["/camera/depth", "/camera/pose"])
def test_without_a_mesh_and_what_one_is_made_from_the_reason_is_given(
    room: Place, tmp_path: Path, lacking: str
) -> None:
    without = (lacking, "/tf", "/trajectory") if lacking == "/camera/pose" else (lacking,)
    place = room.with_markers(tmp_path / "bare", [], without=without)

    made = place.build(tmp_path / "mesh")

    assert made.skipped() == {"mesh.ply": "no_mesh_messages"}
    assert made.document["source"] == "none"
    assert ("depth" if lacking == "/camera/depth" else "poses") in made.outcome.skipped[0].detail


@pytest.mark.parametrize(
    ("lacking", "code"),
    [
        (("/camera/camera_info", "/camera/depth/camera_info"), "no_intrinsics"),
        (("/camera/pose", "/tf", "/trajectory"), "no_pose_messages"),
    ],
)
def test_what_colours_need_and_is_not_there_is_named(
    room: Place, tmp_path: Path, lacking: tuple[str, ...], code: str
) -> None:
    place = room.with_markers(tmp_path / "bare", [marker(TRIANGLE)], without=lacking)

    made = place.build(tmp_path / "mesh")

    assert made.skipped() == {"mesh.ply:colours": code}
    assert made.mesh.colours is None
    assert made.outcome.privacy is not None
    assert made.outcome.privacy["colours"] == "dropped"


def test_a_mesh_in_another_frame_than_the_poses_gets_no_colours(room: Place, tmp_path: Path) -> None:
    place = room.with_markers(tmp_path / "elsewhere", [marker(TRIANGLE, frame_id="robot")])

    made = place.build(tmp_path / "mesh")

    assert made.skipped() == {"mesh.ply:colours": "other_frame"}
    assert "'robot'" in made.outcome.skipped[0].detail


def test_markers_replace_delete_and_move_what_they_name(room: Place, tmp_path: Path) -> None:
    lifted = ((0.0, 0.5, 0.0), (0.0, 0.0, np.sqrt(0.5), np.sqrt(0.5)))  # a quarter turn about z, then up
    place = room.with_markers(
        tmp_path / "marked",
        [
            marker(TRIANGLE + 5, id_=1),
            marker(TRIANGLE + 6, id_=2),
            marker(TRIANGLE, id_=1, at=lifted),
            marker(np.empty((0, 3)), id_=2, action=2),
        ],
    )

    made = place.build(tmp_path / "mesh", PLAIN)

    assert corners_of(made) == sorted([[0.0, 0.5, -2.0], [0.0, 1.5, -2.0], [-1.0, 0.5, -2.0]])


def test_a_marker_that_deletes_all_leaves_nothing_to_show(room: Place, tmp_path: Path) -> None:
    markers = [marker(TRIANGLE, id_=1), marker(TRIANGLE + 1, id_=2), marker(np.empty((0, 3)), action=3)]
    place = room.with_markers(tmp_path / "marked", markers)

    made = place.build(tmp_path / "mesh", SceneMeshConfig(source="marker"))

    assert made.skipped() == {"mesh.ply": "empty_mesh"}


@pytest.mark.parametrize(
    "corners",
    [
        pytest.param(np.empty((0, 3)), id="no triangle"),
        pytest.param(np.full((6, 3), np.nan), id="no number"),
        pytest.param(np.full((3, 3), np.inf), id="infinite"),
        pytest.param(np.tile(TRIANGLE[0], (30_000, 1)), id="points"),
        pytest.param(np.linspace([0, 0, 0], [1, 0, 0], 30_000), id="lines"),
        pytest.param(TRIANGLE * 1e30, id="astronomical"),
    ],
)
def test_markers_of_nonsense_make_no_mesh_and_no_error(room: Place, tmp_path: Path, corners) -> None:
    place = room.with_markers(tmp_path / "marked", [marker(corners)])

    made = place.build(tmp_path / "mesh", SceneMeshConfig(source="marker"))

    assert made.skipped().get("mesh.ply") in {"no_mesh_messages", "empty_mesh"}
    assert made.outcome.summary["vertices"] == 0


def test_where_the_recorder_s_mesh_is_nonsense_one_is_fused(room: Place, tmp_path: Path) -> None:
    place = room.with_markers(tmp_path / "marked", [marker(np.tile(TRIANGLE[0], (30, 1)))])

    made = place.build(tmp_path / "mesh", SceneMeshConfig(fusion=FusionConfig(stride=15)))

    assert made.document["source"] == "fusion"
    assert made.skipped() == {}
    assert {note.code: note.count for note in made.outcome.warnings} == {"mesh_triangles_dropped": 10}


def test_a_good_triangle_among_nonsense_stays(room: Place, tmp_path: Path) -> None:
    corners = np.concatenate(
        [np.full((3, 3), np.nan), TRIANGLE, TRIANGLE * 1e30, TRIANGLE[[0, 0, 1]], TRIANGLE]
    )
    place = room.with_markers(tmp_path / "marked", [marker(corners)])

    made = place.build(tmp_path / "mesh", PLAIN)

    assert corners_of(made) == sorted(TRIANGLE.tolist())
    assert made.document["steps"]["clean"]["repeated"] == 1


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"source": "guess"}, "source must be one of"),
        ({"shape": {"hole_edges": -1}}, "shape.hole_edges must lie within"),
        ({"shape": {"subdivisions": True}}, "shape.subdivisions must lie within"),
        ({"colour": {"enabled": "yes"}}, "colour.enabled must be true or false"),
        ({"fusion": {"voxel_m": 0.1}}, "at least 2 voxels"),
        ({"fusion": {"voxels": 1}}, "voxels"),
        ({"pairing_s": 2.0}, "pairing_s must lie within"),
    ],
)
def test_settings_out_of_range_are_named(values, message: str) -> None:
    with pytest.raises(BadConfig, match=message):
        build_config(SceneMeshConfig, values, where="scene_mesh")


def test_a_settings_file_reaches_the_nested_settings(tmp_path: Path) -> None:
    path = tmp_path / "settings.yaml"
    path.write_text(json.dumps({"scene_mesh": {"fusion": {"voxel_m": 0.05}, "source": "fusion"}}))

    config = load_settings(path).config("scene_mesh")

    assert config == SceneMeshConfig(source="fusion", fusion=FusionConfig(voxel_m=0.05))
