"""Whose hand a track is, and which: votes over the whole track, because single frames are often wrong.

The wearer has one left and one right hand; everything else that is seen belongs to somebody else.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from episode_assets.hands.anchoring import PALM_JOINTS
from episode_assets.hands.sightings import Sightings

_FOREARM_M = 0.25
"""From wrist to elbow, an adult's, rounded."""

_ELBOW_RANGE_M = (-0.2, 0.7)
"""Where the elbow of a wearer's right arm lies to the right of the camera; mirrored for the left arm.

Anatomy, not a fit: shoulders lie 0.2 m beside the camera and an upper arm is 0.3 m long; arms cross the middle a
little. It tells a neighbour at the same table, whose arms come from below too, from the wearer.
"""

_ELBOW_FARTHEST_M = 0.8
"""How far ahead of the camera the wearer's elbow can lie.

Anatomy again: it hangs from a shoulder below the camera by 0.3 m of upper arm; the rest allows for how far the network
errs in the tilt of a hand and in its size. It tells somebody who sits across the table and reaches towards the wearer,
because that arm comes from farther away.
"""

_DOUBTFUL_VOTE = 0.4
"""A vote this close to one half may be overruled when the wearer's other hand already has that side."""

_PALM_RATIO_RANGE = (0.6, 1.6)


@dataclass(frozen=True)
class Owners:
    """The verdict on each row of a table of sightings.

    Attributes:
        is_right: (N,) bool, the same in all rows of a track.
        is_wearer: (N,) bool; at most one left and one right row is true in a frame.
    """

    is_right: NDArray[np.bool_]
    is_wearer: NDArray[np.bool_]


def prior_distance(K: NDArray[np.float64], sightings: Sightings) -> NDArray[np.float64]:
    """Return (N,) metres to each hand if it had the size of the prior; NaN where K is NaN."""
    joints = list(PALM_JOINTS)
    first, second = np.triu_indices(len(joints), 1)
    focal = np.stack([K[:, 0, 0], K[:, 1, 1]], axis=1)[:, None, :]
    pixels = sightings.joints_px[:, joints].astype(np.float64)
    across = np.linalg.norm((pixels[:, first] - pixels[:, second]) / focal, axis=2).sum(axis=1)
    flat = sightings.shape_m[:, joints, :2].astype(np.float64)
    prior = np.linalg.norm(flat[:, first] - flat[:, second], axis=2).sum(axis=1)
    return np.asarray(prior / np.maximum(across, 1e-9))


def decide_owners(sightings: Sightings, K: NDArray[np.float64], *, reach_m: float) -> Owners:
    """Vote on left or right for each track, and choose the wearer's hands.

    Args:
        sightings: Rows ordered by track and frame.
        K: (N, 3, 3) intrinsics of each row's picture; an assumed focal length is good enough here.
        reach_m: Farthest distance of the wearer's own hand.
    """
    tracks, inverse = np.unique(sightings.track, return_inverse=True)
    presence = sightings.presence.astype(np.float64)
    vote = _weighted_mean(sightings.right.astype(np.float64), presence, inverse, len(tracks))
    is_right = vote >= 0.5
    own = {
        side: _weighted_mean(
            _is_own(sightings, K, right=side, reach_m=reach_m), presence, inverse, len(tracks)
        )
        for side in (False, True)
    }
    weight = np.bincount(inverse, presence * sightings.region[:, 2], len(tracks))
    wearer = np.zeros(len(sightings), bool)
    taken: dict[bool, set[int]] = {False: set(), True: set()}
    for track in np.argsort(-weight, kind="stable"):
        rows = np.flatnonzero(inverse == track)
        frames = {int(position) for position in sightings.position[rows]}
        side = bool(is_right[track])
        doubtful = abs(vote[track] - 0.5) < _DOUBTFUL_VOTE
        if doubtful and len(frames & taken[side]) > len(frames) / 2 and not frames & taken[not side]:
            side = not side
        if own[side][track] < 0.5:
            continue
        is_right[track] = side
        free = np.array([int(position) not in taken[side] for position in sightings.position[rows]])
        wearer[rows[free]] = True
        taken[side] |= frames
    return Owners(is_right[inverse], wearer)


def _is_own(
    sightings: Sightings, K: NDArray[np.float64], *, right: bool, reach_m: float
) -> NDArray[np.float64]:
    """Return (N,) 1.0 where a row could be the wearer's right (or left) hand: near, arm coming from the wearer."""
    shape = sightings.shape_m.astype(np.float64)
    forearm = shape[:, 0] - (shape[:, 5] + shape[:, 13] + 2 * shape[:, 9]) / 4
    forearm /= np.maximum(np.linalg.norm(forearm, axis=1, keepdims=True), 1e-9)
    prior_m = prior_distance(K, sightings)
    distance_m = _believed_distance(prior_m, sightings.depth_m.astype(np.float64))
    wrist_px = sightings.joints_px[:, 0].astype(np.float64)
    # Sideways the prior distance serves: it needs no depth, and a neighbour is at the side at any distance.
    wrist_x = (wrist_px[:, 0] - K[:, 0, 2]) / K[:, 0, 0] * prior_m
    wrist_y = (wrist_px[:, 1] - K[:, 1, 2]) / K[:, 1, 1] * prior_m
    elbow_x = (wrist_x + _FOREARM_M * forearm[:, 0]) * (1 if right else -1)
    elbow_y = wrist_y + _FOREARM_M * forearm[:, 1]
    low, high = _ELBOW_RANGE_M
    elbow_z = distance_m + _FOREARM_M * forearm[:, 2]
    near = (distance_m <= reach_m) & (elbow_z <= _ELBOW_FARTHEST_M)
    from_below = (elbow_y > 0) & (forearm[:, 1] > -0.5)
    return (near & from_below & (elbow_x >= low) & (elbow_x <= high)).astype(np.float64)


def _believed_distance(prior_m: NDArray[np.float64], depth_m: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return measured distances where they leave the hand a possible size, else the prior ones."""
    palm = depth_m[:, list(PALM_JOINTS)]
    seen = np.isfinite(palm).any(axis=1)
    measured = np.full(len(prior_m), np.nan)
    measured[seen] = np.nanmedian(palm[seen], axis=1)
    low, high = _PALM_RATIO_RANGE
    with np.errstate(invalid="ignore"):
        possible = (measured / prior_m >= low) & (measured / prior_m <= high)
    return np.where(possible, measured, prior_m)


def _weighted_mean(
    values: NDArray[np.float64], weights: NDArray[np.float64], group: NDArray[np.intp], count: int
) -> NDArray[np.float64]:
    total = np.bincount(group, weights, count)
    mean: NDArray[np.float64] = np.bincount(group, values * weights, count) / np.maximum(total, 1e-12)
    return mean
