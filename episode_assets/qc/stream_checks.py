"""Checks of stamps, gaps, tracking, sync and damage: what the streams say about themselves and each other."""

from __future__ import annotations

import numpy as np

from episode_assets.geometry import quaternion_to_matrix, rotation_angle
from episode_assets.qc.checks import Check, Status, absent, counted
from episode_assets.qc.config import QualityConfig
from episode_assets.qc.evidence import Evidence
from episode_assets.qc.ranges import FrameRange, runs
from episode_assets.recording import PoseStream
from episode_assets.recording.timeline import GAP_FACTOR, gap_before, median_step_ns

TRACKING_NORMAL = 2
STATE_WORDS = ("not available", "limited", "normal")
REASON_WORDS = ("none", "initialising", "excessive motion", "insufficient features", "relocalising")


def stream_checks(e: Evidence, config: QualityConfig) -> list[Check]:
    """Return all checks of streams."""
    return [
        _rgb_gap(e),
        *_side_gaps(e),
        _order(e),
        _tracking_lost(e),
        _relocalisation(e, config),
        _truncated(e),
    ]


def lost_time_s(e: Evidence) -> float:
    """Return the seconds inside RGB gaps beyond one median step each."""
    steps = np.diff(e.stamps_ns)[e.gap_before[1:]]
    return float(np.maximum(steps - e.median_step_ns, 0).sum() / 1e9)


def tracking_lost_s(e: Evidence) -> float:
    """Return the seconds in which tracking was not normal, inside the span of the frames."""
    tracking = e.tracking
    if tracking is None or len(tracking.stamp_ns) < 2 or len(e) < 2:
        return 0.0
    first, last = int(e.stamps_ns[0]), int(e.stamps_ns[-1])
    edges = np.clip(np.append(tracking.stamp_ns, last), first, last)
    steps = np.minimum(np.diff(edges), _state_holds_ns(tracking.stamp_ns))
    return float(steps[tracking.state != TRACKING_NORMAL].sum() / 1e9)


def _state_holds_ns(stamps_ns: np.ndarray) -> int:
    # A regular state stream that pauses says nothing about the pause; one that speaks on change holds for long.
    step = median_step_ns(stamps_ns)
    return 10 * step if 0 < step < 1_000_000_000 else np.iinfo(np.int64).max


def _rgb_gap(e: Evidence) -> Check:
    positions = np.flatnonzero(e.gap_before)
    if len(positions) == 0:
        return Check("rgb_gap", "rgb", "pass", "the pictures have no gap", 0.0, "s", is_boundary=True)
    steps = np.diff(e.stamps_ns, prepend=e.stamps_ns[0])
    ranges = tuple(FrameRange(int(i) - 1, int(i), round(steps[i] / 1e9, 6)) for i in positions)
    lost = sum(max(round(int(steps[i]) / e.median_step_ns) - 1, 0) for i in positions)
    seconds = lost_time_s(e)
    return Check(
        "rgb_gap",
        "rgb",
        "warn",
        f"{counted(len(positions), 'gap')}, {seconds:.1f} s, about {counted(lost, 'picture')} missing"
        f"{_cause(e, positions)}",
        round(seconds, 3),
        "s",
        0.0,
        ranges,
        peak_unit="s",
        peak_threshold=round(GAP_FACTOR * e.median_step_ns / 1e9, 6),
        is_boundary=True,
        note="a gap between these two frames",
        affected_s=seconds,
    )


def _cause(e: Evidence, positions: np.ndarray) -> str:
    if e.tracking is None:
        return ""
    explained = 0
    for i in positions:
        inside = (e.tracking.stamp_ns > e.stamps_ns[i - 1]) & (e.tracking.stamp_ns < e.stamps_ns[i])
        explained += bool((e.tracking.state[inside] != TRACKING_NORMAL).any())
    return f"; tracking was lost during {explained} of them" if explained else ""


def _side_gaps(e: Evidence) -> list[Check]:
    streams = {
        "depth": e.depth_stamps_ns,
        "pose": None if e.pose is None else e.pose.stamp_ns,
        "imu": None if e.imu is None else e.imu.stamp_ns,
    }
    return [_side_gap(e, name, stamps) for name, stamps in streams.items()]


def _side_gap(e: Evidence, name: str, stamps: np.ndarray | None) -> Check:
    id_ = f"{name}_gap"
    if stamps is None or len(stamps) < 3:
        return absent(id_, name, f"no {name} stream")
    gaps = np.flatnonzero(gap_before(stamps))
    # A gap that the pictures share is told once, there.
    own = [i for i in gaps if not _is_shared(e, int(stamps[i - 1]), int(stamps[i]))]
    seconds = float(sum(int(stamps[i] - stamps[i - 1]) for i in own) / 1e9)
    span = float((stamps[-1] - stamps[0]) / 1e9)
    if not own:
        return Check(id_, name, "pass", f"no gap of its own in {span:.1f} s", 0.0, "s")
    ranges = []
    for i in own:
        first = int(np.searchsorted(e.stamps_ns, stamps[i - 1]))
        last = int(np.searchsorted(e.stamps_ns, stamps[i], side="right")) - 1
        if 0 <= first <= last:
            ranges.append(FrameRange(first, last, round(int(stamps[i] - stamps[i - 1]) / 1e9, 6)))
    status: Status = "warn" if seconds > 0.01 * span else "pass"
    detail = f"{counted(len(own), 'gap')}, {seconds:.1f} s of {span:.1f} s"
    return Check(
        id_,
        name,
        status,
        detail,
        round(seconds, 3),
        "s",
        round(0.01 * span, 3),
        tuple(ranges),
        peak_unit="s",
        note=f"no {name}",
    )


