"""The upper body from camera and wrists: proportions, headings, elbows, and what stays unknown."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from episode_assets.errors import BadConfig
from episode_assets.geometry import matrix_to_quaternion, rotation_exp
from episode_assets.hands import (
    BODY_ESTIMATED,
    BODY_JOINT_NAMES,
    BODY_MEASURED,
    BODY_UNKNOWN,
    UPPER_BODY_FILE,
    UPPER_BODY_SCHEMA,
    HandPoseConfig,
)
from episode_assets.hands.camera import CameraPath
from episode_assets.hands.tables import list_values
from episode_assets.hands.upper_body import UpperBody, elbows, estimate_upper_body
from episode_assets.recording.frames import BODY_ROTATION
from episode_assets_tests.hands.conftest import estimated
from episode_assets_tests.recording import rig as ros
from episode_assets_tests.recording.rig import Rig

OPTICAL = "camera_color_optical_frame"
STAND_IN = "episode_assets_tests.hands.stand_in:make"

UP = np.array([0.0, 1.0, 0.0])
AHEAD = np.diag([1.0, -1.0, -1.0])
"""Optical axes of a camera that looks along -z of a world whose y is up."""

EYE = np.array([0.0, 1.6, 0.0])
RIGHT_WRIST = np.array([0.15, 1.25, -0.35])


def body_of(rotations, *, wrist=RIGHT_WRIST, run=None, seconds=1 / 15, up=UP) -> UpperBody:
    """The body of a person whose camera stands at `EYE`, with a right hand only."""
    R = np.stack(rotations)
    count = len(R)
    wrists = np.full((count, 2, 3), np.nan)
    wrists[:, 1] = wrist
    return estimate_upper_body(
        CameraPath(R, np.tile(EYE, (count, 1))),
        wrists,
        np.tile([False, True], (count, 1)),
        run=np.zeros(count, np.int64) if run is None else np.array(run),
        stamps_ns=(np.arange(count) * seconds * 1e9).astype(np.int64),
        up=up,
    )


def joint(body: UpperBody, name: str, frame: int = 0) -> np.ndarray:
    return body.joints_world[frame, BODY_JOINT_NAMES.index(name)]


def pitched(radians: float) -> np.ndarray:
    return rotation_exp([radians, 0.0, 0.0]) @ AHEAD


def test_a_person_who_looks_ahead_stands_under_the_camera():
    body = body_of([AHEAD])

    np.testing.assert_allclose(joint(body, "mount_cam"), EYE)
    np.testing.assert_allclose(joint(body, "neck"), [0, 1.4, 0.1])
    np.testing.assert_allclose(joint(body, "head"), [0, 1.5, 0.1])
    np.testing.assert_allclose(joint(body, "left_shoulder"), [-0.18, 1.28, 0.1])
    np.testing.assert_allclose(joint(body, "right_shoulder"), [0.18, 1.28, 0.1])
    np.testing.assert_allclose(joint(body, "spine"), [0, 0.83, 0.1])


def test_the_first_frame_has_a_body_already():
    assert (body_of([AHEAD]).source[0, :4] == BODY_ESTIMATED).all()


@given(roll=st.floats(-np.pi, np.pi), yaw=st.floats(-np.pi, np.pi))
def test_shoulders_follow_the_heading_and_not_the_roll_of_the_camera(roll, yaw):
    turn = rotation_exp([0.0, yaw, 0.0])
    rolled = turn @ AHEAD @ rotation_exp([0.0, 0.0, roll])

    body = body_of([rolled], wrist=turn @ RIGHT_WRIST)

    straight = (body_of([AHEAD]).joints_world[0] - EYE) @ turn.T + EYE
    straight[8] = turn @ RIGHT_WRIST
    for name in ("head", "neck", "spine", "left_shoulder", "right_shoulder"):
        place = BODY_JOINT_NAMES.index(name)
        np.testing.assert_allclose(body.joints_world[0, place], straight[place], atol=1e-9)


def test_a_world_whose_up_is_z_has_its_head_above_its_spine():
    to_z_up = rotation_exp([np.pi / 2, 0.0, 0.0])

    body = body_of([to_z_up @ AHEAD], up=np.array([0.0, 0.0, 1.0]))

    np.testing.assert_allclose(joint(body, "head") - joint(body, "spine"), [0, 0, 0.67], atol=1e-9)


def robot_looking_down(folder, *, heading_deg: float, pitch_deg: float) -> Path:
    """A second of a robot's camera in a world whose up is Z, above what it looks at."""
    file = Rig(folder / "robot.mcap")
    heading = rotation_exp([0.0, 0.0, np.deg2rad(heading_deg)])
    body = heading @ rotation_exp([0.0, np.deg2rad(pitch_deg), 0.0])
    static = (ros.EPOCH_NS, "base_link", OPTICAL, (0, 0, 0), matrix_to_quaternion(BODY_ROTATION))
    file.add("/tf_static", ros.tf_message(static))
    for stamp in (ros.EPOCH_NS + np.arange(10, dtype=np.int64) * 100_000_000).tolist():
        file.add("/color/image/compressed", ros.compressed_image(stamp, ros.jpeg(0)))
        file.add("/tf", ros.tf_message((stamp, "odom", "base_link", (0, 0, 1.6), matrix_to_quaternion(body))))
    return file.close()


