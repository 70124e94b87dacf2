"""From pixels and a hand-sized shape to metres: depth under the joints says how far away the hand is.

Depth frames of phones are small (a hand is 15 to 40 pixels wide) and mix hand with table at every edge, so single
depths are not trusted: each palm joint votes for the place of the *whole* hand, through its own place in the shape,
and enough of them must agree.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from episode_assets.geometry import back_project

PALM_JOINTS = (0, 1, 5, 9, 13, 17)
"""Joints that move little against each other: wrist, thumb base, and the four knuckles."""

_MOST_RADIUS = 4
_RADIUS_OF_PALM = 0.12
_MILLIMETRE = 0.001

_DEPTH_NOISE_M = 0.015
_TILT_SPREAD = 0.35
"""How far the network's tilt of a hand is off, as a slope (metres of depth per metre sideways), roughly 20 degrees."""

_TILT_REACH_M = 0.06
"""Depths farther than this from the fitted hand belong to something else."""

_TILT_ROUNDS = 3

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Anchor:
    """Where hands are along the camera's axis, N rows.

    Attributes:
        place: (N, 3) float64: depth of the origin of the scaled shape in metres, and the two slopes (depth per
            sideways and per downward metre) by which the shape is tilted more than the network saw; NaN where palm
            joints do not agree.
        agreeing: (N,) int64 number of palm joints that agree.
    """

    place: Floats
    agreeing: NDArray[np.int64]


def sample_depth(
    depth_mm: NDArray[np.uint16],
    joints_px: Floats,
    *,
    near_m: float,
    far_m: float,
    quantile: float,
) -> NDArray[np.float32]:
    """Return (N, 21) float32 metres of the surface at joints, NaN where nothing valid lies around them.

    Takes a low quantile of a patch that follows the size of the hand: what is not hand lies behind it.

    Args:
        depth_mm: (H, W) uint16 millimetres, 0 where missing.
        joints_px: (N, 21, 2) pixels of the depth frame.
        near_m: Nearest depth that counts, m.
        far_m: Farthest depth that counts, m.
        quantile: 0..0.5, which of the valid depths is taken, nearest first.
    """
    height, width = depth_mm.shape
    palm_px = np.linalg.norm(joints_px[:, 5] - joints_px[:, 17], axis=1)
    radius = np.rint(np.clip(_RADIUS_OF_PALM * palm_px, 1, _MOST_RADIUS))[:, None, None]
    steps = np.arange(-_MOST_RADIUS, _MOST_RADIUS + 1)
    step_y, step_x = (axis.ravel() for axis in np.meshgrid(steps, steps, indexing="ij"))
    centre = np.rint(np.clip(joints_px, -1e6, 1e6)).astype(np.int64)
    x, y = centre[..., 0, None] + step_x, centre[..., 1, None] + step_y
    usable = (np.abs(step_x) <= radius) & (np.abs(step_y) <= radius)
    usable = usable & (x >= 0) & (x < width) & (y >= 0) & (y < height)
    depth_m = depth_mm[np.clip(y, 0, height - 1), np.clip(x, 0, width - 1)] * _MILLIMETRE
    usable &= (depth_m >= near_m) & (depth_m <= far_m)
    ordered = np.sort(np.where(usable, depth_m, np.inf), axis=2)
    count = usable.sum(axis=2)
    chosen = np.floor(quantile * np.maximum(count - 1, 0)).astype(np.int64)
    picked = np.take_along_axis(ordered, chosen[..., None], axis=2)[..., 0]
    return np.where(count > 0, picked, np.nan).astype(np.float32)


def measured_scale(K: Floats, joints_px: Floats, shape_m: Floats, depth_m: Floats) -> Floats:
    """Return (N,) ratios of measured to prior hand size; NaN where fewer than three palm joints have a depth.

    Compares spans across the line of sight only: pixels times distance over focal length, against the same spans
    of the shape. Depth differences inside a hand are too coarse to measure with.

    Args:
        K: (N, 3, 3) intrinsics.
        joints_px: (N, 21, 2) pixels.
        shape_m: (N, 21, 3) prior shape in camera directions.
        depth_m: (N, 21) surface depth at the joints.
    """
    joints = list(PALM_JOINTS)
    known = np.isfinite(depth_m[:, joints])
    distance = _masked_median(depth_m[:, joints], known, at_least=3)
    first, second = np.triu_indices(len(joints), 1)
    focal = np.stack([K[:, 0, 0], K[:, 1, 1]], axis=1)[:, None, :]
    pixels = joints_px[:, joints]
    across = np.linalg.norm((pixels[:, first] - pixels[:, second]) / focal, axis=2).sum(axis=1)
    flat = shape_m[:, joints, :2]
    prior = np.linalg.norm(flat[:, first] - flat[:, second], axis=2).sum(axis=1)
    return np.asarray(
        np.divide(across * distance, prior, out=np.full(len(prior), np.nan), where=prior > 1e-6)
    )


