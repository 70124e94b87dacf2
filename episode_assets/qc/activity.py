"""What goes on in a recording: how much of it is idle, which way the camera looks, and when which streams are live."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from episode_assets.qc.checks import Check, Status, absent
from episode_assets.qc.clock import share_of_time
from episode_assets.qc.config import QualityConfig
from episode_assets.qc.evidence import Evidence
from episode_assets.qc.hand_motion import wrist_speed
from episode_assets.qc.numbers import Block, number
from episode_assets.qc.ranges import Flags, runs

_STILL_RAD_S = 0.05
_STILL_M_S = 0.05
_STEEP_DEG = 75.0
_TURN_DEG = 45.0
_TURN_NS = 1_000_000_000

Floats = NDArray[np.float64]


def idle_check(e: Evidence, config: QualityConfig) -> Check:
    """Return whether neither camera nor hands move for too much of the time."""
    idle = idle_frames(e)
    if idle is None:
        return absent("idle", "all", "needs hands, and poses or an IMU")
    share = share_of_time(e, idle)
    status: Status = "warn" if share > config.idle_max_ratio else "pass"
    detail = f"neither camera nor hands move for {100 * share:.0f} % of the time"
    return Check(
        "idle", "all", status, detail, round(100 * share, 2), "%", round(100 * config.idle_max_ratio, 2)
    )


def idle_frames(e: Evidence) -> Flags | None:
    """Return (F,) flags of frames in which nothing is done; None where hands or the camera's motion are unknown."""
    speed = _camera_speed(e)
    is_known = np.isfinite(e.gyro_rad_s) | np.isfinite(speed)
    if e.hands is None or not is_known.any():
        return None
    moving = (np.nan_to_num(e.gyro_rad_s) > _STILL_RAD_S) | (np.nan_to_num(speed) > _STILL_M_S)
    for hand in (e.left, e.right):
        moving |= np.nan_to_num(wrist_speed(e, hand)) > _STILL_M_S
    return np.asarray(is_known & ~moving)


def _camera_speed(e: Evidence) -> Floats:
    speed = np.full(len(e), np.nan)
    if len(e) > 1:
        steps = np.maximum(np.diff(e.stamps_ns), 1) / 1e9
        speed[1:] = np.linalg.norm(np.diff(e.camera_position_m, axis=0), axis=1) / steps
    speed[e.gap_before] = np.nan
    return speed


def activity_block(e: Evidence) -> Block:
    """Return idle time, headings, and how many seconds each stream is live."""
    idle, heading = idle_frames(e), headings_deg(e)
    known = heading[np.isfinite(heading)]
    return {
        "idle_s": None if idle is None else number(float(e.seconds[idle].sum())),
        "idle_pct": None if idle is None else number(100 * share_of_time(e, idle)),
        "heading_range_deg": number(np.ptp(np.unwrap(known, period=360))) if len(known) else None,
        "heading_turns": None if len(known) == 0 else _turns(e, heading),
        **_coverage(e),
    }


def headings_deg(e: Evidence) -> Floats:
    """Return where the camera looks on the horizontal plane, (F,) degrees; NaN where it looks steeply up or down."""
    heading = np.full(len(e), np.nan)
    if e.up_in_world is None:
        return heading
    up = e.up_in_world / np.linalg.norm(e.up_in_world)
    one = np.cross(up, np.eye(3)[int(np.argmin(np.abs(up)))])
    one /= np.linalg.norm(one)
    forward = e.camera_rotation[:, :, 2]
    with np.errstate(invalid="ignore"):
        is_level = np.abs(forward @ up) < np.sin(np.radians(_STEEP_DEG))
        angle = np.degrees(np.arctan2(forward @ np.cross(up, one), forward @ one))
    heading[is_level] = angle[is_level]
    return heading


def _turns(e: Evidence, heading: Floats) -> int:
    """Count stretches in which the heading changes by more than 45 degrees within a second."""
    known = np.isfinite(heading)
    stamps, angle = e.stamps_ns[known], np.unwrap(heading[known], period=360)
    later = np.searchsorted(stamps, stamps + _TURN_NS, side="right") - 1
    return len(runs(np.abs(angle[later] - angle) > _TURN_DEG))


def _coverage(e: Evidence) -> Block:
    """Return the seconds in which streams say anything, and those in which all that are present do."""
    streams = {
        "rgb": e.stamps_ns,
        "depth": e.depth_stamps_ns,
        "pose": None if e.pose is None else e.pose.stamp_ns,
        "imu": None if e.imu is None else e.imu.stamp_ns,
    }
    present = {name: stamps for name, stamps in streams.items() if stamps is not None and len(stamps)}
    if not present:
        return {"live_s": {}, "all_live_s": 0}
    origin = min(int(stamps.min()) for stamps in present.values())
    live = {name: np.unique((stamps - origin) // 10**9) for name, stamps in present.items()}
    seconds = np.unique(np.concatenate(list(live.values())))
    everywhere = np.all([np.isin(seconds, found) for found in live.values()], axis=0)
    return {
        "live_s": {name: len(found) for name, found in live.items()},
        "all_live_s": int(everywhere.sum()),
    }
