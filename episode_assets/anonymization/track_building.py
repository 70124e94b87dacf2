"""From faces in single pictures to boxes over time: links, holes filled, ends held, jitter smoothed.

Everything here is local: a box depends on pictures at most `FaceBlurConfig.margin_ns` away. A part of a stream with
that margin on both sides therefore gives the boxes that the whole stream gives. Times are int64 nanoseconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace

import numpy as np
from numpy.typing import NDArray

from episode_assets.anonymization.boxes import SAME_OVERLAP, overlap_ratios
from episode_assets.anonymization.linking import Links, link
from episode_assets.anonymization.motion import (
    MOTION_NS,
    Places,
    held_places,
    hull_of,
    places_between,
    smoothed,
    velocity,
)
from episode_assets.anonymization.tracks import Detections, Source, TrackBoxes

_BORDER_RATIO = 0.02
"""A box within this share of the picture's side of an edge counts as cut by it."""


def build_tracks(
    detections: Detections,
    stamps_ns: NDArray[np.int64],
    *,
    fill_s: float,
    hold_s: float,
    hold_growth: float,
    smooth_s: float,
    strong_score: float,
    size: tuple[int, int],
) -> TrackBoxes:
    """Link detections, fill the holes, hold each track at both ends, and smooth it.

    A link may be wrong: a face that is missed, and another near it. So no link takes a hold away: within holes both
    ends are held too, and where the boxes of a link do not lie in one place, both are held as ends of tracks are.

    Args:
        detections: Faces of the run's frames.
        stamps_ns: (F,) stamps of the run's frames, increasing; no gap of the stream lies inside the run.
        fill_s: Longest hole, in seconds, over which two detections are linked.
        hold_s: How long a box stays before the first and after the last detection of a track.
        hold_growth: By what ratio a held box grows with each frame, such as 0.03.
        smooth_s: How far, in seconds, other boxes of a track count for the smoothed box that is covered too.
        strong_score: Detections from this score on are certain, and may have moved farther during a hole.
        size: (width, height) of the pictures in pixels.
    """
    links = link(detections, stamps_ns, fill_s=fill_s, strong_score=strong_score)
    fill_ns, hold_ns = round(fill_s * 1e9), round(hold_s * 1e9)
    whole = _whole_at_edges(detections, links, stamps_ns, size=size, window_ns=fill_ns)
    way = _Way(whole, stamps_ns, links, fill_ns)
    rows = [way.seen()]
    rows += [way.between(first, hold_ns, hold_growth) for first in way.before_holes()]
    rows += [way.held(row, -1, hold_ns, hold_growth) for row in np.flatnonzero(links.preceding < 0).tolist()]
    rows += [way.held(row, +1, hold_ns, hold_growth) for row in np.flatnonzero(links.following < 0).tolist()]
    steady = _smoothed(_ordered(rows), stamps_ns, window_ns=round(smooth_s * 1e9))
    return _with_held(steady, way.around_doubtful_links(hold_ns, hold_growth, strong_score))


def _whole_at_edges(
    detections: Detections,
    links: Links,
    stamps_ns: NDArray[np.int64],
    *,
    size: tuple[int, int],
    window_ns: int,
) -> Detections:
    """Give boxes that an edge of the picture cuts the extent along it that their face had a moment away.

    Of a face that is leaving, a detector may fit a part of what is still in view: 26 of 61 rows of one of which a
    third was left (measured). The size of a face does not shrink with it.
    """
    centre, sides = Places.of(detections.box)
    near = np.array(size, np.float64) * _BORDER_RATIO
    is_cut = (detections.box[:, :2] <= near) | (detections.box[:, 2:4] >= np.array(size) - near)
    whole = sides.copy()
    seen_ns = stamps_ns[detections.frame]
    for row in np.flatnonzero(is_cut.any(axis=1)).tolist():
        around = [
            other for direction in (-1, +1) for other in links.along(row, direction, seen_ns, window_ns)
        ]
        # An edge at the left or right (first column) hides rows, so the height is what the face had, and vice versa.
        largest = sides[[row, *around]].max(axis=0)
        whole[row] = np.where(is_cut[row][::-1], largest, sides[row])
    unchanged = (whole == sides).all(axis=1)
    return replace(detections, box=np.where(unchanged[:, None], detections.box, Places(centre, whole).boxes))


