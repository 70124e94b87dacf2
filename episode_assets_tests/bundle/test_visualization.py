"""The Rerun file holds what the bundle holds, at the same times, and nothing else; read back by rerun's own reader."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import av
import cv2
import h5py
import numpy as np
import psutil
import pytest

from episode_assets.bundle import BundleConfig, EpisodeBundle, rerun_names
from episode_assets.bundle.layout import FINGER_BONES, PALM_BONES
from episode_assets.bundle.rerun_columns import Moments
from episode_assets.bundle.rerun_depth import depth_png
from episode_assets.bundle.rerun_file import RerunFile
from episode_assets.bundle.rerun_stream import RerunStream
from episode_assets.bundle.visualization import write_visualization
from episode_assets.errors import BadConfig, ViewFailed
from episode_assets.geometry import quaternion_to_matrix
from episode_assets.hands import UPPER_BODY_FILE
from episode_assets.storage import ArtifactKey, Store
from episode_assets_tests.bundle.conftest import Made, Maker
from episode_assets_tests.bundle.recordings import RECORDING_ID, TICK_NS, Box, Hand, Scene
from episode_assets_tests.bundle.test_upper_body import body_of
from episode_assets_tests.rerun_reading import RerunReading, decoded

ASKED = BundleConfig(visualization=True, visualization_depth_every=1)
PLAIN = BundleConfig(visualization=False)
HANDS = (Hand(2, side="left"), Hand(3, side="left"), Hand(6, side="left"), Hand(0), Hand(1, kind=2))
PICTURE = rerun_names.PICTURE


def reading_of(made: Made) -> RerunReading:
    assert "visualization.rrd" in made.outcome.view, made.reasons()
    return RerunReading(made.path / "visualization.rrd")


def datasets_of(made: Made, *names: str) -> list[np.ndarray]:
    with h5py.File(made.path / "annotation.hdf5", "r") as file:
        return [file[name][()] for name in names]


def units_of(data: bytes) -> list[bytes]:
    """NAL units of an Annex B stream without their start codes, but those of parameter sets."""
    units = data.replace(b"\0\0\0\1", b"\0\0\1").split(b"\0\0\1")[1:]
    return [unit for unit in units if unit[0] & 31 not in {7, 8}]


def units_in_file(data: bytes) -> list[bytes]:
    """NAL units of a packet of an mp4, each behind its length."""
    units = []
    while data:
        size = int.from_bytes(data[:4], "big")
        units.append(data[4 : 4 + size])
        data = data[4 + size :]
    return [unit for unit in units if unit[0] & 31 not in {7, 8}]


def matrices(reading: RerunReading) -> np.ndarray:
    """Rotation and translation of the camera link, (n, 3, 4)."""
    rotation = [row.value[0] for row in reading.rows(rerun_names.CAMERA, "Transform3D:quaternion")]
    translation = [row.value[0] for row in reading.rows(rerun_names.CAMERA, "Transform3D:translation")]
    return np.concatenate([quaternion_to_matrix(rotation), np.array(translation)[..., None]], axis=2)


# --- the video -------------------------------------------------------------------------------------------------


def test_the_video_is_that_of_the_bundle_packet_for_packet(make: Maker) -> None:
    made = make(Scene(frames=9), config=ASKED)

    samples = [row.value[0] for row in reading_of(made).rows(PICTURE, "VideoStream:sample")]

    with av.open(str(made.path / "rgb.mp4")) as container:
        packets = [bytes(packet) for packet in container.demux(video=0) if packet.size]
        container.seek(0)
        pictures = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert [units_of(sample) for sample in samples] == [units_in_file(packet) for packet in packets]
    assert np.array_equal(decoded(samples), pictures)


def test_every_picture_stands_at_its_stamp_across_gaps_and_dropped_ones(make: Maker) -> None:
    made = make(Scene(frames=9, gap_after=4), dropped=frozenset({2}), config=ASKED)

    rows = reading_of(made).rows(PICTURE, "VideoStream:sample")

    (stamps,) = datasets_of(made, "/rgb/timestamps_ns")
    assert [row.time_ns for row in rows] == (stamps - stamps[0]).tolist()
    assert [row.frame for row in rows] == list(range(8))
    assert max(b.time_ns - a.time_ns for a, b in pairwise(rows)) > 8_000_000_000


def test_decoding_may_start_at_every_key_frame(make: Maker) -> None:
    reading = reading_of(make(Scene(frames=9), config=ASKED))

    samples = [row.value[0] for row in reading.rows(PICTURE, "VideoStream:sample")]
    is_key = [row.value[0] for row in reading.rows(PICTURE, "VideoStream:is_keyframe")]

    assert [i for i, key in enumerate(is_key) if key] == [0, 4, 8]
    assert len(decoded(samples[4:])) == 5


def test_odd_sizes_are_shown_with_the_intrinsics_of_the_true_size(make: Maker) -> None:
    reading = reading_of(make(Scene(frames=3, width=65, height=49), config=ASKED))

    (picture,) = decoded([reading.rows(PICTURE, "VideoStream:sample")[0].value[0]])
    sizes = {tuple(row.value[0]) for row in reading.rows(PICTURE, "Pinhole:resolution")}

    assert picture.shape == (50, 66, 3)
    assert sizes == {(65.0, 49.0)}


def test_blurred_rectangles_are_where_they_are_and_go_when_they_end(make: Maker) -> None:
    boxes = (Box(1, 8, 6, 20, 18), Box(1, 30, 6, 40, 18, label="plate"), Box(2, 2, 2, 30, 31))
    reading = reading_of(make(Scene(frames=5), boxes=boxes, config=ASKED))

    centers = reading.rows(rerun_names.FACES, "Boxes2D:centers")
    halves = reading.rows(rerun_names.FACES, "Boxes2D:half_sizes")
    labels = reading.rows(rerun_names.FACES, "Boxes2D:labels")

    assert [(row.frame, row.value) for row in centers] == [(1, [[14, 12], [35, 12]]), (2, [[16, 16.5]])]
    assert [row.value for row in halves] == [[[6, 6], [5, 6]], [[14, 14.5]]]
    assert [row.value for row in labels] == [["face", "plate"], ["face"]]
    assert [row.frame for row in reading.rows(rerun_names.FACES, "Clear:is_recursive")] == [3]


# --- the camera, depth, streams --------------------------------------------------------------------------------


def test_the_camera_stands_where_the_bundle_says(make: Maker) -> None:
    made = make(Scene(frames=7), config=ASKED)
    reading = reading_of(made)

    optical = np.array(reading.still(rerun_names.OPTICAL, "Transform3D:quaternion")[0])
    found = matrices(reading)

    expected, K = datasets_of(made, "/rgb/world_from_optical", "/rgb/K")
    assert found[..., :3] @ quaternion_to_matrix(optical) == pytest.approx(expected[:, :3, :3], abs=1e-6)
    assert found[..., 3] == pytest.approx(expected[:, :3, 3], abs=1e-6)
    by_columns = [row.value[0] for row in reading.rows(PICTURE, "Pinhole:image_from_camera")]
    assert np.reshape(by_columns, (-1, 3, 3)) == pytest.approx(np.swapaxes(K, 1, 2), rel=1e-6)


def test_the_optical_frame_is_not_turned_the_wrong_way(tmp_path: Path) -> None:
    """The axes of robots are not their own inverse, those of phones are."""
    link_from_optical = np.eye(4)
    link_from_optical[:3, :3] = [[0, 0, 1], [-1, 0, 0], [0, -1, 0]]
    link_from_optical[:3, 3] = [0.1, 0.2, 0.3]

    with RerunFile(tmp_path / "robot.rrd", recording_id="robot") as file:
        file.log_scene(link_from_optical)

    reading = RerunReading(tmp_path / "robot.rrd")
    turned = quaternion_to_matrix(reading.still(rerun_names.OPTICAL, "Transform3D:quaternion")[0])
    assert turned == pytest.approx(link_from_optical[:3, :3], abs=1e-6)
    assert reading.still(rerun_names.OPTICAL, "Transform3D:translation") == [pytest.approx([0.1, 0.2, 0.3])]
    assert reading.still(rerun_names.OPTICAL, "Transform3D:relation") in (None, [1])
    assert reading.still(rerun_names.WORLD, "ViewCoordinates:xyz") == [[3, 1, 6]]


def test_the_camera_of_a_robot_stands_where_the_bundle_says_too(make: Maker, tmp_path: Path) -> None:
    made = make(Scene(frames=5))
    folder = made.path / "calibrations"
    np.save(folder / "R_optical_to_link.npy", np.array([[0, 0, 1], [-1, 0, 0], [0, -1, 0]], np.float64))
    meta = json.loads((folder / "meta.json").read_text()) | {"t_optical_to_link_m": [0.1, 0.2, 0.3]}
    (folder / "meta.json").write_text(json.dumps(meta))
    whole = json.loads((made.path / "meta.json").read_text())
    whole["files"] |= {name: (made.path / name).stat().st_size for name in whole["files"]}
    (made.path / "meta.json").write_text(json.dumps(whole))

    with EpisodeBundle.open(made.path) as bundle:
        write_visualization(bundle, tmp_path / "robot.rrd")

    reading = RerunReading(tmp_path / "robot.rrd")
    world_from_link = matrices(reading)
    R = quaternion_to_matrix(reading.still(rerun_names.OPTICAL, "Transform3D:quaternion")[0])
    t = np.array(reading.still(rerun_names.OPTICAL, "Transform3D:translation")[0])
    (expected,) = datasets_of(made, "/rgb/world_from_optical")
    assert world_from_link[..., :3] @ R == pytest.approx(expected[:, :3, :3], abs=1e-6)
    assert world_from_link[..., :3] @ t + world_from_link[..., 3] == pytest.approx(
        expected[:, :3, 3], abs=1e-6
    )


def test_a_camera_without_a_pose_is_hidden_and_its_trail_goes_on_later(tmp_path: Path) -> None:
    poses = np.tile(np.eye(4), (5, 1, 1))
    poses[:, 0, 3] = np.arange(5)
    poses[2] = np.nan

    with RerunFile(tmp_path / "lost.rrd", recording_id="lost") as file:
        file.log_cameras(Moments.of_pictures(np.arange(5) * TICK_NS), poses)

    reading = RerunReading(tmp_path / "lost.rrd")
    quaternions = [row.value[0] for row in reading.rows(rerun_names.CAMERA, "Transform3D:quaternion")]
    trails = reading.rows(rerun_names.TRAIL, "LineStrips3D:strips")
    assert quaternions == [[0, 0, 0, 1], [0, 0, 0, 1], [0, 0, 0, 0], [0, 0, 0, 1], [0, 0, 0, 1]]
    assert [row.frame for row in trails] == [0, 1, 3, 4]
    assert [len(row.value[0]) for row in trails] == [rerun_names.TRAIL_PICTURES] * 4
    assert np.array(trails[3].value[0])[-4:, 0].tolist() == [0, 1, 3, 4]


def test_the_whole_way_is_broken_where_the_recording_is(make: Maker) -> None:
    reading = reading_of(make(Scene(frames=8, gap_after=3), config=ASKED))

    strips = reading.still(rerun_names.TRAJECTORY, "LineStrips3D:strips")

    assert [len(strip) for strip in strips] == [4, 4]


def test_depth_is_the_depth_of_the_bundle_in_millimetres(make: Maker) -> None:
    scene = Scene(frames=7, depth_missing=frozenset({3, 4, 5}))
    config = BundleConfig(visualization_depth_every=1, depth_tolerance_s=0.03)
    made = make(scene, boxes=(Box(1, 8, 6, 20, 18),), config=config)
    reading = reading_of(made)

    rows = reading.rows(rerun_names.DEPTH, "EncodedDepthImage:blob")

    frames, stamps = datasets_of(made, "/depth/frames", "/depth/timestamps_ns")
    images = [cv2.imdecode(np.frombuffer(row.value[0], np.uint8), cv2.IMREAD_UNCHANGED) for row in rows]
    assert [row.frame for row in rows] == [0, 1, 2, 6]
    assert np.array_equal(images, frames[[0, 1, 2, 6]])
    assert (images[1] == 0).sum() > (images[2] == 0).sum()
    assert [row.frame for row in reading.rows(rerun_names.DEPTH, "Clear:is_recursive")] == [3]
    assert [row.value for row in reading.rows(rerun_names.DEPTH, "depth_stamp_ns")] == [
        [stamp] for stamp in stamps[[0, 1, 2, 6]].tolist()
    ]
    assert reading.still(rerun_names.DEPTH, "EncodedDepthImage:meter") == [1000.0]
    assert reading.still(rerun_names.DEPTH, "EncodedDepthImage:media_type") == ["image/png"]
    assert len(reading.rows(rerun_names.DEPTH, "Pinhole:image_from_camera")) == 4


@pytest.mark.parametrize(("every", "frames"), [(1, [0, 1, 2, 3, 4, 5, 6]), (3, [0, 3, 6]), (1000, [0])])
def test_depth_is_taken_as_often_as_asked_for(make: Maker, every: int, frames: list[int]) -> None:
    made = make(Scene(frames=7), config=BundleConfig(visualization_depth_every=every))

    rows = reading_of(made).rows(rerun_names.DEPTH, "EncodedDepthImage:blob")

    assert [row.frame for row in rows] == frames


@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (192, 256)])
def test_depth_comes_back_exactly_from_its_png(shape: tuple[int, int]) -> None:
    image = np.random.default_rng(0).integers(0, 65536, shape, np.uint16)

    found = cv2.imdecode(np.frombuffer(depth_png(image), np.uint8), cv2.IMREAD_UNCHANGED)

    assert found.dtype == np.uint16
    assert np.array_equal(found.reshape(shape), image)


def test_imu_samples_stand_at_their_own_times(make: Maker) -> None:
    made = make(Scene(frames=7), config=ASKED)
    reading = reading_of(made)

    stamps, acceleration, velocity, start = datasets_of(
        made, "/imu/timestamps_ns", "/imu/linear_acceleration", "/imu/angular_velocity", "/rgb/timestamps_ns"
    )
    for path, values in ((rerun_names.ACCELERATION, acceleration), (rerun_names.GYRO, velocity)):
        for column, axis in enumerate("xyz"):
            rows = reading.rows(f"{path}/{axis}", "Scalars:scalars")
            assert [row.time_ns for row in rows] == (stamps - start[0]).tolist()
            assert [row.value[0] for row in rows] == pytest.approx(values[:, column], rel=1e-6)
            assert {row.frame for row in rows} == {None}


def test_tracking_is_told_in_words_when_it_changes(tmp_path: Path) -> None:
    state, reason = np.array([1, 1, 2, 2, 0, 9], np.uint8), np.array([1, 1, 0, 0, 0, 4], np.uint8)

    with RerunFile(tmp_path / "states.rrd", recording_id="states") as file:
        file.log_tracking(np.arange(6), state, reason)

    reading = RerunReading(tmp_path / "states.rrd")
    rows = reading.rows(rerun_names.TRACKING_STATE, "StateChange:state")
    assert [(row.time_ns, row.value) for row in rows] == [
        (0, ["limited"]), (2, ["normal"]), (4, ["not available"]), (5, ["code 9"]),
    ]  # fmt: skip
    reasons = reading.rows(rerun_names.TRACKING_REASON, "StateChange:state")
    assert [row.value[0] for row in reasons] == ["initializing", "none", "relocalizing"]


def test_the_mesh_has_the_corners_and_colours_of_its_ply(make: Maker) -> None:
    made = make(Scene(frames=3), config=ASKED)
    reading = reading_of(made)

    with EpisodeBundle.open(made.path) as bundle:
        mesh = bundle.mesh
    assert mesh is not None
    assert mesh.colours is not None
    packed = np.array(reading.still(rerun_names.MESH, "Mesh3D:vertex_colors"), np.uint32)
    assert reading.still(rerun_names.MESH, "Mesh3D:vertex_positions") == mesh.vertices.tolist()
    assert reading.still(rerun_names.MESH, "Mesh3D:triangle_indices") == mesh.triangles.tolist()
    assert (
        np.stack([packed >> 24, packed >> 16 & 255, packed >> 8 & 255], -1).tolist() == mesh.colours.tolist()
    )
    normals = np.array(reading.still(rerun_names.MESH, "Mesh3D:vertex_normals"))
    assert np.abs(normals[:, 1]) == pytest.approx(1.0)


def test_the_point_cloud_is_there_in_one_colour(make: Maker) -> None:
    made = make(Scene(frames=3), config=ASKED)
    reading = reading_of(made)

    (points,) = datasets_of(made, "/point-cloud/points")
    assert np.array_equal(reading.still(rerun_names.CLOUD, "Points3D:positions"), points)
    assert len(reading.still(rerun_names.CLOUD, "Points3D:colors")) == 1


def test_of_a_large_cloud_evenly_picked_points_are_shown(tmp_path: Path) -> None:
    with RerunFile(tmp_path / "cloud.rrd", recording_id="cloud") as file:
        file.log_point_cloud(np.arange(3 * 500_000, dtype=np.float32).reshape(-1, 3))

    points = np.array(RerunReading(tmp_path / "cloud.rrd").still(rerun_names.CLOUD, "Points3D:positions"))

    assert len(points) == rerun_names.MOST_CLOUD_POINTS
    assert np.diff(points[:, 0]).min() > 0
    assert (points[0, 0], points[-1, 0]) == (0, 3 * 499_999)


# --- people ----------------------------------------------------------------------------------------------------


def test_hands_are_those_of_the_bundle_and_go_when_they_end(make: Maker) -> None:
    made = make(Scene(frames=9), hands=HANDS, config=ASKED)
    reading = reading_of(made)

    pixels, world = datasets_of(made, "/hand-pose/left_kpts_2d_rgb", "/hand-pose/left_joints_world")
    in_picture, in_world = rerun_names.hand_in_picture("left"), rerun_names.hand_in_world("left")
    for path, kind, expected in ((in_picture, "Points2D", pixels), (in_world, "Points3D", world)):
        rows = reading.rows(f"{path}/joints", f"{kind}:positions")
        assert [row.frame for row in rows] == [2, 3, 6]
        assert np.array_equal([row.value for row in rows], expected[[2, 3, 6]])
        assert [row.frame for row in reading.rows(path, "Clear:is_recursive")] == [4, 7]
        assert [row.value for row in reading.rows(path, "Clear:is_recursive")] == [[True], [True]]
    (strips, *_) = (row.value for row in reading.rows(f"{in_world}/bones", "LineStrips3D:strips"))
    pairs = np.array(FINGER_BONES + PALM_BONES)
    assert np.array_equal(strips, world[2][pairs])


def test_hands_that_were_not_read_are_not_shown_and_held_ones_in_the_picture_alone(make: Maker) -> None:
    hands = (Hand(0), Hand(1, kind=2), Hand(2, kind=3))
    reading = reading_of(make(Scene(frames=4), hands=hands, config=ASKED))

    pixels = reading.rows(f"{rerun_names.hand_in_picture('right')}/joints", "Points2D:positions")
    world = reading.rows(f"{rerun_names.hand_in_world('right')}/joints", "Points3D:positions")

    assert [row.frame for row in pixels] == [0, 2]
    assert [row.frame for row in world] == [0]


def test_joints_that_are_not_known_have_no_bones(tmp_path: Path) -> None:
    joints = np.random.default_rng(0).normal(size=(2, 21, 3)).astype(np.float32)
    joints[1, 8] = np.nan

    with RerunFile(tmp_path / "hand.rrd", recording_id="hand") as file:
        file.log_hand_in_world("left", Moments.of_pictures(np.arange(2)), joints)

    reading = RerunReading(tmp_path / "hand.rrd")
    path = rerun_names.hand_in_world("left")
    assert [len(row.value) for row in reading.rows(f"{path}/joints", "Points3D:positions")] == [21, 20]
    assert [len(row.value) for row in reading.rows(f"{path}/bones", "LineStrips3D:strips")] == [23, 22]


def test_the_estimated_body_is_joined_as_its_table_says(make: Maker) -> None:
    scene = Scene(frames=6)
    body = {UPPER_BODY_FILE: body_of(scene, unknown=frozenset({4}))}
    made = make(scene, hands=(Hand(1),), extra=body, config=ASKED)
    reading = reading_of(made)

    joints = reading.rows(f"{rerun_names.BODY}/joints", "Points3D:positions")
    bones = reading.rows(f"{rerun_names.BODY}/bones", "LineStrips3D:strips")

    (expected,) = datasets_of(made, "/upper-body/joints_world")
    with EpisodeBundle.open(made.path) as bundle:
        edges = np.array(bundle.upper_body_edges)
    assert [row.frame for row in joints] == [0, 1, 2, 3, 5]
    assert np.array_equal(joints[3].value, expected[3])
    assert np.array_equal(bones[3].value, expected[3][edges])
    assert [row.frame for row in reading.rows(rerun_names.BODY, "Clear:is_recursive")] == [4]


# --- what is absent --------------------------------------------------------------------------------------------

EVERYTHING = ("depth", "camera_info", "pose", "tf", "imu", "tracking", "mesh", "trajectory")


@pytest.mark.parametrize(
    ("absent", "gone"),
    [
        (("depth",), [rerun_names.DEPTH]),
        (("pose", "tf", "trajectory"), [rerun_names.TRAIL, rerun_names.TRAJECTORY]),
        (("imu",), [f"{rerun_names.GYRO}/x"]),
        (("mesh",), [rerun_names.MESH]),
        (("tracking",), [rerun_names.TRACKING_STATE]),
        (EVERYTHING, [rerun_names.DEPTH, rerun_names.MESH, rerun_names.TRAJECTORY, f"{rerun_names.GYRO}/x"]),
    ],
)
def test_what_a_bundle_lacks_is_neither_in_the_file_nor_in_its_layout(
    make: Maker, absent: tuple[str, ...], gone: list[str]
) -> None:
    reading = reading_of(make(Scene(frames=3).without(*absent), hands=None, config=ASKED))

    origins = [
        origin
        for chunk in reading.blueprint_chunks
        if "ViewBlueprint:space_origin" in chunk.to_record_batch().schema.names
        for origin in chunk.to_record_batch().column("ViewBlueprint:space_origin")[0].as_py()
    ]

    temporal = {chunk.entity_path for chunk in reading.chunks if not chunk.is_static}
    still = {path for path in gone if reading.still(path, "LineStrips3D:strips") is not None}
    assert not {f"/{path}" for path in gone} & temporal
    assert not still
    assert not any(origin.strip("/").startswith(path) for origin in origins for path in gone)
    assert len(reading.rows(PICTURE, "VideoStream:sample")) == 3


def test_hands_of_a_recording_without_poses_stand_before_the_camera(make: Maker) -> None:
    scene = Scene(frames=3).without("pose", "tf", "trajectory")
    made = make(scene, hands=(Hand(1),), config=ASKED)
    reading = reading_of(made)

    (row,) = reading.rows(f"{rerun_names.hand_before_camera('right')}/joints", "Points3D:positions")

    (joints,) = datasets_of(made, "/hand-pose/right_joints")
    assert np.array_equal(row.value, joints[1])
    assert not reading.has(f"{rerun_names.hand_in_world('right')}/joints", "Points3D:positions")


# --- the file as a whole ---------------------------------------------------------------------------------------


def test_it_is_a_view_that_the_core_files_tell_of(make: Maker, tmp_path: Path) -> None:
    store, key = Store.open(str(tmp_path / "store")), ArtifactKey("episode_bundle", RECORDING_ID)
    published, saved = [], []
    for number, config in enumerate((PLAIN, ASKED)):
        made = make(Scene(frames=3), config=config)
        saved.append(set(json.loads((made.path / "meta.json").read_text())["saved"]))
        with EpisodeBundle.open(made.path) as bundle:
            assert (bundle.visualization_path is not None) == config.visualization
        with store.draft(key, fingerprint=f"{number:064x}", code_version="1", config={}, inputs={}) as draft:
            shutil.copytree(made.path, draft.directory, dirs_exist_ok=True)
            published.append(draft.publish(made.outcome))

    assert saved[1] - saved[0] == {"visualization.rrd"}
    assert made.outcome.view == ("visualization.rrd",)
    assert store.latest(key) == published[1]
    assert [item.manifest.entry("visualization.rrd") is not None for item in published] == [False, True]


def test_the_file_names_the_recording_and_opens_with_a_layout_of_its_own(make: Maker) -> None:
    reading = reading_of(make(Scene(frames=3), config=ASKED))

    assert reading.recording.recording_id == RECORDING_ID
    assert reading.recording.application_id == "episode_assets"
    assert [entry.application_id for entry in reading.blueprints] == ["episode_assets"]
    assert {name for chunk in reading.chunks for name in chunk.timeline_names} == {"time", "frame"}
    assert reading.still("__properties", "RecordingInfo:name") == [RECORDING_ID]
    assert reading.still("__properties", "RecordingInfo:start_time") is None
    assert "video and hands" in reading.words()


def test_names_of_device_place_and_file_are_not_in_it(make: Maker) -> None:
    secrets = {"device_model": "Quokkaphone 9", "storage.path": "/Users/zebedee/Oslo"}
    scene = Scene(frames=3, metadata=secrets, profile="zebedee's rig")
    made = make(scene, file_name="zebedees_secret_kitchen.mcap", config=ASKED)

    text = reading_of(made).words() + (made.path / "visualization.rrd").read_bytes().decode("latin-1")

    assert RECORDING_ID in text
    for word in ("Quokka", "zebedee", "Oslo", "secret_kitchen", str(made.path.parent)):
        assert word not in text


def test_pictures_that_are_logged_one_by_one_make_the_same_file(tmp_path: Path) -> None:
    joints = np.random.default_rng(0).normal(size=(300, 21, 3)).astype(np.float32)
    joints[40:50] = np.nan
    moments = Moments.of_pictures(np.arange(300) * TICK_NS)
    counts = []

    for name, size in (("one", 1), ("many", 300)):
        with RerunFile(tmp_path / f"{name}.rrd", recording_id=name) as file:
            for first in range(0, 300, size):
                rows = slice(first, first + size)
                file.log_hand_in_world("left", moments.rows(rows), joints[rows])
        reading = RerunReading(tmp_path / f"{name}.rrd")
        path = rerun_names.hand_in_world("left")
        counts.append(
            [
                reading.rows(f"{path}/joints", "Points3D:positions"),
                reading.rows(path, "Clear:is_recursive"),
                len(reading.chunks) < 20,
            ]
        )

    assert counts[0] == counts[1]
    assert len(counts[0][0]) == 290


def test_rerun_itself_finds_nothing_wrong(make: Maker, tmp_path: Path) -> None:
    made = make(Scene(frames=3), hands=(Hand(1),), boxes=(Box(1, 8, 6, 20, 18),), config=ASKED)
    home = {**os.environ, "HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path / "config")}

    for verb, words in (("verify", "verified without error"), ("stats", "num_static")):
        done = subprocess.run(
            [sys.executable, "-m", "rerun", "rrd", verb, str(made.path / "visualization.rrd")],
            env=home,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert words in done.stdout + done.stderr


WRITING = """
import os, sys
from pathlib import Path
import numpy as np
from episode_assets.bundle.rerun_columns import Moments
from episode_assets.bundle.rerun_file import RerunFile
from episode_assets.bundle.rerun_stream import RerunStream

