"""From faces in single pictures to boxes over time: linking detections, filling holes, holding at the ends.

Everything here is local: whether two detections belong together depends only on frames at most `fill_s` plus one
frame away, and every box on frames at most `fill_s` farther. A part of a stream with the margin on both sides
therefore gives the boxes that the whole stream gives. Times are int64 nanoseconds. Pixels belong to `blur`, and how far
a box is widened to `redaction`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from episode_assets.anonymization.boxes import SAME_OVERLAP, Boxes, overlap_ratios

_MAX_DISTANCE = 0.8
"""Largest shift of the centre from one frame to the next, in box sizes (geometric mean of the sides)."""
_GAP_DISTANCE = 0.5
"""Largest shift of the centre over a hole, in box sizes; between certain faces, for each frame of the hole."""
_MAX_GAP_DISTANCE = 3.0
"""Largest shift of the centre over a hole between certain faces, however long the hole."""
_MAX_SIZE_RATIO = 2.0
"""Largest ratio between the sizes of two boxes of one face on either side of a hole."""
_BORDER_RATIO = 0.02
"""A box within this share of the picture's side of an edge counts as cut by it."""


class Source(IntEnum):
    """Where a box comes from; the names are those of `faces.parquet`, in lower case."""

    DETECTED = 0
    AUDIT = 1
    INTERPOLATED = 2
    HELD = 3
    REDACTION = 4


@dataclass(frozen=True)
class Detections:
    """Faces found in the frames of a run, as flat columns ordered by frame.

    Attributes:
        frame: (D,) int64 position of the frame in the run.
        box: (D, 4) float32 x0, y0, x1, y1 in source pixels.
        score: (D,) float32.
        source: (D,) uint8, a `Source`.
    """

    frame: NDArray[np.int64]
    box: NDArray[np.float32]
    score: NDArray[np.float32]
    source: NDArray[np.uint8]

    @classmethod
    def of(cls, boxes: Sequence[Boxes], *, source: Source = Source.DETECTED) -> Detections:
        """Return the columns for one array of boxes for each frame of the run."""
        counts = [len(entry) for entry in boxes]
        stacked = np.concatenate([np.zeros((0, 5), np.float32), *boxes]).astype(np.float32)
        return cls(
            frame=np.repeat(np.arange(len(boxes), dtype=np.int64), counts),
            box=stacked[:, :4],
            score=stacked[:, 4],
            source=np.full(len(stacked), source, np.uint8),
        )

    def __len__(self) -> int:
        return len(self.frame)

    def joined_with(self, other: Detections) -> Detections:
        """Return both, ordered by frame; within a frame those of `self` come first."""
        frame = np.concatenate([self.frame, other.frame])
        order = np.argsort(frame, kind="stable")
        return Detections(
            frame=frame[order],
            box=np.concatenate([self.box, other.box])[order],
            score=np.concatenate([self.score, other.score])[order],
            source=np.concatenate([self.source, other.source])[order],
        )


@dataclass(frozen=True)
class TrackBoxes:
    """Every box of every frame, found or derived, as flat columns ordered by frame, then track.

    Attributes:
        frame: (B,) int64 position of the frame in the run.
        box: (B, 4) float32 in source pixels; may reach beyond the picture.
        score: (B,) float32; NaN where nothing was detected.
        source: (B,) uint8, a `Source`.
        track: (B,) int64; numbered by first detection.
    """

    frame: NDArray[np.int64]
    box: NDArray[np.float32]
    score: NDArray[np.float32]
    source: NDArray[np.uint8]
    track: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.frame)


