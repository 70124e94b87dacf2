"""Which detections of different pictures show the same face: between neighbouring pictures, and over holes.

Whether two detections belong together depends only on pictures at most `fill_s` away from either, so a part of a stream
gives the links that the whole stream gives. What follows from a link for the pictures between belongs to `motion`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from episode_assets.anonymization.boxes import SAME_OVERLAP, overlap_ratios
from episode_assets.anonymization.tracks import Detections

_MAX_DISTANCE = 0.8
"""Largest shift of the centre from one frame to the next, in box sizes (geometric mean of the sides)."""
_GAP_DISTANCE = 0.5
"""Largest shift of the centre over a hole, in box sizes; between certain faces, for each frame of the hole."""
_MAX_GAP_DISTANCE = 3.0
"""Largest shift of the centre over a hole between certain faces, however long the hole."""
_MAX_SIZE_RATIO = 2.0
"""Largest ratio between the sizes of two boxes of one face on either side of a hole."""


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
