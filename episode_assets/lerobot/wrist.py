"""The pose of a wrist from 21 joints, and vectors made of it.

Joint order: 0 wrist; thumb 1-4, index 5-8, middle 9-12, ring 13-16, little finger 17-20, base to tip.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from episode_assets.geometry import matrix_to_rot6d

Floats = NDArray[np.float64]

STRAIGHT_RATIO = 0.1
"""Below this sine between finger and knuckle direction a hand has no orientation (degenerate triangle)."""

WRIST_JOINTS = (0, 5, 9, 17)
"""The joints that decide the pose of a wrist."""

IDENTITY_ROT6D = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


def wrist_rotation(joints: Floats, *, side: int) -> Floats:
    """Return the rotation from the wrist's axes to the frame of the joints.

    The columns are f, n x f, n: f points from the wrist to the middle knuckle, n out of the back of the hand. A
    mirrored hand has its knuckles in the other order, so the cross product changes its sign with the side.

    Args:
        joints: (N, 21, 3) metres in any right-handed frame; NaN where unknown.
        side: 0 left, 1 right.

    Returns:
        (N, 3, 3); NaN where a joint it needs is unknown or fingers and knuckles are nearly parallel.
    """
    finger = joints[:, 9] - joints[:, 0]
    knuckles = joints[:, 5] - joints[:, 17]
    normal = np.cross(finger, knuckles) if side == 1 else np.cross(knuckles, finger)
    lengths = np.linalg.norm(finger, axis=1) * np.linalg.norm(knuckles, axis=1)
    height = np.linalg.norm(normal, axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        is_flat = ~(height >= STRAIGHT_RATIO * lengths) | (lengths == 0)
        f = finger / np.linalg.norm(finger, axis=1, keepdims=True)
        n = normal / height[:, None]
    rotation = np.stack([f, np.cross(n, f), n], axis=-1)
    rotation[is_flat] = np.nan
    return rotation


def wrist_vector(joints: Floats, *, side: int) -> Floats:
    """Return (N, 9): wrist position, then the row form of its rotation; NaN where there is none."""
    return np.concatenate([joints[:, 0], matrix_to_rot6d(wrist_rotation(joints, side=side))], axis=1)


def hold(values: Floats, present: NDArray[np.bool_], *, never: Floats) -> Floats:
    """Fill rows that are not present: the last present row, before the first one the first, else `never`.

    The result is only there to be finite and near the data; a mask says which rows are true.

    Args:
        values: (N, D); anything where not present.
        present: (N,) bool.
        never: (D,) value for all rows if none is present.
    """
    if not present.any():
        return np.broadcast_to(never, values.shape).copy()
    latest = np.maximum.accumulate(np.where(present, np.arange(len(values)), -1))
    return np.asarray(values[np.where(latest < 0, int(np.argmax(present)), latest)])
