"""Runs of frames: from per-frame flags to the ranges that findings name.

A range is inclusive at both ends and carries positions, message numbers and stamps, because positions belong to one
artifact version while message numbers hold for ever.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Flags = NDArray[np.bool_]
Stamps = NDArray[np.int64]


@dataclass(frozen=True)
class FrameRange:
    """Frames first..last, both included.

    Attributes:
        first: Position of the first frame.
        last: Position of the last frame, at least `first`.
        peak: The most telling value inside, in the unit of the check; None where there is none.
        note: What this range shows, in words, where it is not what all ranges of the check show.
    """

    first: int
    last: int
    peak: float | None = None
    note: str = ""

    def __len__(self) -> int:
        return self.last - self.first + 1


def runs(flags: Flags, *, breaks: Flags | None = None, at_least: int = 1) -> list[FrameRange]:
    """Return the maximal runs of true flags of at least `at_least` frames.

    Args:
        flags: (F,) bool.
        breaks: (F,) bool, true where a run may not continue from the frame before.
        at_least: Shortest run in frames.
    """
    starts = flags.copy()
    starts[1:] &= ~flags[:-1]
    if breaks is not None:
        starts |= flags & breaks
    first = np.flatnonzero(starts)
    ends = flags.copy()
    ends[:-1] &= ~flags[1:] | starts[1:]
    last = np.flatnonzero(ends)
    return [FrameRange(int(a), int(b)) for a, b in zip(first, last, strict=True) if b - a + 1 >= at_least]


def flags_of(ranges: list[FrameRange], count: int) -> Flags:
    """Return (count,) flags that are true inside the ranges."""
    flags = np.zeros(count, np.bool_)
    for item in ranges:
        flags[item.first : item.last + 1] = True
    return flags


def frame_seconds(stamps_ns: Stamps, median_step_ns: int) -> NDArray[np.float64]:
    """Return how long each frame is shown, (F,) seconds: to the next frame, but at most one median step."""
    if len(stamps_ns) == 0:
        return np.zeros(0)
    steps = np.diff(stamps_ns, append=stamps_ns[-1] + median_step_ns)
    return np.asarray(np.minimum(steps, median_step_ns or steps.max(initial=0)) / 1e9)
