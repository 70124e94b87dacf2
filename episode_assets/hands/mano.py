"""MANO numbers of a hand: what the networks give, how left hands are mirrored back, and where the camera then stands.

Formulas are those of the published WiLoR and HaMeR demos: a weak-perspective camera (s, tx, ty) in a square crop,
trained with a focal length of 5000 px on 256 px. Nothing here runs a network.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

CROP_PX = 256
CROP_FOCAL_PX = 5000.0

COLUMNS: dict[str, slice] = {
    "pred_cam": slice(0, 3),
    "global_orient": slice(3, 12),
    "hand_pose": slice(12, 147),
    "betas": slice(147, 157),
}
"""Where each output lies in a row: camera (3), rotation of the wrist (1, 3, 3), of 15 joints (15, 3, 3), shape (10)."""

WIDTH = 157
_MIRROR = np.array([-1.0, 1.0, 1.0])
_TINY = 1e-9


class FullCamera(NamedTuple):
    """A camera that sees the whole picture.

    Attributes:
        focal_px: (N, 2) focal lengths.
        principal_px: (N, 2) principal point.
    """

    focal_px: Floats
    principal_px: Floats


def mirrored_points(points: Floats, is_right: NDArray[np.bool_]) -> Floats:
    """Turn (N, J, 3) points of right hands into those of the true side: x negated where it is a left hand."""
    return np.where(is_right[:, None, None], points, points * _MIRROR)


def mirrored_rotations(rotations: Floats, is_right: NDArray[np.bool_]) -> Floats:
    """Turn (N, ..., 3, 3) rotations of right hands into those of the true side: M R M with M = diag(-1, 1, 1)."""
    mirrored = rotations * _MIRROR[:, None] * _MIRROR
    keep = is_right.reshape(-1, *[1] * (rotations.ndim - 1))
    return np.where(keep, rotations, mirrored)


def mirrored_camera(pred_cam: Floats, is_right: NDArray[np.bool_]) -> Floats:
    """Turn (N, 3) cameras (s, tx, ty) of right hands into those of the true side: tx negated."""
    return np.where(is_right[:, None], pred_cam, pred_cam * [1.0, -1.0, 1.0])


def pixels_of(joints_m: Floats, pred_cam: Floats, regions: Floats) -> Floats:
    """Project (N, J, 3) joints of the true side into the picture, as the network was trained to see them.

    Args:
        joints_m: Root-relative joints, metres.
        pred_cam: (N, 3) s, tx, ty of the true side.
        regions: (N, 4) squares that were looked at.
    """
    scale, shift = pred_cam[:, 0], pred_cam[:, 1:]
    distance = 2 * CROP_FOCAL_PX / (CROP_PX * scale + _TINY)
    in_crop = (
        CROP_FOCAL_PX * (joints_m[..., :2] + shift[:, None]) / (joints_m[..., 2:] + distance[:, None, None])
    )
    return regions[:, None, :2] + in_crop * (regions[:, 2] / CROP_PX)[:, None, None]


def full_translation(pred_cam: Floats, regions: Floats, camera: FullCamera) -> Floats:
    """Return (N, 3) metres from the camera of the whole picture to the hand's origin.

    With box size b: `tz = 2 f / (b s)`, `tx = tx_crop + 2 (cx - px) / (b s)`, and the same for y. The size of the hand
    is a prior of the network; so is the distance.
    """
    distance = 2 * camera.focal_px[:, 0] / (regions[:, 2] * pred_cam[:, 0] + _TINY)
    aside = (regions[:, :2] - camera.principal_px) / camera.focal_px * distance[:, None]
    return np.concatenate([pred_cam[:, 1:] + aside, distance[:, None]], axis=1)


def full_camera(K: Floats, sizes: NDArray[np.int32]) -> FullCamera:
    """Return the calibrated camera, or where it is unknown the models' own: f = 5000 / 256 times the longer side.

    Args:
        K: (N, 3, 3) intrinsics, NaN where unknown.
        sizes: (N, 2) width and height of the pictures.
    """
    known = np.asarray(np.isfinite(K).all(axis=(1, 2)))[:, None]
    assumed = np.repeat(sizes.max(axis=1, initial=0)[:, None] * (CROP_FOCAL_PX / CROP_PX), 2, axis=1)
    focal = np.where(known, np.stack([K[:, 0, 0], K[:, 1, 1]], axis=1), assumed)
    centre = (sizes.astype(np.float64) - 1) / 2
    return FullCamera(focal, np.where(known, K[:, :2, 2], centre))