buffer = bytearray(4 * 9 + 1)
odd = np.frombuffer(buffer, np.float32, 9, 1).reshape(3, 3)
assert not odd.flags.aligned
with RerunFile(Path(sys.argv[1], "out.rrd"), recording_id="quiet") as file:
    file.log_scene(np.eye(4))
    file.log_cameras(Moments.of_pictures(np.arange(3)), np.tile(np.eye(4), (3, 1, 1)))
    file.log_mesh(odd, np.array([[0, 1, 2]], np.int32))
    links = [os.path.realpath(f"/proc/self/fd/{name}") for name in os.listdir("/proc/self/fd")]
    tables = [Path(f"/proc/self/net/{kind}") for kind in ("tcp", "tcp6", "udp", "udp6")]
    known = {line.split()[9] for table in tables if table.exists() for line in table.read_text().splitlines()[1:]}
print([link for link in links if link.partition("socket:")[2].strip("[]") in known])
"""


def test_nothing_is_sent_and_nothing_written_elsewhere(tmp_path: Path) -> None:
    """In a process of its own: with numbers at odd places in memory, which rerun does not survive unprepared."""
    for name in ("home", "out", "tmp"):
        (tmp_path / name).mkdir()
    home = {"HOME": str(tmp_path / "home"), "TMPDIR": str(tmp_path / "tmp"), "PATH": os.environ["PATH"]}

    done = subprocess.run(
        [sys.executable, "-c", WRITING, str(tmp_path / "out")],
        env={**home, "PYTHONPATH": str(Path.cwd())},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()) == [
        "out/out.rrd"
    ]


# --- when it cannot be written ---------------------------------------------------------------------------------


def test_a_bundle_is_a_bundle_without_the_rerun_package(make: Maker, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "rerun", None)

    made = make(Scene(frames=3), config=ASKED)

    assert made.reasons()["visualization.rrd"] == "not_written"
    assert not (made.path / "visualization.rrd").exists()
    assert made.outcome.view == ()
    with EpisodeBundle.open(made.path) as bundle:
        assert bundle.visualization_path is None
        assert "visualization.rrd" not in bundle.meta["saved"]
        (reason,) = [item for item in bundle.meta["skipped"] if item["name"] == "visualization.rrd"]
    assert str(made.path) not in json.dumps(reason)


def test_rerun_switched_off_by_its_variable_is_noticed(make: Maker, monkeypatch) -> None:
    monkeypatch.setenv("RERUN", "off")

    made = make(Scene(frames=3), config=ASKED)

    assert made.reasons()["visualization.rrd"] == "not_written"
    assert not (made.path / "visualization.rrd").exists()


def test_a_video_that_viewers_cannot_take_leaves_the_rest_alone(make: Maker) -> None:
    def reorder(blurred: Path) -> None:
        """Encode the video anew with pictures that are stored in another order than they are shown."""
        with av.open(str(blurred / "rgb.mp4")) as source:
            frames = list(source.decode(video=0))
        with av.open(str(blurred / "rgb.mp4"), "w", options={"movflags": "faststart"}) as container:
            stream = container.add_stream("libx264", rate=15, options={"bf": "2", "b_strategy": "0"})
            stream.width, stream.height, stream.time_base = 64, 48, frames[0].time_base
            stream.codec_context.time_base = frames[0].time_base
            for frame in frames:
                frame.pict_type = av.video.frame.PictureType.NONE
                container.mux(stream.encode(frame))
            container.mux(stream.encode())

    made = make(Scene(frames=9), prepare=reorder, config=ASKED)

    assert made.reasons()["visualization.rrd"] == "not_written"
    (reason,) = [item for item in made.outcome.skipped if item.name == "visualization.rrd"]
    assert "another order" in reason.detail


def test_no_thread_outlives_its_file(tmp_path: Path) -> None:
    def write(name: str) -> int:
        RerunStream(tmp_path / f"{name}.rrd", name).close()
        return psutil.Process().num_threads()

    before = write("before")

    assert [write(f"file {index}") - before for index in range(4)] == [0] * 4


def test_a_mistake_that_is_not_one_of_rerun_is_not_hidden(tmp_path: Path) -> None:
    with pytest.raises(KeyError), RerunFile(tmp_path / "broken.rrd", recording_id="broken") as file:
        file.log_scene(np.eye(4))
        raise KeyError("ours")

    short = RerunFile(tmp_path / "short.rrd", recording_id="short")
    with pytest.raises(ViewFailed, match="3 pictures expected, 0 are in the video"), short:
        short.log_video(Moments.of_pictures(np.arange(3)), [], "h264")


def test_settings_that_mean_nothing_are_refused() -> None:
    with pytest.raises(BadConfig, match="visualization must be true or false"):
        BundleConfig(visualization="yes")  # type: ignore[arg-type]
    with pytest.raises(BadConfig, match="visualization_depth_every"):
        BundleConfig(visualization_depth_every=0)
