"""Action chunks seen from the camera of the row they start at, and which of their steps count; numpy only.

A dataset stores poses in one frame. A policy that predicts from a picture often wants the hands of the next rows in
that picture's camera frame. Such chunks are the same whatever frame the rows are told in, so they are not stored.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from episode_assets.errors import BadConfig
from episode_assets.geometry import quaternion_to_matrix
from episode_assets.lerobot.layouts import JOINT_PARTS, ROTATION_PARTS, state_elements
from episode_assets.lerobot.recipe_layout import Layout, Rotation
from episode_assets.lerobot.rotation_forms import FROM_NUMBERS, TO_NUMBERS

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

BIMANUAL_NAMES: tuple[str, ...] = tuple(element.name for element in state_elements("bimanual", Layout()))
"""Element names of the default state: position and rot6d of the left wrist, then of the right."""

_BODIES = ("left", "right", "camera")


def camera_frame_chunks(
    state: ArrayLike,
    camera_pose: ArrayLike,
    *,
    valid_hands: ArrayLike,
    valid_camera_pose: ArrayLike,
    horizon: int,
    names: Sequence[str] = BIMANUAL_NAMES,
    reference_frame: str = "episode",
) -> tuple[NDArray[np.float32], Flags]:
    """Return, for every row t of one episode, the state of rows t+1 .. t+horizon in the camera frame of t.

    Positions, joints and rotations are turned; openings and finger joints, which are told in the hand itself, are
    passed on. The layouts of one hand, whose names carry no side, work like those with names.

    Args:
        state: (N, D) `observation.state` of one episode in its order.
        camera_pose: (N, 7) `camera.pose`: position and quaternion x, y, z, w.
        valid_hands: (N, B) bool, masks of the B bodies of the state in their order: `valid.left` and `valid.right`, one
            of them, or `valid.camera_pose`.
        valid_camera_pose: (N,) bool, `valid.camera_pose`.
        horizon: Rows ahead, at least 1.
        names: Names of the D elements, as in info.json.
        reference_frame: The recipe's: with `camera`, every row of the state is told in its own camera's frame.

    Returns:
        chunks: (N, horizon, D) float32, elements as in `names`.
        valid: (N, horizon, B) bool: the row lies in the episode, its body was measured, and the camera pose of t is
            known (with `camera`, that of the row ahead too). Where it is false the numbers repeat the episode's last
            row or a held pose.

    Raises:
        BadConfig: A position, rotation or joint lost some of its elements, so it cannot be turned.
    """
    values, camera = np.asarray(state, dtype=np.float64), np.asarray(camera_pose, dtype=np.float64)
    knows_camera = np.asarray(valid_camera_pose, dtype=bool)
    count = len(values)
    ahead = np.arange(count)[:, None] + np.arange(1, horizon + 1)
    later = np.minimum(ahead, count - 1)
    bodies = _bodies_of(names)
    if all(body.is_camera for body in bodies):
        # The camera itself is told in the frame of camera poses under every recipe.
        reference_frame = "episode"
    rotation, translation = _camera_from_frame(camera, later, is_own_camera=reference_frame == "camera")
    chunks = values[later]
    for body in bodies:
        body.move(chunks, rotation, translation)
    counts = (ahead < count) & knows_camera[:, None]
    if reference_frame == "camera":
        counts &= knows_camera[later]
    valid = np.asarray(valid_hands, dtype=bool).reshape(count, -1)[later] & counts[..., None]
    return chunks.astype(np.float32), np.asarray(valid)


def steps_that_count(valid_action: ArrayLike, *, require_hands: str) -> Flags:
    """Return (N,) bool: the action of a row is measured for the hands that a recipe requires.

    Args:
        valid_action: (N, 2) bool, `valid.action` of left and right hand; (N,) or (N, 1) where there is one body.
        require_hands: `both`, `left`, `right`; `any` and `none` ask for one of them. A step that counts under `any` may
            hold a hand that was not measured: only `both`, `left` and `right` with a layout of their hands avoid it.
    """
    valid = np.asarray(valid_action, dtype=bool)
    valid = valid.reshape(len(valid), -1)
    if valid.shape[1] == 1:
        return np.asarray(valid[:, 0])
    if require_hands == "both":
        return np.asarray(valid.all(axis=1))
    if require_hands in ("left", "right"):
        return np.asarray(valid[:, ("left", "right").index(require_hands)])
    return np.asarray(valid.any(axis=1))


@dataclass(frozen=True)
class _Body:
    """Where the numbers of one body lie in a state.

    Attributes:
        is_camera: It is the camera, not a hand.
        position: Elements x, y, z, or none.
        rotation: Elements of the rotation, or none.
        form: Form of the rotation.
        joints: 63 elements of 21 joints, or none.
    """

    is_camera: bool
    position: list[int]
    rotation: list[int]
    form: Rotation
    joints: list[int]

    def move(self, chunks: Floats, rotation: Floats, translation: Floats) -> None:
        """Tell this body's numbers in (N, H, D) chunks in another frame, in place."""
        for places in (self.position, self.joints):
            if places:
                points = chunks[..., places].reshape(*chunks.shape[:2], -1, 3)
                moved = points @ np.swapaxes(rotation, -1, -2) + translation[..., None, :]
                chunks[..., places] = moved.reshape(*chunks.shape[:2], -1)
        if self.rotation:
            turned = rotation @ FROM_NUMBERS[self.form](chunks[..., self.rotation])
            chunks[..., self.rotation] = _numbers(turned, self.form)


