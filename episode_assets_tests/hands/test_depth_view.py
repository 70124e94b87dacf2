"""Depth is read where the depth camera sees what a pixel of the picture shows, or not at all."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from episode_assets.hands import HandPoseConfig
from episode_assets.hands.depth_view import see_the_same
from episode_assets.recording import CameraInfoStream
from episode_assets_tests.hands.conftest import estimated
from episode_assets_tests.recording import rig as ros
from episode_assets_tests.recording.rig import EPOCH_NS, Rig


def calibration(width: int, height: int, *, focal: float, centre: tuple[float, float]) -> CameraInfoStream:
    """Three messages of a camera whose focus breathes by half a percent."""
    K = np.tile(np.eye(3), (3, 1, 1))
    K[:, 0, 0] = K[:, 1, 1] = focal * np.array([0.995, 1, 1.005])
    K[:, :2, 2] = centre
    sizes = np.full(3, width, np.int32), np.full(3, height, np.int32)
    return CameraInfoStream(np.arange(3), K, ((),) * 3, *sizes, ("plumb_bob",) * 3, "camera")


PICTURE = calibration(1920, 1080, focal=1400, centre=(960, 540))


def test_depth_cut_to_the_picture_shows_the_same_view():
    assert see_the_same(PICTURE, calibration(256, 144, focal=1400 * 256 / 1920, centre=(128, 72)))


@pytest.mark.parametrize(
    ("focal", "centre"),
    [(160.0, (128, 72)), (187.0, (140, 72)), (187.0, (128, 60))],
    ids=["wider", "right", "up"],
)
def test_a_depth_camera_of_its_own_shows_another_view(focal, centre):
    assert not see_the_same(PICTURE, calibration(256, 144, focal=focal, centre=centre))


def test_a_calibration_of_zeros_tells_nothing():
    assert see_the_same(PICTURE, calibration(256, 144, focal=0.0, centre=(0, 0)))


def test_the_demo_has_no_note_of_another_view(whole):
    assert not [code for code, _ in whole.notes() if code == "depth_view"]


# A hand to the left of the middle, 0.5 m away, and a table behind it, seen by a depth camera half as long.

SIZE, FOCAL = (320, 240), 241.0
DEPTH_SIZE, DEPTH_FOCAL = (160, 120), 60.25
HAND_M, TABLE_M = 0.5, 0.9


def recorded(folder: Path, *, depth_frame: str) -> Path:
    picture = np.full((SIZE[1], SIZE[0], 3), 40, np.uint8)
    cv2.circle(picture, (100, 120), 12, (255, 255, 255), -1)
    jpeg = cv2.imencode(".jpg", picture)[1].tobytes()
    depth = np.full((DEPTH_SIZE[1], DEPTH_SIZE[0]), 1000 * TABLE_M, np.uint16)
    depth[46:70, 54:72] = 1000 * HAND_M
    file = Rig(folder / "rig.mcap")
    for stamp in (EPOCH_NS + np.arange(8) * 50_000_000).tolist():
        file.add("/camera/color/image_raw/compressed", ros.compressed_image(stamp, jpeg))
        file.add("/camera/color/camera_info", ros.camera_info(stamp, size=SIZE, focal=FOCAL))
        file.add("/camera/depth/image_rect_raw", ros.image(stamp, depth, "16UC1", frame=depth_frame))
        info = ros.camera_info(stamp, size=DEPTH_SIZE, focal=DEPTH_FOCAL, frame=depth_frame)
        file.add("/camera/depth/camera_info", info)
    return file.close()


def placed_by(scanned, folder, *, depth_frame):
    view = scanned(recorded(folder, depth_frame=depth_frame))
    config = HandPoseConfig(backend="episode_assets_tests.hands.stand_in:make")
    return estimated(view, folder / "hands", config=config)


def test_depth_of_another_lens_in_the_same_place_is_read_through_both_calibrations(scanned, tmp_path):
    run = placed_by(scanned, tmp_path, depth_frame="camera_color_optical_frame")

    assert run.hands["anchor"].to_pylist() == ["anchored"] * 8
    distance = run.numbers("joints_cam").reshape(-1, 21, 3)[..., 2]
    np.testing.assert_allclose(distance, HAND_M, atol=0.03)
    assert not run.notes()


def test_depth_from_who_knows_where_places_no_hand_and_that_is_said(scanned, tmp_path):
    run = placed_by(scanned, tmp_path, depth_frame="camera_depth_optical_frame")

    assert run.hands["anchor"].to_pylist() == ["pixel_only"] * 8
    assert run.hands["joints_cam"].null_count == 8
    assert run.notes() == {("depth_view", "depth"): 1}
    assert ("hands.parquet:joints_cam", "depth_view") in {(s.name, s.code) for s in run.outcome.skipped}