def _is_shared(e: Evidence, start_ns: int, end_ns: int) -> bool:
    positions = np.flatnonzero(e.gap_before)
    overlap = np.minimum(e.stamps_ns[positions], end_ns) - np.maximum(e.stamps_ns[positions - 1], start_ns)
    return bool(len(positions)) and bool((overlap > 0.5 * (end_ns - start_ns)).any())


def _order(e: Evidence) -> Check:
    topics = [info for role in e.inventory.roles if (info := e.inventory.role(role)) is not None]
    backward = {info.role or "": info.backward_steps for info in topics if info.backward_steps}
    repeated = {info.role or "": info.repeated_stamps for info in topics if info.repeated_stamps}
    count = sum(backward.values()) + sum(repeated.values())
    if count == 0:
        return Check("stamp_order", "all", "pass", "all stamps increase", 0.0, "messages", 0.0)
    words = [
        *(f"{name}: {n} stamps step back" for name, n in sorted(backward.items())),
        *(f"{name}: {n} stamps repeat" for name, n in sorted(repeated.items())),
    ]
    status: Status = "warn" if "rgb" in {*backward, *repeated} else "pass"
    return Check("stamp_order", "all", status, "; ".join(words), float(count), "messages", 0.0)


def _tracking_lost(e: Evidence) -> Check:
    if e.tracking is None:
        return absent("tracking_lost", "tracking", "no tracking state")
    flags = (e.tracking_state >= 0) & (e.tracking_state != TRACKING_NORMAL)
    seconds = tracking_lost_s(e)
    ranges = tuple(FrameRange(item.first, item.last) for item in runs(flags, breaks=e.gap_before))
    lost = e.tracking.state != TRACKING_NORMAL
    if seconds == 0 and not ranges:
        return Check(
            "tracking_lost", "tracking", "pass", "tracking was normal throughout", 0.0, "s", is_hard=True
        )
    reasons = sorted({_word(REASON_WORDS, int(code)) for code in np.unique(e.tracking.reason[lost])})
    return Check(
        "tracking_lost",
        "tracking",
        "warn",
        f"tracking was not normal for {seconds:.1f} s ({', '.join(reasons)}); "
        f"{counted(int(flags.sum()), 'picture')} inside",
        round(seconds, 3),
        "s",
        0.0,
        ranges,
        is_hard=True,
        note=f"tracking not normal ({', '.join(reasons)})",
        affected_s=seconds,
    )


def _word(words: tuple[str, ...], code: int) -> str:
    return words[code] if 0 <= code < len(words) else f"code {code}"


def _relocalisation(e: Evidence, config: QualityConfig) -> Check:
    """Find steps of the camera right after tracking returned, or across a gap in which it was lost."""
    if e.pose is None or e.tracking is None:
        return absent("relocalisation", "pose", "needs poses and tracking state")
    lost_until = e.tracking.stamp_ns[e.tracking.state != TRACKING_NORMAL]
    places = []
    for i in range(1, len(e)):
        window = (int(e.stamps_ns[i - 1]) - 500_000_000, int(e.stamps_ns[i]))
        was_lost = np.searchsorted(lost_until, window[0]) < np.searchsorted(lost_until, window[1])
        if not was_lost:
            continue
        step = float(np.linalg.norm(e.camera_position_m[i] - e.camera_position_m[i - 1]))
        if step > config.relocalisation_step_m:
            places.append(FrameRange(i - 1, i, round(step, 3)))
    if not places:
        return Check("relocalisation", "pose", "pass", "no jump after tracking returned", 0.0, "jumps", 0.0)
    return Check(
        "relocalisation",
        "pose",
        "warn",
        f"the camera jumps {counted(len(places), 'time')} right after tracking returned",
        float(len(places)),
        "jumps",
        0.0,
        tuple(places),
        peak_unit="m",
        peak_threshold=config.relocalisation_step_m,
        is_boundary=True,
        note="the map moved when tracking returned (metres)",
    )


def angular_speed(pose: PoseStream) -> tuple[np.ndarray, np.ndarray]:
    """Return stamps (N-1,) in the middle of each step and angular speeds (N-1,) rad/s from poses."""
    if len(pose.stamp_ns) < 2:
        return np.zeros(0, np.int64), np.zeros(0)
    R = quaternion_to_matrix(pose.quaternion_xyzw)
    steps_s = np.diff(pose.stamp_ns) / 1e9
    angle = rotation_angle(np.swapaxes(R[:-1], -1, -2) @ R[1:])
    with np.errstate(divide="ignore", invalid="ignore"):
        speed = np.where(steps_s > 0, angle / steps_s, np.nan)
    return pose.stamp_ns[:-1] + np.diff(pose.stamp_ns) // 2, speed


def _truncated(e: Evidence) -> Check:
    inventory = e.inventory
    if inventory.truncated:
        return Check(
            "truncated",
            "file",
            "warn",
            f"the recording breaks off at byte {inventory.cut_offset}; everything before it is used",
            float(inventory.cut_offset or 0),
            "bytes",
        )
    if inventory.damage_total:
        return Check(
            "truncated",
            "file",
            "warn",
            f"{inventory.damage_total} stretches of the recording could not be read",
            float(inventory.damage_total),
            "stretches",
            0.0,
        )
    return Check("truncated", "file", "pass", "the recording is whole")