def build_tracks(
    detections: Detections,
    stamps_ns: NDArray[np.int64],
    *,
    fill_s: float,
    hold_s: float,
    hold_growth: float,
    strong_score: float,
    size: tuple[int, int],
) -> TrackBoxes:
    """Link detections, fill the holes, and hold each track at both ends.

    Args:
        detections: Faces of the run's frames.
        stamps_ns: (F,) stamps of the run's frames, increasing; no gap of the stream lies inside the run.
        fill_s: Longest hole, in seconds, over which two detections are linked.
        hold_s: How long a box stays before the first and after the last detection of a track.
        hold_growth: By what ratio a held box grows with each frame, such as 0.03.
        strong_score: Detections from this score on are certain, and may have moved farther during a hole.
        size: (width, height) of the pictures in pixels.
    """
    following = link(detections, stamps_ns, fill_s=fill_s, strong_score=strong_score)
    detections = _whole_at_edges(detections, following, stamps_ns, size=size, window_ns=round(fill_s * 1e9))
    track = _track_numbers(following)
    rows = [_detected_rows(detections, track)]
    rows += [
        _between(detections, stamps_ns, first, int(second), int(track[first]))
        for first, second in enumerate(following)
        if second >= 0 and detections.frame[second] - detections.frame[first] > 1
    ]
    hold_ns = round(hold_s * 1e9)
    has_previous = np.zeros(len(detections), np.bool_)
    has_previous[following[following >= 0]] = True
    for row in range(len(detections)):
        if not has_previous[row]:
            rows.append(_held(detections, stamps_ns, row, int(track[row]), -1, hold_ns, hold_growth))
        if following[row] < 0:
            rows.append(_held(detections, stamps_ns, row, int(track[row]), +1, hold_ns, hold_growth))
    return _ordered(rows)


def link(
    detections: Detections, stamps_ns: NDArray[np.int64], *, fill_s: float, strong_score: float
) -> NDArray[np.int64]:
    """Return for each detection the next one of the same face, or -1.

    Neighbouring frames are matched first, best pairs first. Then each detection without a successor is joined with
    the nearest one without a predecessor inside `fill_s`, if each is the nearest choice of the other. Over a hole a
    certain face may have moved half a box for each frame, a doubtful one half a box in all.
    """
    following = np.full(len(detections), -1, np.int64)
    starts = np.searchsorted(detections.frame, np.arange(len(stamps_ns) + 1))
    for frame in range(len(stamps_ns) - 1):
        here = np.arange(starts[frame], starts[frame + 1])
        there = np.arange(starts[frame + 1], starts[frame + 2])
        for first, second in _best_pairs(detections, here, there):
            following[first] = second
    has_previous = np.zeros(len(detections), np.bool_)
    has_previous[following[following >= 0]] = True
    ends = np.flatnonzero(following < 0)
    beginnings = np.flatnonzero(~has_previous)
    for first, second in _pairs_over_holes(
        detections, stamps_ns, ends, beginnings, round(fill_s * 1e9), strong_score
    ):
        following[first] = second
    return following


def _whole_at_edges(
    detections: Detections,
    following: NDArray[np.int64],
    stamps_ns: NDArray[np.int64],
    *,
    size: tuple[int, int],
    window_ns: int,
) -> Detections:
    """Give boxes that an edge of the picture cuts the extent along it that their face had a moment away.

    Of a face that is leaving, a detector may fit a part of what is still in view: 26 of 61 rows of one of which a
    third was left (measured). The size of a face does not shrink with it.
    """
    preceding = np.full(len(following), -1, np.int64)
    preceding[following[following >= 0]] = np.flatnonzero(following >= 0)
    centre, sides = _centre_and_size(detections.box)
    near = np.array(size, np.float64) * _BORDER_RATIO
    is_cut = (detections.box[:, :2] <= near) | (detections.box[:, 2:4] >= np.array(size) - near)
    whole = sides.copy()
    for row in np.flatnonzero(is_cut.any(axis=1)).tolist():
        rows = _shortly_before_and_after(row, detections.frame, (preceding, following), stamps_ns, window_ns)
        # An edge at the left or right (first column) hides rows, so the height is what the face had, and vice versa.
        largest = sides[rows].max(axis=0)
        whole[row] = np.where(is_cut[row][::-1], largest, sides[row])
    box = np.concatenate([centre - whole / 2, centre + whole / 2], axis=1).astype(np.float32)
    unchanged = (whole == sides).all(axis=1)
    return replace(detections, box=np.where(unchanged[:, None], detections.box, box))


