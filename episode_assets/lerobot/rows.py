"""The rows of one episode: every column but the video, with its masks.

Values are told in the recipe's reference frame, in float64 until the last step. Missing values are filled with
something finite and near (never with NaN) and a mask says which rows are true. A new column starts in `columns`,
which says what it means; here it gets its numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from episode_assets.geometry import (
    continuous_quaternions,
    matrix_to_euler,
    matrix_to_quaternion,
    near_gimbal_lock,
    rotation_log,
)
from episode_assets.lerobot.bodies import Bodies, joints_of_grip, openings, wrist_axes
from episode_assets.lerobot.cuts import Span
from episode_assets.lerobot.gap_steps import over_gaps
from episode_assets.lerobot.layouts import tells_euler
from episode_assets.lerobot.recipe import Recipe
from episode_assets.lerobot.reference_frames import episode_from_world
from episode_assets.lerobot.source import HELD, MEASURED, MISSING, EpisodeSource, ManoHands
from episode_assets.lerobot.spaces import Steps, states_and_actions
from episode_assets.lerobot.wrist import WRIST_JOINTS, hold, wrist_rotation

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Rows = dict[str, NDArray[Any]]

_SECOND_NS = 1_000_000_000
_NO_JOINTS = np.zeros(63)
_NO_POSE = np.array([0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0])


def usable_hands(source: EpisodeSource, *, reference_frame: str, axes: str = "joints") -> tuple[Flags, Flags]:
    """Return (F, 2) bool twice: a hand has values, and these values are measured.

    A hand has values when all 21 joints are known, the wrist has axes, and, unless rows are told in their own
    camera's frame, the camera pose is known. They are measured when the joints behind the wrist's pose were seen
    in this very frame.

    Args:
        source: The frames.
        reference_frame: `camera` does without camera poses.
        axes: Where the wrist's axes come from: `joints`, which have to span an orientation, or `mano`.
    """
    known = np.isfinite(source.joints_cam).reshape(len(source), 2, -1)
    finite = np.asarray(known.all(axis=2), dtype=np.bool_)
    if axes == "mano":
        finite &= source.mano.is_known if source.mano is not None else False
    else:
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
    """One episode's rows and the frame after each.

    Attributes:
        frames: (n + 1,) positions in the recording: the rows, then the frame that the last action leads to.
        source: These n + 1 frames.
        steps: Bodies in the reference frame.
        present: (n + 1, 2) the hand has values.
        valid: (n + 1, 2) the wrist was measured.
    """

    frames: NDArray[np.int64]
    source: EpisodeSource
    steps: Steps
    present: Flags
    valid: Flags

    def both_ends(self, valid: Flags) -> Flags:
        """Return (n, ...) bool: true at the row, at the frame after it, and the step between them is one."""
        possible = self.steps.possible.reshape(-1, *[1] * (valid.ndim - 1))
        return np.asarray(valid[:-1] & valid[1:] & possible)


def build_rows(
    source: EpisodeSource,
    span: Span,
    *,
    recipe: Recipe,
    fps: int,
    frames: NDArray[np.int64] | None = None,
) -> Rows:
    """Return the columns of one episode, each with one entry per row.

    The frame after the span is read as the target of the last action, so `span.stop` is a frame of the source; only
    `data_juicer` has a last row without one.

    Args:
        source: The frames.
        span: Which of them are rows.
        recipe: Layout of the rows.
        fps: Rows per second.
        frames: (rows + 1,) positions that are the rows, and the one that the last action leads to, where rows are not
            the frames of the span one by one.
    """
    told = _tell(source, rows_and_target(span, recipe) if frames is None else frames, recipe, fps)
    told = replace(told, steps=over_gaps(told.steps, leads_on=span.leads_on, choice=recipe.gaps))
    count = len(told.frames) - 1
    state, action = states_and_actions(told.steps, recipe)
    rows: Rows = {
        "observation.state": state,
        "action": action,
        "timestamp": (np.arange(count) / fps).astype(np.float32),
        "frame_index": np.arange(count, dtype=np.int64),
    }
    rows |= _masks(told, recipe)
    rows |= _hand_columns(told)
    rows |= _camera_columns(told)
    rows |= _source_columns(told)
    return rows | _extra_columns(told, recipe)


def rows_and_target(span: Span, recipe: Recipe) -> NDArray[np.int64]:
    """Return the positions (rows + 1,) of an episode's rows and of what its last action leads to."""
    frames = np.arange(span.start, span.stop + 1)
    if recipe.state == "data_juicer":
        frames[-1] = span.stop - 1
    return frames


