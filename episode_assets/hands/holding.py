"""Distances of hands checked against their neighbours in time, and kept for a few frames where there is none.

Only what time tells belongs here; the geometry of a single frame is in `anchoring`. A distance is held rather than
followed by how large the hand looks: on drawn hands the size in the picture wavers by 4 percent from frame to frame
(2 cm), while a hand at work moves a quarter of that.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from episode_assets.hands.config import HandPoseConfig

_SECOND_NS = 1e9
_WINDOW = 2
_NEVER_JUMPS_M = 0.05

Floats = NDArray[np.float64]
Stamps = NDArray[np.int64]


@dataclass(frozen=True)
class Kept:
    """Places that stood the check, and held ones, N rows.

    Attributes:
        place: (N, 3) as in `anchoring.Anchor`, NaN where there is none.
        depth_std_m: (N, 21) as in `anchoring.Anchor`, of the frames whose place was taken.
        is_held: (N,) bool, the place is that of neighbouring frames.
        held_for_s: (N,) seconds to the nearest of them; 0 where the place is the own one.
    """

    place: Floats
    depth_std_m: Floats
    is_held: NDArray[np.bool_]
    held_for_s: Floats


def steady_over_time(
    place: Floats,
    depth_std_m: Floats,
    track: NDArray[np.int64],
    position: NDArray[np.int64],
    stamps_ns: Stamps,
    *,
    config: HandPoseConfig,
) -> Kept:
    """Drop places that jump without an agreeing neighbour, and hold those of neighbours where there is none.

    Args:
        place: (N, 3) places of rows ordered by track and frame, NaN where there is none.
        depth_std_m: (N, 21) standard deviation of the depths of joints.
        track: (N,) track of each row.
        position: (N,) position of each row's frame in the stream.
        stamps_ns: (N,) int64 stamp of each row's frame.
        config: Limits of speed and holding.
    """
    steady = _is_steady(place[:, 0], track, stamps_ns, max_speed_m_s=config.max_speed_m_s)
    checked = np.where(steady[:, None], place, np.nan)
    before, after = _known_around(np.isfinite(checked[:, 0]), track)
    away = np.minimum(_frames_between(before, position), _frames_between(after, position))
    usable = away <= config.hold_frames
    before, after = np.where(before < 0, after, before), np.where(after < 0, before, after)
    span = position[after] - position[before]
    ratio = np.where(span > 0, (position - position[before]) / np.maximum(span, 1), 0.0)[:, None]
    filled = checked[before] * (1 - ratio) + checked[after] * ratio
    spread = depth_std_m[before] * (1 - ratio) + depth_std_m[after] * ratio
    held_ns = np.minimum(np.abs(stamps_ns - stamps_ns[before]), np.abs(stamps_ns[after] - stamps_ns))
    is_held = usable & (away > 0)
    return Kept(
        np.where(usable[:, None], filled, np.nan),
        np.where(usable[:, None], spread, np.nan),
        is_held,
        np.where(is_held, held_ns / _SECOND_NS, 0.0),
    )


def _is_steady(
    distance: Floats, track: NDArray[np.int64], stamps_ns: Stamps, *, max_speed_m_s: float
) -> NDArray[np.bool_]:
    """Say where a distance agrees, at this speed, with some neighbour within two rows, or has none to ask."""
    supported = np.zeros(len(distance), bool)
    lonely = np.ones(len(distance), bool)
    for step in range(1, min(_WINDOW, len(distance) - 1) + 1):
        seconds = (stamps_ns[step:] - stamps_ns[:-step]) / _SECOND_NS
        change = np.where(track[step:] == track[:-step], np.abs(distance[step:] - distance[:-step]), np.nan)
        known = np.isfinite(change)
        with np.errstate(invalid="ignore"):
            agree = change <= np.maximum(max_speed_m_s * seconds, _NEVER_JUMPS_M)
        for side in (slice(step, None), slice(None, -step)):
            supported[side] |= agree
            lonely[side] &= ~known
    return supported | lonely


def _known_around(
    is_known: NDArray[np.bool_], track: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return for each row the known row of its track before or at it, and the one behind or at it; -1 for none."""
    count = len(track)
    row = np.arange(count)
    before = np.maximum.accumulate(np.where(is_known, row, -1))
    after = np.minimum.accumulate(np.where(is_known, row, count)[::-1])[::-1]
    after = np.where(after < count, after, -1)
    found = []
    for other in (before, after):
        is_own = (other >= 0) & (track[np.maximum(other, 0)] == track)
        found.append(np.where(is_own, other, -1))
    return found[0], found[1]


def _frames_between(other: NDArray[np.int64], position: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return how many frames (N,) another row is away, a huge number where there is none."""
    away = np.abs(position - position[np.maximum(other, 0)])
    return np.where(other >= 0, away, np.iinfo(np.int64).max)