def _bodies_of(names: Sequence[str]) -> list[_Body]:
    place = {name: index for index, name in enumerate(names)}
    prefixes = [f"{body}_" for body in _BODIES if any(name.startswith(f"{body}_") for name in names)]
    return [_body(prefix, place) for prefix in prefixes or [""]]


def _body(prefix: str, place: dict[str, int]) -> _Body:
    def whole(parts: Sequence[str]) -> list[int]:
        found = [place[prefix + part] for part in parts if prefix + part in place]
        if found and len(found) < len(parts):
            raise BadConfig(
                f"the state holds {len(found)} of the {len(parts)} elements {prefix}{parts[0]} .. {prefix}{parts[-1]}",
                remedy="keep all or none of them (layout.drop), or leave chunks in the camera frame",
            )
        return found

    forms: list[Rotation] = [form for form, parts in ROTATION_PARTS.items() if whole(parts)]
    form: Rotation = forms[0] if forms else "rot6d"
    return _Body(
        prefix == "camera_", whole(("x", "y", "z")), whole(ROTATION_PARTS[form]), form, whole(JOINT_PARTS)
    )


def _camera_from_frame(
    camera: Floats, later: NDArray[np.int64], *, is_own_camera: bool
) -> tuple[Floats, Floats]:
    """Return rotations (N, H or 1, 3, 3) and translations from the frame of the rows ahead to the camera of t."""
    rotation = quaternion_to_matrix(camera[:, 3:])
    back = np.swapaxes(rotation, -1, -2)[:, None]
    origin = camera[:, None, :3]
    if is_own_camera:
        ahead = (camera[later, :3] - origin)[..., None]
        return back @ rotation[later], (back @ ahead)[..., 0]
    return back, -(back @ origin[..., None])[..., 0]


def _numbers(rotation: Floats, form: Rotation) -> Floats:
    numbers = TO_NUMBERS[form](rotation)
    if form == "quaternion":
        # Within a chunk signs follow their predecessors.
        dots = np.sum(numbers[:, 1:] * numbers[:, :-1], axis=-1, keepdims=True)
        numbers[:, 1:] *= np.cumprod(np.where(dots < 0, -1.0, 1.0), axis=1)
    return numbers