def _tell(recording: EpisodeSource, frames: NDArray[np.int64], recipe: Recipe, fps: int) -> _Told:
    source = recording.take(frames)
    poses, has_pose = source.world_from_optical, source.has_pose
    reference = np.eye(4)
    if recipe.reference_frame != "world" and has_pose.any():
        reference = episode_from_world(poses[int(np.argmax(has_pose))])
    axes = recipe.layout.wrist_axes
    present, valid = usable_hands(source, reference_frame=recipe.reference_frame, axes=axes)
    in_optical = _in_optical(source, reference @ poses, present, recipe)
    # Pictures that no row shows may be missing between two rows as well.
    gaps = np.cumsum(recording.gap_before[frames[0] : frames[-1] + 1])[frames - frames[0]]
    steps = Steps(
        *_now_and_then(in_optical, poses, recipe.reference_frame),
        possible=(np.diff(gaps) == 0) & (np.diff(source.stamp_ns) > 0),
        dt_s=np.diff(source.stamp_ns) / _SECOND_NS,
        period_s=1.0 / fps,
    )
    return _Told(frames, source, steps, present, valid)


def _in_optical(source: EpisodeSource, camera: Floats, present: Flags, recipe: Recipe) -> Bodies:
    joints, mano = source.joints_cam, source.mano
    return Bodies(
        joints=joints,
        rotation=wrist_axes(joints, mano if recipe.layout.wrist_axes == "mano" else None),
        grip=openings(recipe.layout.grip_of(recipe.state), joints, mano),
        fingers=(ManoHands.unknown(len(source)) if mano is None else mano).fingers,
        camera=camera,
        present=present,
        has_camera=source.has_pose,
    )


def _now_and_then(in_optical: Bodies, poses: Floats, reference_frame: str) -> tuple[Bodies, Bodies]:
    """Return the rows and the frames after them, both told in the reference frame of the row."""
    here, after = slice(0, -1), slice(1, None)
    if reference_frame != "camera":
        told = in_optical.hands_moved(in_optical.camera)
        return told.at(here), told.at(after)
    # The next frame's hands, seen from this row's camera: the camera has moved in between.
    knows_step = in_optical.has_camera[here] & in_optical.has_camera[after]
    here_from_next = np.full((len(knows_step), 4, 4), np.nan)
    here_from_next[knows_step] = np.linalg.inv(poses[here][knows_step]) @ poses[after][knows_step]
    return in_optical.at(here), in_optical.at(after).hands_moved(here_from_next)


def _masks(told: _Told, recipe: Recipe) -> Rows:
    source, state, then = told.source, recipe.state, told.steps.then
    measured = told.present & (source.hand_kind == MEASURED)
    joints = np.asarray(source.joint_valid & measured[:, :, None]).reshape(-1, 42)
    # Told in the camera's frame, a step is only known where the camera's own is: then the next hand is present.
    action = told.both_ends(told.valid) & then.present
    if state == "camera":
        action = told.both_ends(source.has_pose)[:, None]
    rows: Rows = {
        "valid.left": told.valid[:-1, 0],
        "valid.right": told.valid[:-1, 1],
        "valid.action": action,
        "valid.joints": joints[:-1],
        "valid.joint_steps": told.both_ends(joints) & np.repeat(then.present, 21, axis=1),
    }
    way = recipe.layout.grip_of(state)
    if way != "none":
        seen = source.joint_valid[:, :, joints_of_grip(way)].all(axis=2)
        known = np.isfinite(np.append(told.steps.now.grip, then.grip[-1:], axis=0))
        grip = measured & seen & known
        rows |= {"valid.grip": grip[:-1], "valid.grip_step": told.both_ends(grip)}
    if source.mano is not None:
        mano = measured & source.mano.is_known
        rows |= {"valid.mano": mano[:-1], "valid.mano_step": told.both_ends(mano) & then.present}
    return rows


def _hand_columns(told: _Told) -> Rows:
    now, kind = told.steps.now, told.source.hand_kind[:-1]
    flat = now.joints.reshape(len(kind), 2, 63)
    sides = [hold(flat[:, side], now.present[:, side], never=_NO_JOINTS) for side in (0, 1)]
    confidence = np.where(kind > MISSING, told.source.hand_confidence[:-1], 0.0)
    # Where the row's numbers come from: the source's own kind, or held, or nothing at all.
    filled = np.where(told.present.any(axis=0), HELD, MISSING)
    return {
        "hand.joints": np.concatenate(sides, axis=1).astype(np.float32),
        "hand.confidence": confidence.astype(np.float32),
        "source.hand_kind": np.where(now.present, kind, filled[None, :]),
    }


