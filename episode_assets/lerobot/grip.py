"""How far a hand is open, from -1 (closed) to +1 (open): three ways, none of them calibrated to a gripper.

Bends and MANO use the thresholds of Data-Juicer's layout; the limits of the pinch are starting values. Nothing here
decides whether a hand was seen: unknown joints give NaN, and a mask tells so.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

OPEN_RAD, CLOSED_RAD = 0.15, 0.6
"""Mean bend at and below which a hand counts as open, at and above which as closed."""

OPEN_PINCH, CLOSED_PINCH = 1.0, 0.25
"""Distance of thumb and index tips over the width of the hand: open from the first, closed up to the second."""

PINCH_JOINTS = (4, 5, 8, 17)
"""Joints that the pinch is made of."""

_FINGERS = ((0, 1, 2, 3, 4), (0, 5, 6, 7, 8), (0, 9, 10, 11, 12), (0, 13, 14, 15, 16), (0, 17, 18, 19, 20))

DEFINITIONS = {
    "bend": "mean of the 15 bends between neighbouring bones, open at 0.15 rad, closed at 0.6 rad",
    "pinch": "distance of thumb and index tips over that of index and little knuckles, open at 1, closed at 0.25",
    "mano": "mean angle of MANO's 15 joints, open at 0.15 rad, closed at 0.6 rad",
}
"""What the numbers of each way mean, for the provenance."""


def grip_of_angle(mean_angle_rad: ArrayLike) -> Floats:
    """Return +1 up to 0.15 rad, -1 from 0.6 rad, and a straight line between; NaN stays NaN."""
    angle = np.asarray(mean_angle_rad, dtype=np.float64)
    between = 1.0 - 2.0 * ((angle - OPEN_RAD) / (CLOSED_RAD - OPEN_RAD))
    return np.where(angle <= OPEN_RAD, 1.0, np.where(angle >= CLOSED_RAD, -1.0, between))


def bend_grip(joints: Floats) -> Floats:
    """Return (N,) openings of hands (N, 21, 3) in any frame, from the bends of all five fingers."""
    bones = np.stack([np.diff(joints[:, finger], axis=1) for finger in _FINGERS], axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        unit = bones / np.linalg.norm(bones, axis=-1, keepdims=True)
    cosine = np.sum(unit[:, :, :-1] * unit[:, :, 1:], axis=-1)
    return grip_of_angle(np.arccos(np.clip(cosine, -1.0, 1.0)).reshape(len(joints), -1).mean(axis=1))


def pinch_grip(joints: Floats) -> Floats:
    """Return (N,) openings of hands (N, 21, 3) in any frame, from the distance of thumb and index tips."""
    tips = np.linalg.norm(joints[:, 4] - joints[:, 8], axis=1)
    width = np.linalg.norm(joints[:, 5] - joints[:, 17], axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.where(width > 0, tips / width, np.nan)
    return np.clip(2.0 * (ratio - CLOSED_PINCH) / (OPEN_PINCH - CLOSED_PINCH) - 1.0, -1.0, 1.0)


def mano_grip(finger_rotations: Floats) -> Floats:
    """Return (N,) openings of hands given by the rotations (N, 15, 3, 3) of MANO's joints."""
    trace = np.trace(finger_rotations, axis1=-2, axis2=-1)
    return grip_of_angle(np.arccos(np.clip((trace - 1.0) / 2.0, -1.0, 1.0)).mean(axis=1))
