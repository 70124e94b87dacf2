"""Calibration and camera pose for the pictures in which hands were seen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from episode_assets.geometry import interpolate_rotation, world_from_optical
from episode_assets.recording import CameraInfoStream, PoseStream

_ASSUMED_FOCAL_OF_WIDTH = 0.75
"""Focal length over picture width of a phone's main camera, roughly; only for judging whose hand it is."""

_LONGEST_POSE_STEP_NS = 200_000_000
_SAME_INSTANT_NS = 1_000_000

Floats = NDArray[np.float64]


def intrinsics_of(
    info: CameraInfoStream | None, stamps_ns: NDArray[np.int64], sizes: NDArray[np.int32]
) -> tuple[Floats, tuple[str, ...]]:
    """Return K (N, 3, 3) for pictures of (N, 2) width, height, NaN where unknown, and the reasons for that."""
    K = np.full((len(stamps_ns), 3, 3), np.nan)
    if info is None:
        return K, ("the recording has no calibration",)
    reasons: list[str] = []
    for size in np.unique(sizes, axis=0):
        rows = np.flatnonzero((sizes == size).all(axis=1))
        K[rows], _, reason = info.for_pictures(stamps_ns[rows], width=int(size[0]), height=int(size[1]))
        if reason:
            reasons.append(reason)
    return K, tuple(reasons)


def or_assumed(K: Floats, sizes: NDArray[np.int32]) -> Floats:
    """Return K with a plain pinhole where it is unknown."""
    width, height = sizes.T.astype(np.float64)
    assumed = np.zeros_like(K)
    assumed[:, 0, 0] = assumed[:, 1, 1] = _ASSUMED_FOCAL_OF_WIDTH * np.maximum(width, height)
    assumed[:, 0, 2], assumed[:, 1, 2], assumed[:, 2, 2] = (width - 1) / 2, (height - 1) / 2, 1.0
    return np.where(np.isfinite(K), K, assumed)


@dataclass(frozen=True)
class CameraPath:
    """Camera poses at frames: `p_world = R p_optical + t`, NaN where no pose is near.

    Attributes:
        R: (N, 3, 3) float64.
        t: (N, 3) float64 metres.
    """

    R: Floats
    t: Floats


def camera_path(
    pose: PoseStream | None,
    link_from_optical: Floats,
    stamps_ns: NDArray[np.int64],
    *,
    offset_m: Floats,
) -> CameraPath:
    """Return the camera's pose at stamps, between the two poses around each.

    A stamp within a millisecond of a pose takes that pose; otherwise both neighbours must lie within 0.2 s of each
    other, because a camera on a head does not move evenly for longer.
    """
    R, t = np.full((len(stamps_ns), 3, 3), np.nan), np.full((len(stamps_ns), 3), np.nan)
    if pose is None or not len(pose.stamp_ns) or not len(stamps_ns):
        return CameraPath(R, t)
    known_R, known_t = world_from_optical(
        pose.quaternion_xyzw, pose.translation, link_from_optical, offset_m=offset_m
    )
    stamps = pose.stamp_ns
    after = np.clip(np.searchsorted(stamps, stamps_ns), 0, len(stamps) - 1)
    before = np.clip(after - 1, 0, None)
    nearest = np.where(np.abs(stamps[before] - stamps_ns) <= np.abs(stamps[after] - stamps_ns), before, after)
    exact = np.abs(stamps[nearest] - stamps_ns) <= _SAME_INSTANT_NS
    span = stamps[after] - stamps[before]
    between = (
        ~exact & (stamps[before] < stamps_ns) & (stamps_ns < stamps[after]) & (span <= _LONGEST_POSE_STEP_NS)
    )
    R[exact], t[exact] = known_R[nearest[exact]], known_t[nearest[exact]]
    low, high = before[between], after[between]
    ratio = (stamps_ns[between] - stamps[low]) / np.maximum(span[between], 1)
    R[between] = interpolate_rotation(known_R[low], known_R[high], ratio)
    t[between] = known_t[low] + ratio[:, None] * (known_t[high] - known_t[low])
    return CameraPath(R, t)