@pytest.mark.parametrize("heading_deg", [0.0, 90.0, 180.0, 270.0])
def test_who_looks_down_in_a_world_of_robots_still_stands_on_its_ground(scanned, tmp_path, heading_deg):
    """There the pictures are as upright as they would be with a horizontal axis for up."""
    view = scanned(robot_looking_down(tmp_path, heading_deg=heading_deg, pitch_deg=50.0))
    config = HandPoseConfig(backend=STAND_IN, upper_body=True)

    estimated(view, tmp_path / "hands", config=config)

    body = list_values(pq.read_table(tmp_path / "hands" / UPPER_BODY_FILE), "joints_world").reshape(-1, 10, 3)
    assert len(body) == 10
    np.testing.assert_allclose(body[:, 0] - body[:, 2], np.tile([0, 0, 0.67], (10, 1)), atol=1e-5)


def test_without_knowing_which_way_is_up_no_body_stands_anywhere():
    body = body_of([AHEAD], up=np.full(3, np.nan))

    np.testing.assert_array_equal(np.flatnonzero(body.source[0] != BODY_UNKNOWN), [8, 9])


def test_looking_straight_down_holds_the_last_heading_and_says_so():
    turned = rotation_exp([0.0, 1.0, 0.0])
    body = body_of([turned @ AHEAD, pitched(-np.pi / 2), pitched(-np.pi / 2), AHEAD])

    np.testing.assert_array_equal(body.is_heading_held, [False, True, True, False])
    for frame in (1, 2):
        np.testing.assert_allclose(joint(body, "neck", frame), joint(body, "neck", 0))


def test_a_heading_that_comes_later_serves_the_first_frames():
    body = body_of([pitched(np.pi / 2), AHEAD])

    np.testing.assert_array_equal(body.is_heading_held, [True, False])
    np.testing.assert_allclose(joint(body, "neck"), joint(body, "neck", 1))


@pytest.mark.parametrize("options", [{"run": [0, 1]}, {"seconds": 2.1}])
def test_no_heading_is_held_over_a_gap_or_for_longer_than_two_seconds(options):
    body = body_of([AHEAD, pitched(-np.pi / 2)], **options)

    assert (body.source[1, [0, 1, 2, 3, 6, 7]] == BODY_UNKNOWN).all()
    assert (body.source[1, [8, 9]] == BODY_MEASURED).all()
    assert not body.is_heading_held[1]


