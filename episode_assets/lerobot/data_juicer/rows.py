"""The rows of a take: both hands in one row, with masks, one row per picture.

State and action are those of the take's own hand, bit for bit as they were given; the other hand stands beside them.
What is missing is held and marked, and no action leads across frames in which the hand is not known.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from episode_assets.lerobot.columns import Column, Mask, joint_names
from episode_assets.lerobot.data_juicer.takes import HandTrack, Take
from episode_assets.lerobot.one_hand import ACTION_WIDTH, STATE_WIDTH
from episode_assets.lerobot.source import SIDES
from episode_assets.outcome import Json

Rows = dict[str, NDArray[Any]]

_STATE = ("x", "y", "z", "roll", "pitch", "yaw", "pad", "gripper")
_ACTION = ("x", "y", "z", "roll", "pitch", "yaw", "gripper")
_STEP = 6
"""Elements of an action that are a step; the last one is the gripper."""

_WORLD: dict[str, Json] = {
    "frame": "world",
    "unit": {"position": "m", "rotation": "rad"},
    "rotation": "roll, pitch, yaw, extrinsic xyz",
    "grip": "-1 closed to +1 open",
}


def _of_both(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"{side}_{name}" for side in SIDES for name in names)


COLUMNS: tuple[Column, ...] = (
    Column(
        "observation.state",
        "float32",
        _STATE,
        (Mask(0, STATE_WIDTH, "valid.hand"),),
        {**_WORLD, "kind": "absolute"},
        constant=("pad",),
    ),
    Column(
        "action",
        "float32",
        _ACTION,
        (Mask(0, ACTION_WIDTH, "valid.action"),),
        {**_WORLD, "kind": "delta", "reference_step": "the next frame", "last_row": "as it was given"},
    ),
    Column("valid.hand", "bool", about={"kind": "mask", "of": "the hand of state and action is known"}),
    Column("valid.action", "bool", about={"kind": "mask", "of": "both ends of the step are known"}),
    Column("valid.left", "bool", about={"kind": "mask", "of": "the left hand is known"}),
    Column("valid.right", "bool", about={"kind": "mask", "of": "the right hand is known"}),
    Column("valid.actions", "bool", SIDES, about={"kind": "mask", "of": "both ends of the hand's step"}),
    Column("valid.joints", "bool", SIDES, about={"kind": "mask", "of": "joints of the hand"}),
    Column(
        "hand.states",
        "float32",
        _of_both(_STATE),
        (Mask(0, STATE_WIDTH, "valid.left"), Mask(STATE_WIDTH, 2 * STATE_WIDTH, "valid.right")),
        {**_WORLD, "kind": "absolute"},
        constant=("left_pad", "right_pad"),
    ),
    Column(
        "hand.actions",
        "float32",
        _of_both(_ACTION),
        (Mask(0, ACTION_WIDTH, "valid.actions", 0), Mask(ACTION_WIDTH, 2 * ACTION_WIDTH, "valid.actions", 1)),
        {**_WORLD, "kind": "delta", "reference_step": "the next frame"},
    ),
    Column(
        "hand.joints",
        "float32",
        joint_names(),
        (Mask(0, 63, "valid.joints", 0), Mask(63, 126, "valid.joints", 1)),
        {"frame": "world", "unit": "m", "kind": "absolute", "order": "left then right, joint then x y z"},
    ),
    Column("source.hand", "int64", about={"codes": "hand of state and action: 0 left, 1 right"}),
    Column("source.frame_index", "int64", about={"of": "frame of the video, or picture of the sample"}),
    Column("next.done", "bool", about={"of": "last row of its episode"}),
    Column("timestamp", "float32", about={"unit": "s", "of": "frame_index / fps"}),
    Column("frame_index", "int64", about={"of": "row of the episode"}),
)
"""Columns of a take; those that only a dataset has are added when it is packed."""


def rows_of(take: Take, *, fps: int) -> Rows:
    """Return the columns of a take, one entry per row.

    Args:
        take: The take.
        fps: Row i is shown at i / fps.
    """
    count = len(take)
    hands = [_dense(take.hands.get(side), take.frames) for side in SIDES]
    states, actions, known, steps = (np.stack(parts, axis=1) for parts in zip(*hands, strict=True))
    joints, has_joints = _joints(take)
    own = SIDES.index(take.side)
    return {
        "observation.state": states[:, own],
        "action": actions[:, own],
        "valid.hand": known[:, own],
        "valid.action": steps[:, own],
        "valid.left": known[:, 0],
        "valid.right": known[:, 1],
        "valid.actions": steps,
        "valid.joints": has_joints,
        "hand.states": states.reshape(count, -1),
        "hand.actions": actions.reshape(count, -1),
        "hand.joints": joints,
        "source.hand": np.full(count, own, dtype=np.int64),
        "source.frame_index": take.frames,
        "next.done": np.arange(count) == count - 1,
        "timestamp": (np.arange(count) / fps).astype(np.float32),
        "frame_index": np.arange(count, dtype=np.int64),
    }


def _dense(track: HandTrack | None, frames: NDArray[np.int64]) -> tuple[NDArray[Any], ...]:
    """Return states (N, 8), actions (N, 7), known (N,), steps (N,) of a hand at every frame of a take."""
    states = np.zeros((len(frames), STATE_WIDTH), dtype=np.float32)
    actions = np.zeros((len(frames), ACTION_WIDTH), dtype=np.float32)
    known = np.zeros(len(frames), dtype=np.bool_)
    if track is None:
        return states, actions, known, known.copy()
    row, place = _rows_of(track, frames)
    known[place] = True
    held = _held(known, row, place)
    states, actions = track.states[held], track.actions[held].copy()
    # The frame behind the take may hold the other end of the last row's step: then the step was given.
    leads_on = known & np.append(known[1:], False)
    leads_on[-1] = bool(known[-1] and actions[-1, :_STEP].any())
    actions[~leads_on, :_STEP] = 0.0
    return states, actions, known, leads_on


def _joints(take: Take) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return (N, 126) joints of both hands, held where they are not known, and (N, 2) where they are."""
    joints = np.zeros((len(take), 2, 63), dtype=np.float32)
    known = np.zeros((len(take), 2), dtype=np.bool_)
    for side, name in enumerate(SIDES):
        track = take.hands.get(name)
        if track is None or track.joints is None:
            continue
        row, place = _rows_of(track, take.frames)
        known[place, side] = True
        joints[:, side] = track.joints.reshape(-1, 63)[_held(known[:, side], row, place)]
    return joints.reshape(len(take), 126), known


def _rows_of(track: HandTrack, frames: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the rows of a track that lie at frames of a take, and these frames' positions in it."""
    row = np.flatnonzero(np.isin(track.frame, frames))
    return row, np.searchsorted(frames, track.frame[row])


def _held(known: NDArray[np.bool_], row: NDArray[np.int64], place: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return for every frame the row of a track to show: its own, else the last one, else the first one."""
    latest = np.searchsorted(place, np.arange(len(known)), side="right") - 1
    return np.asarray(row[np.maximum(latest, 0)])