def _camera_columns(told: _Told) -> Rows:
    now, source = told.steps.now, told.source
    vectors = np.full((len(now.has_camera), 7), np.nan)
    vectors[:, :3] = now.camera[:, :3, 3]
    vectors[now.has_camera, 3:] = continuous_quaternions(
        matrix_to_quaternion(now.camera[now.has_camera, :3, :3])
    )
    return {
        "camera.pose": hold(vectors, now.has_camera, never=_NO_POSE).astype(np.float32),
        "valid.camera_pose": now.has_camera,
        "valid.depth": source.has_depth[:-1],
        **_intrinsics("camera", source.intrinsics[:-1]),
    }


def _intrinsics(which: str, values: Floats) -> Rows:
    """Return fx, fy, cx, cy (n, 4) of a camera or its depth, held where they are unknown, and where they are known."""
    known = np.asarray(np.isfinite(values).all(axis=1), dtype=np.bool_)
    key = "camera.intrinsics" if which == "camera" else f"camera.{which}_intrinsics"
    return {
        key: hold(values, known, never=np.zeros(4)).astype(np.float32),
        f"valid.{which}_intrinsics": known,
    }


def view_columns(intrinsics: Mapping[str, Floats], frames: NDArray[np.int64]) -> Rows:
    """Return fx, fy, cx, cy of the further views of the camera; they are known where the camera's own are.

    Args:
        intrinsics: (F, 4) by short name of the view.
        frames: (n,) frame of each row.
    """
    columns = {name: _intrinsics(name, values[frames]) for name, values in intrinsics.items()}
    return {
        f"camera.{name}_intrinsics": found[f"camera.{name}_intrinsics"] for name, found in columns.items()
    }


def _source_columns(told: _Told) -> Rows:
    stamps = told.source.stamp_ns
    return {
        "source.timestamp_ns": stamps[:-1],
        "source.dt_ns": np.diff(stamps),
        "source.message_number": told.source.message_number[:-1],
        "source.frame_index": told.frames[:-1],
    }


def _extra_columns(told: _Told, recipe: Recipe) -> Rows:
    """Return the columns that only some recipes have."""
    source = told.source
    rows: Rows = {}
    if tells_euler(recipe.state, recipe.layout):
        key = "camera.near_gimbal_lock" if recipe.state == "camera" else "hand.near_gimbal_lock"
        rotations = (
            told.steps.now.camera[:, None, :3, :3] if recipe.state == "camera" else told.steps.now.rotation
        )
        rows[key] = near_gimbal_lock(matrix_to_euler(rotations))
    if "handedness" in recipe.layout.extra and source.handedness is not None:
        handedness = source.handedness[:-1]
        rows["valid.handedness"] = np.isfinite(handedness)
        rows["hand.handedness"] = np.nan_to_num(handedness).astype(np.float32)
    if recipe.depth.enabled and source.depth_intrinsics is not None:
        rows |= _intrinsics("depth", source.depth_intrinsics[:-1])
    if "imu" in recipe.layout.extra and source.imu is not None:
        rows |= _imu_columns(source.imu[:-1])
    if "mano" in recipe.layout.extra and source.mano is not None:
        rows |= _mano_columns(source.mano.at(np.arange(len(source) - 1)), told, recipe)
    return rows


def _mano_columns(mano: ManoHands, told: _Told, recipe: Recipe) -> Rows:
    camera = told.steps.now.camera[:, None, :3, :3]
    orientation = mano.orientation if recipe.reference_frame == "camera" else camera @ mano.orientation
    known = told.steps.now.present & mano.is_known
    return {
        "hand.mano_orientation": _held_sides(rotation_log(orientation), known),
        "hand.mano_fingers": _held_sides(rotation_log(mano.fingers), known),
        "hand.mano_betas": _held_sides(mano.betas, known),
    }


def _imu_columns(imu: Floats) -> Rows:
    parts = {"imu.linear_acceleration": imu[:, :3], "imu.angular_velocity": imu[:, 3:]}
    known = {key: np.asarray(np.isfinite(part).all(axis=1)) for key, part in parts.items()}
    held = {key: hold(part, known[key], never=np.zeros(3)) for key, part in parts.items()}
    return {
        "valid.imu": np.stack(list(known.values()), axis=1),
        **{key: values.astype(np.float32) for key, values in held.items()},
    }


def _held_sides(values: Floats, known: Flags) -> NDArray[np.float32]:
    """Return (n, 2 D) float32 of values (n, 2, ...), zero where a hand is never known."""
    flat = values.reshape(len(values), 2, -1)
    sides = [hold(flat[:, side], known[:, side], never=np.zeros(flat.shape[2])) for side in (0, 1)]
    return np.concatenate(sides, axis=1).astype(np.float32)
