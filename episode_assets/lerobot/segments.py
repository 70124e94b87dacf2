"""Task segments of a recording: which frames are which task, whoever said so, and what to call what nobody named.

A new source of segments is a module that returns `Said` records; here they become segments of one shape. Where
episodes begin and end because of them is decided in `cuts`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from episode_assets.lerobot.tasks import clean_text
from episode_assets.recording import median_step_ns

NOT_APPLICABLE = "N/A"
"""What a caption says of a segment in which nothing is done; the segment is left out."""


@dataclass(frozen=True)
class Subtask:
    """A part of a segment with words of its own: frames [start, stop)."""

    start: int
    stop: int
    text: str


@dataclass(frozen=True)
class Segment:
    """Frames [start, stop) of a bundle in which one task is done.

    Attributes:
        start: First frame position.
        stop: Frame position after the last one.
        task: What is done, cleaned; empty where nobody said, `NOT_APPLICABLE` where nothing is done.
        subtasks: Parts with words of their own, in order, without overlap, all inside.
    """

    start: int
    stop: int
    task: str = ""
    subtasks: tuple[Subtask, ...] = ()

    @property
    def is_applicable(self) -> bool:
        """Whether something is done in it."""
        return self.task.upper() != NOT_APPLICABLE


@dataclass(frozen=True)
class Said:
    """One statement about a time span, before it meets the frames.

    Attributes:
        start_ns: First moment, a stamp.
        end_ns: Moment after the last one.
        task: What is done; empty where nothing was said.
        subtask: The part of it that is done; empty where nothing was said.
    """

    start_ns: int
    end_ns: int
    task: str = ""
    subtask: str = ""


def as_segments(said: Iterable[Said], stamp_ns: NDArray[np.int64]) -> tuple[Segment, ...]:
    """Lay statements over the frames: those that touch, name the same task and each a subtask are one segment.

    Args:
        said: Statements in order of time, without overlap.
        stamp_ns: (F,) sorted stamps of the frames. A border lies before the frame nearest to it, because people round
            their seconds.
    """
    segments: list[Segment] = []
    half_step_ns = median_step_ns(stamp_ns) // 2
    for item in said:
        borders = [item.start_ns - half_step_ns, item.end_ns - half_step_ns]
        start, stop = np.searchsorted(stamp_ns, borders).tolist()
        if start == stop:
            continue
        task, text = clean_text(item.task), clean_text(item.subtask)
        parts = (Subtask(start, stop, text),) if text and text.upper() != NOT_APPLICABLE else ()
        last = segments[-1] if segments else None
        if last and parts and last.subtasks and (last.stop, last.task) == (start, task):
            segments[-1] = replace(last, stop=stop, subtasks=(*last.subtasks, *parts))
        else:
            segments.append(Segment(start, stop, task, parts))
    return tuple(segments)


def words_of(segment: Segment, *, fallback: str, task: str) -> str:
    """Return the task text of a segment: its own, else the recipe's fall-back, else the recording's task."""
    return segment.task or clean_text(fallback) or task


def parts_within(
    segments: Sequence[Segment], start: int, stop: int, *, with_tasks: bool
) -> tuple[Subtask, ...]:
    """Return what is said about parts of frames [start, stop), counted from `start`.

    Args:
        segments: All segments of the recording, in order.
        start: First frame of the episode.
        stop: Frame after its last one.
        with_tasks: Whether a segment without subtasks is itself a part, with its task as words.
    """
    found = []
    for segment in segments:
        whole = (Subtask(segment.start, segment.stop, segment.task),) if segment.task and with_tasks else ()
        found += list(segment.subtasks or whole)
    cut = [Subtask(max(part.start, start) - start, min(part.stop, stop) - start, part.text) for part in found]
    return tuple(part for part in cut if part.start < part.stop and part.text.upper() != NOT_APPLICABLE)
