"""Numbers that the joints of a hand give, per frame: sizes, angles, curl, speeds, places in the picture.

No threshold is known here and nothing is judged; which numbers are odd stands in `hand_checks`, whose hand it is in
`hand_sides`. Long recordings are worked through in blocks, so that only numbers per frame grow with them.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from episode_assets.bundle import HandArrays
from episode_assets.bundle.layout import FINGER_BONES, MEASURED
from episode_assets.geometry import project
from episode_assets.qc.evidence import Evidence
from episode_assets.qc.ranges import Flags

Floats = NDArray[np.float64]

WRIST = 0
INDEX_MCP, MIDDLE_MCP, PINKY_MCP = 5, 9, 17
TIPS = (4, 8, 12, 16, 20)
_FINGERS = np.array([[0, 5, 6, 7, 8], [0, 9, 10, 11, 12], [0, 13, 14, 15, 16], [0, 17, 18, 19, 20]])
"""Wrist to tip of the four fingers; the thumb bends about other axes."""
_BLOCK_FRAMES = 4096


def in_blocks(count: int, columns: int, measure: Callable[[slice], Floats]) -> Floats:
    """Return (count, columns) what `measure` gives for one block of frames after the other."""
    result = np.full((count, columns), np.nan)
    for start in range(0, count, _BLOCK_FRAMES):
        rows = slice(start, min(start + _BLOCK_FRAMES, count))
        result[rows] = measure(rows)
    return result


def bone_lengths(hand: HandArrays) -> Floats:
    """Return the lengths (F, 20) of the fingers' bones in metres, NaN where not measured in the picture."""
    parents, children = np.array(FINGER_BONES).T

    def measure(rows: slice) -> Floats:
        joints = hand.joints_cam[rows].astype(np.float64)
        lengths = np.linalg.norm(joints[:, children] - joints[:, parents], axis=2)
        lengths[hand.kind[rows] != MEASURED] = np.nan
        return np.asarray(lengths)

    return in_blocks(len(hand.valid), len(FINGER_BONES), measure)


def palm_sizes(hand: HandArrays) -> Floats:
    """Return (F, 2) metres from the wrist to the middle finger's knuckle, and from the first to the last knuckle."""
    pairs = ((WRIST, MIDDLE_MCP), (INDEX_MCP, PINKY_MCP))
    cam = hand.joints_cam
    sizes = [np.linalg.norm((cam[:, b] - cam[:, a]).astype(np.float64), axis=1) for a, b in pairs]
    return np.stack(sizes, axis=1)


