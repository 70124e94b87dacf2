"""Questions about stamps: what a gap is, which sample is nearest, which clock a recording runs on.

Stamps are int64 nanoseconds and never pass through float seconds here. `gap_before` is the one definition of a gap
for all rooms; what a room does at a gap belongs to that room.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Stamps: TypeAlias = NDArray[np.int64]
Clock: TypeAlias = Literal["epoch", "relative"]

GAP_FACTOR = 2.5
"""A gap is a step longer than this many median steps; one missed tick (2.0) is not yet a gap."""

EPOCH_FROM_NS = 100_000_000_000_000_000
"""Stamps above this (March 1973) count as epoch time, those below as uptime or another relative clock."""

_DRIFT_PARTS = 32
_FEWEST_FOR_DRIFT = 16
_SHORTEST_FOR_DRIFT_NS = 2_000_000_000


def median_step_ns(stamps_ns: Stamps) -> int:
    """Return the median difference of increasing stamps in whole nanoseconds; 0 for fewer than two."""
    if len(stamps_ns) < 2:
        return 0
    return median_of(np.diff(stamps_ns)) or 0


def median_of(values: NDArray[np.int64]) -> int | None:
    """Return the lower of the two middle values: one that occurs, and no float on the way; None without values."""
    middle = (len(values) - 1) // 2
    return int(np.partition(values, middle)[middle]) if len(values) else None


def gap_before(stamps_ns: Stamps) -> NDArray[np.bool_]:
    """Return (N,) flags: true where the step from the predecessor is longer than 2.5 median steps.

    The first flag is false. A median of 0 (repeated stamps) means that no gap can be told.
    """
    flags = np.zeros(len(stamps_ns), dtype=np.bool_)
    median = median_step_ns(stamps_ns)
    if median > 0:
        flags[1:] = np.diff(stamps_ns) * 2 > round(2 * GAP_FACTOR) * median
    return flags


def nearest(stamps_ns: Stamps, queries_ns: Stamps, *, tolerance_ns: int | None = None) -> NDArray[np.int64]:
    """Return for each query (Q,) the position of the nearest stamp; -1 where none lies within the tolerance.

    Args:
        stamps_ns: (N,) increasing stamps; may be empty.
        queries_ns: (Q,) stamps in any order.
        tolerance_ns: Largest allowed distance, included; None accepts any. Ties go to the earlier stamp.
    """
    queries = np.asarray(queries_ns, dtype=np.int64)
    if len(stamps_ns) == 0:
        return np.full(len(queries), -1, dtype=np.int64)
    stamps = np.asarray(stamps_ns, dtype=np.int64)
    after = np.clip(np.searchsorted(stamps, queries, side="left"), 0, len(stamps) - 1)
    before = np.maximum(after - 1, 0)
    to_before, to_after = np.abs(queries - stamps[before]), np.abs(stamps[after] - queries)
    position = np.where(to_before <= to_after, before, after)
    if tolerance_ns is not None:
        position = np.where(np.minimum(to_before, to_after) <= tolerance_ns, position, -1)
    return position.astype(np.int64)


def clock_of(first_stamp_ns: int | None) -> Clock:
    """Return which clock a recording runs on, from its smallest stamp."""
    return "epoch" if first_stamp_ns is not None and first_stamp_ns > EPOCH_FROM_NS else "relative"


@dataclass(frozen=True)
class LogOffset:
    """How far the log times of a topic lie from its header stamps: log time minus stamp.

    Attributes:
        median_ns: Median.
        min_ns: Smallest.
        max_ns: Largest.
        drift_ppm: How much faster the clock of the log runs, in parts per million (microseconds per second); None for
            fewer than 16 messages or less than two seconds.
    """

    median_ns: int
    min_ns: int
    max_ns: int
    drift_ppm: float | None


def log_offset(stamps_ns: Stamps, log_times_ns: Stamps) -> LogOffset | None:
    """Return how log times (N,) lie from stamps (N,), both in one order; None without messages."""
    offsets = log_times_ns - stamps_ns
    median = median_of(offsets)
    if median is None:
        return None
    low, high = int(offsets.min()), int(offsets.max())
    offsets -= median
    if (stamps_ns[1:] < stamps_ns[:-1]).any():
        order = np.argsort(stamps_ns, kind="stable")
        stamps_ns, offsets = stamps_ns[order], offsets[order]
    return LogOffset(median, low, high, _drift_ppm(stamps_ns, offsets))


def _drift_ppm(stamps_ns: Stamps, offsets_ns: Stamps) -> float | None:
    """Return the slope of offsets over sorted stamps: the median slope between the medians of up to 32 parts.

    Delays of single messages are one-sided and long, so that neither a least-squares line nor the first and last
    message can tell the drift (Theil 1950, Sen 1968, over parts instead of samples).
    """
    if len(stamps_ns) < _FEWEST_FOR_DRIFT or stamps_ns[-1] - stamps_ns[0] < _SHORTEST_FOR_DRIFT_NS:
        return None
    count = min(_DRIFT_PARTS, len(stamps_ns) // 4)
    at, offset = (
        np.array([median_of(part) for part in np.array_split(values, count)], dtype=np.int64)
        for values in (stamps_ns, offsets_ns)
    )
    one, other = np.triu_indices(count, k=1)
    apart = at[other] - at[one]
    far = apart > 0
    if not far.any():
        return None
    slopes = (offset[other] - offset[one])[far] / apart[far]
    return round(float(np.median(slopes)) * 1e6, 3)
