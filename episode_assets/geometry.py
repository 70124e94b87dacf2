"""Rotations, poses, camera projection, normals: the one place where axes and frames are defined.

Everything is numpy and vectorised over leading dimensions. A rotation or a pose is named by both of its frames:
`world_from_optical` maps optical coordinates to world coordinates. Quaternions are x, y, z, w. The optical frame
has X right, Y down, Z forward; the world of the phone app has Y up and its camera link X right, Y up, Z backward.

What a recording says about its frames belongs to `recording`; frames of a dataset (episode frame) to `lerobot`.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats: TypeAlias = NDArray[np.float64]

_TINY = 1e-12
_HALF_TURN_RAD = 1e-6


def quaternion_to_matrix(quaternion_xyzw: ArrayLike) -> Floats:
    """Return rotation matrices (..., 3, 3) of quaternions (..., 4) in x, y, z, w order.

    Quaternions are normalised first. A zero quaternion means "unset" in most recorders and gives NaN, because
    normalising it would invent a rotation.
    """
    q = np.asarray(quaternion_xyzw, dtype=np.float64)
    norm = np.linalg.norm(q, axis=-1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        x, y, z, w = np.moveaxis(np.where(norm > _TINY, q / norm, np.nan), -1, 0)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def matrix_to_quaternion(rotation: ArrayLike) -> Floats:
    """Return unit quaternions (..., 4) x, y, z, w with w >= 0 of rotation matrices (..., 3, 3).

    Takes the largest of the four components as pivot (Shepperd's method), so no half-turn loses precision.
    """
    R = np.asarray(rotation, dtype=np.float64)
    xx, yy, zz = R[..., 0, 0], R[..., 1, 1], R[..., 2, 2]
    x_w, y_w, z_w = R[..., 2, 1] - R[..., 1, 2], R[..., 0, 2] - R[..., 2, 0], R[..., 1, 0] - R[..., 0, 1]
    x_y, x_z, y_z = R[..., 0, 1] + R[..., 1, 0], R[..., 0, 2] + R[..., 2, 0], R[..., 1, 2] + R[..., 2, 1]
    # Row i is 4 * q_i * (x, y, z, w): every row is the same quaternion up to scale.
    table = np.stack(
        [
            np.stack([1 + xx - yy - zz, x_y, x_z, x_w], axis=-1),
            np.stack([x_y, 1 - xx + yy - zz, y_z, y_w], axis=-1),
            np.stack([x_z, y_z, 1 - xx - yy + zz, z_w], axis=-1),
            np.stack([x_w, y_w, z_w, 1 + xx + yy + zz], axis=-1),
        ],
        axis=-2,
    )
    pivot = np.argmax(np.diagonal(table, axis1=-2, axis2=-1), axis=-1)
    q = np.take_along_axis(table, pivot[..., None, None], axis=-2)[..., 0, :]
    q = q / np.linalg.norm(q, axis=-1, keepdims=True)
    return np.asarray(np.where(q[..., 3:] < 0, -q, q))


def continuous_quaternions(quaternion_xyzw: ArrayLike) -> Floats:
    """Return (N, 4) quaternions whose signs follow their predecessors (dot product never negative).

    NaN rows stay NaN and do not break the chain.
    """
    q = np.array(quaternion_xyzw, dtype=np.float64)
    valid = np.flatnonzero(np.isfinite(q).all(axis=-1))
    if len(valid) > 1:
        dots = np.sum(q[valid[1:]] * q[valid[:-1]], axis=-1)
        q[valid[1:]] *= np.cumprod(np.where(dots < 0, -1.0, 1.0))[:, None]
    return q


def rotation_exp(rotation_vector: ArrayLike) -> Floats:
    """Return rotation matrices (..., 3, 3) of rotation vectors (..., 3) in radians (so(3) exponential)."""
    v = np.asarray(rotation_vector, dtype=np.float64)
    half = np.linalg.norm(v, axis=-1, keepdims=True) / 2
    # np.sinc(x) is sin(pi x) / (pi x): exact at zero, so no series is needed.
    xyz = v / 2 * np.sinc(half / np.pi)
    return quaternion_to_matrix(np.concatenate([xyz, np.cos(half)], axis=-1))


def rotation_log(rotation: ArrayLike) -> Floats:
    """Return rotation vectors (..., 3) in radians, of length at most pi, of matrices (..., 3, 3).

    Goes through the quaternion and an arctangent, which stays exact near 0 and near pi where the arc cosine of
    the trace does not.
    """
    q = matrix_to_quaternion(rotation)
    xyz, w = q[..., :3], q[..., 3:]
    sine = np.linalg.norm(xyz, axis=-1, keepdims=True)
    angle = 2 * np.arctan2(sine, w)
    scale = np.where(sine > _TINY, angle / np.maximum(sine, _TINY), 2.0)
    return np.asarray(xyz * scale)


def rotation_angle(rotation: ArrayLike) -> Floats:
    """Return the rotation angle in radians, 0..pi, of matrices (..., 3, 3)."""
    return np.asarray(np.linalg.norm(rotation_log(rotation), axis=-1))


def continuous_rotation_vectors(rotation_vector: ArrayLike) -> Floats:
    """Return (N, 3) rotation vectors whose half turns point where their predecessors do.

    A half turn about an axis and one about its opposite are the same rotation, and noise decides which of them a
    logarithm returns. Only vectors within 1e-6 rad of pi are turned round; NaN rows stay NaN and are passed over.
    """
    v = np.array(rotation_vector, dtype=np.float64)
    known = np.flatnonzero(np.isfinite(v).all(axis=-1))
    is_half_turn = np.abs(np.linalg.norm(v, axis=-1) - np.pi) < _HALF_TURN_RAD
    for before, here in pairwise(known):
        if is_half_turn[here] and v[here] @ v[before] < 0:
            v[here] = -v[here]
    return v


def matrix_to_euler(rotation: ArrayLike) -> Floats:
    """Return roll, pitch, yaw (..., 3) in radians, -pi < angle <= pi, of rotations (..., 3, 3).

    Extrinsic x, y, z: R = Rz(yaw) Ry(pitch) Rx(roll). Where the pitch is a quarter turn only the sum or difference of
    roll and yaw is known, and noise divides it; see `near_gimbal_lock`.
    """
    R = np.asarray(rotation, dtype=np.float64)
    roll = np.arctan2(R[..., 2, 1], R[..., 2, 2])
    pitch = np.arctan2(-R[..., 2, 0], np.hypot(R[..., 2, 1], R[..., 2, 2]))
    yaw = np.arctan2(R[..., 1, 0], R[..., 0, 0])
    angles = np.stack([roll, pitch, yaw], axis=-1)
    return np.where(angles == -np.pi, np.pi, angles)


def euler_to_matrix(roll_pitch_yaw: ArrayLike) -> Floats:
    """Return rotations (..., 3, 3) of roll, pitch, yaw (..., 3) in radians, extrinsic x, y, z."""
    angles = np.asarray(roll_pitch_yaw, dtype=np.float64)
    about_x, about_y, about_z = (rotation_exp(angles[..., i, None] * np.eye(3)[i]) for i in range(3))
    return np.asarray(about_z @ about_y @ about_x)


def near_gimbal_lock(roll_pitch_yaw: ArrayLike, *, margin_rad: float = 1e-3) -> NDArray[np.bool_]:
    """Return (...) bool: the pitch of angles (..., 3) is a quarter turn, so roll and yaw mean nothing alone."""
    pitch = np.asarray(roll_pitch_yaw, dtype=np.float64)[..., 1]
    return np.asarray(np.abs(np.abs(pitch) - np.pi / 2) <= margin_rad)


def interpolate_rotation(first: ArrayLike, second: ArrayLike, ratio: ArrayLike) -> Floats:
    """Return the rotation at `ratio` (0 is first, 1 is second) on the geodesic between two (..., 3, 3) rotations."""
    R0, R1 = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    step = rotation_log(np.swapaxes(R0, -1, -2) @ R1)
    return np.asarray(R0 @ rotation_exp(np.asarray(ratio, dtype=np.float64)[..., None] * step))


def matrix_to_rot6d(rotation: ArrayLike) -> Floats:
    """Return the row form (..., 6) of rotations: r00, r01, r02, r10, r11, r12.

    Robot practice uses rows; the paper of Zhou et al. (2019) uses columns. Mixing them inverts the rotation silently.
    """
    R = np.asarray(rotation, dtype=np.float64)
    return R[..., :2, :].reshape(*R.shape[:-2], 6)


def rot6d_to_matrix(rot6d: ArrayLike) -> Floats:
    """Return rotations (..., 3, 3) of row-form vectors (..., 6), made orthonormal by Gram-Schmidt."""
    six = np.asarray(rot6d, dtype=np.float64)
    a1, a2 = six[..., :3], six[..., 3:]
    b1 = a1 / np.linalg.norm(a1, axis=-1, keepdims=True)
    b2 = a2 - np.sum(b1 * a2, axis=-1, keepdims=True) * b1
    b2 = b2 / np.linalg.norm(b2, axis=-1, keepdims=True)
    return np.stack([b1, b2, np.cross(b1, b2)], axis=-2)


def mean_rotation(rotations: ArrayLike, *, weights: ArrayLike | None = None) -> Floats:
    """Return the chordal mean (3, 3) of rotations (N, 3, 3), optionally weighted by (N,) non-negative weights."""
    R = np.asarray(rotations, dtype=np.float64)
    w = np.ones(len(R)) if weights is None else np.asarray(weights, dtype=np.float64)
    return nearest_rotation(np.einsum("i,ijk->jk", w, R))


def nearest_rotation(matrix: ArrayLike) -> Floats:
    """Return the rotations closest to matrices (..., 3, 3) in the Frobenius norm (det +1, by singular values)."""
    U, _, Vt = np.linalg.svd(np.asarray(matrix, dtype=np.float64))
    sign = np.ones(U.shape[:-1])
    sign[..., 2] = np.linalg.det(U @ Vt)
    return np.asarray((U * sign[..., None, :]) @ Vt)


def compose(
    a_from_b: tuple[ArrayLike, ArrayLike], b_from_c: tuple[ArrayLike, ArrayLike]
) -> tuple[Floats, Floats]:
    """Return the pose `a_from_c` of two poses, each a pair of rotation (..., 3, 3) and translation (..., 3)."""
    R1, t1 = (np.asarray(part, dtype=np.float64) for part in a_from_b)
    R2, t2 = (np.asarray(part, dtype=np.float64) for part in b_from_c)
    return R1 @ R2, np.einsum("...ij,...j->...i", R1, t2) + t1


def inverse(a_from_b: tuple[ArrayLike, ArrayLike]) -> tuple[Floats, Floats]:
    """Return the pose `b_from_a` of a pose given as rotation (..., 3, 3) and translation (..., 3)."""
    R, t = (np.asarray(part, dtype=np.float64) for part in a_from_b)
    Rt = np.swapaxes(R, -1, -2)
    return Rt, -np.einsum("...ij,...j->...i", Rt, t)


def transform_points(a_from_b: tuple[ArrayLike, ArrayLike], points_b: ArrayLike) -> Floats:
    """Return points (..., P, 3) of frame b in frame a; the pose broadcasts over the leading dimensions."""
    R, t = (np.asarray(part, dtype=np.float64) for part in a_from_b)
    points = np.asarray(points_b, dtype=np.float64)
    return np.asarray(points @ np.swapaxes(R, -1, -2) + t[..., None, :])


def world_from_optical(
    pose_quaternion_xyzw: ArrayLike,
    pose_translation: ArrayLike,
    link_from_optical: ArrayLike,
    *,
    offset_m: ArrayLike = (0.0, 0.0, 0.0),
) -> tuple[Floats, Floats]:
    """Return the camera pose `world_from_optical` of recorded link poses.

    Args:
        pose_quaternion_xyzw: (N, 4) rotation of the link in the world.
        pose_translation: (N, 3) metres, origin of the link in the world.
        link_from_optical: (3, 3) rotation from the optical frame to the link, as the recording states it.
        offset_m: (3,) origin of the optical frame in the link; zero on phones, centimetres on some rigs.

    Returns:
        R (N, 3, 3) and t (N, 3): `p_world = R p_optical + t`. A zero quaternion gives NaN.
    """
    link = (quaternion_to_matrix(pose_quaternion_xyzw), pose_translation)
    return compose(link, (link_from_optical, offset_m))


def project(K: ArrayLike, points_optical: ArrayLike) -> Floats:
    """Return pixels (..., 2) of optical points (..., 3) through K (..., 3, 3); NaN where Z <= 0.

    Pinhole without distortion; whole pixel coordinates are pixel centres.
    """
    points = np.asarray(points_optical, dtype=np.float64)
    z = points[..., 2]
    in_front = z > _TINY
    unit = points / np.where(in_front, z, np.nan)[..., None]
    return np.asarray(np.einsum("...ij,...j->...i", np.asarray(K, dtype=np.float64), unit)[..., :2])


def back_project(K: ArrayLike, pixels: ArrayLike, depth_m: ArrayLike) -> Floats:
    """Return optical points (..., 3) in metres of pixels (..., 2) at depths (...) along Z; NaN where depth <= 0."""
    k = np.asarray(K, dtype=np.float64)
    px = np.asarray(pixels, dtype=np.float64)
    depth = np.asarray(depth_m, dtype=np.float64)
    z = np.where(depth > 0, depth, np.nan)
    y = (px[..., 1] - k[..., 1, 2]) / k[..., 1, 1]
    x = (px[..., 0] - k[..., 0, 2] - k[..., 0, 1] * y) / k[..., 0, 0]
    return np.stack([x * z, y * z, z], axis=-1)


def scale_intrinsics(
    K: ArrayLike,
    from_size: tuple[int, int],
    to_size: tuple[int, int],
    *,
    convention: Literal["pixel_centre", "plain"] = "pixel_centre",
) -> Floats:
    """Return K (..., 3, 3) for a picture resized from (width, height) to (width, height).

    `pixel_centre`: whole coordinates are pixel centres, `cx' = (cx + 0.5) s - 0.5`; right for pictures that are
    resized here. `plain`: `cx' = cx s`, as recorders scale between capture buffer, JPEG and depth map.
    """
    shift = 0.5 if convention == "pixel_centre" else 0.0
    sx, sy = to_size[0] / from_size[0], to_size[1] / from_size[1]
    scaled = np.array(K, dtype=np.float64)
    scaled[..., 0, :2] *= sx
    scaled[..., 1, 1] *= sy
    scaled[..., 0, 2] = (scaled[..., 0, 2] + shift) * sx - shift
    scaled[..., 1, 2] = (scaled[..., 1, 2] + shift) * sy - shift
    return scaled


def crop_intrinsics(K: ArrayLike, *, x0_px: float, y0_px: float) -> Floats:
    """Return K (..., 3, 3) of a picture whose first kept pixel is (x0, y0); padding right or below changes nothing."""
    cropped = np.array(K, dtype=np.float64)
    cropped[..., 0, 2] -= x0_px
    cropped[..., 1, 2] -= y0_px
    return cropped


def rescale_pixels(pixels: ArrayLike, from_size: tuple[int, int], to_size: tuple[int, int]) -> Floats:
    """Return pixel positions (..., 2) after a resize from (width, height) to (width, height), pixel centres whole."""
    scale = np.array([to_size[0] / from_size[0], to_size[1] / from_size[1]])
    return np.asarray((np.asarray(pixels, dtype=np.float64) + 0.5) * scale - 0.5)


def vertex_normals(vertices: ArrayLike, triangles: NDArray[np.integer]) -> NDArray[np.float32]:
    """Return (V, 3) unit normals of a surface: the mean over the triangles around each vertex, weighted by area.

    They stand on the side from which the corners of the triangles run counter-clockwise; zeros where no triangle with
    an area is.

    Args:
        vertices: (V, 3) points.
        triangles: (M, 3) rows of `vertices`.
    """
    points = np.asarray(vertices, dtype=np.float64)
    first, second, third = (points[triangles[:, corner]] for corner in range(3))
    by_area = np.cross(second - first, third - first)
    total = np.zeros((len(points), 3))
    for corner in range(3):
        for axis in range(3):
            total[:, axis] += np.bincount(triangles[:, corner], by_area[:, axis], len(points))
    length = np.linalg.norm(total, axis=1, keepdims=True)
    unit = np.divide(total, length, out=np.zeros_like(total), where=length > 0)
    return np.asarray(unit, dtype=np.float32)