def test_without_a_wrist_an_arm_has_a_shoulder_only():
    body = body_of([AHEAD])

    np.testing.assert_array_equal(
        body.source[0, 3:9],
        [BODY_ESTIMATED, BODY_UNKNOWN, BODY_UNKNOWN, BODY_ESTIMATED, BODY_ESTIMATED, BODY_MEASURED],
    )


def test_without_a_pose_nothing_is_known_but_the_wrist():
    body = body_of([np.full((3, 3), np.nan)])

    known = np.isfinite(body.joints_world[0]).all(axis=1)
    np.testing.assert_array_equal(np.flatnonzero(known), [8, 9])


places = st.tuples(*[st.floats(-1.2, 1.2)] * 3).map(np.array)


@given(place=places, shoulder=places)
@example(place=np.array([0.0, 0.5, -1e-5]), shoulder=np.zeros(3))
def test_bones_keep_their_length_and_an_elbow_is_never_above_its_arm(place, shoulder):
    elbow = elbows(shoulder[None], (shoulder + place)[None], heading=np.array([[0.0, 0, -1]]), up=UP)[0]
    distance = float(np.linalg.norm(place))

    if distance > 0.9:
        assert np.isnan(elbow).all()
        return
    assert np.linalg.norm(elbow - shoulder) == pytest.approx(0.33, abs=1e-6)
    if 0.06 <= distance <= 0.6:
        assert np.linalg.norm(shoulder + place - elbow) == pytest.approx(0.27, abs=1e-6)
        foot = shoulder + place * ((elbow - shoulder) @ place) / distance**2
        # An arm within a thousandth of upright bends backward, and leans by that much.
        assert (elbow - foot) @ UP <= 0.33 * 1e-3


def test_an_elbow_does_not_jump_where_an_arm_is_nearly_stretched():
    reach = np.linspace(0.55, 0.65, 1001)
    wrist = reach[:, None] * np.array([0.0, 0.0, -1.0])
    path = elbows(np.zeros_like(wrist), wrist, heading=np.tile([0.0, 0, -1], (len(reach), 1)), up=UP)

    assert np.linalg.norm(np.diff(path, axis=0), axis=1).max() < 0.01


def test_a_hanging_arm_bends_backward():
    elbow = elbows(np.zeros((1, 3)), np.array([[0.0, -0.5, 0.0]]), heading=np.array([[0.0, 0, -1]]), up=UP)

    assert elbow[0, 2] > 0.1


def test_the_body_is_written_only_on_request_and_holds_the_wrists_of_the_table(whole, whole_view, tmp_path):
    asked = estimated(whole_view[0], tmp_path, config=HandPoseConfig(upper_body=True))

    assert UPPER_BODY_FILE not in whole.outcome.core
    assert asked.outcome.core == (*whole.outcome.core, UPPER_BODY_FILE)
    assert asked.hands.equals(whole.hands)
    body = pq.read_table(tmp_path / UPPER_BODY_FILE)
    assert body.schema.equals(UPPER_BODY_SCHEMA)
    assert body.schema.metadata == UPPER_BODY_SCHEMA.metadata
    assert body["frame_index"].to_pylist() == list(range(asked.outcome.summary["frames"]))
    source = list_values(body, "joint_source")
    joints = list_values(body, "joints_world").reshape(-1, 10, 3)
    np.testing.assert_array_equal(np.isfinite(joints).all(axis=2), source != BODY_UNKNOWN)
    side = np.array([5, 8])[(asked.hands["side"].to_numpy(zero_copy_only=False) == "right").astype(int)]
    frame = asked.hands["frame_index"].to_numpy()
    in_space = np.isfinite(asked.numbers("joints_world")).all(axis=1)
    assert in_space.mean() > 0.9
    np.testing.assert_allclose(joints[frame, side][in_space], asked.numbers("joints_world")[in_space, :3])


def test_upper_body_takes_true_or_false_only():
    with pytest.raises(BadConfig, match="upper_body"):
        HandPoseConfig(upper_body="yes")  # type: ignore[arg-type]
