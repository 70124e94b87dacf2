"""Decides what is done in a recording and when: chooses the source of task segments and asks for words where none are.

What a source says is read by its own module (`task_sidecar`, `task_annotations`, `hand_motion`, `captions`); what
the cuts make of it is in `cuts`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from episode_assets.lerobot.captions import caption_record, with_captions
from episode_assets.lerobot.cuts import Span
from episode_assets.lerobot.hand_motion import motion_segments
from episode_assets.lerobot.inputs import QualityVerdict
from episode_assets.lerobot.recipe import Recipe
from episode_assets.lerobot.rows import usable_hands
from episode_assets.lerobot.segments import Said, Segment, Subtask, as_segments, parts_within, words_of
from episode_assets.lerobot.source import EpisodeSource
from episode_assets.lerobot.task_annotations import read_annotations
from episode_assets.lerobot.task_sidecar import read_task_sidecar
from episode_assets.lerobot.tasks import task_of
from episode_assets.lerobot.timing import LeftOut
from episode_assets.outcome import Json, Note
from episode_assets.recording import TextStream, median_step_ns


@dataclass(frozen=True)
class TaskInputs:
    """What a recording brings along about its tasks, besides the text of the whole.

    Attributes:
        sidecar: Content of the file `*.tasks.json` beside it; None where there is none.
        sidecar_where: Name of that file, for errors.
        annotations: Its annotation topics; None where there are none or the recipe does not ask for them.
    """

    sidecar: bytes | None = None
    sidecar_where: str = "*.tasks.json"
    annotations: TextStream | None = None


NO_TASKS_BESIDE = TaskInputs()
"""Nothing but the task of the whole recording."""


@dataclass(frozen=True)
class SegmentPlan:
    """What is done in a recording.

    Attributes:
        recipe: The choices behind it.
        task: Task of the whole recording, or the word for none.
        origin: Where the segments come from; `task` where there are none but the recording itself.
        segments: In order of time, disjoint; None where the recording is one task.
        notes: What the user should know.
        left_out: Why the recording cannot be cut as the recipe asks; None if it can.
    """

    recipe: Recipe
    task: str
    origin: str
    segments: tuple[Segment, ...] | None
    notes: tuple[Note, ...] = ()
    left_out: LeftOut | None = None

    @property
    def cut_at(self) -> tuple[Segment, ...] | None:
        """The segments that episodes are cut at; None cuts at none."""
        return self.segments if self.recipe.segments.use == "cut" else None

    def on_rows(self, rows_of: Callable[[int, int], tuple[int, int]]) -> SegmentPlan:
        """Return the plan with rows instead of frames, given the range of rows that shows a range of frames."""
        if self.segments is None:
            return self
        placed = []
        for one in self.segments:
            start, stop = rows_of(one.start, one.stop)
            parts = tuple(Subtask(*rows_of(part.start, part.stop), part.text) for part in one.subtasks)
            placed.append(Segment(start, stop, one.task, parts))
        return replace(self, segments=tuple(placed))

    def language(self, span: Span) -> dict[str, Json]:
        """Return the language of an episode: `task`, `tasks` and `subtasks`, for the fragment's document.

        Where rows of one episode have several tasks, `task_rows` says from which row on it is which.
        """
        task, parts = self.task, self.segments or ()
        if self.cut_at is not None:
            parts = tuple(one for one in self.cut_at if one.start <= span.start < one.stop)
            task = words_of(parts[0], fallback=self.recipe.segments.fallback, task=task) if parts else task
        with_tasks = self.recipe.segments.use == "subtasks"
        subtasks: list[Json] = [
            {"start_row": part.start, "stop_row": part.stop, "text": part.text}
            for part in parts_within(parts, span.start, span.stop, with_tasks=with_tasks)
        ]
        if self.recipe.segments.use != "tasks":
            return {"task": task, "tasks": [task], "subtasks": subtasks}
        runs = self._task_runs(span)
        rows: list[Json] = [{"start_row": row, "text": text} for row, text in runs]
        texts: list[Json] = list(dict.fromkeys(text for _, text in runs))
        return {"task": texts[0], "tasks": texts, "subtasks": subtasks, "task_rows": rows}

    def _task_runs(self, span: Span) -> list[tuple[int, str]]:
        """Return from which row of an episode on it is which task; between segments it is that of the recording."""
        runs: list[tuple[int, str]] = []
        here = span.start
        for one in self.segments or ():
            start, stop = max(one.start, here), min(one.stop, span.stop)
            if start >= stop or not one.is_applicable:
                continue
            text = words_of(one, fallback=self.recipe.segments.fallback, task=self.task)
            runs += [(here, self.task), (start, text)] if start > here else [(start, text)]
            here = stop
        runs += [(here, self.task)] if here < span.stop else []
        changes = [runs[0], *(after for before, after in pairwise(runs) if after[1] != before[1])]
        return [(row - span.start, text) for row, text in changes]

    def to_json(self) -> dict[str, Json]:
        """Return the record of where the words come from."""
        found: list[Json] = [
            {
                "frame_start": segment.start,
                "frame_stop": segment.stop,
                "task": segment.task,
                "subtasks": [
                    {"frame_start": part.start, "frame_stop": part.stop, "text": part.text}
                    for part in segment.subtasks
                ],
            }
            for segment in self.segments or ()
        ]
        return {"origin": self.origin, "caption": caption_record(self.recipe.segments), "found": found}


def plan_segments(
    source: EpisodeSource,
    quality: QualityVerdict,
    video: Path,
    *,
    recipe: Recipe,
    task: str | None,
    given: TaskInputs,
) -> SegmentPlan:
    """Return what is done in a recording.

    Args:
        source: Its frames.
        quality: What quality control says. A captioner is asked about what lies in kept intervals, and about nothing
            of a recording that does not enter.
        video: The blurred video, whose audit the caller has checked.
        recipe: Which source counts, who is asked.
        task: What is done in the whole recording; None where nobody said.
        given: What the recording brings along.

    Raises:
        BadConfig: The file beside the recording is wrong (the entry is named), or the captioner is not there.
    """
    whole = task_of(task)
    origin, segments, notes = _found(source, recipe, given)
    if segments is None:
        missing = None if origin == "task" else LeftOut("no_segments", _MISSING[origin])
        return SegmentPlan(recipe, whole, origin, None, notes, missing)
    is_kept = _flags(quality.kept, len(source))
    seconds = (source.stamp_ns - source.stamp_ns[0]) / 1e9
    is_good = quality.score is None or quality.score >= recipe.min_score
    enters = is_good and quality.verdict in recipe.verdicts
    wanted = [enters and bool(is_kept[one.start : one.stop].any()) for one in segments]
    segments = with_captions(segments, video, seconds=seconds, choice=recipe.segments, wanted=wanted)
    cut = [one for one in segments if not is_kept[one.start : one.stop].all()]
    if cut:
        beyond = sum(int((~is_kept[one.start : one.stop]).sum()) for one in cut)
        detail = f"task segments were cut to the kept intervals; {beyond} frames of them are not kept"
        notes = (*notes, Note("segment_cut", detail, "rgb", len(cut)))
    return SegmentPlan(recipe, whole, origin, segments, notes)


_MISSING = {
    "sidecar": "the recipe takes tasks from a file *.tasks.json beside the recording, and there is none",
    "annotations": "the recipe takes tasks from annotation topics, and the recording has none that say a task",
    "motion": "the recipe cuts where the hands rest, and no measured hand with a camera pose ever moves",
}


def _found(
    source: EpisodeSource, recipe: Recipe, given: TaskInputs
) -> tuple[str, tuple[Segment, ...] | None, tuple[Note, ...]]:
    """Return where segments come from, the segments or None, and what to tell."""
    origin = recipe.segments.source
    if origin == "auto":
        origin = "task" if given.sidecar is None else "sidecar"
    if origin == "sidecar" and given.sidecar is not None:
        said = read_task_sidecar(
            given.sidecar, first_stamp_ns=int(source.stamp_ns[0]), where=given.sidecar_where
        )
        return origin, as_segments(said, source.stamp_ns), _beyond(said, source)
    if origin == "annotations" and given.annotations is not None:
        return origin, *_annotated(source, given.annotations, recipe.segments.topics)
    if origin == "motion":
        _, valid = usable_hands(source, reference_frame=recipe.reference_frame)
        found = motion_segments(
            source, hand_valid=valid, choice=recipe.segments.motion, bridge_s=recipe.bridge_s
        )
        return origin, found or None, ()
    return origin, None, ()


def _annotated(
    source: EpisodeSource, stream: TextStream, topics: Sequence[str]
) -> tuple[tuple[Segment, ...] | None, tuple[Note, ...]]:
    # One period behind the last picture, so that the last text holds to the end.
    end_ns = int(source.stamp_ns[-1]) + median_step_ns(source.stamp_ns)
    found = read_annotations(stream, topics=topics, end_ns=end_ns)
    detail = "annotation messages say nothing about a task"
    notes = (Note("annotation_unread", detail, "annotations", found.unread),) if found.unread else ()
    return as_segments(found.said, source.stamp_ns) or None, notes


def _beyond(said: Sequence[Said], source: EpisodeSource) -> tuple[Note, ...]:
    late = sum(one.start_ns > int(source.stamp_ns[-1]) for one in said)
    detail = "entries of the task file begin after the last picture"
    return (Note("segment_beyond_end", detail, "rgb", late),) if late else ()


def _flags(kept: Sequence[tuple[int, int]], count: int) -> NDArray[np.bool_]:
    flags = np.zeros(count, dtype=np.bool_)
    for start, stop in kept:
        flags[start:stop] = True
    return flags
