"""The rows of one episode: every column but the video, with its masks.

Values are told in the recipe's reference frame, in float64 until the last step. Missing values are filled with
something finite and near (never with NaN) and a mask says which rows are true. A new column starts in `columns`,
which says what it means; here it gets its numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from episode_assets.geometry import continuous_quaternions, matrix_to_quaternion
from episode_assets.lerobot.cuts import Span
from episode_assets.lerobot.recipe import Recipe
from episode_assets.lerobot.reference_frames import episode_from_world, transform
from episode_assets.lerobot.source import HELD, MEASURED, MISSING, EpisodeSource
from episode_assets.lerobot.wrist import IDENTITY_ROT6D, WRIST_JOINTS, hold, wrist_rotation, wrist_vector

Floats = NDArray[np.float64]
Rows = dict[str, NDArray[Any]]

_NO_WRIST = np.array([0.0, 0.0, 0.0, *IDENTITY_ROT6D])
_NO_JOINTS = np.zeros(63)
_NO_POSE = np.array([0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0])


def usable_hands(
    source: EpisodeSource, *, reference_frame: str
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return (F, 2) bool twice: a hand has values, and these values are measured.

    A hand has values when all 21 joints are known, they span an orientation, and, unless rows are told in their
    own camera's frame, the camera pose is known. They are measured when the joints behind the wrist's pose were seen
    in this very frame.
    """
    known = np.isfinite(source.joints_cam).reshape(len(source), 2, -1)
    finite = np.asarray(known.all(axis=2), dtype=np.bool_)
    for side in (0, 1):
        rotation = wrist_rotation(source.joints_cam[:, side], side=side)
        finite[:, side] &= np.isfinite(rotation[:, 0, 0])
    if reference_frame != "camera":
        finite &= source.has_pose[:, None]
    present = finite & (source.hand_kind > MISSING)
    seen = source.joint_valid[:, :, WRIST_JOINTS].all(axis=2)
    return present, present & seen & (source.hand_kind == MEASURED)


@dataclass(frozen=True)
class _Told:
    """One episode's frames plus the next one, told in the reference frame (first axis n + 1)."""

    reference_from_world: Floats
    joints: Floats
    present: NDArray[np.bool_]
    valid: NDArray[np.bool_]
    has_pose: NDArray[np.bool_]


def build_rows(source: EpisodeSource, span: Span, *, recipe: Recipe, fps: int) -> Rows:
    """Return the columns of one episode, each with len(span) rows.

    The frame after the span is read as the target of the last action, so `span.stop` is a frame of the source.
    """
    told = _tell(source, span, recipe)
    wrists = np.stack([_filled_wrist(told, side) for side in (0, 1)], axis=1)
    action, action_valid = _targets(source, span, told, wrists, recipe)
    inside = slice(span.start, span.stop)
    count = len(span)
    rows: Rows = {
        "observation.state": wrists[:-1].reshape(count, 18).astype(np.float32),
        "action": action.reshape(count, 18).astype(np.float32),
        "valid.left": told.valid[:-1, 0],
        "valid.right": told.valid[:-1, 1],
        "valid.action": action_valid,
        "valid.joints": _joint_masks(source, inside, told),
        "hand.joints": _filled_joints(told)[:-1].astype(np.float32),
        "hand.confidence": _confidence(source, inside).astype(np.float32),
        "source.hand_kind": _kinds(source, inside, told),
        "timestamp": (np.arange(count) / fps).astype(np.float32),
        "frame_index": np.arange(count, dtype=np.int64),
    }
    rows |= _camera_columns(source, inside, told)
    rows |= _source_columns(source, span)
    return rows


def _tell(source: EpisodeSource, span: Span, recipe: Recipe) -> _Told:
    frames = slice(span.start, span.stop + 1)
    poses, has_pose = source.world_from_optical[frames], source.has_pose[frames]
    reference = np.eye(4)
    if recipe.reference_frame != "world" and has_pose.any():
        reference = episode_from_world(poses[int(np.argmax(has_pose))])
    joints = source.joints_cam[frames]
    if recipe.reference_frame != "camera":
        in_reference = reference @ poses
        joints = np.stack([transform(in_reference, joints[:, side]) for side in (0, 1)], axis=1)
    present, valid = usable_hands(source, reference_frame=recipe.reference_frame)
    return _Told(reference, joints, present[frames], valid[frames], has_pose)


