"""Metric joints of whole tracks: one hand size per track, distances checked against their neighbours in time.

The geometry of a single frame is in `anchoring`; this module adds what only a track knows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from episode_assets.hands.anchoring import anchor, facing_along_rays, measured_scale, place_joints
from episode_assets.hands.config import HandPoseConfig
from episode_assets.hands.sightings import Sightings

SCALE_RANGE = (0.8, 1.25)
"""A hand may be this much smaller or larger than the prior."""

_BELIEVABLE_SCALE = (0.65, 1.5)
"""Outside, the depth under the joints is not the hand's: wrist to middle knuckle would leave 0.06 to 0.13 m."""

_SECOND_NS = 1e9
_WINDOW = 2
_NEVER_JUMPS_M = 0.05

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Placed:
    """Where hands are in the camera's optical frame, N rows like the sightings.

    Attributes:
        joints_m: (N, 21, 3) float64 metres, NaN where the hand has no place.
        scale: (N,) float64 hand size relative to the prior, one value per track; NaN without depth.
        is_held: (N,) bool, the distance comes from neighbouring frames.
    """

    joints_m: Floats
    scale: Floats
    is_held: NDArray[np.bool_]


def place_tracks(
    sightings: Sightings, K: Floats, stamps_ns: NDArray[np.int64], *, config: HandPoseConfig
) -> Placed:
    """Place all rows, ordered by track and frame.

    Args:
        sightings: Rows with sampled depths.
        K: (N, 3, 3) intrinsics of each row's picture; NaN where unknown.
        stamps_ns: (N,) int64 stamp of each row's frame.
        config: Tolerances of anchoring, holding and jumps.
    """
    joints_px = sightings.joints_px.astype(np.float64)
    shape_m = facing_along_rays(K, joints_px, sightings.shape_m.astype(np.float64))
    depth_m = sightings.depth_m.astype(np.float64)
    scale = _track_scales(sightings.track, measured_scale(K, joints_px, shape_m, depth_m))
    sized = shape_m * np.where(np.isfinite(scale), scale, 1.0)[:, None, None]
    found = anchor(
        K,
        joints_px,
        sized,
        depth_m,
        skin_offset_m=config.skin_offset_m,
        agree_m=config.agree_m,
        min_agreeing=config.min_agreeing,
    )
    place = np.where(np.isfinite(scale)[:, None], found.place, np.nan)
    is_held = np.zeros(len(sightings), bool)
    for rows in _runs(sightings.track):
        steady = _is_steady(place[rows, 0], stamps_ns[rows], max_speed_m_s=config.max_speed_m_s)
        checked = np.where(steady[:, None], place[rows], np.nan)
        held = _held(checked, sightings.position[rows], hold_frames=config.hold_frames)
        is_held[rows] = np.isnan(checked[:, 0]) & np.isfinite(held[:, 0])
        place[rows] = held
    return Placed(place_joints(K, joints_px, sized, place), scale, is_held)


def _runs(track: NDArray[np.int64]) -> list[NDArray[np.intp]]:
    if not len(track):
        return []
    return np.split(np.arange(len(track)), np.flatnonzero(np.diff(track)) + 1)


def _track_scales(track: NDArray[np.int64], measured: Floats) -> Floats:
    """Return (N,) the median scale of each track, clipped; NaN for tracks whose depth is not that of a hand."""
    scales = np.full(len(track), np.nan)
    for rows in _runs(track):
        known = measured[rows][np.isfinite(measured[rows])]
        if len(known):
            middle = float(np.median(known))
            if _BELIEVABLE_SCALE[0] <= middle <= _BELIEVABLE_SCALE[1]:
                scales[rows] = np.clip(middle, *SCALE_RANGE)
    return scales


def _is_steady(distance: Floats, stamps_ns: NDArray[np.int64], *, max_speed_m_s: float) -> NDArray[np.bool_]:
    """Say where a distance agrees, at this speed, with some neighbour within two frames, or has none to ask."""
    supported = np.zeros(len(distance), bool)
    lonely = np.ones(len(distance), bool)
    for step in range(1, min(_WINDOW, len(distance) - 1) + 1):
        seconds = (stamps_ns[step:] - stamps_ns[:-step]) / _SECOND_NS
        change = np.abs(distance[step:] - distance[:-step])
        known = np.isfinite(change)
        with np.errstate(invalid="ignore"):
            agree = change <= np.maximum(max_speed_m_s * seconds, _NEVER_JUMPS_M)
        for side in (slice(step, None), slice(None, -step)):
            supported[side] |= agree
            lonely[side] &= ~known
    return supported | lonely


def _held(place: Floats, position: NDArray[np.int64], *, hold_frames: int) -> Floats:
    """Fill (N, 3) places from known ones at most `hold_frames` away: between two of them, or the nearest."""
    known = np.flatnonzero(np.isfinite(place[:, 0]))
    if not len(known):
        return place
    at = position[known]
    after = np.searchsorted(at, position)
    away = np.minimum(
        np.abs(at[np.minimum(after, len(at) - 1)] - position), np.abs(position - at[np.maximum(after - 1, 0)])
    )
    filled = np.stack([np.interp(position, at, column) for column in place[known].T], axis=1)
    return np.where((away <= hold_frames)[:, None], filled, np.nan)
