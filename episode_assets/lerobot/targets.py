"""Action chunks seen from the camera of the row they start at, derived from rows; numpy only.

A dataset stores poses in one frame. A policy that predicts from a picture often wants the wrists of the next rows in
that picture's camera frame. Such chunks are the same whatever frame the rows are told in, so they are not stored.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from episode_assets.geometry import matrix_to_rot6d, quaternion_to_matrix, rot6d_to_matrix


def camera_frame_chunks(
    state: ArrayLike,
    camera_pose: ArrayLike,
    *,
    valid_hands: ArrayLike,
    valid_camera_pose: ArrayLike,
    horizon: int,
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return, for every row t of one episode, the wrists of rows t+1 .. t+horizon in the camera frame of t.

    Args:
        state: (N, 18) `observation.state` of one episode in its order, in the frame of `camera_pose`.
        camera_pose: (N, 7) `camera.pose`: position and quaternion x, y, z, w.
        valid_hands: (N, 2) bool, `valid.left` and `valid.right`.
        valid_camera_pose: (N,) bool, `valid.camera_pose`.
        horizon: Rows ahead, at least 1.

    Returns:
        chunks: (N, horizon, 18) float32, left then right, position and rot6d (row form).
        valid: (N, horizon, 2) bool: the row lies in the episode, its hand was measured, and the camera pose of t is
            known. Where it is false the numbers repeat the episode's last row or a held pose.
    """
    poses = np.asarray(state, dtype=np.float64).reshape(-1, 2, 9)
    camera = np.asarray(camera_pose, dtype=np.float64)
    count = len(poses)
    ahead = np.arange(count)[:, None] + np.arange(1, horizon + 1)
    is_inside = ahead < count
    later = np.minimum(ahead, count - 1)
    camera_from_frame = np.swapaxes(quaternion_to_matrix(camera[:, 3:]), -1, -2)[:, None, None]
    offset = poses[later][..., :3] - camera[:, None, None, :3]
    position = (camera_from_frame @ offset[..., None])[..., 0]
    rotation = camera_from_frame @ rot6d_to_matrix(poses[later][..., 3:])
    chunks = np.concatenate([position, matrix_to_rot6d(rotation)], axis=-1)
    known = np.asarray(valid_hands, dtype=bool)[later]
    valid = known & is_inside[..., None] & np.asarray(valid_camera_pose, dtype=bool)[:, None, None]
    return chunks.reshape(count, horizon, 18).astype(np.float32), valid
