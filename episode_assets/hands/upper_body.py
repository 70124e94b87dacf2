"""Where the wearer's upper body must be: an estimate from the camera's pose and the wrists, by geometry alone.

It assumes a camera on the head of a person of fixed size, and is never a measurement; only the camera and the wrists
are, and the table says so joint by joint. How the table is laid out stands in `tables`.

Proportions are those that the Stera format uses. Differently from there, the body is there from the first frame (up
follows from the frame of the poses, not from what the first frames look at), right is across the heading and not the
camera's own right (so a rolled camera has no rolled shoulders), a heading that cannot be seen is held and marked, the
elbow does not jump where an arm is nearly stretched, and an arm that no body of this size could have stays unknown.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from episode_assets.hands.camera import CameraPath, camera_path
from episode_assets.hands.findings import Seen
from episode_assets.hands.tables import (
    ANCHORED,
    BODY_ESTIMATED,
    BODY_MEASURED,
    BODY_UNKNOWN,
    UPPER_BODY_SCHEMA,
    fixed_lists,
    list_values,
    table_of,
)
from episode_assets.recording import RecordingView

HEAD, NECK, SPINE, MOUNT_CAM = 0, 1, 2, 9
SHOULDERS, ELBOWS, WRISTS = (3, 6), (4, 7), (5, 8)
"""Rows of the left and the right joint in the (10, 3) joints."""

_NECK_BEHIND_CAMERA_M, _NECK_BELOW_CAMERA_M = 0.10, 0.20
_HEAD_ABOVE_NECK_M = 0.10
_SHOULDER_BELOW_NECK_M, _SHOULDER_BESIDE_NECK_M = 0.12, 0.18
_SPINE_BELOW_SHOULDERS_M = 0.45
_UPPER_ARM_M, _FOREARM_M = 0.60 * 0.55, 0.60 * 0.45

_FARTHEST_WRIST_M = 1.5 * (_UPPER_ARM_M + _FOREARM_M)
"""A tall person's arm, with a shoulder leaned forward; beyond, the wrist or the body is somewhere else."""

_LEAST_HORIZONTAL = 0.2
"""Less of the forward direction than this (a sine, 12 degrees) lies in the horizontal plane: no heading."""

_LONGEST_HELD_NS = 2_000_000_000
_SIDES = ("left", "right")
_TINY = 1e-9

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class UpperBody:
    """The upper body in F frames.

    Attributes:
        joints_world: (F, 10, 3) float64 metres in the frame of the poses, as in `BODY_JOINT_NAMES`; NaN where unknown.
        source: (F, 10) int8, `BODY_UNKNOWN`, `BODY_MEASURED` or `BODY_ESTIMATED`.
        is_heading_held: (F,) bool, the heading is that of another frame.
    """

    joints_world: Floats
    source: NDArray[np.int8]
    is_heading_held: NDArray[np.bool_]


def upper_body_table(view: RecordingView, seen: Seen, hands: pa.Table) -> pa.Table:
    """Return the rows of `upper_body.parquet`: one per picture that decodes.

    Args:
        view: The recording.
        seen: Its pictures.
        hands: The rows of `hands.parquet`.
    """
    position = np.flatnonzero(seen.is_decodable)
    stamps_ns = view.rgb.stamp_ns[position]
    path = camera_path(view.pose, view.link_from_optical[0], stamps_ns, offset_m=view.optical_offset_m)
    up = view.attitude(stamps_ns).up_in_world
    wrists, is_measured = _wrists(hands, len(position))
    body = estimate_upper_body(
        path,
        wrists,
        is_measured,
        run=seen.run[position],
        stamps_ns=stamps_ns,
        up=np.full(3, np.nan) if up is None else up,
    )
    columns = {
        "recording_id": pa.array([view.recording_id] * len(position), pa.string()),
        "message_number": view.rgb.message_number[position],
        "frame_index": seen.frame_index[position],
        "stamp_ns": stamps_ns,
        "joints_world": fixed_lists(body.joints_world.astype(np.float32)),
        "joint_source": fixed_lists(body.source),
        "heading_held": body.is_heading_held,
    }
    return table_of(columns, UPPER_BODY_SCHEMA)


def estimate_upper_body(
    path: CameraPath,
    wrists: Floats,
    is_measured: NDArray[np.bool_],
    *,
    run: NDArray[np.int64],
    stamps_ns: NDArray[np.int64],
    up: Floats,
) -> UpperBody:
    """Estimate the upper body in F frames.

    Args:
        path: The camera's poses.
        wrists: (F, 2, 3) left and right wrist in the world, metres; NaN where unknown.
        is_measured: (F, 2) the wrist was read and has its own depth in this frame.
        run: (F,) number of the gapless run of each frame; a heading is not held over a gap.
        stamps_ns: (F,) int64.
        up: (3,) unit vector against gravity in the world; NaN where unknown: then no body stands anywhere.
    """
    heading, is_held = _headings(path.R[:, :, 2], up, run=run, stamps_ns=stamps_ns)
    right = np.cross(heading, up)
    joints = np.full((len(path.t), 10, 3), np.nan)
    joints[:, MOUNT_CAM] = path.t
    joints[:, NECK] = path.t - _NECK_BEHIND_CAMERA_M * heading - _NECK_BELOW_CAMERA_M * up
    joints[:, HEAD] = joints[:, NECK] + _HEAD_ABOVE_NECK_M * up
    between = joints[:, NECK] - _SHOULDER_BELOW_NECK_M * up
    joints[:, SPINE] = between - _SPINE_BELOW_SHOULDERS_M * up
    for side, outward in enumerate((-right, right)):
        joints[:, SHOULDERS[side]] = between + _SHOULDER_BESIDE_NECK_M * outward
        joints[:, WRISTS[side]] = wrists[:, side]
        joints[:, ELBOWS[side]] = elbows(joints[:, SHOULDERS[side]], wrists[:, side], heading=heading, up=up)
    source = np.where(np.isfinite(joints).all(axis=2), BODY_ESTIMATED, BODY_UNKNOWN).astype(np.int8)
    seen_now = np.zeros(source.shape, bool)
    seen_now[:, MOUNT_CAM] = True
    seen_now[:, WRISTS] = is_measured
    source[seen_now & (source == BODY_ESTIMATED)] = BODY_MEASURED
    return UpperBody(joints, source, is_held)


