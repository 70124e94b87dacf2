"""Which frame of a bundle every row of the time grid shows: each one (re-timing), or the nearest (resampling).

Everything after this sees rows only, as an `EpisodeSource` of its own, so that cuts, hands and numbers need not know
how the rows came about. Values are those of the frame, at its true stamp; nothing is interpolated.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from episode_assets.lerobot.source import EpisodeSource
from episode_assets.outcome import Json

_SECOND_NS = 1_000_000_000
LISTED_MAX = 100
"""Frames that are listed by number in a report; `source.frame_index` of the rows tells all of them."""

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class HeldAndDropped:
    """What resampling did to the frames of one episode.

    Attributes:
        held_rows: Rows of the episode that show the frame of the row before once more.
        dropped_frames: Frames of the bundle between the first and the last one shown that no row shows.
    """

    held_rows: Indices
    dropped_frames: Indices

    def to_json(self) -> dict[str, Json]:
        """Return the numbers of both, and which they are as far as they are listed."""
        return {
            "held": len(self.held_rows),
            "held_rows": self.held_rows[:LISTED_MAX].tolist(),
            "dropped": len(self.dropped_frames),
            "dropped_frames": self.dropped_frames[:LISTED_MAX].tolist(),
        }


@dataclass(frozen=True)
class TimeGrid:
    """The rows that a recording could give, before any cut.

    Attributes:
        frame: (R,) frame of the bundle that each row shows, never decreasing.
        grid_ns: (R,) time of each row for cuts: the frame's stamp, or the point of the grid.
        is_resampled: Whether frames may be held or dropped.
    """

    frame: Indices
    grid_ns: Indices
    is_resampled: bool

    def for_cuts(self, source: EpisodeSource) -> EpisodeSource:
        """Return one entry per row, with the times by which to cut; any row may begin an episode that is encoded."""
        rows = source.take(self.frame)
        if not self.is_resampled:
            return rows
        is_first = np.append(True, np.diff(_run_of(source)[self.frame]) > 0)
        is_gap = is_first & (np.arange(len(rows)) > 0)
        return replace(rows, stamp_ns=self.grid_ns, gap_before=is_gap)

    def rows_of(self, start: int, stop: int) -> tuple[int, int]:
        """Return the range of rows whose frames lie in [start, stop)."""
        first, last = np.searchsorted(self.frame, [start, stop], side="left")
        return int(first), int(last)

    def report(self, start: int, stop: int) -> HeldAndDropped:
        """Return which of the rows [start, stop) hold a frame, and which frames they drop."""
        frames = self.frame[start:stop]
        held = np.flatnonzero(np.diff(frames) == 0) + 1
        dropped = np.setdiff1d(np.arange(frames[0], frames[-1] + 1), frames)
        return HeldAndDropped(held.astype(np.int64), dropped.astype(np.int64))


def every_frame(source: EpisodeSource) -> TimeGrid:
    """Return the grid of re-timing: every frame is a row."""
    return TimeGrid(np.arange(len(source), dtype=np.int64), source.stamp_ns, is_resampled=False)


def nearest_frames(source: EpisodeSource, *, fps: int) -> TimeGrid:
    """Return the grid of resampling: from the first frame after every gap on, the nearest frame at each 1/fps.

    A run's grid ends with the last point that is no farther from its last frame than half a period. Of two frames
    equally near the earlier one is shown.

    Args:
        source: The frames, sorted by stamp.
        fps: Rate of the rows.
    """
    run = _run_of(source)
    frames, times = [], []
    for first, stop in _ranges(run):
        stamps = source.stamp_ns[first:stop]
        # In units of ns / fps, so that points and distances are whole numbers.
        told = (stamps - stamps[0]) * fps
        points = np.arange((int(told[-1]) + _SECOND_NS // 2) // _SECOND_NS + 1, dtype=np.int64) * _SECOND_NS
        frames.append(first + _nearest(told, points))
        times.append(stamps[0] + (points + fps // 2) // fps)
    return TimeGrid(np.concatenate(frames), np.concatenate(times), is_resampled=True)


def _run_of(source: EpisodeSource) -> Indices:
    """Return the number of the gap-free run that each frame belongs to."""
    starts = source.gap_before.copy()
    starts[:1] = False
    return np.cumsum(starts, dtype=np.int64)


def _ranges(run: Indices) -> list[tuple[int, int]]:
    edges = [0, *(np.flatnonzero(np.diff(run)) + 1).tolist(), len(run)]
    return [(first, stop) for first, stop in pairwise(edges) if stop > first]


def _nearest(told: Indices, points: Indices) -> Indices:
    after = np.clip(np.searchsorted(told, points), 0, len(told) - 1)
    before = np.maximum(after - 1, 0)
    is_before = np.abs(points - told[before]) <= np.abs(told[after] - points)
    return np.where(is_before, before, after).astype(np.int64)
