"""Where in time poses are judged: where samples are, and where pictures are."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np

from episode_assets_tests.qc.episodes import check_of, judged
from episode_assets_tests.qc.test_checks import ranges_of

YEARS_NS = 1_700_000_000 * 10**9


def rows(stream, chosen):
    """Return a stream of certain samples of its."""
    count = len(stream.stamp_ns)
    return replace(
        stream,
        **{
            item.name: value[chosen]
            for item in fields(stream)
            if isinstance(value := getattr(stream, item.name), np.ndarray) and len(value) == count
        },
    )


def shown_outside(evidence, *, before):
    """Return evidence with ten more poses off the pictures, half of them 2 m aside."""
    pose, spare = evidence.pose, np.arange(10)
    more = rows(pose, spare)
    stamps = spare * 10_000_000 + (
        min(pose.stamp_ns[0], evidence.stamps_ns[0]) - 400_000_000
        if before
        else max(pose.stamp_ns[-1], evidence.stamps_ns[-1]) + 300_000_000
    )
    aside = np.repeat(pose.translation[:1], 10, axis=0)
    aside[5:] += [2.0, 0.0, 0.0]
    more = replace(more, stamp_ns=stamps, translation=aside)
    parts = (more, pose) if before else (pose, more)
    joined = {
        item.name: np.concatenate([getattr(part, item.name) for part in parts])
        for item in fields(pose)
        if isinstance(getattr(pose, item.name), np.ndarray)
    }
    return replace(evidence, pose=replace(pose, **joined))


def test_a_clock_that_is_set_by_decades_while_recording_is_judged_in_no_more_memory(evidence):
    def leap(stamps):
        return np.where(stamps >= evidence.stamps_ns[60], stamps + YEARS_NS, stamps)

    def later(stream):
        return replace(stream, stamp_ns=leap(stream.stamp_ns))

    gaps = evidence.gap_before.copy()
    gaps[60] = True
    set_late = replace(
        evidence,
        stamps_ns=leap(evidence.stamps_ns),
        gap_before=gaps,
        imu=later(evidence.imu),
        pose=later(evidence.pose),
        tracking=later(evidence.tracking),
        depth_stamps_ns=leap(evidence.depth_stamps_ns),
    )

    judgement = judged(set_late)

    assert check_of(judgement, "pose_gyro").status == "pass"
    assert ranges_of(judgement, "clock_jump") == [(59, 60)]


def test_poses_at_5_hz_turn_as_far_as_the_gyro_in_a_quick_turn(evidence):
    """A turn of 40 degrees within 0.4 s, between stamps that miss its begin and its end."""
    begin_ns = int(evidence.stamps_ns[30]) + 130_000_000

    def turned(stamps_ns):
        share = np.clip((stamps_ns - begin_ns) / 0.4e9, 0, 1)
        return np.radians(40) * (1 - np.cos(np.pi * share)) / 2

    imu, pose = evidence.imu, rows(evidence.pose, slice(None, None, 3))
    rates, still = np.gradient(turned(imu.stamp_ns), imu.stamp_ns / 1e9), np.zeros(len(imu.stamp_ns))
    half, zero = turned(pose.stamp_ns) / 2, np.zeros(len(pose.stamp_ns))
    quick = replace(
        evidence,
        imu=replace(imu, angular_velocity=np.stack([still, rates, still], axis=1)),
        pose=replace(pose, quaternion_xyzw=np.stack([zero, np.sin(half), zero, np.cos(half)], axis=1)),
    )

    check = check_of(judged(quick), "pose_gyro")

    assert check.status == "pass"
    assert check.value < 0.5


def test_a_pose_jump_before_the_first_picture_or_after_the_last_concerns_no_picture(evidence):
    for before in (True, False):
        judgement = judged(shown_outside(evidence, before=before))

        assert check_of(judgement, "pose_jump").value == 0
        assert [(item.first, item.last) for item in judgement.kept] == [(0, len(evidence) - 1)]