def anchor(
    K: Floats,
    joints_px: Floats,
    shape_m: Floats,
    depth_m: Floats,
    *,
    skin_offset_m: float,
    agree_m: float,
    min_agreeing: int,
) -> Anchor:
    """Place shapes so that palm joints lie where depth sees them.

    Each palm joint with a depth is back-projected and votes with the difference to *its own* place in the shape;
    joints within `agree_m` of the median vote count. Arguments as in `measured_scale`; `shape_m` is already scaled.
    """
    joints = list(PALM_JOINTS)
    points = back_project(K[:, None], joints_px[:, joints], depth_m[:, joints] + skin_offset_m)
    votes = points - shape_m[:, joints]
    known = np.asarray(np.isfinite(votes).all(axis=2))
    middle = _masked_median(votes, known, at_least=min_agreeing)
    with np.errstate(invalid="ignore"):
        near: NDArray[np.bool_] = np.linalg.norm(votes - middle[:, None], axis=2) <= agree_m
    close = known & near
    distance_m = _masked_median(votes, close, at_least=min_agreeing)[:, 2]
    place = _tilted(distance_m, shape_m, depth_m + skin_offset_m)
    return Anchor(place, close.sum(axis=1))


def place_joints(K: Floats, joints_px: Floats, shape_m: Floats, place: Floats) -> Floats:
    """Return (N, 21, 3) joints in metres of the optical frame, NaN where `place` (N, 3) is.

    Every joint stays on the ray of its own pixel; depth along the ray comes from the anchor and the scaled shape.
    So the result agrees with the picture, and an error of the prior does not move joints sideways.
    """
    depth_m = shape_m[..., 2] + np.einsum("njk,nk->nj", _lever(shape_m), place)
    return back_project(K[:, None], joints_px, depth_m)


def _tilted(distance_m: Floats, shape_m: Floats, joint_depth_m: Floats) -> Floats:
    """Return (N, 3) distance and slopes that bring the shape closest to the depths under all its joints.

    The network guesses how a hand is turned out of the picture plane and errs by centimetres at the wrist. A plane
    through what depth sees corrects that with two numbers per hand, so a single wrong depth moves little: least
    squares with a prior on the slopes, refitted without what lies off the hand.
    """
    lever = _lever(shape_m)
    start = np.zeros((len(distance_m), 3))
    start[:, 0] = np.nan_to_num(distance_m)
    error = joint_depth_m - shape_m[..., 2] - start[:, :1]
    prior = np.diag([0.0, (_DEPTH_NOISE_M / _TILT_SPREAD) ** 2, (_DEPTH_NOISE_M / _TILT_SPREAD) ** 2])
    # Without any depth the system is empty; a trace of the identity keeps it solvable, and its distance is NaN.
    prior += np.eye(3) * 1e-9
    fitted = np.zeros_like(start)
    for _ in range(_TILT_ROUNDS):
        left = np.abs(np.nan_to_num(error - np.einsum("njk,nk->nj", lever, fitted), nan=np.inf))
        weight = (left <= _TILT_REACH_M).astype(np.float64)
        normal = np.einsum("nj,njk,njl->nkl", weight, lever, lever) + prior
        target = np.einsum("nj,njk,nj->nk", weight, lever, np.nan_to_num(error))
        fitted = np.linalg.solve(normal, target[..., None])[..., 0]
    return np.where(np.isfinite(distance_m)[:, None], start + fitted, np.nan)


def _lever(shape_m: Floats) -> Floats:
    """Return (N, 21, 3): 1, and how far each joint lies sideways and below the palm's centre."""
    from_palm = shape_m[..., :2] - shape_m[:, list(PALM_JOINTS), :2].mean(axis=1, keepdims=True)
    return np.concatenate([np.ones((*from_palm.shape[:2], 1)), from_palm], axis=2)


def _masked_median(values: Floats, mask: NDArray[np.bool_], *, at_least: int) -> Floats:
    """Return the median along axis 1 of the values under the mask (N, J), NaN with fewer than `at_least`."""
    extended = mask[..., None] if values.ndim == 3 else mask
    ordered = np.sort(np.where(extended, values, np.inf), axis=1)
    count = mask.sum(axis=1)
    low, high = np.maximum(count - 1, 0) // 2, count // 2
    rows = np.arange(len(values))
    high = np.minimum(high, values.shape[1] - 1)
    enough = count >= at_least
    with np.errstate(invalid="ignore"):
        middle = (ordered[rows, low] + ordered[rows, high]) / 2
    return np.asarray(np.where(enough[:, None] if values.ndim == 3 else enough, middle, np.nan))
