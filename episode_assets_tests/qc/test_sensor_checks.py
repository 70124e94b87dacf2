"""Checks of clocks, poses, the IMU, depth, colours and activity, on evidence that a fault was put into."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from episode_assets.errors import BadConfig
from episode_assets.qc import QualityConfig
from episode_assets.qc.activity import activity_block
from episode_assets.qc.advice import ADVICE
from episode_assets.qc.metrics import metric_blocks
from episode_assets_tests.qc.episodes import check_of, judged
from episode_assets_tests.qc.test_checks import ranges_of, with_signals

SECOND_NS = 1_000_000_000


def imu_with(e, **columns):
    return replace(e, imu=replace(e.imu, **columns))


def turning(e, rad_s=0.6):
    """Return evidence whose gyro turns about one axis the whole time."""
    rates = np.zeros_like(e.imu.angular_velocity)
    rates[:, 1] = rad_s
    moved = imu_with(e, angular_velocity=rates)
    return replace(moved, gyro_rad_s=np.full(len(e), rad_s))


def test_every_check_and_every_deduction_comes_with_advice(evidence):
    bare = judged(replace(evidence, depth=None, pose=None, imu=None, hands=None))

    assert {check.id for check in judged(evidence).checks} <= set(ADVICE)
    assert {part.reason for part in bare.deductions} <= set(ADVICE)


def test_a_clock_that_is_set_in_every_stream_at_once_is_no_lost_time(evidence):
    def leap(stamps):
        return np.where(stamps > evidence.stamps_ns[60], stamps + 30 * SECOND_NS, stamps)

    def later(stream):
        return replace(stream, stamp_ns=leap(stream.stamp_ns))

    gaps = evidence.gap_before.copy()
    gaps[61] = True
    alone = replace(evidence, stamps_ns=leap(evidence.stamps_ns), gap_before=gaps)
    together = replace(
        alone,
        imu=later(evidence.imu),
        pose=later(evidence.pose),
        depth_stamps_ns=leap(evidence.depth_stamps_ns),
    )

    assert ranges_of(judged(together), "clock_jump") == [(60, 61)]
    assert check_of(judged(together), "rgb_gap").value == 0
    assert ranges_of(judged(alone), "clock_jump") == []
    assert check_of(judged(alone), "rgb_gap").value == pytest.approx(30, abs=0.1)


def test_a_camera_that_slows_down_is_told(evidence):
    steps = np.full(len(evidence), evidence.median_step_ns)
    steps[80:] = round(1.4 * evidence.median_step_ns)

    judgement = judged(replace(evidence, stamps_ns=evidence.stamps_ns[0] + np.cumsum(steps)))

    assert check_of(judgement, "rgb_rate").status == "warn"
    assert check_of(judgement, "rgb_rate").value == pytest.approx(40, abs=1)
    assert check_of(judged(evidence), "rgb_rate").status == "pass"


def test_stamps_out_of_order_are_placed(evidence):
    numbers = evidence.message_number.copy()
    numbers[[30, 31]] = numbers[[31, 30]]
    roles = replace(evidence.inventory.role("rgb"), backward_steps=1)
    topics = tuple(roles if info.topic == roles.topic else info for info in evidence.inventory.topics)
    mixed = replace(evidence, message_number=numbers, inventory=replace(evidence.inventory, topics=topics))

    judgement = judged(mixed)

    assert check_of(judgement, "stamp_order").status == "warn"
    assert (30, 31) in ranges_of(judgement, "stamp_order")


def test_pictures_that_do_not_decode_are_placed_with_their_message(evidence):
    stamp = int(evidence.stamps_ns[50]) + 1

    finding = next(
        item
        for item in judged(replace(evidence, dropped=((777, stamp, "undecodable"),))).findings
        if item.kind == "undecodable"
    )

    assert (finding.first, finding.last) == (50, 51)
    assert "message 777" in finding.text


def test_poses_that_turn_otherwise_than_the_gyro_are_found(evidence):
    rates = evidence.imu.angular_velocity.copy()
    first, last = evidence.stamps_ns[[50, 80]]
    odd = (evidence.imu.stamp_ns > first) & (evidence.imu.stamp_ns < last)
    rates[odd, 1] += 0.5

    judgement = judged(imu_with(evidence, angular_velocity=rates))

    (found,) = ranges_of(judgement, "pose_gyro")
    assert found[0] <= 50
    assert found[1] >= 80
    assert check_of(judged(evidence), "pose_gyro").status == "pass"


def test_a_pose_that_stands_still_while_the_gyro_turns_is_found(evidence):
    moved, pose = turning(evidence), evidence.pose
    stuck = (pose.stamp_ns >= evidence.stamps_ns[40]) & (pose.stamp_ns <= evidence.stamps_ns[60])
    place = int(np.flatnonzero(stuck)[0])
    translation, quaternion = pose.translation.copy(), pose.quaternion_xyzw.copy()
    translation[stuck], quaternion[stuck] = translation[place], quaternion[place]

    judgement = judged(
        replace(moved, pose=replace(pose, translation=translation, quaternion_xyzw=quaternion))
    )

    ((first, last),) = ranges_of(judgement, "pose_stuck")
    assert (first, last) == (pytest.approx(40, abs=1), pytest.approx(60, abs=1))


def test_an_imu_at_its_limit_and_a_dead_axis_are_found(evidence):
    inside = slice(300, 320)
    clipped = evidence.imu.linear_acceleration.copy()
    clipped[inside, 2] = 39.2
    dead = evidence.imu.angular_velocity.copy()
    dead[200:450, 0] = 0.01

    judgement = judged(imu_with(evidence, linear_acceleration=clipped, angular_velocity=dead))

    assert check_of(judgement, "imu_saturated").status == "warn"
    assert "acceleration z" in check_of(judgement, "imu_saturated").detail
    assert check_of(judgement, "imu_dead_axis").status == "warn"
    assert "rotation x" in check_of(judgement, "imu_dead_axis").detail
    assert {check_of(judged(evidence), id_).status for id_ in ("imu_saturated", "imu_dead_axis")} == {"pass"}


def test_jolts_are_events_and_not_samples(evidence):
    knocked = evidence.imu.linear_acceleration.copy()
    for place in range(50, 750, 100):
        knocked[place : place + 5, 0] = 25.0 + np.arange(5)

    judgement = judged(imu_with(evidence, linear_acceleration=knocked))

    assert check_of(judgement, "imu_jolts").status == "warn"
    assert len(ranges_of(judgement, "imu_jolts")) == 7


def test_gravity_that_points_aside_is_told(evidence):
    """Up is the world's y here; the IMU is taken to sit like the optical frame."""
    up = np.array([0.0, 9.81, 0.0])
    R = evidence.camera_rotation
    place = np.clip(np.searchsorted(evidence.stamps_ns, evidence.imu.stamp_ns), 0, len(evidence) - 1)
    felt = np.einsum("nji,j->ni", R[place], up)
    still = np.zeros_like(felt)
    straight = replace(
        imu_with(evidence, linear_acceleration=felt, angular_velocity=still, gravity="included"),
        optical_from_imu=np.eye(3),
    )
    c, s = np.cos(np.radians(12)), np.sin(np.radians(12))
    aside = replace(straight, optical_from_imu=np.array([[c, -s, 0], [s, c, 0], [0, 0, 1.0]]))

    assert check_of(judged(straight), "gravity_direction").value == pytest.approx(0, abs=1)
    assert check_of(judged(aside), "gravity_direction").status == "warn"


