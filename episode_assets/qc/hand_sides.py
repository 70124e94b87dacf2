"""Whether left is left: hands that exchange their sides for some frames, and hands that are built like the other one.

Two things tell. From one frame to the next a wrist stays near its place, so sides that are exchanged show as two
wrists that trade places and later trade them back. And fingers bend to the palm, which tells right from left hands.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from episode_assets.qc.evidence import Evidence
from episode_assets.qc.hand_figures import HandFigures
from episode_assets.qc.ranges import Flags

Floats = NDArray[np.float64]
Point: TypeAlias = list[float]

_MEMORY_NS = 500_000_000
"""How long the place of a wrist that is not seen says where it may turn up."""
_CLEAR_CURL = 0.2
"""Fingers bent by less than about 12 degrees on average say nothing about the side."""
_CLEAR_VOTE = 1.0
"""Sum of votes from which a stretch of frames is sure: two or three frames of clearly bent fingers."""


@dataclass(frozen=True)
class Places:
    """Where the wrists are, (F, 2, 3): left and right, NaN where unknown; metres in the world or the camera, or pixels.

    Attributes:
        points: The places; the third number of pixels is 0.
        least: Distance below which two wrists are too near to each other to tell who is who.
    """

    points: Floats
    least: float


def wrist_places(e: Evidence, *, least_m: float, least_width_share: float) -> Places:
    """Return the wrists in the best space that is known: the world, else the camera, else the picture."""
    hands = (e.left, e.right)
    for name in ("wrist_world", "wrist_cam"):
        points = np.stack([getattr(hand, name) for hand in hands], axis=1).astype(np.float64)
        if np.isfinite(points).any():
            return Places(points, least_m)
    pixels = np.stack([hand.wrist_px for hand in hands], axis=1).astype(np.float64)
    flat = np.concatenate([pixels, np.where(np.isfinite(pixels[..., :1]), 0.0, np.nan)], axis=2)
    return Places(flat, least_width_share * e.picture_size[0])


def swapped(e: Evidence, places: Places, *, ratio: float) -> Flags:
    """Return (F,) frames in which the sides are exchanged.

    Sides trade places between two frames if the sum of the wrists' ways is shorter by the factor `ratio` when they are
    exchanged. Between two such places the fingers say whether the names are right; where they say nothing, the names
    are wrong next to a stretch where they are right, or in the shorter part of all. Nothing is carried across a gap or
    a longer absence.
    """
    flags = np.zeros(len(e), np.bool_)
    votes = side_votes(e.left, is_right=False) + side_votes(e.right, is_right=True)
    for chain in _chains(e, places, ratio):
        edges = [0, *(np.flatnonzero(np.diff(chain.is_traded)) + 1).tolist(), len(chain.is_traded)]
        stretches = [slice(chain.start + a, chain.start + b) for a, b in pairwise(edges)]
        if len(stretches) < 2:
            continue
        said = [_said(float(votes[rows].sum())) for rows in stretches]
        for rows, is_right in zip(stretches, _settled(said, stretches), strict=True):
            flags[rows] = not is_right
    return flags & (e.left.valid | e.right.valid)


def _said(vote: float) -> int:
    return 0 if abs(vote) < _CLEAR_VOTE else int(np.sign(vote))


def _settled(said: list[int], stretches: list[slice]) -> list[bool]:
    """Return whether the names of each stretch are right; neighbours differ unless both are sure."""
    if 1 not in said:
        # Hands that contradict their sides throughout are no exchange; without any word the longer part is right.
        lengths = [sum(rows.stop - rows.start for rows in stretches[parity::2]) for parity in (0, 1)]
        longer = int(lengths[1] > lengths[0])
        return [bool(said[i]) or i % 2 == longer for i in range(len(said))]
    known = [i for i, word in enumerate(said) if word]
    settled = []
    for i, word in enumerate(said):
        nearest = min(known, key=lambda other: abs(other - i))
        settled.append((word or said[nearest] * (-1) ** abs(nearest - i)) > 0)
    return settled


def side_votes(hand: HandFigures, *, is_right: bool) -> Floats:
    """Return (F,) how clearly the fingers confirm the side: from -1, they contradict it, to 1; 0 without a word."""
    bend = np.nan_to_num(hand.curl) * (1.0 if is_right else -1.0)
    return np.where(np.abs(bend) >= _CLEAR_CURL, bend, 0.0)


@dataclass(frozen=True)
class _Chain:
    """Frames over which hands can be followed, and which of them name the hands the other way than the first."""

    start: int
    is_traded: Flags


def _chains(e: Evidence, places: Places, ratio: float) -> Iterator[_Chain]:
    last = _Last()
    start, is_traded, states = 0, False, list[bool]()
    for frame, (stamp_ns, is_after_gap) in enumerate(zip(e.stamps_ns.tolist(), e.gap_before, strict=True)):
        if is_after_gap or last.is_forgotten(stamp_ns):
            if states:
                yield _Chain(start, np.array(states, np.bool_))
            last, start, is_traded, states = _Last(), frame, False, []
        # Numbers of Python: arrays of six take ten times as long.
        now = [_seen(point) for point in places.points[frame].tolist()]
        if _trades(last.points, now, places.least, ratio):
            is_traded = not is_traded
            last.exchange()
        states.append(is_traded)
        last.see(now, stamp_ns)
    if states:
        yield _Chain(start, np.array(states, np.bool_))


def _seen(point: list[float]) -> Point | None:
    return point if all(map(math.isfinite, point)) else None


class _Last:
    """Where both wrists were last."""

    def __init__(self) -> None:
        self.points: list[Point | None] = [None, None]
        self._seen_ns = [0, 0]

    def is_forgotten(self, stamp_ns: int) -> bool:
        """Let go of what is too old, and say whether nothing is left of what there was."""
        for side, point in enumerate(self.points):
            if point is not None and stamp_ns - self._seen_ns[side] > _MEMORY_NS:
                self.points[side] = None
                if self.points[1 - side] is None:
                    return True
        return False

    def exchange(self) -> None:
        """Name both the other way: the place of a hand that is not seen now goes with its new name."""
        self.points.reverse()
        self._seen_ns.reverse()

    def see(self, now: list[Point | None], stamp_ns: int) -> None:
        """Take what a frame shows."""
        for side, point in enumerate(now):
            if point is not None:
                self.points[side], self._seen_ns[side] = point, stamp_ns


def _trades(last: list[Point | None], now: list[Point | None], least: float, ratio: float) -> bool:
    """Whether the hands of a frame fit those before better with their sides exchanged."""
    for side in (0, 1):
        here, there = now[side], last[1 - side]
        if here is not None and there is not None and now[1 - side] is None and last[side] is None:
            # One hand alone that has a new name and is where the other was.
            return math.dist(here, there) < least
    left, right = last
    seen = [(point, side) for side, point in enumerate(now) if point is not None]
    if not seen or left is None or right is None:
        return False
    kept = sum(math.dist(point, (left, right)[side]) for point, side in seen)
    exchanged = sum(math.dist(point, (right, left)[side]) for point, side in seen)
    return kept > ratio * exchanged and kept - exchanged > least * len(seen)
