"""Which detections of different pictures show the same face: between neighbouring pictures, and over holes.

Whether two detections belong together depends only on pictures between them and at most `MOTION_NS` beyond, or `fill_s`
away where they are not joined. So a part of a stream gives the links that the whole stream gives. What follows from a
link for the pictures between belongs to `motion`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from episode_assets.anonymization.boxes import SAME_OVERLAP, overlap_ratios
from episode_assets.anonymization.motion import MOTION_NS, Places, velocity
from episode_assets.anonymization.tracks import Detections

_MAX_DISTANCE = 0.8
"""Largest shift of the centre from one frame to the next, in box sizes (geometric mean of the sides)."""
_GAP_DISTANCE = 0.5
"""Largest shift of the centre over a hole, in box sizes; between certain faces, for each frame of the hole."""
_MAX_GAP_DISTANCE = 3.0
"""Largest shift of the centre over a hole between certain faces, however long the hole."""
_MISSED_GOAL = 0.5
"""Largest distance, in box sizes, from where a face's motion leads over a hole; between certain faces twice that."""
_MAX_SIZE_RATIO = 2.0
"""Largest ratio between the sizes of two boxes of one face on either side of a hole."""


@dataclass(frozen=True)
class Links:
    """For each detection the next one and the one before of the same face, (D,) int64, -1 for none."""

    following: NDArray[np.int64]
    preceding: NDArray[np.int64]

    @classmethod
    def of(cls, following: NDArray[np.int64]) -> Links:
        """Return the links in both directions."""
        preceding = np.full(len(following), -1, np.int64)
        preceding[following[following >= 0]] = np.flatnonzero(following >= 0)
        return cls(following, preceding)

    def tracks(self) -> NDArray[np.int64]:
        """Return the number of each detection's track, by first detection."""
        # A successor always lies in a later row, so one pass in row order meets every start before what follows it.
        track = np.full(len(self.following), -1, np.int64)
        count = 0
        for row, before in enumerate(self.preceding.tolist()):
            track[row] = track[before] if before >= 0 else count
            count += before < 0
        return track

    def along(self, row: int, direction: int, stamps_ns: NDArray[np.int64], window_ns: int) -> list[int]:
        """Return the rows of the same track after (direction +1) or before (-1) a detection, the nearest first.

        Args:
            row: The detection, itself not among them.
            direction: Which way.
            stamps_ns: (D,) stamps of the detections.
            window_ns: How far from it.
        """
        chain = self.preceding if direction < 0 else self.following
        rows = []
        other = int(chain[row])
        while other >= 0 and abs(int(stamps_ns[other] - stamps_ns[row])) <= window_ns:
            rows.append(other)
            other = int(chain[other])
        return rows


def link(
    detections: Detections, stamps_ns: NDArray[np.int64], *, fill_s: float, strong_score: float
) -> Links:
    """Return which detection is the next one of the same face.

    Neighbouring frames are matched first, best pairs first. Then each detection without a successor is joined with
    the nearest one without a predecessor inside `fill_s`, if each is the nearest choice of the other. Over one frame
    any face may have moved as far as over two steps: small ones are sought in every other picture only. Over a longer
    hole a certain face may have moved half a box for each frame, a doubtful one half a box in all, and any of them as
    far as its motion before or after leads.
    """
    near = Links.of(_neighbours(detections, len(stamps_ns)))
    following = near.following.copy()
    holes = _Holes(detections, stamps_ns[detections.frame], near, strong_score)
    for first, second in holes.pairs(round(fill_s * 1e9)):
        following[first] = second
    return Links.of(following)


def _neighbours(detections: Detections, frames: int) -> NDArray[np.int64]:
    """Return for each detection that of the same face in the next frame, or -1."""
    following = np.full(len(detections), -1, np.int64)
    starts = np.searchsorted(detections.frame, np.arange(frames + 1))
    for frame in range(frames - 1):
        here = np.arange(starts[frame], starts[frame + 1])
        there = np.arange(starts[frame + 1], starts[frame + 2])
        for first, second in _best_pairs(detections, here, there):
            following[first] = second
    return following


def _best_pairs(
    detections: Detections, here: NDArray[np.int64], there: NDArray[np.int64]
) -> Iterable[tuple[int, int]]:
    if len(here) == 0 or len(there) == 0:
        return []
    overlap = overlap_ratios(detections.box[here], detections.box[there])
    distance = _distances(detections.box[here], detections.box[there])
    close = (overlap >= SAME_OVERLAP) | (distance < _MAX_DISTANCE)
    fits = close & (detections.label[here][:, None] == detections.label[there])
    # Overlap decides; distance orders the pairs that do not overlap.
    rank = np.where(fits, overlap - distance * 1e-3, -np.inf)
    pairs: list[tuple[int, int]] = []
    while np.isfinite(best := rank.max()):
        row, column = (int(i) for i in np.argwhere(rank == best)[0])
        pairs.append((int(here[row]), int(there[column])))
        rank[row, :] = -np.inf
        rank[:, column] = -np.inf
    return pairs


