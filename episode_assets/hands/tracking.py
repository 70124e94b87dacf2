"""Following hands through the frames of one chunk, forward from where they are found and backward to where they began.

Key frames search the whole picture; between them every known hand is read again in the region that its last joints
ask for. A new hand is followed back through the most recent pictures, which are the only ones kept, so memory does
not grow with the chunk. Joining pieces of tracks and judging whose hands they are happens afterwards.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from episode_assets.hands.backends import Backend
from episode_assets.hands.config import HandPoseConfig
from episode_assets.hands.landmarks import Readings
from episode_assets.hands.palms import first_of_each
from episode_assets.hands.regions import STEADY_JOINTS, Regions, overlap, wrap_angle
from episode_assets.hands.sightings import Sightings, no_sightings

_SAME_REGION_OVERLAP = 0.5
_SAME_HAND_DISTANCE = 0.15
_MOST_KEPT_PICTURES = 48
_REGION_SIZE_REFERENCE_PX = 1280
_JOINT_SPAN_OF_REGION = (0.2, 1.3)
_WEARERS_HANDS = 2
_SECOND_NS = 1_000_000_000

_MOST_PATIENCE = 4
_SETTLED_OVERLAP = 0.9
_SETTLED_TURN_RAD = 0.1

_LARGER_THAN_PARTS = 2.5
"""How many times longer the region of a hand is than what passes for another hand within it: knuckles and folds."""

_WIDER_LOOK = 1.2
"""How much larger the region of a second look is. A hand stays one with more around it, a fold of cloth often not."""


@dataclass
class _Track:
    number: int
    rows: dict[int, Readings] = field(default_factory=dict)


@dataclass(frozen=True)
class _Kept:
    position: int
    stamp_ns: int
    rgb: NDArray[np.uint8]


class Tracker:
    """Follows the hands of one run of frames; feed every decodable picture once, in order."""

    def __init__(self, backend: Backend, config: HandPoseConfig) -> None:
        self._backend = backend
        self._config = config
        self._recent: deque[_Kept] = deque()
        self._spare: list[NDArray[np.uint8]] = []
        self._tracks: list[_Track] = []
        self._alive: list[_Track] = []
        self._last: Readings | None = None
        self._last_key_ns: int | None = None
        self._last_wide_ns: int | None = None
        self._wide_patience = 1
        self._size: tuple[int, ...] | None = None
        self.key_positions: list[int] = []

    def feed(self, position: int, stamp_ns: int, rgb: NDArray[np.uint8]) -> None:
        """Read the hands of the next picture, (H, W, 3) RGB, at this position of the stream."""
        if rgb.shape != self._size:
            self._forget()
            self._size = rgb.shape
        lost = self._follow(position, rgb)
        if len(self._alive) < self._config.max_hands and self._is_key(stamp_ns, lost=lost):
            self._last_key_ns = stamp_ns
            self.key_positions.append(position)
            is_wide = self._is_wide(stamp_ns)
            finds = self._search(position, rgb, is_wide=is_wide)
            if is_wide:
                # Where nobody else is, tiles are looked at ever less often.
                self._wide_patience = 1 if finds else min(2 * self._wide_patience, _MOST_PATIENCE)
        self._keep(position, stamp_ns, rgb)

    def sightings(self) -> Sightings:
        """Return all rows so far, ordered by track and frame, in pixels of the pictures that were fed."""
        rows = [
            (track.number, position, reading)
            for track in self._tracks
            for position, reading in sorted(track.rows.items())
        ]
        if not rows:
            return no_sightings()
        readings = [reading for _, _, reading in rows]
        return Sightings(
            np.array([number for number, _, _ in rows], np.int64),
            np.array([position for _, position, _ in rows], np.int64),
            np.concatenate([r.regions for r in readings]).astype(np.float32),
            np.concatenate([r.joints_px[..., :2] for r in readings]).astype(np.float32),
            np.concatenate([r.shape_m for r in readings]).astype(np.float32),
            np.concatenate([r.presence for r in readings]).astype(np.float32),
            np.concatenate([r.right for r in readings]).astype(np.float32),
            np.full((len(rows), 21), np.nan, np.float32),
            np.zeros((len(rows), 0), np.float32),
        )

    def forget_before(self, position: int) -> None:
        """Let go of rows before a position, for those who read them as they go."""
        for track in self._tracks:
            track.rows = {at: row for at, row in track.rows.items() if at >= position}
        self._tracks = [track for track in self._tracks if track.rows]
        for number, track in enumerate(self._tracks):
            track.number = number
        self.key_positions = [at for at in self.key_positions if at >= position]

    def _forget(self) -> None:
        self._recent.clear()
        self._spare.clear()
        self._alive, self._last, self._last_key_ns, self._last_wide_ns = [], None, None, None
        self._wide_patience = 1

    def _keep(self, position: int, stamp_ns: int, rgb: NDArray[np.uint8]) -> None:
        # Pictures live in buffers that are used again. Kept as they come, they leave holes in the heap between the
        # small rows that stay, and the process grows by 80 MB in ten seconds of 1280x720.
        buffer = self._spare.pop() if self._spare else np.empty_like(rgb)
        np.copyto(buffer, rgb)
        self._recent.append(_Kept(position, stamp_ns, buffer))
        oldest_ns = stamp_ns - round(self._config.backward_s * _SECOND_NS)
        while self._recent[0].stamp_ns < oldest_ns or len(self._recent) > _MOST_KEPT_PICTURES:
            self._spare.append(self._recent.popleft().rgb)

    def _is_key(self, stamp_ns: int, *, lost: bool) -> bool:
        if self._last_key_ns is None:
            return True
        since_ns = stamp_ns - self._last_key_ns
        if lost:
            # Not in every frame: a flickering false hand would otherwise ask for a search each time.
            return since_ns >= round(self._config.key_interval_s * _SECOND_NS / 2)
        is_busy = len(self._alive) >= _WEARERS_HANDS
        interval_s = self._config.key_interval_busy_s if is_busy else self._config.key_interval_s
        return since_ns >= round(interval_s * _SECOND_NS)

    def _is_wide(self, stamp_ns: int) -> bool:
        """Say whether this key frame is searched for small hands too."""
        interval_ns = round(self._config.wide_interval_s * _SECOND_NS) * self._wide_patience
        waits = self._last_wide_ns is not None and stamp_ns - self._last_wide_ns < interval_ns
        if not interval_ns or waits:
            return False
        self._last_wide_ns = stamp_ns
        return True

    def _follow(self, position: int, rgb: NDArray[np.uint8]) -> bool:
        """Read every live hand again; return whether one was lost."""
        if self._last is None or not self._alive:
            return False
        readings = self._backend.estimator.estimate(rgb, self._backend.estimator.next_regions(self._last))
        good = self._plausible(readings, rgb.shape) & (readings.presence >= self._config.continue_presence)
        for later in range(1, len(readings)):
            # Two regions that slid onto one hand: the older track keeps it.
            earlier = readings.take(np.flatnonzero(good[:later]))
            good[later] &= not _same_hand(readings.take(np.array([later])), earlier).any()
        self._alive = [track for track, is_good in zip(self._alive, good, strict=True) if is_good]
        self._set_last(readings.take(good))
        for index, track in enumerate(self._alive):
            assert self._last is not None
            track.rows[position] = self._last.take(np.array([index]))
        return not bool(good.all())

    def _search(self, position: int, rgb: NDArray[np.uint8], *, is_wide: bool) -> int:
        """Begin to follow the new hands of a picture, as many as there is room for; return how many."""
        room = self._config.max_hands - len(self._alive)
        found = self._verified(rgb, self._proposals(rgb, is_wide=is_wide))
        for index in range(min(len(found), room)):
            reading = found.take(np.array([index]))
            track = _Track(len(self._tracks), {position: reading})
            self._tracks.append(track)
            self._alive.append(track)
            self._set_last(reading if self._last is None else _stack(self._last, reading))
            self._follow_back(track, reading)
        return min(len(found), room)

    def _proposals(self, rgb: NDArray[np.uint8], *, is_wide: bool) -> Regions:
        regions = self._backend.detector.detect(rgb)
        known = np.zeros((0, 4)) if self._last is None else self._backend.estimator.next_regions(self._last)
        if is_wide and self._backend.wide_detector is not None:
            regions = np.concatenate([regions, self._backend.wide_detector.detect_beside(rgb, known)])
            regions = regions[first_of_each(regions)]
        return regions[(overlap(regions, known) < _SAME_REGION_OVERLAP).all(axis=1)]

    def _verified(self, rgb: NDArray[np.uint8], regions: Regions) -> Readings:
        """Read proposals, let each region settle on its own joints, and keep hands that are new, surest first."""
        readings = self._settled(rgb, regions)
        good = self._plausible(readings, rgb.shape) & (readings.presence >= self._config.continue_presence)
        new = self._new(readings.take(np.flatnonzero(good)))
        new = new.take(self._belief(rgb, new) >= self._config.start_presence)
        hands = new.regions if self._last is None else np.concatenate([self._last.regions, new.regions])
        return new.take(~_is_part_of_another(new.regions, hands))

    def _settled(self, rgb: NDArray[np.uint8], regions: Regions) -> Readings:
        estimator = self._backend.estimator
        readings = estimator.estimate(rgb, regions)
        for round_number in range(1, self._config.roi_rounds):
            # What is clearly nothing after the first look does not become a hand by looking again.
            readings = readings.take(readings.presence >= _hopeless(round_number))
            wanted = estimator.next_regions(readings)
            moves = _moves(readings.regions, wanted)
            again = estimator.estimate(rgb, wanted[moves])
            readings = _stack(readings.take(~moves), again)
        return readings

    def _belief(self, rgb: NDArray[np.uint8], readings: Readings) -> NDArray[np.float64]:
        """Return (N,) the mean presence over all looks: at the region, at a wider one, and by the second estimator.

        Faces, folds and flowers pass one look now and then; hands pass them all.
        """
        wider = readings.regions * [1.0, 1.0, _WIDER_LOOK, 1.0]
        looks = [readings.presence, self._backend.estimator.estimate(rgb, wider).presence]
        if self._backend.second is not None:
            looks.append(self._backend.second.estimate(rgb, readings.regions).presence)
        belief: NDArray[np.float64] = np.mean(looks, axis=0)
        return belief

    def _new(self, readings: Readings) -> Readings:
        """Return hands that are not followed yet, each once, surest first."""
        readings = readings.take(np.argsort(-readings.presence, kind="stable"))
        kept: list[int] = []
        for index in range(len(readings)):
            one = readings.take(np.array([index]))
            known = readings.take(np.array(kept, np.intp))
            if not _same_hand(one, known).any() and not self._is_alive(one):
                kept.append(index)
        return readings.take(np.array(kept, np.intp))

    def _is_alive(self, reading: Readings) -> bool:
        return self._last is not None and bool(_same_hand(reading, self._last).any())

    def _follow_back(self, track: _Track, reading: Readings) -> None:
        """Follow a new hand through the kept pictures, newest first, until it is lost or becomes a known one."""
        estimator = self._backend.estimator
        for kept in reversed(self._recent):
            reading = estimator.estimate(kept.rgb, estimator.next_regions(reading))
            good = self._plausible(reading, kept.rgb.shape)
            if not good[0] or reading.presence[0] < self._config.continue_presence:
                return
            met = self._track_at(kept.position, reading, other_than=track)
            if met is not None:
                self._merge(track, into=met)
                return
            track.rows[kept.position] = reading

    def _track_at(self, position: int, reading: Readings, *, other_than: _Track) -> _Track | None:
        for track in self._tracks:
            row = track.rows.get(position)
            if track is not other_than and row is not None and _same_hand(reading, row)[0]:
                return track
        return None

    def _merge(self, track: _Track, *, into: _Track) -> None:
        """Join a new track with the ended one that it leads back to; a live one is another hand's and stays apart."""
        if into in self._alive:
            return
        into.rows.update({position: row for position, row in track.rows.items() if position not in into.rows})
        self._alive[self._alive.index(track)] = into
        self._tracks.remove(track)
        for number, item in enumerate(self._tracks):
            item.number = number

    def _set_last(self, readings: Readings) -> None:
        self._last = readings if len(readings) else None

    def _plausible(self, readings: Readings, shape: tuple[int, ...]) -> NDArray[np.bool_]:
        """Reject regions of impossible size, hands outside the picture, and joints that do not fill their region."""
        scale = max(shape[:2]) / _REGION_SIZE_REFERENCE_PX
        side = readings.regions[:, 2]
        points = readings.joints_px[..., :2]
        span = (points.max(axis=1) - points.min(axis=1)).max(axis=1)
        low, high = _JOINT_SPAN_OF_REGION
        limit = np.array([shape[1], shape[0]])
        inside = ((points >= 0) & (points < limit)).all(axis=2).sum(axis=1)
        good: NDArray[np.bool_] = (
            (side >= self._config.roi_min_px * scale)
            & (side <= self._config.roi_max_px * scale)
            & (span >= low * side)
            & (span <= high * side)
            & (inside > 0)
        )
        return good