def test_depth_that_is_frozen_constant_or_saturated_is_told(evidence):
    flags = np.zeros(len(evidence), np.bool_)
    flags[30:50] = True
    depth = replace(
        evidence.depth, is_repeated=flags, is_constant=flags, saturated_ratio=np.full(len(flags), 0.2)
    )

    moving, resting = (
        judged(replace(turning(evidence), depth=depth)),
        judged(
            replace(
                evidence, depth=depth, camera_position_m=np.zeros((len(flags), 3)), gyro_rad_s=0.0 * flags
            )
        ),
    )

    assert ranges_of(moving, "depth_frozen") == [(30, 49)]
    assert ranges_of(resting, "depth_frozen") == []
    assert ranges_of(moving, "depth_constant") == [(30, 49)]
    assert check_of(moving, "depth_saturated").value == 20


def test_depth_of_another_size_than_calibrated_is_told(evidence):
    odd = replace(evidence.depth, size=(64, 64))

    detail = check_of(judged(replace(evidence, depth=odd)), "depth_size").detail

    assert "another shape" in detail
    assert "the calibration is for" in detail
    assert check_of(judged(evidence), "depth_size").status == "pass"


def test_a_picture_without_blue_has_a_cast_and_a_dark_one_none(evidence):
    yellow = with_signals(evidence, slice(20, 60), red_mean=150.0, green_mean=140.0, blue_mean=20.0)
    dark = with_signals(yellow, slice(None), mean=10.0)

    assert ranges_of(judged(yellow), "colour_cast") == [(20, 59)]
    assert ranges_of(judged(dark), "colour_cast") == []
    assert ranges_of(judged(evidence), "colour_cast") == []


