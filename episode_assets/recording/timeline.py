"""Questions about stamps: what a gap is, which sample is nearest, which clock a recording runs on.

Stamps are int64 nanoseconds and never pass through float seconds here. `gap_before` is the one definition of a gap
for all rooms; what a room does at a gap belongs to that room.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Stamps: TypeAlias = NDArray[np.int64]
Clock: TypeAlias = Literal["epoch", "relative"]

GAP_FACTOR = 2.5
"""A gap is a step longer than this many median steps; one missed tick (2.0) is not yet a gap."""

EPOCH_FROM_NS = 100_000_000_000_000_000
"""Stamps above this (March 1973) count as epoch time, those below as uptime or another relative clock."""


def median_step_ns(stamps_ns: Stamps) -> int:
    """Return the median difference of increasing stamps in whole nanoseconds; 0 for fewer than two."""
    if len(stamps_ns) < 2:
        return 0
    # The lower of the two middle values: a difference that occurs, and no float on the way.
    steps = np.diff(stamps_ns)
    return int(np.partition(steps, (len(steps) - 1) // 2)[(len(steps) - 1) // 2])


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
