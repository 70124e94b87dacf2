"""Cuts a recording where its hands come to rest: segments between the slow moments of the wrists.

Speeds are taken in the world, per stretch without a gap, and everything is measured in seconds. A rest is one place
to cut, however long it lasts, and a movement that never slows down is not cut until it is too long. The curve of
speeds may be smoothed to find the cuts; the rows of a dataset never are.

Idea: minima of wrist speed as borders of atomic actions, as in https://arxiv.org/abs/2510.21571. Smoothing: least
squares over a moving window (Savitzky and Golay 1964), here at the true stamps.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from episode_assets.lerobot.recipe_motion import MotionChoice
from episode_assets.lerobot.segments import Segment
from episode_assets.lerobot.source import SIDES, EpisodeSource

Floats = NDArray[np.float64]

_SECOND = 1e9


def motion_segments(
    source: EpisodeSource, *, hand_valid: NDArray[np.bool_], choice: MotionChoice, bridge_s: float
) -> tuple[Segment, ...]:
    """Return the segments between rests, in order of time, without words.

    Frames at which no speed is known for longer than `bridge_s` are in no segment, nor is a stretch in which the
    hands never leave their rest.

    Args:
        source: The frames.
        hand_valid: (F, 2) bool, left and right hand are measured; where there is no camera pose it does not count.
        choice: What counts as a rest, and how long segments may be.
        bridge_s: Seconds without a measured hand over which speeds are interpolated.
    """
    seconds = (source.stamp_ns - source.stamp_ns[0]) / _SECOND
    speed = wrist_speed(source, hand_valid=hand_valid, hand=choice.hand)
    segments: list[Segment] = []
    for start, stop in _known_runs(speed, seconds, source.gap_before, bridge_s):
        curve = _bridged(speed[start:stop], seconds[start:stop])
        cuts = rest_cuts(curve, seconds[start:stop], choice=choice)
        edges = [start, *(start + cut for cut in cuts), stop]
        if (curve > choice.still_m_s).any():
            segments += [Segment(*piece) for piece in pairwise(edges)]
    return tuple(segments)


def wrist_speed(source: EpisodeSource, *, hand_valid: NDArray[np.bool_], hand: str) -> Floats:
    """Return (F,) m/s of the wrist in the world: the mean of the steps to both neighbours, NaN where unknown.

    Args:
        source: The frames.
        hand_valid: (F, 2) bool, left and right hand are measured.
        hand: `left`, `right`, or `any` for the faster of both.
    """
    poses = source.world_from_optical
    wrist = np.einsum("fij,fsj->fsi", poses[:, :3, :3], source.joints_cam[:, :, 0]) + poses[:, None, :3, 3]
    wrist[~hand_valid] = np.nan
    # A gap is no step: what happened in it is unknown.
    seconds = np.where(source.gap_before[1:], np.nan, np.diff(source.stamp_ns) / _SECOND)
    with np.errstate(divide="ignore", invalid="ignore"):
        step = np.linalg.norm(np.diff(wrist, axis=0), axis=2) / seconds[:, None]
    step[~np.isfinite(step)] = np.nan
    chosen = step if hand == "any" else step[:, [SIDES.index(hand)]]
    fastest = np.fmax.reduce(chosen, axis=1)
    before, after = np.append(np.nan, fastest), np.append(fastest, np.nan)
    either = np.fmax(before, after)
    both = (before + after) / 2
    return np.asarray(np.where(np.isfinite(both), both, either))


def rest_cuts(speed: Floats, seconds: Floats, *, choice: MotionChoice) -> list[int]:
    """Return where to cut one stretch: positions at which a new segment begins, sorted.

    Args:
        speed: (N,) m/s, finite.
        seconds: (N,) true times, increasing.
        choice: Smoothing, what a rest is, how short and how long segments may be.
    """
    curve = np.maximum(smoothed(speed, seconds, window_s=choice.smooth_s), choice.still_m_s)
    borders = [0.0 + seconds[0], float(seconds[-1])] if len(seconds) else []
    cuts: list[int] = []
    # The deepest rests first: a shallow one beside them would give a segment that is too short.
    for place in sorted(_dips(curve, seconds, choice), key=lambda at: (curve[at], at)):
        if all(abs(float(seconds[place]) - border) >= choice.min_s for border in borders):
            cuts.append(place)
            borders.append(float(seconds[place]))
    return _split_long(sorted(cuts), curve, seconds, choice)


def smoothed(speed: Floats, seconds: Floats, *, window_s: float) -> Floats:
    """Return the curve under a moving parabola: least squares over `window_s` at the true stamps, never below 0.

    At the ends the first and the last whole window are evaluated. Fewer than five samples per window, or a stretch
    shorter than it, stay as they are.

    Args:
        speed: (N,) finite.
        seconds: (N,) increasing.
        window_s: Length of the window, s; 0 changes nothing.
    """
    if len(speed) < 5 or window_s <= 0:
        return speed
    count = int(window_s / float(np.median(np.diff(seconds))) + 1) | 1
    if count < 5 or len(speed) < count:
        return speed
    half = count // 2
    middle = np.clip(np.arange(len(speed)), half, len(speed) - 1 - half)
    window = middle[:, None] + np.arange(-half, half + 1)
    at = (seconds[window] - seconds[:, None]) / window_s
    powers = np.stack([np.ones_like(at), at, at * at], axis=2)
    fit = np.linalg.pinv(powers) @ speed[window][:, :, None]
    return np.asarray(np.maximum(fit[:, 0, 0], 0.0))


def _dips(curve: Floats, seconds: Floats, choice: MotionChoice) -> Iterable[int]:
    """Yield the middle of each plateau that is the lowest around and clearly below something on either side."""
    edges = [0, *(np.flatnonzero(np.diff(curve)) + 1).tolist(), len(curve)]
    for start, stop in pairwise(edges):
        first, last = seconds[start] - choice.half_window_s, seconds[stop - 1] + choice.half_window_s
        low, high = np.searchsorted(seconds, [first, last], side="left").tolist()
        before, after = curve[low:start], curve[stop : max(high, stop)]
        sides = [side for side in (before, after) if len(side)]
        if len(sides) == 2 and all(_rises(side, float(curve[start]), choice.drop) for side in sides):
            yield (start + stop) // 2


def _rises(side: Floats, level: float, drop: float) -> bool:
    return float(side.min()) >= level and float(side.max()) * (1 - drop) >= level


def _split_long(cuts: list[int], curve: Floats, seconds: Floats, choice: MotionChoice) -> list[int]:
    edges = [0, *cuts, len(curve)]
    waiting = list(pairwise(edges))[::-1]
    found = set(cuts)
    while waiting:
        start, stop = waiting.pop()
        if seconds[stop - 1] - seconds[start] <= choice.max_s:
            continue
        place = _slowest(curve, seconds, start, stop, choice)
        if place is not None:
            found.add(place)
            waiting += [(place, stop), (start, place)]
    return sorted(found)


def _slowest(curve: Floats, seconds: Floats, start: int, stop: int, choice: MotionChoice) -> int | None:
    """Return the most central of the slow places that leave enough on both sides."""
    first, last = seconds[start] + choice.min_s, seconds[stop - 1] - choice.min_s
    low, high = np.searchsorted(seconds, [first, last]).tolist()
    places = np.arange(max(low, start + 1), min(high + 1, stop - 1))
    if not len(places):
        return None
    # Noise makes one place of a steady movement the slowest; only what is clearly slower may be off the middle.
    slow = places[curve[places] * (1 - choice.drop) <= curve[places].min()]
    return int(slow[np.argmin(np.abs(slow - (start + stop) / 2))])


def _known_runs(
    speed: Floats, seconds: Floats, gap_before: NDArray[np.bool_], bridge_s: float
) -> Iterable[tuple[int, int]]:
    known = np.flatnonzero(np.isfinite(speed))
    if not len(known):
        return
    gaps = np.cumsum(gap_before)
    apart = np.diff(seconds[known]) > bridge_s + 1.5 * float(np.median(np.diff(seconds)))
    ends = np.flatnonzero((apart & (np.diff(known) > 1)) | (np.diff(gaps[known]) > 0))
    for first, last in zip([0, *(ends + 1)], [*ends, len(known) - 1], strict=True):
        yield int(known[first]), int(known[last]) + 1


def _bridged(speed: Floats, seconds: Floats) -> Floats:
    known = np.isfinite(speed)
    return np.interp(seconds, seconds[known], speed[known])
