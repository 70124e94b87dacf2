"""The pose of the camera at every picture: the nearest sample, never an interpolated one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from episode_assets.geometry import world_from_optical
from episode_assets.recording import PoseStream, nearest


@dataclass(frozen=True)
class FramePoses:
    """The camera's optical frame in the world, one row per picture.

    Attributes:
        world_from_optical: (F, 4, 4) float64, p_world = T p_optical, metres; NaN where not valid.
        valid: (F,) bool.
        dt_ns: (F,) int64, pose stamp minus picture stamp; 0 where not valid.
    """

    world_from_optical: NDArray[np.float64]
    valid: NDArray[np.bool_]
    dt_ns: NDArray[np.int64]


def poses_of_pictures(
    pose: PoseStream | None,
    stamps_ns: NDArray[np.int64],
    link_from_optical: NDArray[np.float64],
    *,
    offset_m: NDArray[np.float64],
    tolerance_s: float,
) -> FramePoses:
    """Give every picture the pose with the nearest stamp, ties to the earlier one.

    `offset_m` is the origin of the optical frame in the link; zero on phones, centimetres on some rigs. Poses that
    are not finite or whose quaternion has no length count as missing.
    """
    F = len(stamps_ns)
    result = FramePoses(np.full((F, 4, 4), np.nan), np.zeros(F, dtype=np.bool_), np.zeros(F, dtype=np.int64))
    usable = np.flatnonzero(usable_poses(pose)) if pose is not None else np.empty(0, dtype=np.int64)
    if pose is None or len(usable) == 0:
        return result
    order = usable[np.argsort(pose.stamp_ns[usable], kind="stable")]
    stamps = pose.stamp_ns[order]
    position = nearest(stamps, stamps_ns, tolerance_ns=round(tolerance_s * 1e9))
    result.valid[:] = position >= 0
    chosen = order[position[result.valid]]
    R, t = world_from_optical(
        pose.quaternion_xyzw[chosen], pose.translation[chosen], link_from_optical, offset_m=offset_m
    )
    result.world_from_optical[result.valid] = np.eye(4)
    result.world_from_optical[result.valid, :3, :3] = R
    result.world_from_optical[result.valid, :3, 3] = t
    result.dt_ns[result.valid] = pose.stamp_ns[chosen] - stamps_ns[result.valid]
    return result


def usable_poses(pose: PoseStream) -> NDArray[np.bool_]:
    """Return which samples are finite and have a quaternion of some length."""
    length = np.linalg.norm(pose.quaternion_xyzw, axis=1)
    finite = np.isfinite(pose.translation).all(axis=1) & np.isfinite(length)
    usable: NDArray[np.bool_] = finite & (length > 1e-6)
    return usable