def _shortly_before_and_after(
    row: int,
    frame: NDArray[np.int64],
    chains: tuple[NDArray[np.int64], ...],
    stamps_ns: NDArray[np.int64],
    window_ns: int,
) -> list[int]:
    """Return the rows of the same track within a time of a detection, itself included."""
    rows = [row]
    for chain in chains:
        other = int(chain[row])
        while other >= 0 and abs(int(stamps_ns[frame[other]] - stamps_ns[frame[row]])) <= window_ns:
            rows.append(other)
            other = int(chain[other])
    return rows


def _best_pairs(
    detections: Detections, here: NDArray[np.int64], there: NDArray[np.int64]
) -> Iterable[tuple[int, int]]:
    if len(here) == 0 or len(there) == 0:
        return []
    overlap = overlap_ratios(detections.box[here], detections.box[there])
    distance = _distances(detections.box[here], detections.box[there])
    fits = (overlap >= SAME_OVERLAP) | (distance < _MAX_DISTANCE)
    # Overlap decides; distance orders the pairs that do not overlap.
    rank = np.where(fits, overlap - distance * 1e-3, -np.inf)
    pairs: list[tuple[int, int]] = []
    while np.isfinite(best := rank.max()):
        row, column = (int(i) for i in np.argwhere(rank == best)[0])
        pairs.append((int(here[row]), int(there[column])))
        rank[row, :] = -np.inf
        rank[:, column] = -np.inf
    return pairs


def _pairs_over_holes(
    detections: Detections,
    stamps_ns: NDArray[np.int64],
    ends: NDArray[np.int64],
    beginnings: NDArray[np.int64],
    fill_ns: int,
    strong_score: float,
) -> Iterator[tuple[int, int]]:
    """Yield pairs of an end and a beginning, each the nearest of the other in time, then in place."""
    start_frames = detections.frame[beginnings]
    end_frames = detections.frame[ends]
    # Only beginnings in reach are compared: all pairs of a long recording would not fit into memory.
    lows = np.searchsorted(start_frames, end_frames + 2, side="left")
    highs = np.searchsorted(stamps_ns[start_frames], stamps_ns[end_frames] + fill_ns, side="right")
    nearest: dict[int, tuple[float, int]] = {}
    choices: list[tuple[int, int]] = []
    for end, low, high in zip(ends.tolist(), lows.tolist(), highs.tolist(), strict=True):
        if high <= low:
            continue
        candidates = beginnings[low:high]
        costs = _costs_over_hole(detections, end, candidates, strong_score)
        for start, cost in zip(candidates.tolist(), costs.tolist(), strict=True):
            if cost < nearest.get(start, (np.inf, -1))[0]:
                nearest[start] = (cost, end)
        best = int(costs.argmin())
        if np.isfinite(costs[best]):
            choices.append((end, int(candidates[best])))
    for end, start in choices:
        if nearest[start][1] == end:
            yield end, start


def _costs_over_hole(
    detections: Detections, end: int, starts: NDArray[np.int64], strong_score: float
) -> NDArray[np.float64]:
    """Return how far each later detection is from the end of a track; infinite where it is another face."""
    box, others = detections.box[[end]], detections.box[starts]
    frames_apart = detections.frame[starts] - detections.frame[end]
    overlap, distance = overlap_ratios(box, others)[0], _distances(box, others)[0]
    is_certain = (detections.score[end] >= strong_score) & (detections.score[starts] >= strong_score)
    reach = np.where(is_certain, np.minimum(_GAP_DISTANCE * frames_apart, _MAX_GAP_DISTANCE), _GAP_DISTANCE)
    close = (overlap >= SAME_OVERLAP) | (distance < reach)
    fits = close & (_size_ratios(box, others)[0] <= _MAX_SIZE_RATIO)
    return np.asarray(np.where(fits, frames_apart + np.minimum(distance, 100.0) * 1e-3, np.inf))


def _sizes(boxes: NDArray[np.float32]) -> NDArray[np.float64]:
    sides = np.maximum(boxes[:, 2:4].astype(np.float64) - boxes[:, :2], 1e-3)
    return np.asarray(np.sqrt(np.prod(sides, axis=1)))


def _size_ratios(left: NDArray[np.float32], right: NDArray[np.float32]) -> NDArray[np.float64]:
    ratio = _sizes(left)[:, None] / _sizes(right)[None, :]
    return np.asarray(np.maximum(ratio, 1.0 / ratio))


