"""What time it was on the wall: how stamps of a device's own clock turn into dates, and how sure that is.

Sources in the order of trust: the stamps themselves, log times, session metadata, the name of the file or of its
directory. Only the resulting number is kept; the name that it came from stays out of the inventory.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, TypeAlias

import numpy as np

from episode_assets.recording.timeline import EPOCH_FROM_NS, LogOffset, median_of

Zone: TypeAlias = Literal["utc", "phone-local, zone unknown"]
TimeUnit: TypeAlias = Literal["ns", "us", "ms", "s", "unknown"]

_SESSION = re.compile(r"session_(?:data_)?(\d{8})_(\d{6})(?!\d)")
"""How the phone app names a session: local time of its start, to the second."""
_FIRST_KEY = "storage.path"
_UNITS: Mapping[int, TimeUnit] = {1_000: "us", 1_000_000: "ms", 1_000_000_000: "s"}
_SAME_TIME_NS = 2 * 86_400 * 1_000_000_000


@dataclass(frozen=True)
class WallClock:
    """How stamps become wall-clock time: `wall = stamp + offset`.

    Attributes:
        offset_ns: What to add to a stamp to get nanoseconds since 1970; 0 where stamps are that already.
        source: `stamps are epoch`, `log_time`, `metadata:<key>` or `file name`.
        zone: `utc`, or `phone-local, zone unknown`: then the sum is the time that the phone showed, not UTC.
        uncertainty: How far off it may be, in words.
    """

    offset_ns: int
    source: str
    zone: Zone
    uncertainty: str


def wall_clock_of(
    *,
    first_stamp_ns: int | None,
    log_offsets: Sequence[LogOffset],
    metadata: Mapping[str, Mapping[str, str]],
    where: str,
) -> WallClock | None:
    """Return how the stamps of a recording become wall-clock time; None where nothing tells.

    Args:
        first_stamp_ns: Smallest stamp of the recording.
        log_offsets: Log time minus stamp, of each topic with stamps.
        metadata: Metadata records by name.
        where: Address of the file.
    """
    if first_stamp_ns is None:
        return None
    if first_stamp_ns > EPOCH_FROM_NS:
        return WallClock(0, "stamps are epoch", "utc", "as good as the clock of the recorder")
    offset = median_of(np.array([found.median_ns for found in log_offsets], dtype=np.int64))
    if offset is not None and first_stamp_ns + offset > EPOCH_FROM_NS:
        spread = max(found.max_ns for found in log_offsets) - min(found.min_ns for found in log_offsets)
        words = f"late by the delay of logging; delays differ by {spread / 1e9:.3f} s"
        return WallClock(offset, "log_time", "utc", words)
    named = _start_in_metadata(metadata) or _start_in_name(where)
    if named is None:
        return None
    start_ns, source = named
    return WallClock(
        start_ns - first_stamp_ns,
        source,
        "phone-local, zone unknown",
        "the session's name tells its start to the second, some seconds before the first message; "
        "the time zone is not told",
    )


def log_time_unit(first_stamp_ns: int | None, first_log_ns: int | None) -> TimeUnit:
    """Return in which unit log times count, where stamps since 1970 tell; `ns` where nothing contradicts.

    Args:
        first_stamp_ns: Smallest header stamp; None without headers.
        first_log_ns: Smallest log time.
    """
    if first_stamp_ns is None or not first_log_ns or first_stamp_ns <= EPOCH_FROM_NS:
        return "ns"
    if first_log_ns > EPOCH_FROM_NS:
        return "ns"
    for factor, unit in _UNITS.items():
        if abs(first_log_ns * factor - first_stamp_ns) < _SAME_TIME_NS:
            return unit
    return "unknown"


def _start_in_metadata(metadata: Mapping[str, Mapping[str, str]]) -> tuple[int, str] | None:
    entries = {key: value for record in metadata.values() for key, value in record.items()}
    for key in sorted(entries, key=lambda key: (key != _FIRST_KEY, key)):
        start_ns = _session_start_ns([entries[key]])
        if start_ns is not None:
            return start_ns, f"metadata:{key}"
    return None


def _start_in_name(where: str) -> tuple[int, str] | None:
    # The file first, then its directory: a copied file keeps its own name longer.
    start_ns = _session_start_ns(reversed(where.replace("\\", "/").rsplit("/", 2)[-2:]))
    return None if start_ns is None else (start_ns, "file name")


def _session_start_ns(texts: Iterable[str]) -> int | None:
    for text in texts:
        for day, time in _SESSION.findall(text):
            try:
                start = datetime.strptime(day + time, "%Y%m%d%H%M%S").replace(tzinfo=UTC)
            except ValueError:  # digits that are no date
                continue
            return int(start.timestamp()) * 1_000_000_000
    return None
