"""Whatever a recording lacks, there is a bundle that says so; nothing is invented and nothing raises."""

from __future__ import annotations

import json
from dataclasses import replace

import h5py
import pytest

from episode_assets.bundle import EpisodeBundle
from episode_assets_tests.bundle.conftest import Maker
from episode_assets_tests.bundle.recordings import Scene


@pytest.mark.parametrize(
    ("absent", "name", "code"),
    [
        (("depth",), "annotation.hdf5:/depth", "no_depth_messages"),
        (("mesh",), "mesh.ply", "no_mesh_messages"),
        (("imu",), "annotation.hdf5:/imu", "no_imu_messages"),
        (("pose", "trajectory", "tf"), "annotation.hdf5:/cam-pose", "no_pose_messages"),
        (("camera_info",), "annotation.hdf5:/rgb/K", "no_camera_info"),
        (("tracking",), "annotation.hdf5:/tracking", "no_tracking_messages"),
        (("tf",), "annotation.hdf5:/tf", "no_tf_messages"),
        (("trajectory",), "annotation.hdf5:/trajectory", "no_trajectory_messages"),
        (("cloud",), "annotation.hdf5:/point-cloud", "no_point_cloud_messages"),
    ],
)
def test_an_absent_stream_is_skipped_with_a_reason(
    make: Maker, absent: tuple[str, ...], name: str, code: str
) -> None:
    made = make(Scene(frames=5).without(*absent))

    assert made.reasons()[name] == code
    assert name not in made.outcome.saved
    with EpisodeBundle.open(made.path) as bundle:
        assert bundle.F == 5
    with h5py.File(made.path / "annotation.hdf5", "r") as file:
        group = name.partition(":")[2]
        assert not group or group not in file


def test_pictures_alone_make_a_bundle(make: Maker) -> None:
    everything = ("depth", "camera_info", "pose", "tf", "imu", "tracking", "mesh", "trajectory", "cloud")
    made = make(Scene(frames=5).without(*everything), hands=None)

    assert {"rgb.mp4", "thumbnail.jpg", "annotation.hdf5:/rgb", "calibrations/"} <= set(made.outcome.saved)
    assert made.reasons()["annotation.hdf5:/hand-pose"] == "no_hand_poses"
    meta = json.loads((made.path / "calibrations" / "meta.json").read_text())
    assert set(meta) == {"R_optical_to_link", "R_source", "t_optical_to_link_m"}
    with EpisodeBundle.open(made.path) as bundle:
        assert bundle.depth is None
        assert bundle.depth_frame(0) is None
        assert bundle.K is None
        assert bundle.imu is None
        assert bundle.mesh is None
        assert not bundle.poses.valid.any()
        assert not bundle.left.valid.any()


def test_a_recording_without_hands_in_view_says_so(make: Maker) -> None:
    made = make(Scene(frames=5), hands=())

    assert made.reasons()["annotation.hdf5:/hand-pose"] == "no_hands_found"


def test_the_trajectory_stands_in_for_absent_poses(make: Maker) -> None:
    made = make(Scene(frames=5).without("pose", "tf"))

    with h5py.File(made.path / "annotation.hdf5", "r") as file:
        assert file["/cam-pose"].attrs["source"] == "trajectory"
        assert file["/cam-pose/translations"].shape == (5, 3)


def test_poses_put_together_from_the_frame_tree_are_marked_where_they_are_interpolated(make: Maker) -> None:
    scene = Scene(frames=5).without("pose", "trajectory")
    made = make(replace(scene, streams=scene.streams | {"moving_tf"}))

    with h5py.File(made.path / "annotation.hdf5", "r") as file:
        assert file["/cam-pose"].attrs["source"] == "tf"
        assert file["/cam-pose/is_interpolated"][:].tolist() == [False, True, False, True, False]
    with EpisodeBundle.open(made.path) as bundle:
        assert bundle.camera_poses is not None
        assert bundle.camera_poses.source == "tf"
        assert bundle.camera_poses.is_interpolated is not None
        assert bundle.camera_poses.is_interpolated.sum() == 2


def test_intrinsics_of_another_aspect_are_refused_and_named(make: Maker) -> None:
    made = make(Scene(frames=5, info_size=(64, 64)))

    assert made.reasons()["annotation.hdf5:/rgb/K"] == "intrinsics_mismatch"
    assert made.notes()["intrinsics_mismatch"] == 5
    assert not (made.path / "calibrations" / "rgb_K.npy").exists()


def test_intrinsics_of_the_capture_buffer_are_scaled_to_the_picture(make: Maker) -> None:
    made = make(Scene(frames=5, info_size=(128, 96)))

    with EpisodeBundle.open(made.path) as bundle:
        assert bundle.K is not None
        assert bundle.K[0, 0, 0] == pytest.approx(25.0)
        assert bundle.K[0, 0, 2] == pytest.approx(16.0)


def test_odd_pictures_keep_their_true_size(make: Maker) -> None:
    made = make(Scene(frames=5, width=53, height=31, depth_width=53, depth_height=31))

    meta = json.loads((made.path / "calibrations" / "meta.json").read_text())
    assert (meta["rgb"]["width"], meta["rgb"]["height"]) == (53, 31)
    assert meta["rgb"]["encoded_padding_px"] == [1, 1]
    with EpisodeBundle.open(made.path) as bundle:
        assert bundle.picture_size == (53, 31)
