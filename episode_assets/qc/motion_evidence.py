"""Whether gyro or poses prove that the camera moved, for checks of pictures and of depth that stand still."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from episode_assets.qc.config import QualityConfig
from episode_assets.qc.evidence import Evidence
from episode_assets.qc.ranges import FrameRange

_WINDOW_NS = 1_000_000_000
_MOSTLY = 75
"""Percentile: what holds in a quarter of the range is motion, what holds in less is a jolt or a jump of the poses."""


def moves(e: Evidence, config: QualityConfig, item: FrameRange) -> bool | None:
    """Return whether gyro or pose prove motion in a range, None where neither is known."""
    answers = [answer for answer in (turns(e, config, item), _travels(e, config, item)) if answer is not None]
    return any(answers) if answers else None


def turns(e: Evidence, config: QualityConfig, item: FrameRange) -> bool | None:
    """Return whether the gyro proves a turn that the eye sees from picture to picture, None without gyro."""
    gyro = e.gyro_rad_s[item.first : item.last + 1]
    if not np.isfinite(gyro).any():
        return None
    return bool(np.nanpercentile(gyro, _MOSTLY) > config.moving_gyro_rad_s)


def _travels(e: Evidence, config: QualityConfig, item: FrameRange) -> bool | None:
    """Return whether poses go further in a second than they drift or tremble on a tripod, None without poses."""
    stamps, position = _poses_around(e, item)
    if len(position) < 2:
        return None
    later = np.minimum(np.searchsorted(stamps, stamps + _WINDOW_NS), len(stamps) - 1)
    # What is left after the last whole second says nothing, unless there is no whole second at all.
    starts = np.flatnonzero(stamps + _WINDOW_NS <= stamps[-1])
    starts = starts if len(starts) else np.zeros(1, np.intp)
    steps = np.linalg.norm(position[later[starts]] - position[starts], axis=1)
    return bool(np.percentile(steps, _MOSTLY) > max(config.moving_pose_m, _tremble_m(position)))


def _poses_around(e: Evidence, item: FrameRange) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return stamps (N,) and positions (N, 3) of a range, widened to a second where the pictures go on."""
    missing_ns = max(_WINDOW_NS - int(e.stamps_ns[item.last] - e.stamps_ns[item.first]), 0)
    piece = np.cumsum(e.gap_before)
    near = (e.stamps_ns >= e.stamps_ns[item.first] - (missing_ns + 1) // 2) & (
        e.stamps_ns <= e.stamps_ns[item.last] + (missing_ns + 1) // 2
    )
    near &= (piece >= piece[item.first]) & (piece <= piece[item.last])
    near &= np.isfinite(e.camera_position_m).all(axis=1)
    return e.stamps_ns[near], e.camera_position_m[near]


def _tremble_m(position: NDArray[np.float64]) -> float:
    """Return by how much positions (N, 3) scatter: second differences of noise are longer than its steps."""
    if len(position) < 3:
        return 0.0
    return float(np.median(np.linalg.norm(np.diff(position, n=2, axis=0), axis=1)))
