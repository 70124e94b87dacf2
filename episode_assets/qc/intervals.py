"""Which stretches of a recording are worth keeping, from the frames that hard reasons rule out.

The rule: close short holes, cut around what is bad, never bridge a gap or a relocalisation, drop short pieces. The
result is what datasets are cut from. What counts as a hard reason belongs to the checks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from episode_assets.qc.ranges import Flags, FrameRange, Stamps, flags_of, runs


@dataclass(frozen=True)
class KeptInterval:
    """Frames first..last, both included, with what ends the interval on either side.

    Attributes:
        first: Position of the first kept frame.
        last: Position of the last kept frame.
        reason_before: Why it does not begin earlier: a reason id, `rgb_gap`, `relocalisation` or `start`.
        reason_after: Why it does not go on: likewise, or `end`.
    """

    first: int
    last: int
    reason_before: str
    reason_after: str

    def __len__(self) -> int:
        return self.last - self.first + 1


def keep(
    stamps_ns: Stamps,
    hard: Mapping[str, Flags],
    boundaries: Mapping[str, Flags],
    *,
    median_step_ns: int,
    hole_close_s: float,
    cut_frames: int,
    keep_min_s: float,
    missing: Flags | None = None,
) -> list[KeptInterval]:
    """Return the kept intervals in order.

    Args:
        stamps_ns: (F,) stamps of the frames.
        hard: By reason id, (F,) flags of the frames it rules out.
        boundaries: By reason id, (F,) flags of frames before which nothing may be bridged.
        median_step_ns: Median frame distance; the last frame of an interval counts with it.
        hole_close_s: Bad stretches up to this long, with good frames on both sides and no boundary, are kept.
        cut_frames: Frames cut on either side of a bad stretch; not across a boundary.
        keep_min_s: Shorter pieces are dropped.
        missing: (F,) flags of frames before which a picture is missing: a bad stretch beside one is never kept.
    """
    count = len(stamps_ns)
    breaks = _union(boundaries, count)
    open_holes = breaks if missing is None else breaks | missing
    bad = _without_short_holes(
        _union(hard, count), open_holes, stamps_ns, median_step_ns, limit_ns=round(hole_close_s * 1e9)
    )
    good = ~_widened(bad, breaks, cut_frames)
    kept = []
    for piece in runs(good, breaks=breaks):
        if _duration_ns(piece, stamps_ns, median_step_ns) >= round(keep_min_s * 1e9):
            before = _reason(piece.first - 1, piece.first, hard, boundaries, bad, cut_frames, count)
            after = _reason(piece.last + 1, piece.last + 1, hard, boundaries, bad, cut_frames, count)
            kept.append(KeptInterval(piece.first, piece.last, before, after))
    return kept


def _union(flags: Mapping[str, Flags], count: int) -> Flags:
    result = np.zeros(count, np.bool_)
    for item in flags.values():
        result |= item
    return result


def _duration_ns(piece: FrameRange, stamps_ns: Stamps, median_step_ns: int) -> int:
    return int(stamps_ns[piece.last] - stamps_ns[piece.first]) + median_step_ns


def _without_short_holes(
    bad: Flags, breaks: Flags, stamps_ns: Stamps, median_step_ns: int, *, limit_ns: int
) -> Flags:
    holes = []
    for run in runs(bad):
        is_inside = run.first > 0 and run.last + 1 < len(bad)
        if not is_inside or breaks[run.first : run.last + 2].any():
            continue
        if _duration_ns(run, stamps_ns, median_step_ns) <= limit_ns:
            holes.append(run)
    return bad & ~flags_of(holes, len(bad))


def _widened(bad: Flags, breaks: Flags, frames: int) -> Flags:
    """Grow every bad stretch by `frames` on either side, stopping at boundaries."""
    grown = bad.copy()
    for _ in range(frames):
        forward = np.zeros_like(grown)
        forward[1:] = grown[:-1] & ~breaks[1:]
        backward = np.zeros_like(grown)
        backward[:-1] = grown[1:] & ~breaks[1:]
        grown = grown | forward | backward
    return grown


def _reason(
    outside: int,
    border: int,
    hard: Mapping[str, Flags],
    boundaries: Mapping[str, Flags],
    bad: Flags,
    cut_frames: int,
    count: int,
) -> str:
    """Name what lies beyond an end: `outside` is the first frame not kept, `border` the frame a boundary precedes."""
    if not 0 <= outside < count:
        return "start" if outside < 0 else "end"
    named = [name for name, flags in boundaries.items() if flags[border]]
    if named:
        return named[0]
    first, last = max(0, outside - cut_frames), min(count, outside + cut_frames + 1)
    for name, flags in hard.items():
        if (flags & bad)[first:last].any():
            return name
    return "unknown"
