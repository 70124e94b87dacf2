"""From pixels and a hand-sized shape to metres: depth under the joints says how far away the hand is.

Depth frames of phones are small (a hand is 15 to 40 pixels wide) and mix hand with table at every edge, so single
depths are not trusted: each palm joint votes for the place of the *whole* hand, through its own place in the shape,
and enough of them must agree.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from episode_assets.geometry import back_project, rotation_exp

PALM_JOINTS = (0, 1, 5, 9, 13, 17)
"""Joints that move little against each other: wrist, thumb base, and the four knuckles."""

_MOST_RADIUS = 4
_RADIUS_OF_PALM = 0.12
_MILLIMETRE = 0.001

_CLUSTER_M = 0.02
"""Depths this close behind the nearest one belong to the same surface: noise of phones, and the slope of skin."""

_COMPANY_RATIO = 0.1
"""Share of a patch that must lie in the nearest surface: a few stray pixels before a hand are no hand."""

SKIN_OF_JOINT = np.array([2.0, 2.0, 1.4, 1.1, 0.8, *(1.5, 1.1, 0.9, 0.8) * 4])
"""How deep joints lie under the skin, relative to the middle of a finger. Wrists are about 40 mm thick, palms at the
knuckles 26, fingers 18 at the middle joint and 13 at the tip; joints lie in the middle."""

_SPREAD_M = np.array([0.008, 0.008, 0.010, 0.015, 0.025, *(0.008, 0.015, 0.020, 0.025) * 4])
"""How far a joint's depth may be off from what the shape says: noise, and for fingers how little the network knows of
their bend and how much a table mixes into depths of a few pixels."""

_TILT_SPREAD = 0.35
"""How far the network's tilt of a hand is off, as a slope (metres of depth per metre sideways), roughly 20 degrees."""

_BEHIND_M = 0.015
_BEFORE_M = 0.03
"""Depths farther behind or before the fitted hand than this soon stop to count. What mixes in lies behind a hand, so
there the doubt begins sooner."""

_FIT_ROUNDS = 6

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]


@dataclass(frozen=True)
class Anchor:
    """Where hands are along the camera's axis, N rows.

    Attributes:
        place: (N, 3) float64: depth of the origin of the scaled shape in metres, and the two slopes (depth per
            sideways and per downward metre) by which the shape is tilted more than the network saw; NaN where palm
            joints do not agree.
        depth_std_m: (N, 21) float64 standard deviation of the depths of joints that are placed there.
        agreeing: (N,) int64 number of palm joints that agree.
    """

    place: Floats
    depth_std_m: Floats
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

    Looks at the nearest surface in a patch that follows the size of the hand: what is not hand lies behind it, and
    where both mix at an edge the nearest depths are mixed least.

    Args:
        depth_mm: (H, W) uint16 millimetres, 0 where missing.
        joints_px: (N, 21, 2) pixels of the depth frame.
        near_m: Nearest depth that counts, m.
        far_m: Farthest depth that counts, m.
        quantile: 0..0.5, which of the depths of that surface is taken, nearest first.
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
    first, size = _nearest_surface(ordered, usable.sum(axis=2))
    chosen = first + np.floor(quantile * np.maximum(size - 1, 0)).astype(np.int64)
    picked = np.take_along_axis(ordered, chosen[..., None], axis=2)[..., 0]
    return np.where(size > 0, picked, np.nan).astype(np.float32)


def _nearest_surface(ordered: Floats, count: Counts) -> tuple[Counts, Counts]:
    """Return where in (N, 21, P) ordered depths the nearest surface begins, and how many of them it has.

    Args:
        ordered: Metres, ascending, infinite behind the last valid one.
        count: (N, 21) number of valid depths.
    """
    needed = np.ceil(_COMPANY_RATIO * count).astype(np.int64)
    last = np.take_along_axis(
        ordered,
        np.minimum(np.arange(ordered.shape[2]) + np.maximum(needed - 1, 0)[..., None], ordered.shape[2] - 1),
        axis=2,
    )
    with np.errstate(invalid="ignore"):
        has_company = last - ordered <= _CLUSTER_M
    first = np.argmax(has_company, axis=2)
    begin = np.take_along_axis(ordered, first[..., None], axis=2)
    with np.errstate(invalid="ignore"):
        inside = (ordered >= begin) & (ordered - begin <= _CLUSTER_M)
    size = np.where(has_company.any(axis=2), inside.sum(axis=2), 0)
    return first, size