def test_a_rolled_camera_is_told(evidence):
    rolled = replace(evidence, roll_rad=np.full(len(evidence), np.pi / 2))

    assert check_of(judged(rolled), "orientation").status == "warn"
    assert check_of(judged(evidence), "orientation").status == "pass"


def test_time_in_which_nothing_moves_is_idle(evidence):
    still = replace(
        evidence,
        camera_position_m=np.zeros((len(evidence), 3)),
        gyro_rad_s=np.zeros(len(evidence)),
        left=replace(evidence.left, wrist_world=np.zeros_like(evidence.left.wrist_world)),
        right=replace(evidence.right, wrist_world=np.zeros_like(evidence.right.wrist_world)),
    )

    assert check_of(judged(still), "idle").status == "warn"
    assert activity_block(still)["idle_pct"] == pytest.approx(100, abs=1)
    assert check_of(judged(evidence), "idle").status == "pass"
    assert activity_block(evidence)["all_live_s"] >= 7


def test_why_tracking_was_lost_is_said_at_its_place(interrupted):
    gap = next(item for item in judged(interrupted.evidence()).findings if item.kind == "rgb_gap")

    assert "tracking was lost (" in gap.text


def test_other_thresholds_judge_anew_without_any_file(evidence):
    """The evidence holds numbers alone: nothing is open, and nothing is decoded to judge it again."""
    dim = with_signals(evidence, slice(40, 80), mean=25.0, dark_ratio=0.95, median=12.0)

    usual, stricter = judged(dim), judged(dim, QualityConfig(black_mean_max=30.0, keep_min_s=1.0))

    assert [(item.first, item.last) for item in usual.kept] == [(0, len(dim) - 1)]
    assert [(item.first, item.last) for item in stricter.kept] == [(0, 37), (82, len(dim) - 1)]
    assert stricter.score < usual.score


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_every_number_has_a_range_that_holds(data):
    item = data.draw(st.sampled_from([item for item in fields(QualityConfig) if "range" in item.metadata]))
    low, high = item.metadata["range"]
    wrong = data.draw(st.sampled_from([low - 1, high + 1, float("nan"), float("inf"), True, "3", None]))

    assert low <= item.default <= high
    with pytest.raises(BadConfig, match=item.name):
        QualityConfig(**{item.name: wrong})


@pytest.mark.parametrize("pair", [(50, 80), (101, 0), (50,), (50, -1), "80", None])
def test_pairs_of_thresholds_are_good_and_ok(pair):
    with pytest.raises(BadConfig, match="sync_thresholds"):
        QualityConfig(sync_thresholds=pair)


def test_all_metric_blocks_are_there_whatever_is_absent(evidence):
    bare = replace(evidence, depth=None, depth_stamps_ns=None, pose=None, imu=None, tracking=None, tf=None)

    assert set(metric_blocks(bare, QualityConfig())) == set(metric_blocks(evidence, QualityConfig()))
