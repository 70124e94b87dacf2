"""The upper body from camera and wrists: proportions, headings, elbows, and what stays unknown."""

from __future__ import annotations

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from episode_assets.errors import BadConfig
from episode_assets.geometry import rotation_exp
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
from episode_assets.hands.upper_body import UpperBody, elbows, estimate_upper_body, world_up
from episode_assets_tests.hands.conftest import estimated

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


@pytest.mark.parametrize("up", [[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]], ids=["y", "z"])
@pytest.mark.parametrize("roll", [0.0, 1.57, 3.14])
def test_up_is_the_axis_that_explains_how_the_pictures_are_rolled(up, roll):
    to_world = np.eye(3) if up[1] else rotation_exp([np.pi / 2, 0.0, 0.0])
    R = to_world @ rotation_exp([0.0, 0.8, 0.0]) @ pitched(-0.4) @ rotation_exp([0.0, 0.0, roll])
    known = CameraPath(np.stack([R, np.full((3, 3), np.nan)]), np.zeros((2, 3)))

    np.testing.assert_array_equal(world_up(known, np.array([-roll, 0.0])), up)


def test_without_knowing_which_way_is_up_no_body_stands_anywhere():
    up = world_up(CameraPath(AHEAD[None], EYE[None]), np.array([np.nan]))

    body = body_of([AHEAD], up=up)

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
        assert (elbow - foot) @ UP <= 1e-9


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
