"""Numbers that the joints of hands give, each hand by itself: sizes, angles, curl, the order of the fingers.

Joints are (N, 21, 3) metres in the camera's optical frame, NaN where unknown. No threshold is known here; what is taken
of a recording's hands stands in `hand_figures`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from episode_assets.bundle.layout import FINGER_BONES

Floats = NDArray[np.float64]
Joints = NDArray[np.float32]

WRIST = 0
INDEX_MCP, MIDDLE_MCP, PINKY_MCP = 5, 9, 17
TIPS = (4, 8, 12, 16, 20)
_FINGERS = np.array([[0, 5, 6, 7, 8], [0, 9, 10, 11, 12], [0, 13, 14, 15, 16], [0, 17, 18, 19, 20]])
"""Wrist to tip of the four fingers; the thumb bends about other axes."""


def bone_lengths(joints: Floats) -> Floats:
    """Return the lengths (N, 20) of the fingers' bones in metres."""
    parents, children = np.array(FINGER_BONES).T
    return np.asarray(np.linalg.norm(joints[:, children] - joints[:, parents], axis=2))


def palm_sizes(joints: Joints) -> Floats:
    """Return (N, 2) metres from the wrist to the middle finger's knuckle, and from the first to the last knuckle."""
    pairs = ((WRIST, MIDDLE_MCP), (INDEX_MCP, PINKY_MCP))
    sizes = [np.linalg.norm((joints[:, b] - joints[:, a]).astype(np.float64), axis=1) for a, b in pairs]
    return np.stack(sizes, axis=1)


def tip_distances(joints: Joints) -> Joints:
    """Return (N, 5) float32 metres from the wrist to the tips of thumb and fingers."""
    return np.asarray(np.linalg.norm(joints[:, TIPS] - joints[:, :1], axis=2), np.float32)


def palm_widths(joints: Joints) -> Joints:
    """Return (N,) float32 metres between the first and the last knuckle."""
    return np.asarray(np.linalg.norm(joints[:, INDEX_MCP] - joints[:, PINKY_MCP], axis=1), np.float32)


def row_medians(values: Floats) -> Floats:
    """Return the median of each row without its NaN, NaN where there is nothing else."""
    if values.shape[1] == 0:
        return np.full(len(values), np.nan)
    ordered = np.sort(values, axis=1)  # NaN comes last
    known = np.count_nonzero(~np.isnan(ordered), axis=1)
    rows, last = np.arange(len(ordered)), ordered.shape[1] - 1
    lower, upper = ordered[rows, np.maximum(known - 1, 0) // 2], ordered[rows, np.minimum(known // 2, last)]
    return np.where(known > 0, (lower + upper) / 2, np.nan)


def curl(joints: Floats) -> Floats:
    """Return (N,) -1 to 1, how far fingers are bent to the palm of a right hand; for a left one the negative of it.

    The palm's normal by the cross product of its edges points out of the palm of a right hand and out of the back of a
    left one, whatever the camera's place. Fingers bend to the palm; so the sign tells right from left hands.
    """
    fingers = _unit(joints[:, _FINGERS[:, -1]] - joints[:, _FINGERS[:, 1]])
    return np.asarray((fingers * _palm_normal(joints)[:, None]).sum(axis=2).mean(axis=1))


def flexion_range(joints: Floats, *, is_right: bool) -> Floats:
    """Return (N, 2) degrees, the least and the most that any of the fingers' 12 joints is bent to the palm."""
    angles = _flexions(joints, (1.0 if is_right else -1.0) * _palm_normal(joints))
    return np.stack([angles.min(axis=1), angles.max(axis=1)], axis=1)


def finger_order(joints: Floats) -> Floats:
    """Return (N,) metres by which neighbouring fingers keep their order across the palm at the middle joints.

    The least of the three distances along the line of the knuckles; negative where two fingers have changed places.
    """
    across = _unit(joints[:, PINKY_MCP] - joints[:, INDEX_MCP])
    places = (joints[:, _FINGERS[:, 2]] * across[:, None]).sum(axis=2)
    return np.asarray(np.diff(places, axis=1).min(axis=1))


def pointing(joints_px: Joints) -> Floats:
    """Return (N, 2) unit vectors in the picture from the wrist to the middle finger's knuckle; joints in pixels."""
    return _unit((joints_px[:, MIDDLE_MCP] - joints_px[:, WRIST]).astype(np.float64))


def _palm_normal(joints: Floats) -> Floats:
    wrist = joints[:, WRIST]
    return _unit(np.cross(joints[:, INDEX_MCP] - wrist, joints[:, PINKY_MCP] - wrist))


def _flexions(joints: Floats, palmward: Floats) -> Floats:
    """Return (N, 12) degrees of the joints of four fingers, positive towards the palm.

    The direction towards the palm is carried along each finger by the least turn from one bone to the next.
    """
    bones = _unit(np.diff(joints[:, _FINGERS], axis=2))
    angles = np.empty((len(joints), len(_FINGERS), bones.shape[2] - 1))
    for finger in range(len(_FINGERS)):
        towards = palmward
        for joint in range(bones.shape[2] - 1):
            a, b = bones[:, finger, joint], bones[:, finger, joint + 1]
            cosine = np.clip((a * b).sum(axis=1), -1, 1)
            across = towards - (towards * a).sum(axis=1, keepdims=True) * a
            sign = np.where((b * across).sum(axis=1) < 0, -1.0, 1.0)
            angles[:, finger, joint] = sign * np.degrees(np.arccos(cosine))
            middle = a + b
            share = (middle * towards).sum(axis=1) / np.maximum(1 + cosine, 1e-6)
            towards = towards - share[:, None] * middle + 2 * (a * towards).sum(axis=1, keepdims=True) * b
    return angles.reshape(len(joints), -1)


def _unit(vectors: Floats) -> Floats:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True))