def _distances(left: NDArray[np.float32], right: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the distances of the centres in units of the larger box of each pair."""
    a = (left[:, :2].astype(np.float64) + left[:, 2:4]) / 2
    b = (right[:, :2].astype(np.float64) + right[:, 2:4]) / 2
    apart = np.linalg.norm(a[:, None] - b[None, :], axis=-1)
    return np.asarray(apart / np.maximum(_sizes(left)[:, None], _sizes(right)[None, :]))


def _track_numbers(following: NDArray[np.int64]) -> NDArray[np.int64]:
    # A successor always lies in a later row, so one pass in row order meets every start before what follows it.
    track = np.full(len(following), -1, np.int64)
    count = 0
    for row, after in enumerate(following):
        if track[row] < 0:
            track[row] = count
            count += 1
        if after >= 0:
            track[after] = track[row]
    return track


def _detected_rows(detections: Detections, track: NDArray[np.int64]) -> TrackBoxes:
    return TrackBoxes(
        frame=detections.frame,
        box=detections.box,
        score=detections.score,
        source=detections.source,
        track=track,
    )


def _derived(
    frames: NDArray[np.int64],
    centre: NDArray[np.float64],
    size: NDArray[np.float64],
    source: Source,
    track: int,
) -> TrackBoxes:
    return TrackBoxes(
        frame=frames,
        box=np.concatenate([centre - size / 2, centre + size / 2], axis=1).astype(np.float32),
        score=np.full(len(frames), np.nan, np.float32),
        source=np.full(len(frames), source, np.uint8),
        track=np.full(len(frames), track, np.int64),
    )


def _between(
    detections: Detections, stamps_ns: NDArray[np.int64], first: int, second: int, track: int
) -> TrackBoxes:
    """Interpolate centre and logarithm of size over the frames between two detections."""
    begin, end = int(detections.frame[first]), int(detections.frame[second])
    frames = np.arange(begin + 1, end, dtype=np.int64)
    share = (stamps_ns[frames] - stamps_ns[begin]) / float(stamps_ns[end] - stamps_ns[begin])
    centre, size = _centre_and_size(detections.box[[first, second]])
    log_size = np.log(size)
    return _derived(
        frames,
        centre[0] + share[:, None] * (centre[1] - centre[0]),
        np.exp(log_size[0] + share[:, None] * (log_size[1] - log_size[0])),
        Source.INTERPOLATED,
        track,
    )


def _held(
    detections: Detections,
    stamps_ns: NDArray[np.int64],
    row: int,
    track: int,
    direction: int,
    hold_ns: int,
    growth: float,
) -> TrackBoxes:
    """Keep a box for `hold_ns` before (direction -1) or after (+1) its detection, growing with each frame."""
    frame = int(detections.frame[row])
    if direction < 0:
        limit = int(np.searchsorted(stamps_ns, stamps_ns[frame] - hold_ns, side="left"))
        frames = np.arange(limit, frame, dtype=np.int64)
    else:
        limit = int(np.searchsorted(stamps_ns, stamps_ns[frame] + hold_ns, side="right"))
        frames = np.arange(frame + 1, limit, dtype=np.int64)
    centre, size = _centre_and_size(detections.box[[row]])
    steps = np.abs(frames - frame)[:, None]
    return _derived(
        frames, np.repeat(centre, len(frames), axis=0), size * (1.0 + growth) ** steps, Source.HELD, track
    )


def _centre_and_size(boxes: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    corners = boxes.astype(np.float64)
    return (corners[:, :2] + corners[:, 2:]) / 2, np.maximum(corners[:, 2:] - corners[:, :2], 1e-3)


def _ordered(parts: Sequence[TrackBoxes]) -> TrackBoxes:
    frame = np.concatenate([part.frame for part in parts])
    track = np.concatenate([part.track for part in parts])
    source = np.concatenate([part.source for part in parts])
    order = np.lexsort((source, track, frame))
    return TrackBoxes(
        frame=frame[order],
        box=np.concatenate([part.box for part in parts])[order],
        score=np.concatenate([part.score for part in parts])[order],
        source=source[order],
        track=track[order],
    )
