"""How the inertial sensor sits against the camera, from the frame tree of the recording."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from episode_assets.demo import DemoConfig, write_demo
from episode_assets.recording import RecordingView, scan_recording
from episode_assets.recording.frames import Edge, transform_between

TURN = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
EDGES = {
    "imu": Edge("board", TURN, np.array([0.01, 0.0, 0.02]), moves=False),
    "lens": Edge("board", np.eye(3), np.array([0.0, 0.05, 0.0]), moves=False),
    "board": Edge("world", np.eye(3), np.zeros(3), moves=True),
    "loose": Edge("board", np.eye(3), np.zeros(3), moves=True),
}


def test_a_point_of_the_sensor_is_found_in_the_camera() -> None:
    transform = transform_between(EDGES, "imu", "lens")

    assert transform is not None
    # One centimetre along the sensor's x is one along the board's y, from (1, 0, 2) cm; the lens is at (0, 5, 0) cm.
    assert (transform @ [0.01, 0.0, 0.0, 1.0])[:3] == pytest.approx([0.01, -0.04, 0.02])


@pytest.mark.parametrize(
    ("frame", "other"), [("imu", "loose"), ("imu", ""), ("", "lens"), ("imu", "nowhere")]
)
def test_frames_that_move_or_are_not_joined_have_no_transform(frame: str, other: str) -> None:
    assert transform_between(EDGES, frame, other) is None


def test_a_phone_tells_where_its_sensor_sits(tmp_path: Path) -> None:
    config = DemoConfig(seconds=0.4, width=64, height=48, with_face=False, with_hands=False)
    write_demo(tmp_path / "demo.mcap", config=config)
    (tmp_path / "raw").mkdir()
    scan_recording(str(tmp_path / "demo.mcap"), tmp_path / "raw", recording_id="demo-01234567")
    view = RecordingView.open(tmp_path / "raw", str(tmp_path / "demo.mcap"))

    transform = view.optical_from_imu

    # On the phone x of the sensor points up in a landscape picture, y to its left, z back to the viewer.
    assert transform is not None
    up, left, back = [0, -1, 0, 0], [-1, 0, 0, 0], [0, 0, -1, 0]
    assert np.allclose(transform, np.array([up, left, back, [0, 0, 0, 1]]).T)