def _filled_wrist(told: _Told, side: int) -> Floats:
    vectors = wrist_vector(told.joints[:, side], side=side)
    return hold(vectors, told.present[:, side], never=_NO_WRIST)


def _filled_joints(told: _Told) -> Floats:
    flat = told.joints.reshape(len(told.joints), 2, 63)
    sides = [hold(flat[:, side], told.present[:, side], never=_NO_JOINTS) for side in (0, 1)]
    return np.concatenate(sides, axis=1)


def _targets(
    source: EpisodeSource, span: Span, told: _Told, wrists: Floats, recipe: Recipe
) -> tuple[Floats, NDArray[np.bool_]]:
    """Return each row's absolute target, the wrists of the next frame, and whether both ends are measured."""
    valid = told.valid[:-1] & told.valid[1:]
    if recipe.reference_frame != "camera":
        return wrists[1:], valid
    # The next frame's hands, seen from this row's camera: the camera has moved in between.
    poses = source.world_from_optical[span.start : span.stop + 1]
    knows_step = told.has_pose[:-1] & told.has_pose[1:]
    here_from_next = np.full((len(span), 4, 4), np.nan)
    here_from_next[knows_step] = np.linalg.inv(poses[:-1][knows_step]) @ poses[1:][knows_step]
    targets = []
    for side in (0, 1):
        vectors = wrist_vector(transform(here_from_next, told.joints[1:, side]), side=side)
        targets.append(hold(vectors, told.present[1:, side] & knows_step, never=_NO_WRIST))
    return np.stack(targets, axis=1), valid & knows_step[:, None]


def _joint_masks(source: EpisodeSource, inside: slice, told: _Told) -> NDArray[np.bool_]:
    is_measured = told.present[:-1] & (source.hand_kind[inside] == MEASURED)
    return np.asarray(source.joint_valid[inside] & is_measured[:, :, None]).reshape(-1, 42)


def _confidence(source: EpisodeSource, inside: slice) -> Floats:
    return np.where(source.hand_kind[inside] > MISSING, source.hand_confidence[inside], 0.0)


def _kinds(source: EpisodeSource, inside: slice, told: _Told) -> NDArray[np.int64]:
    """Return where the row's numbers come from: the source's own kind, or held, or nothing at all."""
    filled = np.where(told.present.any(axis=0), HELD, MISSING)
    return np.where(told.present[:-1], source.hand_kind[inside], filled[None, :])


def _camera_columns(source: EpisodeSource, inside: slice, told: _Told) -> Rows:
    poses, has_pose = source.world_from_optical[inside], told.has_pose[:-1]
    vectors = np.full((len(poses), 7), np.nan)
    in_reference = told.reference_from_world @ poses[has_pose]
    vectors[has_pose, :3] = in_reference[:, :3, 3]
    vectors[has_pose, 3:] = continuous_quaternions(matrix_to_quaternion(in_reference[:, :3, :3]))
    has_intrinsics = source.has_intrinsics[inside]
    intrinsics = hold(source.intrinsics[inside], has_intrinsics, never=np.zeros(4))
    return {
        "camera.pose": hold(vectors, has_pose, never=_NO_POSE).astype(np.float32),
        "camera.intrinsics": intrinsics.astype(np.float32),
        "valid.camera_pose": has_pose,
        "valid.camera_intrinsics": has_intrinsics,
        "valid.depth": source.has_depth[inside],
    }


def _source_columns(source: EpisodeSource, span: Span) -> Rows:
    stamps = source.stamp_ns[span.start : span.stop + 1]
    return {
        "source.timestamp_ns": stamps[:-1],
        "source.dt_ns": np.diff(stamps),
        "source.message_number": source.message_number[span.start : span.stop],
        "source.frame_index": np.arange(span.start, span.stop, dtype=np.int64),
    }
