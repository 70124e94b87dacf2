"""Depth is read at the place of a pixel in the picture, which is right only where both show the same view."""

from __future__ import annotations

import numpy as np
import pytest

from episode_assets.hands.camera import see_the_same
from episode_assets.recording import CameraInfoStream


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
