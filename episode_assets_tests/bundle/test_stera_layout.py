"""Scripts made for the Stera layout index files and datasets by name; these tests read the same way.

Only h5py, numpy, json and av are used on the bundle here, none of the package's own readers.
"""

from __future__ import annotations

import json

import av
import h5py
import numpy as np
import pytest

from episode_assets_tests.bundle.conftest import Made, Maker
from episode_assets_tests.bundle.recordings import START_NS, TICK_NS, Box, Hand, Scene, joints_of

HANDS = (Hand(2), Hand(3, valid_joints=10), Hand(5, side="left", metres=False))


@pytest.fixture
def made(make: Maker) -> Made:
    return make(Scene(), boxes=(Box(1, 8, 8, 24, 24),), hands=HANDS)


def test_every_listed_dataset_has_its_shape_and_dtype(made: Made) -> None:
    F = made.scene.frames
    with h5py.File(made.path / "annotation.hdf5", "r") as file:
        P, N = len(file["/cam-pose/timestamps"]), len(file["/imu/timestamps"])
        expected = {
            "/depth/frames": ((F, 24, 32), "uint16"),
            "/depth/timestamps": ((F,), "float64"),
            "/depth/valid": ((F,), "bool"),
            "/cam-pose/timestamps": ((P,), "float64"),
            "/cam-pose/translations": ((P, 3), "float32"),
            "/cam-pose/rotations": ((P, 3, 3), "float32"),
            "/imu/timestamps": ((N,), "float64"),
            "/imu/linear_acceleration": ((N, 3), "float32"),
            "/imu/angular_velocity": ((N, 3), "float32"),
            "/imu/orientation_xyzw": ((N, 4), "float32"),
            "/hand-pose/timestamps": ((F,), "float64"),
            "/rgb/timestamps": ((F,), "float64"),
            "/rgb/timestamps_ns": ((F,), "int64"),
            "/rgb/source_index": ((F,), "int64"),
            "/rgb/frame_index": ((F,), "int64"),
            "/rgb/K": ((F, 3, 3), "float64"),
            "/depth/source_index": ((F,), "int32"),
            "/tracking/state": ((F,), "uint8"),
            "/tracking/reason": ((F,), "uint8"),
        }
        for side in ("left", "right"):
            expected[f"/hand-pose/{side}_joints"] = ((F, 21, 3), "float32")
            expected[f"/hand-pose/{side}_valid"] = ((F,), "bool")
            expected[f"/hand-pose/{side}_confidence"] = ((F,), "float32")
            expected[f"/hand-pose/{side}_kpts_2d_rgb"] = ((F, 21, 2), "float32")
        found = {name: (file[name].shape, str(file[name].dtype)) for name in expected}

    assert found == expected


def test_attributes_carry_the_units_and_counts(made: Made) -> None:
    with h5py.File(made.path / "annotation.hdf5", "r") as file:
        depth, metadata = dict(file["/depth"].attrs), dict(file["/metadata"].attrs)
        gravity, root = file["/imu"].attrs["gravity"], dict(file.attrs)

    assert (depth["units"], depth["height"], depth["width"]) == ("mm", 24, 32)
    assert metadata["num_rgb_frames"] == metadata["num_depth_frames"] == 12
    assert metadata["num_pose_samples"] == 12
    assert metadata["num_imu_samples"] > 0
    assert metadata["start_time"] == pytest.approx(START_NS / 1e9)
    assert metadata["duration_s"] == pytest.approx(11 * TICK_NS / 1e9)
    assert metadata["end_time"] - metadata["start_time"] == pytest.approx(metadata["duration_s"])
    assert gravity == "removed"
    assert metadata["clock"] == "uptime"
    assert root["schema"] == "episode_bundle"
    assert root["schema_version"] == 1
    assert len(root["source_sha256"]) == 64


def test_depth_has_its_own_stamps_not_those_of_the_pictures(made: Made) -> None:
    with h5py.File(made.path / "annotation.hdf5", "r") as file:
        depth, rgb = file["/depth/timestamps_ns"][()], file["/rgb/timestamps_ns"][()]
        seconds = file["/depth/timestamps"][()]
        numbers = file["/depth/source_index"][()]

    assert np.array_equal(depth - rgb, np.full(12, 3_900_000))
    assert np.allclose(seconds, depth / 1e9, rtol=0, atol=1e-6)
    assert numbers.tolist() == list(range(12))


def test_the_pose_chain_of_the_layout_gives_the_camera_in_the_world(made: Made) -> None:
    R_o2l = np.load(made.path / "calibrations" / "R_optical_to_link.npy")
    with h5py.File(made.path / "annotation.hdf5", "r") as file:
        R, t = file["/cam-pose/rotations"][3], file["/cam-pose/translations"][3]
        world_from_optical = file["/rgb/world_from_optical"][3]
    point_optical = np.array([0.1, 0.2, 0.9])

    point_world = R @ (R_o2l @ point_optical) + t

    angle = 0.15
    turn = np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]])
    assert np.allclose(R_o2l, np.diag([1.0, -1.0, -1.0]))
    assert np.allclose(point_world, turn @ np.array([0.1, -0.2, -0.9]) + [0.3, 1.5, -0.06], atol=1e-5)
    assert np.allclose(point_world, (world_from_optical @ [*point_optical, 1.0])[:3], atol=1e-5)