class _Way:
    """The faces of a run where they were seen, and what follows for the pictures where they were not."""

    def __init__(
        self, detections: Detections, stamps_ns: NDArray[np.int64], links: Links, fill_ns: int
    ) -> None:
        self._detections = detections
        self._stamps_ns = stamps_ns
        self._seen_ns = stamps_ns[detections.frame]
        self._centre = Places.of(detections.box).centre
        self._links = links
        self._track = links.tracks()
        self._reach_ns = max(fill_ns, MOTION_NS)

    def seen(self) -> TrackBoxes:
        """Return the detections themselves."""
        seen = self._detections
        side = Places.of(seen.box).size.astype(np.float32)
        return TrackBoxes(
            seen.frame, seen.box, seen.box, side, seen.score, seen.source, seen.label, self._track
        )

    def before_holes(self) -> list[int]:
        """Return the detections whose next one is not in the next picture."""
        rows = np.flatnonzero(self._links.following >= 0)
        frame = self._detections.frame
        is_hole = frame[self._links.following[rows]] - frame[rows] > 1
        return [int(row) for row in rows[is_hole]]

    def around_doubtful_links(self, hold_ns: int, growth: float, strong_score: float) -> list[TrackBoxes]:
        """Hold both ends of links whose boxes do not lie in one place: they may be of two faces.

        Two certain faces in neighbouring pictures are taken for one that moves: holding each of its boxes would hide
        twice as much of every quick turn of the head.
        """
        rows = np.flatnonzero(self._links.following >= 0).tolist()
        return [
            held
            for first in rows
            if not self._is_in_place(first) and not self._is_certain_step(first, strong_score)
            for held in (
                self.held(first, +1, hold_ns, growth),
                self.held(int(self._links.following[first]), -1, hold_ns, growth),
            )
        ]

    def _is_certain_step(self, first: int, strong_score: float) -> bool:
        ends = [first, int(self._links.following[first])]
        step = np.diff(self._detections.frame[ends])[0]
        return bool(step == 1 and (self._detections.score[ends] >= strong_score).all())

    def _is_in_place(self, first: int) -> bool:
        """Say whether a detection and its next one lie in one place, so that covering either covers most of both."""
        box = self._detections.box
        second = int(self._links.following[first])
        return bool(overlap_ratios(box[[first]], box[[second]])[0, 0] >= SAME_OVERLAP)

    def between(self, first: int, hold_ns: int, growth: float) -> TrackBoxes:
        """Fill the hole after a detection; where its ends lie in one place, around what holding both would cover."""
        second = int(self._links.following[first])
        begin, end = self._detections.frame[[first, second]].tolist()
        frames = np.arange(begin + 1, end, dtype=np.int64)
        length_ns = float(self._stamps_ns[end] - self._stamps_ns[begin])
        places, hull = places_between(
            Places.of(self._detections.box[[first, second]]),
            (self._velocity(first, -1), self._velocity(second, +1)),
            (self._stamps_ns[frames] - self._stamps_ns[begin]) / length_ns,
            length_ns / 1e9,
        )
        filled = self._derived(frames, places, hull, Source.INTERPOLATED, first)
        if self._is_in_place(first):
            for held in (self.held(first, +1, hold_ns, growth), self.held(second, -1, hold_ns, growth)):
                filled = _widened(filled, held)
        return filled

    def held(self, row: int, direction: int, hold_ns: int, growth: float) -> TrackBoxes:
        """Keep a face for `hold_ns` before (direction -1) or after (+1) a detection, growing with each frame."""
        frame = int(self._detections.frame[row])
        last_ns = self._stamps_ns[frame] + direction * hold_ns
        if direction < 0:
            limit = int(np.searchsorted(self._stamps_ns, last_ns, side="left"))
            frames = np.arange(limit, frame, dtype=np.int64)
        else:
            limit = int(np.searchsorted(self._stamps_ns, last_ns, side="right"))
            frames = np.arange(frame + 1, limit, dtype=np.int64)
        places, hull = held_places(
            Places.of(self._detections.box[[row]]),
            self._velocity(row, -direction),
            (self._stamps_ns[frames] - self._stamps_ns[frame]) / 1e9,
            (1.0 + growth) ** np.abs(frames - frame),
        )
        return self._derived(frames, places, hull, Source.HELD, row)

    def _velocity(self, row: int, direction: int) -> NDArray[np.float64] | None:
        """Return the speed of a face before (direction -1) or after (+1) a detection, that one included."""
        rows = [row, *self._links.along(row, direction, self._seen_ns, MOTION_NS)]
        if len(rows) == 1:
            rows += self._links.along(row, direction, self._seen_ns, self._reach_ns)[:1]
        return velocity(self._seen_ns[rows], self._centre[rows])

    def _derived(
        self,
        frames: NDArray[np.int64],
        places: Places,
        hull: NDArray[np.float32],
        source: Source,
        row: int,
    ) -> TrackBoxes:
        return TrackBoxes(
            frame=frames,
            box=places.boxes,
            hull=hull,
            side=places.size.astype(np.float32),
            score=np.full(len(frames), np.nan, np.float32),
            source=np.full(len(frames), source, np.uint8),
            label=np.full(len(frames), self._detections.label[row], np.uint8),
            track=np.full(len(frames), self._track[row], np.int64),
        )


