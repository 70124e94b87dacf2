"""Streams that are there in part: beginning late, ending early and damage cost their share of an absence."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from episode_assets.qc import QualityConfig
from episode_assets.qc.scoring import score
from episode_assets_tests.qc.episodes import check_of, judged
from episode_assets_tests.qc.test_checks import ranges_of, with_signals
from episode_assets_tests.qc.test_pose_places import rows

SECOND_NS = 1_000_000_000


def points_of(judgement, reason):
    return sum(part.points for part in judgement.deductions if part.reason == reason)


def with_part_of(evidence, name, is_there):
    """Return evidence whose stream has only the samples that `is_there` picks by stamp."""
    stream = getattr(evidence, name)
    return replace(evidence, **{name: rows(stream, is_there(stream.stamp_ns))})


def with_depth_until(evidence, frame):
    has = evidence.depth.has.copy()
    has[frame:] = False
    depth = replace(evidence.depth, has=has, valid_ratio=np.where(has, evidence.depth.valid_ratio, np.nan))
    stamps = evidence.depth_stamps_ns[evidence.depth_stamps_ns < evidence.stamps_ns[frame]]
    return replace(evidence, depth=depth, depth_stamps_ns=stamps)


@pytest.mark.parametrize(("name", "absence"), [("pose", 25), ("imu", 15)])
def test_a_stream_that_ends_half_way_costs_half_of_its_absence(evidence, name, absence):
    half = with_part_of(evidence, name, lambda stamps: stamps < evidence.stamps_ns[60])

    judgement = judged(half)

    assert judgement.verdict == "review"
    ((first, last),) = ranges_of(judgement, f"{name}_gap")
    assert first in {59, 60}
    assert last == 119
    assert points_of(judgement, f"{name}_gap") == pytest.approx(absence / 2, abs=0.5)


def test_a_stream_that_begins_late_is_told_and_one_that_begins_a_moment_late_is_not(evidence):
    def from_second(seconds):
        start = evidence.stamps_ns[0] + round(seconds * SECOND_NS)
        return judged(with_part_of(evidence, "imu", lambda stamps: stamps >= start))

    assert check_of(from_second(2.0), "imu_gap").value == pytest.approx(2.0, abs=0.05)
    assert ranges_of(from_second(2.0), "imu_gap")[0][0] == 0
    assert check_of(from_second(0.4), "imu_gap").status == "pass"
    assert from_second(0.4).score == 100


@pytest.mark.parametrize("name", ["pose", "imu"])
@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_a_stream_of_a_few_samples_is_as_good_as_absent(evidence, name, count):
    first = getattr(evidence, name).stamp_ns[:count]
    few = judged(with_part_of(evidence, name, lambda stamps: np.isin(stamps, first)))

    assert few.verdict == "review"
    assert few.score == pytest.approx(judged(replace(evidence, **{name: None})).score, abs=0.5)


def test_two_samples_far_apart_are_no_stream(evidence):
    ends = evidence.imu.stamp_ns[[0, -1]]

    judgement = judged(with_part_of(evidence, "imu", lambda stamps: np.isin(stamps, ends)))

    assert points_of(judgement, "imu_gap") == pytest.approx(15, abs=0.1)


def test_depth_that_ends_after_five_frames_is_as_good_as_absent(evidence):
    judgement = judged(with_depth_until(evidence, 5))

    assert check_of(judgement, "depth_gap").status == "warn"
    assert points_of(judgement, "depth_gap") == pytest.approx(20, abs=1.5)
    assert judged(replace(evidence, depth=None, depth_stamps_ns=None)).score <= judgement.score < 82


def test_depth_messages_without_an_image_are_missing_depth(evidence):
    has = evidence.depth.has.copy()
    has[30:90] = False
    damaged = replace(evidence, depth=replace(evidence.depth, has=has))

    judgement = judged(damaged)

    assert ranges_of(judgement, "depth_gap") == [(30, 89)]
    assert points_of(judgement, "depth_gap") == pytest.approx(10, abs=0.5)


def test_depth_that_nobody_wants_costs_nothing_when_it_ends(evidence):
    config = QualityConfig(depth_required=False)

    assert points_of(judged(with_depth_until(evidence, 60), config), "depth_gap") == 0
    assert points_of(judged(with_depth_until(evidence, 60)), "depth_gap") > 0


def failing(judgement, **changes):
    """Return the checks of a judgement, some of them changed: by id, what they answer instead."""
    return [replace(check, **changes.get(check.id, {})) for check in judgement.checks]


@pytest.mark.parametrize(
    ("changes", "absent"),
    [
        (
            {
                "pose_jump": {"value": 10.0, "status": "warn"},
                "tracking_lost": {"affected_s": 7.9, "status": "warn"},
                "sync_pose_imu": {"status": "fail"},
            },
            ("pose",),
        ),
        ({"pose_jump": {"value": 10.0, "status": "warn"}, "sync_rgb_pose": {"status": "fail"}}, ("pose",)),
        ({"imu_gap": {"affected_s": 7.9, "status": "warn"}, "sync_pose_imu": {"status": "fail"}}, ("imu",)),
        (
            {"depth_gap": {"affected_s": 4.0, "status": "warn"}, "sync_rgb_depth": {"status": "fail"}},
            ("depth", "depth_stamps_ns"),
        ),
    ],
)
def test_a_bad_stream_is_never_worse_than_none(evidence, changes, absent):
    config = QualityConfig()

    bad, lost = score(evidence, failing(judged(evidence), **changes), config)
    none = judged(replace(evidence, **dict.fromkeys(absent))).score

    assert none <= bad < 100
    assert bad == pytest.approx(100 - sum(part.points for part in lost), abs=0.01)


def test_a_required_stream_that_is_absent_costs_points_whatever_other_settings_say(evidence):
    config = QualityConfig(depth_required=False, required_streams=("rgb", "depth"))

    judgement = judged(replace(evidence, depth=None, depth_stamps_ns=None), config)

    assert judgement.verdict == "fail"
    assert points_of(judgement, "depth_missing") == 20


def test_required_hands_that_nobody_looked_for_cost_what_wrong_ones_cost(evidence):
    judgement = judged(replace(evidence, hands=None), QualityConfig(required_streams=("rgb", "hands")))

    assert points_of(judgement, "hands_missing") == 20
    assert judgement.score == 80


def test_absent_depth_that_is_wanted_is_no_pass(evidence):
    bare = replace(evidence, depth=None, depth_stamps_ns=None)

    assert judged(bare).verdict == "review"
    assert judged(bare, QualityConfig(depth_required=False)).verdict == "pass"


def test_a_clock_that_is_set_does_not_hide_what_a_gap_costs(evidence):
    def leap(stamps):
        return np.where(stamps >= evidence.stamps_ns[60], stamps + 1000 * SECOND_NS, stamps)

    def later(stream):
        return replace(stream, stamp_ns=leap(stream.stamp_ns))

    def with_gap(stamps, flags):
        flags = flags.copy()
        flags[90] = True
        return {
            "stamps_ns": np.where(np.arange(len(stamps)) >= 90, stamps + 4 * SECOND_NS, stamps),
            "gap_before": flags,
        }

    gaps = evidence.gap_before.copy()
    gaps[60] = True
    jumped = replace(
        evidence,
        imu=later(evidence.imu),
        pose=later(evidence.pose),
        tracking=later(evidence.tracking),
        depth_stamps_ns=leap(evidence.depth_stamps_ns),
        **with_gap(leap(evidence.stamps_ns), gaps),
    )
    alone = replace(evidence, **with_gap(evidence.stamps_ns, evidence.gap_before))

    assert points_of(judged(jumped), "rgb_gap") == pytest.approx(
        points_of(judged(alone), "rgb_gap"), rel=0.02
    )
    assert len(ranges_of(judged(jumped), "clock_jump")) == 1


def lost_and_moved(evidence, first, last, *, on_change):
    """Return evidence whose tracking and poses are lost in frames first..last, and go on a metre aside."""
    start, end = evidence.stamps_ns[[first, last + 1]]
    position = evidence.camera_position_m.copy()
    position[first : last + 1] = np.nan
    position[last + 1 :] += [1.0, 0.0, 0.0]
    pose = rows(evidence.pose, (evidence.pose.stamp_ns < start) | (evidence.pose.stamp_ns >= end))
    moved = pose.translation.copy()
    moved[pose.stamp_ns >= end] += [1.0, 0.0, 0.0]
    tracking = evidence.tracking
    is_lost = (tracking.stamp_ns >= start) & (tracking.stamp_ns < end)
    state = np.where(is_lost, 1, tracking.state)
    tracking = replace(tracking, state=state)
    if on_change:
        tracking = rows(tracking, np.append(True, np.diff(state) != 0))
    frames = evidence.tracking_state.copy()
    frames[first : last + 1] = 1
    return replace(
        evidence,
        camera_position_m=position,
        pose=replace(pose, translation=moved),
        tracking=tracking,
        tracking_state=frames,
    )


@pytest.mark.parametrize(("first", "last"), [(60, 61), (50, 69)])
@pytest.mark.parametrize("on_change", [False, True])
def test_a_map_that_moved_while_poses_were_missing_is_not_bridged(evidence, first, last, on_change):
    judgement = judged(lost_and_moved(evidence, first, last, on_change=on_change))

    assert ranges_of(judgement, "relocalisation") == [(last, last + 1)]
    assert all(item.last <= last or item.first > last for item in judgement.kept)
    assert len(judgement.kept) == 2


def test_a_hole_in_which_a_picture_could_not_be_decoded_is_not_closed(evidence):
    dim = with_signals(evidence, slice(60, 62), mean=2.0, dark_ratio=1.0)
    config = QualityConfig(black_frames_min=1)
    inside = int(evidence.stamps_ns[60]) + 1
    damaged = replace(dim, dropped=((999, inside, "undecodable"),))

    assert len(judged(dim, config).kept) == 1
    assert len(judged(damaged, config).kept) == 2


@pytest.mark.parametrize(
    ("column", "value", "points"),
    [("angular_velocity", np.nan, 7.5), ("linear_acceleration", np.inf, 7.5)],
)
def test_an_imu_that_measures_half_of_what_it_should_costs_half_of_its_absence(
    evidence, column, value, points
):
    imu = replace(evidence.imu, **{column: np.full_like(getattr(evidence.imu, column), value)})

    judgement = judged(replace(evidence, imu=imu))

    assert check_of(judgement, "imu_validity").status == "warn"
    assert check_of(judgement, "imu_validity").value == 50
    assert points_of(judgement, "imu_validity") == points
    assert check_of(judged(evidence), "imu_validity").status == "pass"


def test_poses_that_are_no_numbers_cost_their_share_of_an_absence(evidence):
    translation = evidence.pose.translation.copy()
    translation[::5] = np.nan

    judgement = judged(replace(evidence, pose=replace(evidence.pose, translation=translation)))

    assert points_of(judgement, "pose_validity") == pytest.approx(5, abs=0.2)