def facing_along_rays(K: Floats, joints_px: Floats, shape_m: Floats) -> Floats:
    """Return shapes (N, 21, 3) turned from the direction of their own rays to that of the optical axis; NaN without K.

    A network that looks at a crop takes the hand for one in the middle of its view: what it calls "away from the
    camera" is along the ray to the hand. At the border of a phone's picture that is 30 degrees off the optical axis,
    or 5 cm between the wrist and a middle fingertip. (Solving for the pose of all 21 joints in the picture gives the
    same turn with more noise: perspective within a hand is weak.)
    """
    middle = joints_px[:, list(PALM_JOINTS)].mean(axis=1)
    ray = back_project(K, middle, np.ones(len(middle)))
    across = np.linalg.norm(ray[:, :2], axis=1, keepdims=True)
    # Axis and angle of the shortest turn from the optical axis to the ray: z cross ray.
    axis = np.stack([-ray[:, 1], ray[:, 0], np.zeros(len(ray))], axis=1)
    turn = np.arctan(across) * axis / np.maximum(across, 1e-12)
    return np.asarray(np.einsum("nij,nkj->nki", rotation_exp(turn), shape_m))


def from_palm(shape_m: Floats) -> Floats:
    """Return shapes (N, 21, 3) around the middle of the palm; the origin of a network wanders by centimetres."""
    return np.asarray(shape_m - shape_m[:, list(PALM_JOINTS)].mean(axis=1, keepdims=True))


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
    joint_depth_m = depth_m + skin_offset_m * SKIN_OF_JOINT
    points = back_project(K[:, None], joints_px[:, joints], joint_depth_m[:, joints])
    votes = points - shape_m[:, joints]
    known = np.asarray(np.isfinite(votes).all(axis=2))
    middle = _masked_median(votes, known, at_least=min_agreeing)
    with np.errstate(invalid="ignore"):
        near: NDArray[np.bool_] = np.linalg.norm(votes - middle[:, None], axis=2) <= agree_m
    close = known & near
    distance_m = _masked_median(votes, close, at_least=min_agreeing)[:, 2]
    place, depth_std_m = _tilted(distance_m, shape_m, joint_depth_m)
    return Anchor(place, depth_std_m, close.sum(axis=1))


def place_joints(K: Floats, joints_px: Floats, shape_m: Floats, place: Floats) -> Floats:
    """Return (N, 21, 3) joints in metres of the optical frame, NaN where `place` (N, 3) is.

    Every joint stays on the ray of its own pixel; depth along the ray comes from the anchor and the scaled shape.
    So the result agrees with the picture, and an error of the prior does not move joints sideways.
    """
    depth_m = shape_m[..., 2] + np.einsum("njk,nk->nj", _lever(shape_m), place)
    return back_project(K[:, None], joints_px, depth_m)


def _tilted(distance_m: Floats, shape_m: Floats, joint_depth_m: Floats) -> tuple[Floats, Floats]:
    """Return the place (N, 3) that brings the shape closest to the depths under its joints, and its spread (N, 21).

    The network guesses how a hand is turned out of the picture plane and errs by centimetres at the wrist. A plane
    through what depth sees corrects that with two numbers per hand: least squares with a prior on the slopes, begun at
    the distance of the palm, whose depths are mixed with nothing, and refitted with what lies on the hand.
    """
    lever = _lever(shape_m)
    start = np.zeros((len(distance_m), 3))
    start[:, 0] = np.nan_to_num(distance_m)
    error = joint_depth_m - shape_m[..., 2] - start[:, :1]
    trust = np.where(np.isfinite(error), 1 / _SPREAD_M**2, 0.0)
    error = np.nan_to_num(error)
    # Without any depth the system is empty; a trace of the identity keeps it solvable, and its distance is NaN.
    prior = np.diag([1e-3, _TILT_SPREAD**-2, _TILT_SPREAD**-2])
    weight = trust * _doubt(error)
    fitted, normal = np.zeros_like(start), np.zeros((len(start), 3, 3))
    for _ in range(_FIT_ROUNDS):
        normal = np.einsum("nj,njk,njl->nkl", weight, lever, lever) + prior
        target = np.einsum("nj,njk,nj->nk", weight, lever, error)
        fitted = np.linalg.solve(normal, target[..., None])[..., 0]
        weight = trust * _doubt(error - np.einsum("njk,nk->nj", lever, fitted))
    place = np.where(np.isfinite(distance_m)[:, None], start + fitted, np.nan)
    return place, _spread(lever, normal)


def _spread(lever: Floats, normal: Floats) -> Floats:
    """Return (N, 21) standard deviations of depths: of the fitted plane, and of bent fingers against it."""
    plane = np.einsum("njk,nkl,njl->nj", lever, np.linalg.inv(normal), lever)
    return np.asarray(np.sqrt(plane + _SPREAD_M**2))


def _doubt(left_m: Floats) -> Floats:
    """Return weights 0..1 of depths that are left over by so much (Geman and McClure's, another width each side)."""
    width = np.where(left_m > 0, _BEHIND_M, _BEFORE_M)
    return np.asarray((1 + (left_m / width) ** 2) ** -2)


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