class _Holes:
    """Joins faces over frames in which they were not found.

    Args:
        detections: Faces of the run's frames.
        stamps_ns: (D,) their stamps.
        near: Those of neighbouring frames that are joined.
        strong_score: From which score on a face is certain.
    """

    def __init__(
        self, detections: Detections, stamps_ns: NDArray[np.int64], near: Links, strong_score: float
    ) -> None:
        self._detections = detections
        self._stamps_ns = stamps_ns
        self._near = near
        self._centre = Places.of(detections.box).centre
        self._is_certain = detections.score >= strong_score
        self._ends = np.flatnonzero(near.following < 0)
        self._beginnings = np.flatnonzero(near.preceding < 0)
        self._speed = np.full((len(detections), 2), np.nan)
        for row in self._beginnings.tolist():
            self._speed[row] = self._speed_of(row, +1)

    def pairs(self, fill_ns: int) -> Iterator[tuple[int, int]]:
        """Yield pairs of an end and a beginning, each the nearest of the other in time, then in place."""
        frame, stamps_ns = self._detections.frame, self._stamps_ns
        # Only beginnings in reach are compared: all pairs of a long recording would not fit into memory.
        lows = np.searchsorted(frame[self._beginnings], frame[self._ends] + 2, side="left")
        highs = np.searchsorted(stamps_ns[self._beginnings], stamps_ns[self._ends] + fill_ns, side="right")
        nearest: dict[int, tuple[float, int]] = {}
        choices: list[tuple[int, int]] = []
        for end, low, high in zip(self._ends.tolist(), lows.tolist(), highs.tolist(), strict=True):
            if high <= low:
                continue
            candidates = self._beginnings[low:high]
            costs = self._costs(end, candidates)
            for start, cost in zip(candidates.tolist(), costs.tolist(), strict=True):
                if cost < nearest.get(start, (np.inf, -1))[0]:
                    nearest[start] = (cost, end)
            best = int(costs.argmin())
            if np.isfinite(costs[best]):
                choices.append((end, int(candidates[best])))
        for end, start in choices:
            if nearest[start][1] == end:
                yield end, start

    def _costs(self, end: int, starts: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return how far later detections are from the end of a track; infinite where they are another face."""
        box, others = self._detections.box[[end]], self._detections.box[starts]
        frames_apart = self._detections.frame[starts] - self._detections.frame[end]
        overlap, distance = overlap_ratios(box, others)[0], _distances(box, others)[0]
        is_certain = self._is_certain[end] & self._is_certain[starts]
        reach = np.where(
            is_certain, np.minimum(_GAP_DISTANCE * frames_apart, _MAX_GAP_DISTANCE), _GAP_DISTANCE
        )
        reach = np.where(frames_apart == 2, 2 * _MAX_DISTANCE, reach)
        missed = self._missed_goals(end, starts)
        is_on_its_way = missed < np.where(is_certain, 2 * _MISSED_GOAL, _MISSED_GOAL)
        close = (overlap >= SAME_OVERLAP) | (distance < reach) | is_on_its_way
        is_alike = self._detections.label[starts] == self._detections.label[end]
        fits = close & is_alike & (_size_ratios(box, others)[0] <= _MAX_SIZE_RATIO)
        nearest = np.minimum(np.fmin(distance, missed), 100.0)
        return np.asarray(np.where(fits, frames_apart + nearest * 1e-3, np.inf))

    def _missed_goals(self, end: int, starts: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return how far faces are from where their motion leads over the hole, in box sizes; NaN if none is known."""
        seconds = ((self._stamps_ns[starts] - self._stamps_ns[end]) / 1e9)[:, None]
        way = self._centre[starts] - self._centre[end]
        onward = np.linalg.norm(way - seconds * self._speed_of(end, -1), axis=1)
        back = np.linalg.norm(way - seconds * self._speed[starts], axis=1)
        sizes = _sizes(self._detections.box[[end, *starts]])
        return np.asarray(np.fmin(onward, back) / np.maximum(sizes[0], sizes[1:]))

    def _speed_of(self, row: int, direction: int) -> NDArray[np.float64]:
        """Return the speed of a face before (direction -1) or after (+1) a detection, NaN if it was seen once."""
        rows = [row, *self._near.along(row, direction, self._stamps_ns, MOTION_NS)]
        speed = velocity(self._stamps_ns[rows], self._centre[rows])
        return np.full(2, np.nan) if speed is None else speed


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
