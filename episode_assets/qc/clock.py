"""The clock of a recording: where it was set while recording, and how much time passed in truth.

A leap of the clock in every stream at once leaves nothing out; a stream that pauses alone does. Shares of time are
shares of the time that passed, without leaps.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from episode_assets.qc.evidence import Evidence
from episode_assets.qc.ranges import Flags, Stamps

LEAP_NS = 10_000_000_000


def side_stamps(e: Evidence) -> Mapping[str, Stamps | None]:
    """Return the stamps of the streams beside the pictures, by name; None where absent."""
    return {
        "depth": e.depth_stamps_ns,
        "pose": None if e.pose is None else e.pose.stamp_ns,
        "imu": None if e.imu is None else e.imu.stamp_ns,
    }


def clock_jumps(e: Evidence) -> NDArray[np.int64]:
    """Return the positions of frames before which every stream at once leaps by more than 10 s."""
    others = [stamps for stamps in side_stamps(e).values() if stamps is not None and len(stamps) > 1]
    far = np.flatnonzero(np.diff(e.stamps_ns, prepend=e.stamps_ns[:1]) > LEAP_NS)
    if not others:
        return far[:0]
    return np.array([i for i in far if all(_is_empty(e, stamps, int(i)) for stamps in others)], np.int64)


def _is_empty(e: Evidence, stamps: Stamps, frame: int) -> bool:
    """Return whether a stream says nothing in the middle of the leap before a frame, and goes on behind it."""
    before, after = int(e.stamps_ns[frame - 1]), int(e.stamps_ns[frame])
    margin = (after - before) // 10
    inside = np.searchsorted(stamps, after - margin) - np.searchsorted(stamps, before + margin)
    return bool(inside == 0 and stamps[-1] >= after - margin)


def steady(e: Evidence, stamps_ns: Stamps) -> Stamps:
    """Return stamps (N,) as a clock that nobody set would have given them, by the clock before the first leap."""
    result = np.array(stamps_ns, np.int64)
    for frame in clock_jumps(e):
        before, after = int(e.stamps_ns[frame - 1]), int(e.stamps_ns[frame])
        result[stamps_ns > before + (after - before) // 2] -= after - before - e.median_step_ns
    return result


def recorded_s(e: Evidence) -> float:
    """Return the seconds from the first frame to the last, without leaps of the clock."""
    if len(e) == 0:
        return 0.0
    first, last = steady(e, e.stamps_ns[[0, -1]])
    return float(last - first) / 1e9


def share_of_time(e: Evidence, flags: Flags) -> float:
    """Return the share, 0 to 1, of the time shown by frames (F,) that are flagged; of the frames where none has any."""
    total = float(e.seconds.sum())
    return float(e.seconds[flags].sum()) / total if total > 0 else float(flags.mean())


def lost_time_s(e: Evidence) -> float:
    """Return the seconds inside RGB gaps beyond one median step each; leaps of the clock are none."""
    is_gap = e.gap_before.copy()
    is_gap[clock_jumps(e)] = False
    steps = np.diff(e.stamps_ns)[is_gap[1:]]
    return float(np.maximum(steps - e.median_step_ns, 0).sum() / 1e9)
