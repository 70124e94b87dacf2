"""Reads what Data-Juicer's operators leave in a sample: hands by frame numbers, segments, captions.

A sample becomes takes, each of which will be an episode, or a reason why it will be none. Every length and shape is
checked here; what rows are made of a take is in `rows`, its pictures are found by `pictures`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from episode_assets.lerobot.one_hand import ACTION_WIDTH, STATE_WIDTH, one_hand_actions
from episode_assets.lerobot.segments import NOT_APPLICABLE
from episode_assets.lerobot.source import SIDES
from episode_assets.lerobot.tasks import clean_text
from episode_assets.outcome import Json

META = "__dj__meta__"
"""Field of a sample that holds what operators have found."""

NO_TASK = "manipulate object"
"""Task of a sample without a text."""

_PREFERRED = ("right", "left")
_STATES_MIN = 2


class NoEpisode(Exception):
    """Why a part of a sample is no episode; told in the sample, never raised to users.

    Args:
        code: A stable word for scripts.
        detail: A sentence with values.
        segment_id: The segment, where it is one.
    """

    def __init__(self, code: str, detail: str, segment_id: Json = None) -> None:
        super().__init__(code, detail, segment_id)
        self.code = code
        self.detail = detail
        self.segment_id = segment_id

    def to_json(self) -> dict[str, Json]:
        """Return the entry of a list of what was left out."""
        named = {} if self.segment_id is None else {"segment_id": self.segment_id}
        return {"code": self.code, "detail": self.detail, **named}


@dataclass(frozen=True)
class HandTrack:
    """One hand at the frames where it is valid.

    Attributes:
        frame: (T,) int64 numbers of frames, increasing.
        states: (T, 8) float32: x, y, z [m, world], roll, pitch, yaw [rad, extrinsic xyz], 0, gripper in -1 to 1.
        actions: (T, 7) float32: the step to the next state, and its gripper.
        joints: (T, 21, 3) float32 [m, world]; None where they were not given.
    """

    frame: NDArray[np.int64]
    states: NDArray[np.float32]
    actions: NDArray[np.float32]
    joints: NDArray[np.float32] | None

    def within(self, start: int, stop: int) -> HandTrack:
        """Return the part at frames [start, stop)."""
        inside = (self.frame >= start) & (self.frame < stop)
        joints = None if self.joints is None else self.joints[inside]
        return HandTrack(self.frame[inside], self.states[inside], self.actions[inside], joints)


@dataclass(frozen=True)
class Take:
    """A stretch of a video that becomes one episode.

    Attributes:
        frames: (N,) int64, the frame that each row shows, evenly spaced.
        side: The hand whose numbers are state and action.
        hands: Both hands as far as they are known, by side.
        task: What is done.
        segment_id: The segment, where it is one.
    """

    frames: NDArray[np.int64]
    side: str
    hands: Mapping[str, HandTrack]
    task: str
    segment_id: Json = None

    def __len__(self) -> int:
        return len(self.frames)


def take_of_video(found: Mapping[str, Any], *, text: str) -> Take:
    """Return the take of a whole video.

    Args:
        found: What was found in it: `{"right": hand, "left": hand}`, or one hand.
        text: The sample's text; empty gives the task of a sample without one.

    Raises:
        NoEpisode: There are fewer than two states, or they cannot be read.
    """
    require(isinstance(found, Mapping), "no_hand", f"hands are {type(found).__name__}, a mapping is expected")
    parts = {str(found.get("hand_type", "right")): found} if "states" in found else found
    given = {side: parts[side] for side in SIDES if _has_states(parts.get(side))}
    hands = {side: _track(hand, side) for side, hand in given.items()}
    side = _chosen(hands)
    frames = np.unique(np.concatenate([track.frame for track in hands.values()]))
    return Take(_evenly(frames), side, hands, clean_text(text) or NO_TASK)


def takes_of_segments(segments: Sequence[Mapping[str, Any]], *, frames: int) -> Iterator[Take | NoEpisode]:
    """Yield a take or a reason for each segment, in their order.

    Both hands of a stretch are known as far as segments of both cover it.

    Args:
        segments: What an operator has cut, one hand each.
        frames: Number of pictures of the sample, for segments that do not say where they end.
    """
    read = [_segment(one, frames) for one in segments]
    tracks: dict[str, list[HandTrack]] = {side: [] for side in SIDES}
    for found in read:
        if not isinstance(found, NoEpisode):
            tracks[found.side].append(found.hands[found.side])
    whole = {side: joined(parts) for side, parts in tracks.items() if parts}
    for found in read:
        if isinstance(found, NoEpisode):
            yield found
            continue
        start, stop = int(found.frames[0]), int(found.frames[-1]) + 1
        near = {side: track.within(start, stop) for side, track in whole.items()}
        others = {side: track for side, track in near.items() if len(track.frame) and side != found.side}
        yield Take(found.frames, found.side, {**others, **found.hands}, found.task, found.segment_id)


def joined(tracks: Sequence[HandTrack]) -> HandTrack:
    """Return parts of one hand as one track; of frames that several hold the first part counts."""
    _, first = np.unique(np.concatenate([track.frame for track in tracks]), return_index=True)
    joints = [track.joints for track in tracks]
    known = [one for one in joints if one is not None]
    return HandTrack(
        np.concatenate([track.frame for track in tracks])[first],
        np.concatenate([track.states for track in tracks])[first],
        np.concatenate([track.actions for track in tracks])[first],
        np.concatenate(known)[first] if len(known) == len(joints) else None,
    )


def require(holds: bool, code: str, detail: str) -> None:
    """Raise NoEpisode where something does not hold."""
    if not holds:
        raise NoEpisode(code, detail)


def _segment(found: Any, frames: int) -> Take | NoEpisode:
    if not isinstance(found, Mapping):
        return NoEpisode("no_hand", f"a segment is {type(found).__name__}, a mapping is expected")
    name = found.get("segment_id", -1)
    side = str(found.get("hand_type", ""))
    try:
        task = _caption(found, side)
        start = _whole(found.get("start_frame", 0), "start_frame")
        stop = _whole(found.get("end_frame", frames - 1), "end_frame") + 1
        require(side in SIDES, "hand_unknown", f"hand_type is {side!r}, right or left is expected")
        track = _track(found, side, default_start=start)
        is_inside = start <= int(track.frame[0]) and int(track.frame[-1]) < stop
        require(is_inside, "frames_outside", f"its states lie outside of its frames {start} to {stop - 1}")
        return Take(np.arange(start, stop), side, {side: track}, task, name)
    except NoEpisode as reason:
        return NoEpisode(reason.code, reason.detail, name)


def _caption(found: Mapping[str, Any], side: str) -> str:
    caption = found.get("caption") or ""
    text = clean_text(str(caption.get("action") or "") if isinstance(caption, Mapping) else str(caption))
    if text == NOT_APPLICABLE:
        raise NoEpisode("not_applicable", "its caption says that nothing is done")
    return text or f"{side or 'hand'} hand action"


def _chosen(hands: Mapping[str, HandTrack]) -> str:
    """Return the hand of state and action: the right one, else the left one."""
    found = [side for side in _PREFERRED if side in hands]
    if not found:
        raise NoEpisode("no_hand", "no hand has states")
    return found[0]


def _has_states(hand: object) -> bool:
    return isinstance(hand, Mapping) and not _is_empty(hand.get("states"))


def _is_empty(given: Any) -> bool:
    """Return whether nothing was given: None, or a list or array without entries."""
    return given is None or (hasattr(given, "__len__") and len(given) == 0)


def _track(found: Mapping[str, Any], side: str, *, default_start: int = 0) -> HandTrack:
    states = _table(found.get("states"), STATE_WIDTH, "states", side)
    count = len(states)
    if count < _STATES_MIN:
        raise NoEpisode("too_short", f"the {side} hand has {count} states, at least {_STATES_MIN} are needed")
    given = found.get("actions")
    # A step that nobody gave follows from the states by its definition; one that is missing among others does not.
    actions = one_hand_actions(states) if _is_empty(given) else _table(given, ACTION_WIDTH, "actions", side)
    numbers = found.get("valid_frame_ids")
    frame = np.arange(count) + default_start if numbers is None else _frame_numbers(numbers, side)
    if len(actions) != count or frame.shape != (count,):
        detail = f"the {side} hand has {count} states, {len(actions)} actions and {frame.size} frame numbers"
        raise NoEpisode("lengths_differ", detail)
    is_rising = bool(frame[0] >= 0 and (np.diff(frame) > 0).all())
    require(is_rising, "frames_unordered", f"frame numbers of the {side} hand are not increasing")
    return HandTrack(frame, states, actions, _joints(found.get("joints_world"), count, side))


def _frame_numbers(given: Any, side: str) -> NDArray[np.int64]:
    try:
        numbers = np.asarray(given)
    except ValueError:
        numbers = np.empty(0)
    is_whole = numbers.ndim == 1 and numbers.dtype.kind in "iu"
    require(is_whole, "frames_unordered", f"frame numbers of the {side} hand are no list of whole numbers")
    return numbers.astype(np.int64)


def _joints(given: object, count: int, side: str) -> NDArray[np.float32] | None:
    if _is_empty(given):
        return None
    joints = _numbers(given, "joints_world", side)
    if joints.shape != (count, 21, 3):
        raise NoEpisode(
            "shape", f"joints_world of the {side} hand have shape {joints.shape}, ({count}, 21, 3) fits"
        )
    return joints


def _table(given: object, width: int, what: str, side: str) -> NDArray[np.float32]:
    table = _numbers(given, what, side)
    if table.ndim != 2 or table.shape[1] != width:
        raise NoEpisode("shape", f"{what} of the {side} hand have shape {table.shape}, rows of {width} fit")
    return table


def _numbers(given: Any, what: str, side: str) -> NDArray[np.float32]:
    try:
        with np.errstate(over="ignore"):
            numbers = np.asarray(given, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise NoEpisode("shape", f"{what} of the {side} hand are no table of numbers: {error}") from error
    if not np.isfinite(numbers).all():
        raise NoEpisode("not_finite", f"{what} of the {side} hand hold NaN or infinity")
    return numbers


def _whole(value: object, what: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 0:
        raise NoEpisode("frames_unordered", f"{what} is {value!r}, a frame number is expected")
    return int(value)


def _evenly(frames: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return all frames from the first to the last one, at the spacing in which most of them come."""
    steps = np.diff(frames)
    stride = int(np.partition(steps, (len(steps) - 1) // 2)[(len(steps) - 1) // 2])
    if (steps % stride).any():
        stride = 1
    return np.arange(frames[0], frames[-1] + 1, stride)