def _with_held(boxes: TrackBoxes, parts: Sequence[TrackBoxes]) -> TrackBoxes:
    """Cover held boxes too: in one hull with the box of their track where they meet it, else beside it.

    Rectangles that overlap are mixed, which leaves slopes; and a hull of boxes that do not meet would be too large.
    """
    keys = zip(boxes.frame.tolist(), boxes.track.tolist(), strict=True)
    row_of = {key: row for row, key in enumerate(keys)}
    hull, side = boxes.hull.copy(), boxes.side.copy()
    beside: list[TrackBoxes] = []
    for held in parts:
        held_keys = zip(held.frame.tolist(), held.track.tolist(), strict=True)
        rows = np.array([row_of.get(key, -1) for key in held_keys], np.int64)
        meets = (rows >= 0) & _meet(boxes.hull[rows], held.hull)
        mine = rows[meets]
        hull[mine] = hull_of(hull[mine], held.hull[meets])
        side[mine] = np.maximum(side[mine], held.side[meets])
        beside.append(
            TrackBoxes(**{item.name: getattr(held, item.name)[~meets] for item in fields(TrackBoxes)})
        )
    return _ordered([replace(boxes, hull=hull, side=side), *beside])


def _meet(left: NDArray[np.float32], right: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return which boxes of two columns share a pixel, (N,)."""
    low, high = np.maximum(left[:, :2], right[:, :2]), np.minimum(left[:, 2:], right[:, 2:])
    return np.asarray((low < high).all(axis=1))


def _widened(boxes: TrackBoxes, others: TrackBoxes) -> TrackBoxes:
    """Draw hulls around those of others in the same pictures; each picture is once in either."""
    _, mine, theirs = np.intersect1d(boxes.frame, others.frame, assume_unique=True, return_indices=True)
    hull, side = boxes.hull.copy(), boxes.side.copy()
    hull[mine] = hull_of(hull[mine], others.hull[theirs])
    side[mine] = np.maximum(side[mine], others.side[theirs])
    return replace(boxes, hull=hull, side=side)


def _smoothed(boxes: TrackBoxes, stamps_ns: NDArray[np.int64], *, window_ns: int) -> TrackBoxes:
    """Cover the smoothed box of each track too; what is covered can only become larger."""
    order = np.lexsort((boxes.frame, boxes.track))
    steady = smoothed(
        Places.of(boxes.box[order]), boxes.track[order], stamps_ns[boxes.frame[order]], window_ns=window_ns
    )
    hull, side = np.empty_like(boxes.hull), np.empty_like(boxes.side)
    hull[order] = hull_of(boxes.hull[order], steady.boxes)
    side[order] = np.maximum(boxes.side[order], steady.size)
    return replace(boxes, hull=hull, side=side)


def _ordered(parts: Sequence[TrackBoxes]) -> TrackBoxes:
    columns = {
        item.name: np.concatenate([getattr(part, item.name) for part in parts]) for item in fields(TrackBoxes)
    }
    order = np.lexsort((columns["source"], columns["track"], columns["frame"]))
    return TrackBoxes(**{name: column[order] for name, column in columns.items()})
