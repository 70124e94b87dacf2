"""Hands from topics of the recording: one message is one hand, its 21 poses are the joints in `JOINT_NAMES` order."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from episode_assets.errors import BadRecording, MissingStream
from episode_assets.hands.given_frames import place_of
from episode_assets.hands.precomputed import PrecomputedOptions
from episode_assets.hands.samples import Samples, first_of_each, without_repeated_wrist
from episode_assets.hands.tables import JOINT_NAMES
from episode_assets.outcome import Note
from episode_assets.recording import PoseSetStream, RecordingView
from episode_assets.recording.roles import words_of

_JOINTS = len(JOINT_NAMES)
_SIDES = ("left", "right")


def read_topics(view: RecordingView, options: PrecomputedOptions) -> tuple[list[Samples], list[Note]]:
    """Return the samples of each hand topic, and what is wrong with some of its messages.

    Raises:
        MissingStream: The recording has no topic that fills the role, or not the named one.
        BadRecording: A topic does not say which hand it has, no message has 21 poses, or its frame is not known.
    """
    stream = view.hands
    if stream is None:
        raise MissingStream(
            f"no topic has hands: {view.inventory.roles['hands'].reason}",
            where=view.source,
            remedy="name them in the topic map of raw_mcap as 'hands=/topic', set precomputed.file, or put "
            "NAME.hands.parquet beside the recording",
        )
    samples, notes = [], []
    topic_of_row = np.array(stream.topic)
    for side, topic in _topics(stream, options, where=view.source):
        rows = np.flatnonzero(topic_of_row == topic)
        place = place_of(view, stream.frame_id[rows[0]], options.frame, where=topic)
        stamp_ns, joints_m, odd = _messages(stream, rows, topic)
        joints_m, repeated = without_repeated_wrist(joints_m)
        first = first_of_each(stamp_ns)
        notes += _notes(topic, odd=odd, repeated=repeated, doubled=len(stamp_ns) - len(first))
        samples.append(
            Samples(
                side == "right",
                "stamp_ns",
                stamp_ns[first],
                joints_m[first],
                np.full((len(first), _JOINTS, 2), np.nan),
                np.full(len(first), np.nan),
                place,
            )
        )
    return samples, notes


def _topics(stream: PoseSetStream, options: PrecomputedOptions, *, where: str) -> list[tuple[str, str]]:
    """Return (side, topic) pairs, left before right."""
    topics = tuple(dict.fromkeys(stream.topic))
    pairs = [
        (side, topic) for side in _SIDES for topic in _of_side(side, topics, getattr(options, side), where)
    ]
    for side in _SIDES:
        several = [topic for item, topic in pairs if item == side]
        if len(several) > 1:
            raise BadRecording(
                f"several topics have the {side} hand: {', '.join(several)}",
                where=where,
                remedy=f"set precomputed.{side} to one of them",
            )
    untold = sorted(set(topics) - {topic for _, topic in pairs})
    if untold and not (options.left or options.right):
        raise BadRecording(
            f"the topic {untold[0]} does not say which hand it has",
            where=where,
            remedy="set precomputed.left and precomputed.right to the topics of both hands",
        )
    return pairs


def _of_side(side: str, topics: Sequence[str], chosen: str, where: str) -> list[str]:
    if chosen and chosen not in topics:
        raise MissingStream(
            f"{chosen} is no topic of the role hands; those are {', '.join(topics)}",
            where=where,
            remedy=f"correct precomputed.{side}, or name it in the topic map of raw_mcap as 'hands={chosen}'",
        )
    if chosen:
        return [chosen]
    return [topic for topic in topics if words_of(topic) & set(_SIDES) == {side}]


def _messages(
    stream: PoseSetStream, rows: NDArray[np.intp], topic: str
) -> tuple[NDArray[np.int64], NDArray[np.float64], int]:
    """Return stamps (M,), joints (M, 21, 3) of the messages with 21 poses, and how many had another number."""
    edges = np.flatnonzero(np.diff(stream.pose_index[rows]) <= 0) + 1
    messages = np.split(rows, edges)
    whole = [message for message in messages if len(message) == _JOINTS]
    if not whole:
        raise BadRecording(
            f"no message has {_JOINTS} poses; the first has {len(messages[0])}",
            where=topic,
            remedy=f"hands need the {_JOINTS} joints {JOINT_NAMES[0]}, {JOINT_NAMES[1]} ... {JOINT_NAMES[-1]}",
        )
    joints_m = np.stack([stream.translation[message] for message in whole])
    joints_m[~np.isfinite(joints_m).all(axis=2)] = np.nan
    stamp_ns = np.array([stream.stamp_ns[message[0]] for message in whole], np.int64)
    return stamp_ns, joints_m, len(messages) - len(whole)


def _notes(topic: str, *, odd: int, repeated: int, doubled: int) -> list[Note]:
    notes = []
    if odd:
        text = f"{odd} messages of {topic} have not {_JOINTS} poses and are left out"
        notes.append(Note("odd_hands", text, "hands", odd))
    if repeated:
        text = f"{repeated} messages of {topic} repeat one point for all joints; only the wrist is kept"
        notes.append(Note("wrist_only", text, "hands", repeated))
    if doubled:
        text = f"{doubled} messages of {topic} have the stamp of another one and are left out"
        notes.append(Note("duplicate_stamps", text, "hands", doubled))
    return notes