def elbows(shoulder: Floats, wrist: Floats, *, heading: Floats, up: Floats) -> Floats:
    """Return (N, 3) elbows between shoulders and wrists, bent downward; NaN where no arm of this size fits.

    The triangle of upper arm, forearm and the way from shoulder to wrist lies in the vertical plane. An arm that hangs
    straight down bends backward; a wrist out of reach has a straight arm, one that is too near a folded one.

    Args:
        shoulder: (N, 3).
        wrist: (N, 3).
        heading: (N, 3) horizontal unit vectors.
        up: (3,) unit vector.
    """
    way = wrist - shoulder
    distance = np.linalg.norm(way, axis=1, keepdims=True)
    along = np.where(distance > _TINY, way / np.maximum(distance, _TINY), -up)
    a, b = _UPPER_ARM_M, _FOREARM_M
    reach = np.clip(distance, a - b, a + b)
    cosine = np.clip((a * a + reach * reach - b * b) / (2 * a * reach), -1, 1)
    elbow = shoulder + a * (along * cosine + _bend(along, heading, up) * np.sqrt(1 - cosine * cosine))
    return np.where(distance <= _FARTHEST_WRIST_M, elbow, np.nan)


def _bend(along: Floats, heading: Floats, up: Floats) -> Floats:
    """Return unit vectors (N, 3) across the arm: as far down as that goes, or backward."""
    down = _across(np.broadcast_to(-up, along.shape), along)
    back = _across(-heading, along)
    length = np.linalg.norm(down, axis=1, keepdims=True)
    chosen = np.where(length > 1e-3, down, back)
    return np.asarray(chosen / np.maximum(np.linalg.norm(chosen, axis=1, keepdims=True), _TINY))


def _across(vector: Floats, along: Floats) -> Floats:
    return np.asarray(vector - (vector * along).sum(axis=1, keepdims=True) * along)


def _headings(
    forward: Floats, up: Floats, *, run: NDArray[np.int64], stamps_ns: NDArray[np.int64]
) -> tuple[Floats, NDArray[np.bool_]]:
    """Return the horizontal unit headings (F, 3) of forward directions, and which are those of another frame.

    Where the camera looks straight up or down, the last good heading of the same gapless run is held, at its beginning
    the first one to come, for two seconds at most.
    """
    flat = forward - (forward @ up)[:, None] * up
    length = np.linalg.norm(flat, axis=1)
    is_good = np.nan_to_num(length) >= _LEAST_HORIZONTAL
    frame = np.arange(len(flat))
    before = np.maximum.accumulate(np.where(is_good, frame, -1))
    after = np.minimum.accumulate(np.where(is_good, frame, len(flat))[::-1])[::-1]
    chosen = np.where(_can_hold(frame, before, run, stamps_ns), before, after)
    usable = _can_hold(frame, chosen, run, stamps_ns) & np.isfinite(length)
    taken = np.where(usable, chosen, 0)
    unit = flat[taken] / np.maximum(length[taken], _TINY)[:, None] if len(flat) else flat
    return np.where(usable[:, None], unit, np.nan), usable & ~is_good


def _can_hold(
    frame: NDArray[np.int64], other: NDArray[np.int64], run: NDArray[np.int64], stamps_ns: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Say where `other` is a frame of the same run within the time a heading is held."""
    exists = (other >= 0) & (other < len(frame))
    inside = np.where(exists, other, frame)
    is_near = np.abs(stamps_ns - stamps_ns[inside]) <= _LONGEST_HELD_NS
    return np.asarray(exists & (run == run[inside]) & is_near)


def _wrists(hands: pa.Table, frames: int) -> tuple[Floats, NDArray[np.bool_]]:
    """Return the wearer's wrists (F, 2, 3) in the world, NaN where unknown, and which were measured in their frame.

    Given ones were not: whoever gave them may have measured, filled or guessed.
    """
    wrists, is_measured = np.full((frames, 2, 3), np.nan), np.zeros((frames, 2), bool)
    frame = hands["frame_index"].to_numpy()
    wearer = hands["wearer"].to_numpy(zero_copy_only=False)
    place = list_values(hands, "joints_world")[:, :3]
    is_own = hands["anchor"].to_numpy(zero_copy_only=False) == ANCHORED
    is_own &= list_values(hands, "joint_valid")[:, 0] > 0
    sides = hands["side"].to_numpy(zero_copy_only=False)
    for side, name in enumerate(_SIDES):
        rows = np.flatnonzero(wearer & (sides == name) & np.isfinite(place).all(axis=1))
        wrists[frame[rows], side] = place[rows]
        is_measured[frame[rows], side] = is_own[rows]
    return wrists, is_measured
