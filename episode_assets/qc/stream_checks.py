"""Checks of stamps: gaps, clock jumps, order, rate, jitter, the clock of the recorder, and damage of the file."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from episode_assets.qc.checks import Check, Status, absent, counted
from episode_assets.qc.clock import LEAP_NS, clock_jumps, lost_time_s, recorded_s, side_stamps, steady
from episode_assets.qc.config import QualityConfig
from episode_assets.qc.evidence import Evidence
from episode_assets.qc.ranges import Flags, FrameRange, Stamps, flags_of, runs
from episode_assets.qc.tracking_checks import reasons_between
from episode_assets.recording.timeline import GAP_FACTOR, gap_before, median_step_ns

NOMINAL_HZ = (5, 10, 15, 20, 24, 25, 30, 50, 60, 100, 200)
"""Rates that cameras and IMUs are set to; the nearest one is taken for what was meant."""

_MOST_MISSING = 0.01
_EDGE_NS = 500_000_000
"""Recorders do not start and stop their streams at one moment."""
_LONGEST_STEP_NS = 1_000_000_000
"""A step that is a gap whatever the rate: nothing is paired with samples so far apart."""
_RATE_PARTS = 10
_FEWEST_STEPS = 30


def stream_checks(e: Evidence, config: QualityConfig) -> list[Check]:
    """Return all checks of stamps."""
    return [
        _rgb_gap(e),
        *(_side_gap(e, name, stamps) for name, stamps in side_stamps(e).items()),
        _clock_jump(e),
        _rgb_rate(e, config),
        _rgb_jitter(e, config),
        _order(e),
        _clock_drift(e, config),
        _truncated(e),
    ]


def nominal_hz(step_ns: int) -> int | None:
    """Return the nearest usual rate of a median step; None without one."""
    return min(NOMINAL_HZ, key=lambda hz: abs(np.log(hz * step_ns / 1e9))) if step_ns > 0 else None


def _rgb_gap(e: Evidence) -> Check:
    positions = np.flatnonzero(e.gap_before)
    if len(positions) == 0:
        return Check("rgb_gap", "rgb", "pass", "the pictures have no gap", 0.0, "s", is_boundary=True)
    steps = np.diff(e.stamps_ns, prepend=e.stamps_ns[0])
    ranges = tuple(
        FrameRange(int(i) - 1, int(i), round(steps[i] / 1e9, 6), _cause(e, int(i))) for i in positions
    )
    lost = sum(max(round(int(steps[i]) / e.median_step_ns) - 1, 0) for i in positions)
    seconds = lost_time_s(e)
    return Check(
        "rgb_gap",
        "rgb",
        "warn",
        f"{counted(len(positions), 'gap')}, {seconds:.1f} s, about {counted(lost, 'picture')} missing"
        f"{_causes(ranges)}",
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


def _cause(e: Evidence, frame: int) -> str:
    """Return what a gap before a frame comes from, where something tells; pictures are not sent without tracking."""
    if e.tracking is None:
        return ""
    start, end = int(e.stamps_ns[frame - 1]), int(e.stamps_ns[frame])
    reasons = reasons_between(e.tracking, start + 1, end - 1)
    return f"a gap between these two frames: tracking was lost ({reasons})" if reasons else ""


def _causes(ranges: tuple[FrameRange, ...]) -> str:
    explained = [item.note for item in ranges if item.note]
    if not explained:
        return ""
    return f"; tracking was lost during {len(explained)} of them ({explained[0].rpartition('(')[2]}"


def _side_gap(e: Evidence, name: str, stamps: Stamps | None) -> Check:
    """Find stretches of the pictures beside which a stream says nothing, its late begin and early end included."""
    id_ = f"{name}_gap"
    if stamps is None or len(e) == 0:
        return absent(id_, name, f"no {name} stream")
    frames = steady(e, e.stamps_ns)
    holes = _holes(e, frames, steady(e, stamps))
    span = recorded_s(e)
    ranges = [found for hole in holes if (found := _frames_inside(frames, *hole)) is not None]
    seconds = sum(end - start for start, end in holes) / 1e9
    what = counted(len(holes), "gap")
    if name == "depth" and e.depth is not None:
        damaged = _without_image(e, e.depth.has, ranges)
        ranges = sorted([*ranges, *damaged], key=lambda item: item.first)
        seconds += float(sum(e.seconds[item.first : item.last + 1].sum() for item in damaged))
        what += (
            f", {counted(sum(len(item) for item in damaged), 'frame')} without an image" if damaged else ""
        )
    if seconds == 0:
        return Check(id_, name, "pass", f"no gap of its own in {span:.1f} s", 0.0, "s")
    limit = _MOST_MISSING * span
    status: Status = "warn" if seconds > limit else "pass"
    return Check(
        id_,
        name,
        status,
        f"{what}, {seconds:.1f} s of {span:.1f} s",
        round(seconds, 3),
        "s",
        round(limit, 3),
        tuple(ranges),
        peak_unit="s",
        note=f"no {name}",
        affected_s=seconds,
    )


def _holes(e: Evidence, frames: Stamps, stamps: Stamps) -> list[tuple[int, int]]:
    """Return from when to when a stream says nothing while pictures are taken; a gap that both share is told once."""
    start, end = int(frames[0]), int(frames[-1])
    if len(stamps) == 0:
        return [(start, end)]
    is_gap = gap_before(stamps)
    is_gap[1:] |= np.diff(stamps) > _LONGEST_STEP_NS
    inner = [(int(stamps[i - 1]), int(stamps[i])) for i in np.flatnonzero(is_gap)]
    edge = max(_EDGE_NS, round(GAP_FACTOR * median_step_ns(stamps)) if len(stamps) > 2 else 0)
    first, last = int(stamps[0]), int(stamps[-1])
    holes = [
        *([(start, first)] if first - start > edge else []),
        *(hole for hole in inner if not _is_shared(e, frames, *hole)),
        *([(last, end)] if end - last > edge else []),
    ]
    shown = [(max(first, start), min(last, end)) for first, last in holes]
    return [(first, last) for first, last in shown if first < last]


def _frames_inside(frames: Stamps, start_ns: int, end_ns: int) -> FrameRange | None:
    first = int(np.searchsorted(frames, start_ns))
    last = int(np.searchsorted(frames, end_ns, side="right")) - 1
    return FrameRange(first, last, round((end_ns - start_ns) / 1e9, 6)) if first <= last else None


def _without_image(e: Evidence, has: Flags, holes: Sequence[FrameRange]) -> list[FrameRange]:
    """Return where depth messages came and held no image; what is missing at either end for a moment does not count."""
    missing = ~has & ~flags_of(list(holes), len(e))
    found = []
    for item in runs(missing, breaks=e.gap_before):
        seconds = float(e.seconds[item.first : item.last + 1].sum())
        is_edge = item.first == 0 or item.last == len(e) - 1
        if not is_edge or seconds > _EDGE_NS / 1e9:
            found.append(FrameRange(item.first, item.last, round(seconds, 6)))
    return found


def _is_shared(e: Evidence, frames: Stamps, start_ns: int, end_ns: int) -> bool:
    positions = np.flatnonzero(e.gap_before)
    overlap = np.minimum(frames[positions], end_ns) - np.maximum(frames[positions - 1], start_ns)
    return bool(len(positions)) and bool((overlap > 0.5 * (end_ns - start_ns)).any())


def _clock_jump(e: Evidence) -> Check:
    jumps = clock_jumps(e)
    steps = np.diff(e.stamps_ns, prepend=e.stamps_ns[:1])
    ranges = tuple(FrameRange(int(i) - 1, int(i), round(steps[i] / 1e9, 3)) for i in jumps)
    detail = f"the clock leaps {counted(len(jumps), 'time')} in every stream at once" if ranges else "no leap"
    return Check(
        "clock_jump",
        "all",
        "warn" if ranges else "pass",
        detail,
        float(len(jumps)),
        "jumps",
        0.0,
        ranges,
        peak_unit="s",
        peak_threshold=LEAP_NS / 1e9,
        note="the clock leaps in every stream at once",
    )


def _rgb_rate(e: Evidence, config: QualityConfig) -> Check:
    """Compare the median rate of parts of the recording: a recorder that slows down shows there."""
    steps = np.diff(e.stamps_ns)
    if len(steps) < _FEWEST_STEPS:
        return absent("rgb_rate", "rgb", "too few pictures to tell a rate")
    parts = [float(np.median(part)) for part in np.array_split(steps, _RATE_PARTS)]
    drift = max(parts) / max(min(parts), 1.0) - 1
    nominal = nominal_hz(e.median_step_ns)
    status: Status = "warn" if drift > config.rate_drift_max_ratio else "pass"
    detail = (
        f"{1e9 / e.median_step_ns:.2f} pictures/s ({nominal} were meant), tenths differ by {100 * drift:.1f} %"
        if e.median_step_ns
        else "the median step is 0"
    )
    limit = 100 * config.rate_drift_max_ratio
    return Check("rgb_rate", "rgb", status, detail, round(100 * drift, 2), "%", limit)


def _rgb_jitter(e: Evidence, config: QualityConfig) -> Check:
    steps = np.diff(e.stamps_ns)[~e.gap_before[1:]]
    if len(steps) == 0 or e.median_step_ns == 0:
        return absent("rgb_jitter", "rgb", "too few pictures to tell a jitter")
    apart = np.abs(steps - e.median_step_ns) / 1e6
    p95, limit = float(np.percentile(apart, 95)), config.jitter_max_ratio * e.median_step_ns / 1e6
    status: Status = "warn" if p95 > limit else "pass"
    detail = f"95 % of the steps are within {p95:.1f} ms of the median, all within {apart.max():.1f} ms"
    return Check("rgb_jitter", "rgb", status, detail, round(p95, 2), "ms", round(limit, 2))


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
    ranges = tuple(_disorder(e)) if status == "warn" else ()
    return Check("stamp_order", "all", status, "; ".join(words), float(count), "messages", 0.0, ranges)


def _disorder(e: Evidence) -> list[FrameRange]:
    """Return between which frames pictures were written in another order than stamped, or left out for their stamp."""
    numbers = np.diff(e.message_number)
    dropped = {number for number, _, _ in e.dropped}
    found = []
    for i in np.flatnonzero(numbers != 1):
        first, last = int(e.message_number[i]), int(e.message_number[i + 1])
        missing = [number for number in range(first + 1, last) if number not in dropped]
        if numbers[i] < 0:
            found.append(FrameRange(int(i), int(i) + 1, note="stamps step back between these two messages"))
        elif missing and not _is_placed_elsewhere(e, missing):
            found.append(
                FrameRange(int(i), int(i) + 1, note="a message between repeats the stamp of another")
            )
    return found


def _is_placed_elsewhere(e: Evidence, numbers: list[int]) -> bool:
    return bool(np.isin(numbers, e.message_number).all())


def _clock_drift(e: Evidence, config: QualityConfig) -> Check:
    """Compare the stamps of pictures with when they were written."""
    info = e.inventory.role("rgb")
    offset = None if info is None else info.log_offset
    if offset is None or offset.drift_ppm is None:
        return absent("clock_drift", "all", "too little to compare stamps with log times")
    status: Status = "warn" if abs(offset.drift_ppm) > config.clock_drift_max_ppm else "pass"
    detail = (
        f"pictures are written {offset.median_ns / 1e6:+.1f} ms after their stamps, and that grows by "
        f"{offset.drift_ppm:+.0f} ppm"
    )
    return Check(
        "clock_drift", "all", status, detail, round(offset.drift_ppm, 1), "ppm", config.clock_drift_max_ppm
    )


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
