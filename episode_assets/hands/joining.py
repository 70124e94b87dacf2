"""Making one track of one hand: over the cuts between chunks, and over short holes.

Works on where the hands were; whose hands they are is decided later, on whole tracks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from episode_assets.hands.sightings import Sightings, join_sightings

_SAME_OVER_A_CUT = 0.3
_SAME_OVER_A_HOLE = 0.6
_MOST_SIZE_RATIO = 1.6
_MOST_SIDE_DIFFERENCE = 0.5


@dataclass(frozen=True)
class Piece:
    """The sightings of one chunk, including those in its margins, and the frames it is responsible for.

    Attributes:
        sightings: Rows; track numbers count within the chunk.
        start: First position the chunk writes.
        stop: One past the last.
    """

    sightings: Sightings
    start: int
    stop: int


def stitch(pieces: Iterable[Piece]) -> Sightings:
    """Give tracks that go on over a cut one number, and keep each frame from the chunk that is responsible for it.

    Pieces come in order; two neighbours are compared in the frames that both have looked at. Track numbers count
    through the whole recording. One piece beyond the current one is held at a time, apart from the kept rows.
    """
    kept: list[Sightings] = []
    before: Sightings | None = None
    count = 0
    for piece in pieces:
        rows = piece.sightings
        numbers: dict[int, int] = {} if before is None else _continued(before, rows)
        for track in np.unique(rows.track):
            if int(track) not in numbers:
                numbers[int(track)] = count
                count += 1
        rows = rows.renumbered(np.array([numbers[int(track)] for track in rows.track], np.int64))
        kept.append(rows.take((rows.position >= piece.start) & (rows.position < piece.stop)))
        before = rows
    return join_sightings(kept).sorted()


def _continued(before: Sightings, rows: Sightings) -> dict[int, int]:
    """Return which tracks of `rows` are tracks of `before`, one to one, closest first."""
    pairs: list[tuple[float, int, int]] = []
    for old in np.unique(before.track):
        first = before.take(before.track == old)
        for new in np.unique(rows.track):
            distance = _distance_together(first, rows.take(rows.track == new))
            if distance < _SAME_OVER_A_CUT:
                pairs.append((distance, int(old), int(new)))
    return {new: old for old, new in _one_to_one(pairs)}


def _distance_together(first: Sightings, second: Sightings) -> float:
    """Return the mean joint distance in frames that both tracks have, relative to their size; inf if none."""
    _, in_first, in_second = np.intersect1d(first.position, second.position, return_indices=True)
    if not len(in_first):
        return float("inf")
    apart = np.linalg.norm(first.joints_px[in_first] - second.joints_px[in_second], axis=2).mean(axis=1)
    size = np.minimum(first.region[in_first, 2], second.region[in_second, 2])
    return float(np.median(apart / size))


def bridge(sightings: Sightings, *, run: NDArray[np.int64], max_hole_frames: int) -> Sightings:
    """Join a track that ended with one that began shortly after, near by, of like size and side.

    Args:
        sightings: Rows ordered by track and frame.
        run: (F,) int64 number of the gapless run that each position of the stream belongs to.
        max_hole_frames: Longest hole that is bridged, in frames.

    Returns:
        The same rows, with joined tracks under the number of the earliest one, ordered by track and frame.
    """
    tracks = list(_tracks(sightings))
    starts = np.array([track.position[0] for track in tracks], np.int64)
    pairs: list[tuple[float, int, int]] = []
    for index, track in enumerate(tracks):
        end = int(track.position[-1])
        near = np.flatnonzero((starts > end) & (starts <= end + max_hole_frames + 1))
        for other in near:
            distance = _distance_over_hole(track, tracks[other])
            if run[end] == run[starts[other]] and distance < _SAME_OVER_A_HOLE:
                pairs.append((distance, index, int(other)))
    follows = {later: earlier for earlier, later in _one_to_one(pairs)}
    root: list[int] = list(range(len(tracks)))
    for later in np.argsort(starts, kind="stable"):
        root[later] = root[follows[int(later)]] if int(later) in follows else int(later)
    numbers = [np.full(len(track), tracks[root[index]].track[0]) for index, track in enumerate(tracks)]
    return sightings.renumbered(np.concatenate([np.zeros(0, np.int64), *numbers])).sorted()


def without_short(sightings: Sightings, *, min_frames: int) -> Sightings:
    """Drop tracks that were seen in fewer than `min_frames` frames."""
    tracks, counts = np.unique(sightings.track, return_counts=True)
    return sightings.take(np.isin(sightings.track, tracks[counts >= min_frames]))


def without_weak_ends(sightings: Sightings, *, sure: float, passable: float) -> Sightings:
    """Drop rows at both ends of tracks from where a hand is in doubt.

    Between its first and last sure row a track is borne by both. Beyond them it goes on as long as every row is
    passable; after one that is not, the region has often slid off the hand and finds something like one.

    Args:
        sightings: Rows ordered by track and frame.
        sure: Presence of a sure row; where a track has none, its passable rows count as sure.
        passable: Presence of a passable row.
    """
    kept = [_borne(track.presence, sure=sure, passable=passable) for track in _tracks(sightings)]
    return sightings.take(np.concatenate([np.zeros(0, bool), *kept]))


def _borne(presence: NDArray[np.float32], *, sure: float, passable: float) -> NDArray[np.bool_]:
    passes = presence >= passable
    firm = np.flatnonzero(presence >= sure) if (presence >= sure).any() else np.flatnonzero(passes)
    kept = np.zeros(len(presence), bool)
    if len(firm):
        first, last = firm[0], firm[-1] + 1
        kept[first:last] = True
        kept[last:] = np.logical_and.accumulate(passes[last:])
        kept[:first] = np.logical_and.accumulate(passes[:first][::-1])[::-1]
    return kept


def _tracks(sightings: Sightings) -> Iterator[Sightings]:
    edges = np.flatnonzero(np.diff(sightings.track)) + 1
    for rows in np.split(np.arange(len(sightings)), edges):
        if len(rows):
            yield sightings.take(rows)


def _distance_over_hole(first: Sightings, second: Sightings) -> float:
    """Return how far the hand would have moved, in region sides; inf for another size or side of the body."""
    old, new = first.take(np.array([-1])), second.take(np.array([0]))
    ratio = float(old.region[0, 2] / new.region[0, 2])
    if not 1 / _MOST_SIZE_RATIO < ratio < _MOST_SIZE_RATIO:
        return float("inf")
    if abs(float(first.right.mean()) - float(second.right.mean())) > _MOST_SIDE_DIFFERENCE:
        return float("inf")
    apart = np.linalg.norm(old.joints_px[0].mean(axis=0) - new.joints_px[0].mean(axis=0))
    return float(apart / max(old.region[0, 2], new.region[0, 2]))


def _one_to_one(pairs: list[tuple[float, int, int]]) -> list[tuple[int, int]]:
    """Choose pairs (distance, left, right) closest first so that no left and no right appears twice."""
    chosen: list[tuple[int, int]] = []
    left, right = set[int](), set[int]()
    for _, a, b in sorted(pairs):
        if a not in left and b not in right:
            chosen.append((a, b))
            left.add(a)
            right.add(b)
    return chosen
