"""Checks of the tracking state: where it was lost and why, and where the map moved when it returned."""

from __future__ import annotations

import numpy as np

from episode_assets.qc.checks import Check, absent, counted
from episode_assets.qc.clock import steady
from episode_assets.qc.config import QualityConfig
from episode_assets.qc.evidence import Evidence
from episode_assets.qc.ranges import Flags, FrameRange, Stamps, runs
from episode_assets.recording import TrackingStream
from episode_assets.recording.timeline import median_step_ns

TRACKING_NORMAL = 2
STATE_WORDS = ("not available", "limited", "normal")
REASON_WORDS = ("none", "initialising", "excessive motion", "insufficient features", "relocalising")
_RETURN_NS = 500_000_000


def tracking_checks(e: Evidence, config: QualityConfig) -> list[Check]:
    """Return both checks."""
    return [_lost(e), _relocalisation(e, config)]


def tracking_lost_s(e: Evidence) -> float:
    """Return the seconds in which tracking was not normal, inside the span of the frames."""
    tracking = e.tracking
    if tracking is None or len(tracking.stamp_ns) < 2 or len(e) < 2:
        return 0.0
    first, last = steady(e, e.stamps_ns[[0, -1]])
    edges = np.clip(np.append(steady(e, tracking.stamp_ns), last), first, last)
    steps = np.minimum(np.diff(edges), _state_holds_ns(tracking.stamp_ns))
    return float(steps[tracking.state != TRACKING_NORMAL].sum() / 1e9)


def _state_holds_ns(stamps_ns: np.ndarray) -> int:
    # A regular state stream that pauses says nothing about the pause; one that speaks on change holds for long.
    step = median_step_ns(stamps_ns)
    return 10 * step if 0 < step < 1_000_000_000 else np.iinfo(np.int64).max


def reasons_between(tracking: TrackingStream, start_ns: int, end_ns: int) -> str:
    """Return why tracking was lost between two stamps, both included, in words; empty where it was not."""
    first = int(np.searchsorted(tracking.stamp_ns, start_ns))
    last = int(np.searchsorted(tracking.stamp_ns, end_ns, side="right"))
    lost = np.flatnonzero(tracking.state[first:last] != TRACKING_NORMAL) + first
    return ", ".join(sorted({_word(REASON_WORDS, int(code)) for code in np.unique(tracking.reason[lost])}))


def _word(words: tuple[str, ...], code: int) -> str:
    return words[code] if 0 <= code < len(words) else f"code {code}"


def _lost(e: Evidence) -> Check:
    tracking = e.tracking
    if tracking is None:
        return absent("tracking_lost", "tracking", "no tracking state")
    flags = (e.tracking_state >= 0) & (e.tracking_state != TRACKING_NORMAL)
    seconds = tracking_lost_s(e)
    ranges = tuple(_named(e, tracking, item) for item in runs(flags, breaks=e.gap_before))
    if seconds == 0 and not ranges:
        return Check(
            "tracking_lost", "tracking", "pass", "tracking was normal throughout", 0.0, "s", is_hard=True
        )
    reasons = reasons_between(tracking, int(tracking.stamp_ns[0]), int(tracking.stamp_ns[-1]))
    return Check(
        "tracking_lost",
        "tracking",
        "warn",
        f"tracking was not normal for {seconds:.1f} s ({reasons}); "
        f"{counted(int(flags.sum()), 'picture')} inside",
        round(seconds, 3),
        "s",
        0.0,
        ranges,
        is_hard=True,
        note=f"tracking not normal ({reasons})",
        affected_s=seconds,
    )


def _named(e: Evidence, tracking: TrackingStream, item: FrameRange) -> FrameRange:
    # The state of the first frame may have been sent a little before it.
    start_ns = int(e.stamps_ns[item.first]) - e.median_step_ns
    reasons = reasons_between(tracking, start_ns, int(e.stamps_ns[item.last]))
    note = f"tracking not normal ({reasons})" if reasons else ""
    return FrameRange(item.first, item.last, note=note)


def _was_lost(tracking: TrackingStream, starts_ns: Stamps, ends_ns: Stamps) -> Flags:
    """Return (Q,) whether tracking was lost at some time between pairs of stamps; a state holds until the next."""
    lost = runs(tracking.state != TRACKING_NORMAL)
    holds = _state_holds_ns(tracking.stamp_ns)
    after = np.append(tracking.stamp_ns, np.iinfo(np.int64).max)
    begins = np.array([tracking.stamp_ns[item.first] for item in lost], np.int64)
    returns = np.array(
        [min(int(after[item.last + 1]), int(tracking.stamp_ns[item.last]) + holds) for item in lost], np.int64
    )
    begun = np.searchsorted(begins, ends_ns, side="right")
    returned = np.searchsorted(returns, starts_ns, side="left")
    return np.asarray(begun > returned)


def _relocalisation(e: Evidence, config: QualityConfig) -> Check:
    """Find steps of the camera right after tracking returned, or across a gap in which it was lost."""
    if e.pose is None or e.tracking is None:
        return absent("relocalisation", "pose", "needs poses and tracking state")
    # Where the poses are missing as well, the last place before counts.
    placed = np.flatnonzero(np.isfinite(e.camera_position_m).all(axis=1))
    stamps, places_m = e.stamps_ns[placed], e.camera_position_m[placed]
    was_lost = _was_lost(e.tracking, stamps[:-1] - _RETURN_NS, stamps[1:])
    step = np.linalg.norm(np.diff(places_m, axis=0), axis=1)
    jumps = np.flatnonzero(was_lost & (step > config.relocalisation_step_m))
    ranges = tuple(
        FrameRange(int(placed[i + 1]) - 1, int(placed[i + 1]), round(float(step[i]), 3)) for i in jumps
    )
    if not ranges:
        return Check("relocalisation", "pose", "pass", "no jump after tracking returned", 0.0, "jumps", 0.0)
    return Check(
        "relocalisation",
        "pose",
        "warn",
        f"the camera jumps {counted(len(ranges), 'time')} right after tracking returned",
        float(len(ranges)),
        "jumps",
        0.0,
        ranges,
        peak_unit="m",
        peak_threshold=config.relocalisation_step_m,
        is_boundary=True,
        note="the map moved when tracking returned",
    )