def test_calibration_files_load_and_are_described(made: Made) -> None:
    folder = made.path / "calibrations"
    meta = json.loads((folder / "meta.json").read_text())
    arrays = {
        name: np.load(folder / name) for name in ("rgb_K.npy", "rgb_D.npy", "depth_K.npy", "depth_D.npy")
    }

    assert {path.name for path in folder.iterdir()} == {*arrays, "R_optical_to_link.npy", "meta.json"}
    assert all(array.dtype == np.float64 for array in arrays.values())
    assert arrays["rgb_K.npy"][0, 0] == pytest.approx(50 + 0.25 * 5.5)
    assert arrays["depth_K.npy"][0, 0] == pytest.approx(arrays["rgb_K.npy"][0, 0] / 2)
    assert arrays["rgb_D.npy"].shape == (5,)
    assert (meta["rgb"]["width"], meta["rgb"]["height"]) == (64, 48)
    assert meta["rgb"]["distortion_model"] == "plumb_bob"
    assert meta["rgb"]["files"] == {"K": "rgb_K.npy", "D": "rgb_D.npy"}
    assert meta["depth"]["units"] == "mm (uint16)"
    assert meta["R_optical_to_link"] == "R_optical_to_link.npy"
    assert meta["R_source"] == "tf"


def test_every_picture_has_the_intrinsics_of_its_own_moment(made: Made) -> None:
    with h5py.File(made.path / "annotation.hdf5", "r") as file:
        K = file["/rgb/K"][()]

    assert np.allclose(K[:, 0, 0], 50 + 0.25 * np.arange(12))


def test_hands_are_metres_where_anchored_and_pixels_elsewhere(made: Made) -> None:
    pixels, metres = joints_of(HANDS[0])
    left_pixels, _ = joints_of(HANDS[2])
    with h5py.File(made.path / "annotation.hdf5", "r") as file:
        group = file["/hand-pose"]
        assert group.attrs["coord_frame"] == "camera_3d"
        assert group.attrs["backend"] == "mediapipe"
        assert group["right_valid"][()].nonzero()[0].tolist() == [2, 3]
        assert group["left_valid"][()].nonzero()[0].tolist() == [5]
        assert np.array_equal(group["right_joints"][2], metres)
        assert np.array_equal(group["right_kpts_2d_rgb"][2], pixels)
        assert group["right_confidence"][2] == pytest.approx(0.9)
        assert group["right_confidence"][0] == 0
        assert np.array_equal(group["left_joints"][5, :, :2], left_pixels)
        assert np.all(group["left_joints"][5, :, 2] == 0)
        assert group["left_space"][5] == 1
        assert group["right_space"][2] == 2
        assert np.isnan(group["right_joints"][0]).all()


def test_unknown_joints_are_nan_and_masked(made: Made) -> None:
    with h5py.File(made.path / "annotation.hdf5", "r") as file:
        joints, known = file["/hand-pose/right_joints"][3], file["/hand-pose/right_joint_valid"][3]

    assert known.tolist() == [True] * 10 + [False] * 11
    assert np.isfinite(joints[:10]).all()
    assert np.isnan(joints[10:]).all()


def test_without_any_metric_hand_the_frame_is_the_image(make: Maker) -> None:
    made = make(Scene(), hands=(Hand(4, metres=False),))

    with h5py.File(made.path / "annotation.hdf5", "r") as file:
        assert file["/hand-pose"].attrs["coord_frame"] == "image_2d"


def test_picture_times_equal_stamp_differences_across_a_hole(make: Maker) -> None:
    scene = Scene(frames=20, gap_after=9)
    made = make(scene)

    with av.open(str(made.path / "rgb.mp4")) as container:
        stream = container.streams.video[0]
        shown_us = [
            float(packet.pts * stream.time_base) * 1e6 for packet in container.demux(stream) if packet.size
        ]
    with h5py.File(made.path / "annotation.hdf5", "r") as file:
        stamps = file["/rgb/timestamps_ns"][()]
    error_us = np.abs(np.array(shown_us) - (stamps - stamps[0]) / 1000)

    assert len(shown_us) == 20
    assert error_us.max() <= 5
    assert stamps[10] - stamps[9] == 8_000_000_000 + TICK_NS


def test_one_dropped_picture_leaves_all_arrays_at_the_same_length(make: Maker) -> None:
    made = make(Scene(frames=12), dropped=frozenset({5}), hands=(Hand(5), Hand(6)))

    with av.open(str(made.path / "rgb.mp4")) as container:
        shown = sum(1 for packet in container.demux(video=0) if packet.size)
    with h5py.File(made.path / "annotation.hdf5", "r") as file:
        lengths = {
            len(file[name])
            for name in (
                "/rgb/timestamps",
                "/depth/frames",
                "/depth/valid",
                "/hand-pose/right_joints",
                "/rgb/K",
            )
        }
        numbers = file["/rgb/source_index"][()]
        hands_at = file["/hand-pose/right_valid"][()].nonzero()[0]

    assert {shown} == lengths == {11}
    assert numbers.tolist() == [0, 1, 2, 3, 4, 6, 7, 8, 9, 10, 11]
    assert numbers[hands_at].tolist() == [6]
    assert made.notes()["hands_without_picture"] == 1
    assert made.notes()["depth_unused"] == 1
    left_out = [note.detail for note in made.outcome.warnings if note.code == "picture_dropped"]
    assert left_out == ["1 pictures left out (undecodable): messages 5"]


def test_users_may_append_their_own_groups_to_a_copy(made: Made, tmp_path) -> None:
    copy = tmp_path / "annotation.hdf5"
    copy.write_bytes((made.path / "annotation.hdf5").read_bytes())

    with h5py.File(copy, "r+") as file:
        file.create_dataset("/my-labels/phase", data=np.arange(12))

    with h5py.File(copy, "r") as file:
        assert file["/my-labels/phase"].shape == (12,)
        assert file["/depth/frames"].shape == (12, 24, 32)
