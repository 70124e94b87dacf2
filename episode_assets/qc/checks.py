"""What one check says, and what all checks share. The checks themselves lie in the `*_checks` modules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from episode_assets.qc.ranges import Flags, FrameRange

Status = Literal["pass", "warn", "fail", "not_applicable", "not_run"]


@dataclass(frozen=True)
class Check:
    """The answer of one check.

    Attributes:
        id: Stable name; also the reason id of its ranges.
        stream: The stream it speaks about.
        status: `not_run` is never a pass; `not_applicable` means that there is nothing to judge.
        detail: What was found, in words.
        value: The number that was judged; None where there is none.
        unit: Unit of value and threshold.
        threshold: What the value was compared with.
        ranges: Frames concerned.
        peak_unit: Unit of the peaks of the ranges.
        peak_threshold: What the peaks were compared with.
        is_hard: Whether the ranges are cut from the kept intervals.
        is_boundary: Whether the ranges are places between two frames (first and last are neighbours) that nothing
            may bridge.
        note: What each range shows, in words, for the list of reasons.
        affected_s: Seconds concerned, gaps included.
    """

    id: str
    stream: str
    status: Status
    detail: str
    value: float | None = None
    unit: str = ""
    threshold: float | None = None
    ranges: tuple[FrameRange, ...] = ()
    peak_unit: str = ""
    peak_threshold: float | None = None
    is_hard: bool = False
    is_boundary: bool = False
    note: str = ""
    affected_s: float = 0.0

    @property
    def is_cut(self) -> bool:
        """Whether its ranges end kept intervals."""
        return self.is_hard or self.is_boundary


def absent(id_: str, stream: str, why: str) -> Check:
    """Return a check that has nothing to judge."""
    return Check(id_, stream, "not_applicable", why)


def from_ranges(
    id_: str,
    stream: str,
    ranges: Sequence[FrameRange],
    *,
    found: Status,
    seconds: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
    note: str,
    threshold: float | None = None,
    peak_unit: str = "",
    is_hard: bool = False,
) -> Check:
    """Return a check that passes without ranges and is `found` with some; its value is the seconds affected.

    The threshold belongs to the peaks of the ranges; of seconds any is too many. `note` reads on after "3 frames in
    1 stretch", such as "black".
    """
    affected = float(sum(seconds[item.first : item.last + 1].sum() for item in ranges))
    if not ranges:
        return Check(
            id_,
            stream,
            "pass",
            f"no frame {note}",
            0.0,
            "s",
            0.0,
            peak_unit=peak_unit,
            peak_threshold=threshold,
        )
    frames = sum(len(item) for item in ranges)
    return Check(
        id_,
        stream,
        found,
        f"{counted(frames, 'frame')} in {counted(len(ranges), 'stretch', 'stretches')} {note} ({affected:.1f} s)",
        round(affected, 3),
        "s",
        0.0,
        tuple(ranges),
        peak_unit=peak_unit,
        peak_threshold=threshold,
        is_hard=is_hard,
        note=note,
        affected_s=affected,
    )


def counted(count: int, one: str, many: str = "") -> str:
    """Return a count with its noun, such as `1 gap` or `3 gaps`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def with_peak(ranges: Sequence[FrameRange], values: np.ndarray, *, lowest: bool = False) -> list[FrameRange]:
    """Return the ranges with the largest (or smallest) value inside each as its peak."""
    result = []
    for item in ranges:
        inside = values[item.first : item.last + 1]
        inside = inside[np.isfinite(inside)]
        peak = None if len(inside) == 0 else float(inside.min() if lowest else inside.max())
        result.append(FrameRange(item.first, item.last, peak, item.note))
    return result


def hard_flags(checks: Sequence[Check], count: int) -> Mapping[str, Flags]:
    """Return the frames that each hard check rules out."""
    return {check.id: _flags(check, count) for check in checks if check.is_hard and check.ranges}


def boundary_flags(checks: Sequence[Check], count: int) -> Mapping[str, Flags]:
    """Return the frames before which each boundary check forbids a bridge."""
    result = {}
    for check in checks:
        if check.is_boundary and check.ranges:
            flags = np.zeros(count, np.bool_)
            flags[[item.last for item in check.ranges]] = True
            result[check.id] = flags
    return result


def _flags(check: Check, count: int) -> Flags:
    flags = np.zeros(count, np.bool_)
    for item in check.ranges:
        flags[item.first : item.last + 1] = True
    return flags
