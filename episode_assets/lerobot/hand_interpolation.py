"""Fills hands between two measured frames: the wrist on the shortest way of a rigid body, joints linear in its axes.

Only holes that a recipe allows are filled, never across missing pictures and never beyond the last measured frame.
What is filled is marked as interpolated and counts as measured nowhere. What to do where pictures are missing is
decided in `cuts` and `gap_steps`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from episode_assets.geometry import interpolate_rotation
from episode_assets.lerobot.source import INTERPOLATED, MEASURED, MISSING, EpisodeSource
from episode_assets.lerobot.wrist import wrist_rotation
from episode_assets.recording import median_step_ns

Floats = NDArray[np.float64]

_SECOND_NS = 1_000_000_000


def with_bridged_hands(source: EpisodeSource, *, max_s: float) -> EpisodeSource:
    """Return a recording whose hands are interpolated where they were not seen for at most `max_s`.

    A hole is filled in the world, between two measured frames, where the camera pose is known at both of them and at
    every frame between. Numbers of MANO stay as they are: unknown.

    Args:
        source: The frames; left as they are.
        max_s: Longest time without a hand, s.
    """
    joints, kind = source.joints_cam.copy(), source.hand_kind.copy()
    for side in (0, 1):
        for before, after in _holes(source, side, round(max_s * _SECOND_NS)):
            inside = np.arange(before + 1, after)
            ends = np.array([before, after])
            ratio = (source.stamp_ns[inside] - source.stamp_ns[before]) / (
                source.stamp_ns[after] - source.stamp_ns[before]
            )
            told = _told(source.world_from_optical[ends], source.joints_cam[ends, side])
            axes = wrist_rotation(told, side=side)
            if not np.isfinite(axes).all():
                continue
            filled = between(told[:1], axes[:1], told[1:], axes[1:], ratio=ratio)
            here_from_world: Floats = np.asarray(np.linalg.inv(source.world_from_optical[inside]), np.float64)
            joints[inside, side] = _told(here_from_world, filled)
            kind[inside, side] = INTERPOLATED
    return replace(source, joints_cam=joints, hand_kind=kind)


def between(joints: Floats, axes: Floats, next_joints: Floats, next_axes: Floats, *, ratio: Floats) -> Floats:
    """Return hands on the way from one pose to another.

    The wrist moves on a straight line and turns at an even rate about one axis; the other joints move linearly in the
    wrist's own axes, so that a hand that only turns keeps its shape.

    Args:
        joints: (N, 21, 3) or (1, 21, 3) of the first pose, wrist first.
        axes: (N, 3, 3) or (1, 3, 3), axes of its wrist to the frame.
        next_joints: Joints of the other pose.
        next_axes: Axes of the other pose.
        ratio: (N,) 0 at the first pose, 1 at the other.
    """
    at = ratio[:, None, None]
    wrist = (1 - at) * joints[:, :1] + at * next_joints[:, :1]
    turned = interpolate_rotation(axes, next_axes, ratio)
    own = (1 - at) * ((joints - joints[:, :1]) @ axes) + at * ((next_joints - next_joints[:, :1]) @ next_axes)
    return np.asarray(wrist + own @ np.swapaxes(turned, -1, -2))


def _holes(source: EpisodeSource, side: int, max_ns: int) -> Iterator[tuple[int, int]]:
    """Yield the measured frames before and after each hole that may be filled."""
    known = np.isfinite(source.joints_cam[:, side]).all(axis=(1, 2)) & source.has_pose
    measured = np.flatnonzero(known & (source.hand_kind[:, side] == MEASURED))
    step_ns, gaps = median_step_ns(source.stamp_ns), np.cumsum(source.gap_before)
    poses = np.cumsum(~source.has_pose)
    apart = np.flatnonzero(np.diff(measured) > 1)
    for before, after in zip(measured[apart].tolist(), measured[apart + 1].tolist(), strict=True):
        lasts_ns = int(source.stamp_ns[after] - source.stamp_ns[before]) - step_ns
        is_empty = (source.hand_kind[before + 1 : after, side] == MISSING).all()
        is_seen_by = gaps[before] == gaps[after] and poses[before] == poses[after]
        if lasts_ns <= max_ns and is_empty and is_seen_by:
            yield before, after


def _told(a_from_b: Floats, joints: Floats) -> Floats:
    """Return joints (N, 21, 3) in another frame, by transforms (N, 4, 4)."""
    return np.asarray(joints @ np.swapaxes(a_from_b[:, :3, :3], -1, -2) + a_from_b[:, None, :3, 3])
