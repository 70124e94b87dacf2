"""Turns the annotation topics of a recording into statements about time spans.

A plain text says what is done from its stamp on, until the next text of a task or the end of the recording; an empty
text says that nothing is done any more. A JSON object may say more: `task`, `subtask`, and `duration_s`, after which
both end. On a topic that is named after subtasks a plain text is a subtask. What people typed is published only if a
recipe asks for it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from episode_assets.lerobot.segments import Said
from episode_assets.lerobot.task_sidecar import TEXT_MAX
from episode_assets.recording import TextStream

_TASK_WORDS = ("task", "instruction", "annotation")
_TASK_KEYS = ("task", "instruction", "caption", "label", "text")
_SECOND_NS = 1_000_000_000
_DURATION_MAX_S = 1e6


@dataclass(frozen=True)
class Annotations:
    """What annotation topics say about tasks.

    Attributes:
        said: Statements in order of time, without overlap.
        unread: Messages of the topics that say nothing about tasks.
    """

    said: tuple[Said, ...]
    unread: int


@dataclass(frozen=True)
class _Told:
    """One message: what changes at its stamp; None leaves as it is."""

    stamp_ns: int
    task: str | None = None
    subtask: str | None = None
    ends_ns: int | None = None


def read_annotations(stream: TextStream, *, topics: Sequence[str], end_ns: int) -> Annotations:
    """Return what a recording's annotations say about tasks.

    Args:
        stream: All annotations, sorted by stamp.
        topics: Topics that count; none takes those that are named after tasks, instructions or annotations.
        end_ns: Moment after the last picture.
    """
    told: list[_Told] = []
    unread = 0
    for stamp, topic, text in zip(stream.stamp_ns.tolist(), stream.topic, stream.text, strict=True):
        if topic not in topics if topics else not _is_about_tasks(topic):
            continue
        found = _told(stamp, topic, text)
        if found is None:
            unread += 1
        else:
            told.append(found)
    return Annotations(tuple(_spans(told, end_ns)), unread)


def _is_about_tasks(topic: str) -> bool:
    return any(word in topic.lower() for word in _TASK_WORDS)


def _told(stamp_ns: int, topic: str, text: str) -> _Told | None:
    words = text.strip()
    if words.startswith("{"):
        return _from_object(stamp_ns, words)
    if len(words) > TEXT_MAX:
        return None
    return _Told(stamp_ns, subtask=words) if "subtask" in topic.lower() else _Told(stamp_ns, task=words)


def _from_object(stamp_ns: int, words: str) -> _Told | None:
    try:
        found: Any = json.loads(words)
    except (ValueError, RecursionError):
        return None
    task = next((found[key] for key in _TASK_KEYS if key in found), None)
    subtask, lasts = found.get("subtask"), found.get("duration_s")
    texts = [text for text in (task, subtask) if text is not None]
    if not texts or not all(isinstance(text, str) and len(text) <= TEXT_MAX for text in texts):
        return None
    if lasts is None:
        return _Told(stamp_ns, task, subtask)
    is_number = isinstance(lasts, int | float) and not isinstance(lasts, bool) and math.isfinite(lasts)
    if not is_number or not 0 < lasts <= _DURATION_MAX_S:
        return None
    return _Told(stamp_ns, task, subtask, stamp_ns + round(lasts * _SECOND_NS))


def _spans(told: Sequence[_Told], end_ns: int) -> Iterator[Said]:
    """Yield the spans between messages in which something is done."""
    now = Said(0, 0)
    until: int | None = None
    for message in [*told, _Told(end_ns)]:
        stop = message.stamp_ns if until is None else min(until, message.stamp_ns)
        if (now.task or now.subtask) and now.start_ns < min(stop, end_ns):
            yield replace(now, end_ns=min(stop, end_ns))
        if until is not None and until <= message.stamp_ns:
            now, until = Said(0, 0), None
        now = _changed(now, message)
        until = message.ends_ns if message.ends_ns is not None or message.task is not None else until


def _changed(now: Said, message: _Told) -> Said:
    # A new task begins without a subtask; a new subtask leaves the task that is being done.
    task = now.task if message.task is None else message.task.strip()
    kept = "" if message.task is not None else now.subtask
    subtask = kept if message.subtask is None else message.subtask.strip()
    return Said(message.stamp_ns, 0, task, subtask)