def row_medians(values: Floats) -> Floats:
    """Return the median of each row without its NaN, NaN where there is nothing else."""
    ordered = np.sort(values, axis=1)  # NaN comes last
    known = np.count_nonzero(~np.isnan(ordered), axis=1)
    rows, last = np.arange(len(ordered)), max(ordered.shape[1] - 1, 0)
    lower, upper = ordered[rows, np.maximum(known - 1, 0) // 2], ordered[rows, np.minimum(known // 2, last)]
    return np.where(known > 0, (lower + upper) / 2, np.nan)


def curl(hand: HandArrays) -> Floats:
    """Return (F,) -1 to 1, how far fingers are bent to the palm of a right hand; for a left one the negative of it.

    The palm's normal by the cross product of its edges points out of the palm of a right hand and out of the back of a
    left one, whatever the camera's place. Fingers bend to the palm; so the sign tells right from left hands.
    """

    def measure(rows: slice) -> Floats:
        joints = hand.joints_cam[rows].astype(np.float64)
        normal = _palm_normal(joints)
        fingers = _unit(joints[:, _FINGERS[:, -1]] - joints[:, _FINGERS[:, 1]])
        return np.asarray((fingers * normal[:, None]).sum(axis=2).mean(axis=1)[:, None])

    return in_blocks(len(hand.valid), 1, measure)[:, 0]


def flexion_range(hand: HandArrays, *, is_right: bool) -> Floats:
    """Return (F, 2) degrees, the least and the most that any of the fingers' 12 joints is bent to the palm."""
    side = 1.0 if is_right else -1.0

    def measure(rows: slice) -> Floats:
        joints = hand.joints_cam[rows].astype(np.float64)
        angles = _flexions(joints, side * _palm_normal(joints))
        return np.stack([angles.min(axis=1), angles.max(axis=1)], axis=1)

    return in_blocks(len(hand.valid), 2, measure)


def finger_order(hand: HandArrays) -> Floats:
    """Return (F,) metres by which neighbouring fingers keep their order across the palm at the middle joints.

    The least of the three distances along the line of the knuckles; negative where two fingers have changed places.
    """

    def measure(rows: slice) -> Floats:
        joints = hand.joints_cam[rows].astype(np.float64)
        across = _unit(joints[:, PINKY_MCP] - joints[:, INDEX_MCP])
        places = (joints[:, _FINGERS[:, 2]] * across[:, None]).sum(axis=2)
        return np.asarray(np.diff(places, axis=1).min(axis=1)[:, None])

    return in_blocks(len(hand.valid), 1, measure)[:, 0]


def wrist_speed(e: Evidence, hand: HandArrays) -> Floats:
    """Return the speed of the wrist in the world, (F,) m/s from the frame before; NaN across gaps and unknowns."""
    return _speed(e, hand.joints_world[:, WRIST].astype(np.float64))


def joint_speed(e: Evidence, hand: HandArrays) -> Floats:
    """Return the speed of the fastest joint in the world, (F,) m/s from the frame before; NaN likewise."""
    fastest = np.full(len(e), -np.inf)
    for joint in range(hand.joints_world.shape[1]):
        fastest = np.fmax(fastest, _speed(e, hand.joints_world[:, joint].astype(np.float64)))
    return np.where(np.isfinite(fastest), fastest, np.nan)


def wrist_acceleration(e: Evidence, hand: HandArrays) -> Floats:
    """Return the acceleration of the wrist in the world, (F,) m/s2 at the middle one of three frames; NaN likewise."""
    wrist = hand.joints_world[:, WRIST].astype(np.float64)
    result = np.full(len(e), np.nan)
    if len(e) < 3:
        return result
    steps = _steps_s(e)
    velocity = np.diff(wrist, axis=0) / steps[:, None]
    change = np.linalg.norm(np.diff(velocity, axis=0), axis=1)
    result[1:-1] = change / (0.5 * (steps[1:] + steps[:-1]))
    return result


def wrist_tremble(e: Evidence, hand: HandArrays) -> Floats:
    """Return (F,) metres by which the wrist is off a smooth way at the third of four frames; NaN likewise.

    Third differences leave nothing of a way that accelerates steadily, however far apart frames are. They are scaled
    to what noise does to the middle of three frames: of noise with deviation s they have sqrt(20) s, second ones
    sqrt(6) s.
    """
    wrist = hand.joints_world[:, WRIST].astype(np.float64)
    result = np.full(len(e), np.nan)
    if len(e) >= 4:
        bend = np.diff(wrist, n=3, axis=0) * np.sqrt(6 / 20)
        bend[e.gap_before[1:-2] | e.gap_before[2:-1] | e.gap_before[3:]] = np.nan
        result[2:-1] = np.linalg.norm(bend, axis=1)
    return result


def reprojection_px(e: Evidence, hand: HandArrays) -> Floats:
    """Return (F,) median distance in pixels between the joints as seen and as projected from their metres."""
    if e.K is None:
        return np.full(len(e), np.nan)
    K = e.K

    def measure(rows: slice) -> Floats:
        projected = project(K[rows, None], hand.joints_cam[rows].astype(np.float64))
        distance = np.linalg.norm(projected - hand.joints_px[rows], axis=2)
        return row_medians(np.asarray(distance))[:, None]

    return in_blocks(len(e), 1, measure)[:, 0]


def hidden_share(e: Evidence, hand: HandArrays) -> Floats:
    """Return (F,) share of the joints that lie in blurred rectangles, 0 where no hand or no rectangle is."""
    share = np.zeros(len(e))
    starts = np.searchsorted(e.faces.frame_index, np.arange(len(e) + 1))
    for frame in np.flatnonzero(hand.valid & (np.diff(starts) > 0)):
        boxes = e.faces.rectangle_px[starts[frame] : starts[frame + 1]]
        points = hand.joints_px[frame]
        points = points[np.isfinite(points).all(axis=1)]
        if len(points):
            inside = (points[:, None] >= boxes[None, :, :2]) & (points[:, None] < boxes[None, :, 2:])
            share[frame] = float(inside.all(axis=2).any(axis=1).mean())
    return share


def pointing(hand: HandArrays) -> Floats:
    """Return (F, 2) unit vectors in the picture from the wrist to the middle finger's knuckle, NaN where unknown."""
    return _unit((hand.joints_px[:, MIDDLE_MCP] - hand.joints_px[:, WRIST]).astype(np.float64))


def _speed(e: Evidence, points: Floats) -> Floats:
    speed = np.full(len(e), np.nan)
    speed[1:] = np.linalg.norm(np.diff(points, axis=0), axis=1) / _steps_s(e)
    return speed


def _steps_s(e: Evidence) -> Floats:
    """Return (F-1,) seconds between frames, NaN across gaps."""
    steps = np.diff(e.stamps_ns) / 1e9
    return np.where(e.gap_before[1:] | (steps <= 0), np.nan, steps)


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


def is_measured(hand: HandArrays) -> Flags:
    """Return (F,) whether the hand was read in the picture itself."""
    return np.asarray(hand.valid & (hand.kind == MEASURED))
