"""How well two streams of a recording fit together in time: distances between pictures and their partners, as data.

Pairs are by nearest stamp within half a picture period, never by index. Only header stamps count; what is done about
a bad fit belongs to those who read the figures.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from episode_assets.recording.timeline import Stamps, median_of, median_step_ns, nearest

SYNC_PAIRS = (
    ("rgb", "depth"),
    ("rgb", "camera_info"),
    ("rgb", "pose"),
    ("rgb", "imu"),
    ("rgb", "tracking"),
)
"""Roles whose fit is measured: each picture of the first looks for its partner in the second."""


@dataclass(frozen=True)
class SyncInfo:
    """How the stamps of two roles fit.

    Offsets are partner minus picture, over matched pictures.

    Attributes:
        first: Role whose messages look for partners.
        second: Role that the partners come from.
        tolerance_ns: Largest distance of a pair: half the median step of the first, or of the second where the
            first has none; 0 where neither has one.
        matched: Messages of the first with a partner.
        unmatched_first: Messages of the first without one.
        unmatched_second: Messages of the second that are nobody's partner.
        shared: Messages of the second that are the partner of several of the first.
        median_offset_ns: Median signed offset; None where nothing matches.
        p95_distance_ns: Distance that 95 % of the pairs do not exceed.
        max_distance_ns: Largest distance.
    """

    first: str
    second: str
    tolerance_ns: int
    matched: int
    unmatched_first: int
    unmatched_second: int
    shared: int
    median_offset_ns: int | None = None
    p95_distance_ns: int | None = None
    max_distance_ns: int | None = None


def sync_of(first: str, second: str, first_ns: Stamps, second_ns: Stamps) -> SyncInfo:
    """Return how two streams fit; stamps (N,) and (M,) in any order, repeated ones count once."""
    ours, theirs = np.unique(first_ns), np.unique(second_ns)
    tolerance = (median_step_ns(ours) or median_step_ns(theirs)) // 2
    position = nearest(theirs, ours, tolerance_ns=tolerance)
    paired = position >= 0
    partners, uses = np.unique(position[paired], return_counts=True)
    offsets = theirs[position[paired]] - ours[paired]
    return SyncInfo(
        first,
        second,
        tolerance,
        matched=int(paired.sum()),
        unmatched_first=int((~paired).sum()),
        unmatched_second=len(theirs) - len(partners),
        shared=int((uses > 1).sum()),
        median_offset_ns=median_of(offsets),
        p95_distance_ns=_at_share(np.abs(offsets), 95),
        max_distance_ns=_at_share(np.abs(offsets), 100),
    )


def _at_share(values: NDArray[np.int64], percent: int) -> int | None:
    """Return the smallest value that this share of all values does not exceed."""
    if len(values) == 0:
        return None
    return int(np.sort(values)[-(-len(values) * percent // 100) - 1])