def _hopeless(round_number: int) -> float:
    return 0.02 * round_number


def _moves(regions: Regions, wanted: Regions) -> NDArray[np.bool_]:
    """Say which regions are still away from where their joints want them."""
    apart = np.diagonal(overlap(regions, wanted)) < _SETTLED_OVERLAP
    turned = np.abs(wrap_angle(wanted[:, 3] - regions[:, 3])) > _SETTLED_TURN_RAD
    moves: NDArray[np.bool_] = apart | turned
    return moves


def _same_hand(one: Readings, others: Readings) -> NDArray[np.bool_]:
    """Say for each of `others` whether its steady joints lie on those of `one`, within 15 % of the region's side."""
    apart = others.joints_px[:, STEADY_JOINTS, :2] - one.joints_px[:1, STEADY_JOINTS, :2]
    distance = np.linalg.norm(apart, axis=2).mean(axis=1)
    same: NDArray[np.bool_] = distance < _SAME_HAND_DISTANCE * np.minimum(
        others.regions[:, 2], one.regions[0, 2]
    )
    return same


def _is_part_of_another(regions: Regions, hands: Regions) -> NDArray[np.bool_]:
    """Say for each of (N, 4) regions whether its centre lies within a much larger one of the (M, 4) hands."""
    away = np.abs(regions[:, None, :2] - hands[:, :2]).max(axis=2)
    is_much_larger = hands[:, 2] >= _LARGER_THAN_PARTS * regions[:, 2:3]
    return np.asarray((is_much_larger & (away <= hands[:, 2] / 2)).any(axis=1))


def _stack(first: Readings, second: Readings) -> Readings:
    return Readings(
        np.concatenate([first.regions, second.regions]),
        np.concatenate([first.joints_px, second.joints_px]),
        np.concatenate([first.shape_m, second.shape_m]),
        np.concatenate([first.presence, second.presence]),
        np.concatenate([first.right, second.right]),
    )
