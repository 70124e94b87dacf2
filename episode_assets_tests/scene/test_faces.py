"""The recorder's mesh shows nobody's face: not where it was, and not because nobody knows where it was."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from episode_assets.recording import decode_depth
from episode_assets.scene import SceneMeshConfig
from episode_assets.scene.config import ColourConfig, ShapeConfig
from episode_assets.scene.views import open_views
from episode_assets_tests.scene.places import Built, Place, make_place, marker

PLAIN = SceneMeshConfig(
    source="marker",
    shape=ShapeConfig(piece_triangles=0, hole_edges=0, smoothing_steps=0, subdivisions=0),
    colour=ColourConfig(enabled=False),
)
DEPTH = ("/camera/depth", "/camera/depth/camera_info")
POSES = ("/camera/pose", "/tf", "/trajectory")


@pytest.fixture(scope="module")
def person(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Somebody stands before the camera."""
    folder = tmp_path_factory.mktemp("person") / "place"
    return make_place(folder, with_face=True, with_hands=False, seconds=0.7)


def patch(place: Place, frame: int, z: float, *, share: float = 0.5, cells: int = 6) -> np.ndarray:
    """Small triangles at a distance before the camera, all over the middle of the face in one picture."""
    views = open_views(place.view, place.blurred, pairing_s=0.05)
    assert views.rgb is not None
    x0, y0, x1, y1 = views.boxes.of_frames((frame,))[0].tolist()
    half = np.array([x1 - x0, y1 - y0]) / 2 * share
    steps = np.linspace(-1, 1, cells + 1)
    u, v = np.meshgrid((x0 + x1) / 2 + half[0] * steps, (y0 + y1) / 2 + half[1] * steps)
    K, pose = views.rgb.K[frame], views.poses.world_from_optical[frame]
    rays = np.stack([(u - K[0, 2]) / K[0, 0], (v - K[1, 2]) / K[1, 1], np.ones_like(u)], axis=-1)
    grid = z * rays @ pose[:3, :3].T + pose[:3, 3]
    a, b, c, d = grid[:-1, :-1], grid[:-1, 1:], grid[1:, 1:], grid[1:, :-1]
    return np.stack([a, b, c, a, c, d], axis=2).reshape(-1, 3)


def face_depth_m(place: Place, frame: int) -> float:
    views = open_views(place.view, place.blurred, pairing_s=0.05)
    stream = place.view.depth
    assert stream is not None
    position = int(np.abs(stream.stamp_ns - views.frames.stamp_ns[frame]).argmin())
    image = decode_depth(next(stream.read(position, position + 1)))
    x0, y0, x1, y1 = views.boxes.of_frames((frame,))[0].tolist()
    scale = image.shape[1] / views.frames.width
    return float(image[int((y0 + y1) / 2 * scale), int((x0 + x1) / 2 * scale)]) / 1000


def build(place: Place, folder: Path, corners: np.ndarray, *, without: tuple[str, ...] = ()) -> Built:
    made = place.with_markers(folder / "marked", [marker(corners)], without=without)
    return made.build(folder / "mesh", PLAIN)


@pytest.mark.parametrize("frame", [0, 9])
def test_a_face_is_cut_out_of_the_mesh_whenever_it_was_seen(
    person: Place, tmp_path: Path, frame: int
) -> None:
    face = patch(person, frame, face_depth_m(person, frame))

    made = build(person, tmp_path, np.concatenate([face, [[3.0, 0, -2], [4, 0, -2], [3, 1, -2]]]))

    assert len(made.mesh.triangles) == 1
    assert made.mesh.vertices[:, 0].min() == 3
    assert made.document["steps"]["faces"] == {"triangles_left_out": 72}
    assert made.outcome.privacy is not None
    assert made.outcome.privacy["face_triangles_left_out"] == 72
    assert {note.code: note.count for note in made.outcome.warnings} == {"mesh_faces_left_out": 72}


def test_what_is_well_behind_all_that_is_seen_stays_where_depth_tells_how_far_that_is(
    person: Place, tmp_path: Path
) -> None:
    """Behind the face and behind the walls of the room, for boxes show these as well."""
    behind = patch(person, 5, 8.0, share=0.2)

    known = build(person, tmp_path / "known", behind)
    unknown = build(person, tmp_path / "unknown", behind, without=DEPTH)

    assert len(known.mesh.triangles) == 72
    assert unknown.skipped() == {"mesh.ply": "empty_mesh"}


@pytest.mark.parametrize("lacking", [POSES, ("/camera/camera_info", "/camera/depth/camera_info")])
def test_a_mesh_in_which_nobody_knows_where_the_faces_are_is_left_out(
    person: Place, tmp_path: Path, lacking: tuple[str, ...]
) -> None:
    made = build(person, tmp_path, patch(person, 5, 1.0), without=lacking)

    assert made.skipped() == {"mesh.ply": "faces_not_placed"}
    assert made.outcome.core == ("mesh.json",)


def test_a_mesh_in_another_frame_than_the_poses_is_left_out_where_faces_are(
    person: Place, tmp_path: Path
) -> None:
    place = person.with_markers(tmp_path / "marked", [marker(patch(person, 5, 1.0), frame_id="robot")])

    assert place.build(tmp_path / "mesh", PLAIN).skipped() == {"mesh.ply": "faces_not_placed"}
