"""Metric joints of whole tracks: one hand size per track, places checked over time, and how far they may be off.

The geometry of a single frame is in `anchoring`, what neighbours in time tell in `holding`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from episode_assets.hands.anchoring import (
    anchor,
    facing_along_rays,
    from_palm,
    measured_scale,
    place_joints,
)
from episode_assets.hands.backends import errors_are_known
from episode_assets.hands.config import HandPoseConfig
from episode_assets.hands.holding import steady_over_time
from episode_assets.hands.sightings import Sightings, whole_tracks
from episode_assets.hands.uncertainty import uncertainty_m, uncertainty_px

SCALE_RANGE = (0.8, 1.25)
"""A hand may be this much smaller or larger than the prior."""

_BELIEVABLE_SCALE = (0.65, 1.5)
"""Outside, the depth under the joints is not the hand's: wrist to middle knuckle would leave 0.06 to 0.13 m."""

_FRAME_SCALE_RATIO = 1.4
"""How much larger or smaller than its track a hand may look in one frame, when what is turned away is misjudged; depth
that would make it more is something before or behind the hand. Four times the spread of drawn hands."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Placed:
    """Where hands are in the camera's optical frame, N rows like the sightings.

    Attributes:
        joints_m: (N, 21, 3) float64 metres, NaN where the hand has no place.
        scale: (N,) float64 hand size relative to the prior, one value per track; NaN without depth.
        is_held: (N,) bool, the distance comes from neighbouring frames.
        off_px: (N, 21) float64 uncertainty of the pixels, see `uncertainty`; NaN where the backend's is not known.
        off_m: (N, 21) float64 uncertainty in metres, NaN there too and where the hand has no place.
        is_smoothed: (N,) bool, the joints were moved, see `smoothing`.
    """

    joints_m: Floats
    scale: Floats
    is_held: NDArray[np.bool_]
    off_px: Floats
    off_m: Floats
    is_smoothed: NDArray[np.bool_]

    def take(self, kept: slice) -> Placed:
        """Return the rows of a range."""
        return Placed(*(getattr(self, item.name)[kept] for item in fields(self)))


def join_placed(parts: Sequence[Placed]) -> Placed:
    """Put at least one table under the other."""
    return Placed(*(np.concatenate([getattr(part, item.name) for part in parts]) for item in fields(Placed)))


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
    return join_placed(
        [
            _placed(sightings.take(rows), K[rows], stamps_ns[rows], config=config)
            for rows in whole_tracks(sightings.track)
        ]
    )


def _placed(
    sightings: Sightings, K: Floats, stamps_ns: NDArray[np.int64], *, config: HandPoseConfig
) -> Placed:
    """Place the rows of some tracks."""
    joints_px = sightings.joints_px.astype(np.float64)
    shape_m = from_palm(facing_along_rays(K, joints_px, sightings.shape_m.astype(np.float64)))
    depth_m = sightings.depth_m.astype(np.float64)
    measured = measured_scale(K, joints_px, shape_m, depth_m)
    scale = _track_scales(sightings.track, measured)
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
    own = np.where(_is_of_size(measured, scale)[:, None], found.place, np.nan)
    kept = steady_over_time(
        own, found.depth_std_m, sightings.track, sightings.position, stamps_ns, config=config
    )
    joints_m = place_joints(K, joints_px, sized, kept.place)
    off_px = _off_px(sightings, config)
    off_m = uncertainty_m(K, joints_m[..., 2], off_px, kept.depth_std_m, kept.held_for_s)
    return Placed(joints_m, scale, kept.is_held, off_px, off_m, np.zeros(len(scale), bool))


def _off_px(sightings: Sightings, config: HandPoseConfig) -> Floats:
    if not errors_are_known(config):
        return np.full((len(sightings), 21), np.nan)
    return uncertainty_px(sightings.region[:, 2].astype(np.float64), sightings.presence.astype(np.float64))


def _is_of_size(measured: Floats, scale: Floats) -> NDArray[np.bool_]:
    """Say in which frames (N,) a hand is about as large as its track says; never where the track has no size."""
    with np.errstate(invalid="ignore", divide="ignore"):
        apart = np.abs(np.log(measured / scale))
    return np.asarray(np.isfinite(scale) & ~(apart > np.log(_FRAME_SCALE_RATIO)))


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
