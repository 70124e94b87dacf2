"""What the guide of the Stera SDK shows how to do with an episode, done with ours.

Only what its readers have at hand is used: h5py, NumPy, json, OpenCV.
"""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import h5py
import numpy as np
import pytest

from episode_assets_tests.bundle.conftest import Made, Maker
from episode_assets_tests.bundle.mano_rows import mano_table, numbers_of
from episode_assets_tests.bundle.recordings import Hand, Scene, joints_of

SCENE = Scene(frames=8)
HANDS = (Hand(2), Hand(3), Hand(5, side="left"))


@pytest.fixture
def episode(make: Maker) -> Path:
    made: Made = make(SCENE, hands=HANDS, extra={"mano.parquet": mano_table(SCENE, HANDS)})
    return made.path


def test_the_file_lists_its_groups_and_each_is_read_by_itself(episode: Path) -> None:
    with h5py.File(episode / "annotation.hdf5", "r") as f:
        assert {"depth", "cam-pose", "imu", "hand-pose", "metadata"} <= set(f.keys())
        assert f["depth"]["frames"].shape == (8, 24, 32)
        assert f.attrs.get("metadata") is None
        assert int(f["metadata"].attrs["num_rgb_frames"]) == 8


def test_depth_is_masked_by_its_valid_flags(episode: Path) -> None:
    with h5py.File(episode / "annotation.hdf5", "r") as f:
        valid = f["depth/valid"][:]
        frames = f["depth/frames"][valid]
        stamps = f["depth/timestamps"][:]

    assert frames.dtype == np.uint16
    assert len(frames) == valid.sum() == 8
    assert (stamps[valid] > 0).all()
    assert np.median(frames[frames > 0]) / 1000 == pytest.approx(0.95, abs=0.1)


def test_every_frame_finds_its_nearest_pose_and_inertial_sample(episode: Path) -> None:
    with h5py.File(episode / "annotation.hdf5", "r") as f:
        rgb, pose, imu = (f[f"{group}/timestamps"][:] for group in ("hand-pose", "cam-pose", "imu"))

    assert [int(np.abs(pose - t).argmin()) for t in rgb] == list(range(8))
    assert max(np.abs(imu - t).min() for t in rgb[:-1]) <= 0.05


def test_depth_pixels_become_points_in_the_world(episode: Path) -> None:
    """The chain of the guide: back-projection, optical to link, link to world."""
    K, R_o2l = (np.load(episode / "calibrations" / name) for name in ("depth_K.npy", "R_optical_to_link.npy"))
    with h5py.File(episode / "annotation.hdf5", "r") as f:
        depth, i = f["depth/frames"][3], 3
        R, t = f["cam-pose/rotations"][i], f["cam-pose/translations"][i]
        to_world = f["rgb/world_from_optical"][i]
    v, u = np.nonzero(depth)
    Z = depth[v, u] / 1000
    optical = np.stack([(u - K[0, 2]) * Z / K[0, 0], (v - K[1, 2]) * Z / K[1, 1], Z], axis=1)

    world = optical @ R_o2l.T @ R.T + t

    assert world == pytest.approx(optical @ to_world[:3, :3].T + to_world[:3, 3], abs=1e-5)
    ahead = world.mean(axis=0) - SCENE.translation(3)
    assert ahead @ (SCENE.world_from_optical(3)[:3, 2]) == pytest.approx(Z.mean(), abs=1e-5)


def test_hands_are_masked_and_lie_where_the_trackers_put_them(episode: Path) -> None:
    with h5py.File(episode / "annotation.hdf5", "r") as f:
        hp = f["hand-pose"]
        assert hp.attrs["coord_frame"] == "camera_3d"
        joints = hp["right_joints"][hp["right_valid"][:]]
        tips = joints[:, [4, 8, 12, 16, 20]]
        confidence = hp["right_confidence"][:]

    assert joints.shape == (2, 21, 3)
    assert np.array_equal(joints[0], joints_of(HANDS[0])[1])
    assert np.isfinite(tips).all()
    assert np.flatnonzero(confidence).tolist() == [2, 3]


@pytest.mark.parametrize(
    ("dataset", "column", "shape"),
    [
        ("mano_global_orient", "global_orient", (1, 3, 3)),
        ("mano_hand_pose", "hand_pose", (15, 3, 3)),
        ("mano_betas", "betas", (10,)),
        ("pred_cam", "pred_cam", (3,)),
        ("pred_cam_t", "cam_t", (3,)),
        ("cam_t", "cam_t", (3,)),
        ("focal_length", "focal_px", (2,)),
    ],
)
def test_numbers_of_mano_networks_stand_beside_the_joints(
    episode: Path, dataset: str, column: str, shape: tuple[int, ...]
) -> None:
    with h5py.File(episode / "annotation.hdf5", "r") as f:
        right, left = f[f"hand-pose/right_{dataset}"][:], f[f"hand-pose/left_{dataset}"][:]

    assert right.dtype == left.dtype == np.float32
    assert right.shape == left.shape == (8, *shape)
    assert np.array_equal(right[3], numbers_of(HANDS[1], column).reshape(shape))
    assert np.array_equal(left[5], numbers_of(HANDS[2], column).reshape(shape))
    assert np.isnan(right[0]).all()


def test_calibrations_are_found_through_their_index(episode: Path) -> None:
    folder = episode / "calibrations"
    meta = json.loads((folder / "meta.json").read_text())

    arrays = {
        (part, kind): np.load(folder / meta[part]["files"][kind])
        for part in ("rgb", "depth")
        for kind in "KD"
    }

    assert arrays["rgb", "K"].shape == arrays["depth", "K"].shape == (3, 3)
    assert np.load(folder / meta["R_optical_to_link"]).shape == (3, 3)
    assert (meta["rgb"]["width"], meta["rgb"]["height"]) == (64, 48)


def test_the_video_has_a_frame_for_every_row(episode: Path) -> None:
    video = cv2.VideoCapture(str(episode / "rgb.mp4"))
    frames = 0
    while video.read()[0]:
        frames += 1

    with h5py.File(episode / "annotation.hdf5", "r") as f:
        assert frames == len(f["hand-pose/left_valid"]) == len(f["depth/valid"])


def test_the_lists_of_what_was_saved_and_skipped_are_printed(make: Maker) -> None:
    outcome = make(SCENE.without("imu")).outcome

    lines = [f"+ {name}" for name in outcome.saved] + [f"- {item.line}" for item in outcome.skipped]

    assert "+ annotation.hdf5:/depth" in lines
    assert "- annotation.hdf5:/imu (the recording has no imu messages)" in lines


def test_own_annotations_are_appended_after_the_export(episode: Path) -> None:
    (episode / "annotation.hdf5").chmod(0o644)
    with h5py.File(episode / "annotation.hdf5", "a") as f:
        group = f.require_group("text-annotations")
        group.create_dataset("labels", data=["reach", "grasp"], dtype=h5py.string_dtype())

    with h5py.File(episode / "annotation.hdf5", "r") as f:
        assert f["text-annotations/labels"].asstr()[:].tolist() == ["reach", "grasp"]
        assert f["depth/frames"][7].any()
