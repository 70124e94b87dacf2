"""Who works on what, and when: the first pass over a recording, and the rounds that blur what audits found.

The work is cut into units of a few groups of pictures. A worker looks at a unit and keeps its payloads; as soon as
all is seen that can matter to the unit's boxes, the same worker renders it. Boxes are linked here, over all units, so
where units begin and who worked on them cannot be told from the result. What is done to a unit is in `unit_work`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from episode_assets.anonymization.config import FaceBlurConfig
from episode_assets.anonymization.evidence import MOST_PICTURES, Shown, worst_frame
from episode_assets.anonymization.exceptions import video_digest
from episode_assets.anonymization.finds import Finds
from episode_assets.anonymization.groups import group_spans, longest_step_ns
from episode_assets.anonymization.looking import Look
from episode_assets.anonymization.means import SearchUse
from episode_assets.anonymization.redactions import Redactions, all_of, joined, redact, within
from episode_assets.anonymization.tracks import Detections
from episode_assets.anonymization.unit_work import (
    Group,
    GroupTask,
    LookResult,
    LookTask,
    RenderResult,
    RenderTask,
    SampleResult,
    SampleTask,
    ShowTask,
    UnitResult,
    UnitTask,
    WorkerSettings,
)
from episode_assets.anonymization.upright import Upright, clearest_quarters
from episode_assets.chunks import Chunk, Crew, plan_chunks
from episode_assets.outcome import ModelUse
from episode_assets.progress import Progress
from episode_assets.recording import ImageStream

UNIT_FRAMES = 30
"""Frames of a unit, to the next lower number of whole groups. It costs one more decoded picture (4 ms) for about 3 s
of work; longer units leave workers idle at the end of short recordings and hold more payloads. No output depends on
it."""

_UNITS_AHEAD = 2
"""Units that each worker may have looked at beyond those that the next rendering waits for."""

_TASKS_WAITING = 2
"""Tasks of a worker, the running one included; so the next one is there when one is finished."""

_NO_UNIT = -1


@dataclass(frozen=True)
class Blurred:
    """All that is known of a recording after its passes; numbers only, the encoded groups lie in the scratch directory.

    Attributes:
        searches: The searches and their known answers.
        models: Weight files that took part.
        looks: What was seen, in order; empty if a known answer failed, and then nothing else is there.
        redactions: What is blurred.
        finds: Finds of audits that are blurred.
        groups: The groups in order.
        rounds: How often groups were made again because of finds.
        upright: How the pictures stand.
        shown: The worst frames as evidence, in order; empty where the audit passed.
    """

    searches: tuple[SearchUse, ...]
    models: tuple[ModelUse, ...]
    looks: tuple[Look, ...]
    redactions: Redactions
    finds: Finds
    groups: tuple[Group, ...]
    rounds: int
    upright: Upright
    shown: tuple[Shown, ...] = ()

    @property
    def knows_faces(self) -> bool:
        """Whether every search found the face of the known-answer test."""
        return bool(self.searches) and all(search.known_answer.passed for search in self.searches)

    @property
    def digest(self) -> str:
        """Digest of the video that was made, published or not."""
        return video_digest(group.digest for group in self.groups)

    @property
    def passed(self) -> bool:
        """Whether every group came out of its audit clean, and lies in the scratch directory."""
        return self.knows_faces and bool(self.groups) and all(group.is_written for group in self.groups)


def make_passes(
    stream: ImageStream, settings: WorkerSettings, *, workers: int, progress: Progress
) -> Blurred:
    """Look at a recording, render it, and render again what audits found.

    Args:
        stream: The colour pictures, at least one.
        settings: What workers need to know.
        workers: Number of processes; the result does not depend on it.
        progress: Told about frames; one that is looked at and not yet rendered counts half.

    Raises:
        ModelMissing: A weight file or package is not there.
        StorageTrouble: A worker died.
    """
    config = settings.config
    length = max(1, UNIT_FRAMES // config.g) * config.g
    units = plan_chunks(stream.stamp_ns, stream.gap_before, length=length, margin_ns=config.margin_ns)
    with Crew[UnitTask, UnitResult](settings, workers=min(workers, len(units))) as crew:
        return _Passes(stream, settings, units, crew, progress).result()


class _Passes:
    """The passes over one recording, while they happen."""

    def __init__(
        self,
        stream: ImageStream,
        settings: WorkerSettings,
        units: Sequence[Chunk],
        crew: Crew[UnitTask, UnitResult],
        progress: Progress,
    ) -> None:
        self._stream = stream
        self._config: FaceBlurConfig = settings.config
        self._size = settings.size
        self._exceptions = settings.exceptions
        self._gap_ns = longest_step_ns(stream)
        self._units = units
        self._starts = np.array([unit.start for unit in units], np.int64)
        # For each unit the last one that must be seen before its boxes are known.
        stops = [unit.tail_stop for unit in units]
        self._needed: list[int] = (np.searchsorted(self._starts, stops, side="left") - 1).tolist()
        self._crew = crew
        self._progress = progress
        self._means: LookResult | None = None
        self._looks: dict[int, Look] = {}
        self._groups: dict[int, Group] = {}
        self._shown: dict[int, Shown] = {}
        self._upright = settings.upright

    def result(self) -> Blurred:
        """Do the work."""
        self._take_samples()
        if not self._look_and_render():
            return self._blurred((), redactions=joined([]), finds=Finds.none(), rounds=0)
        looks = [self._looks[unit] for unit in range(len(self._units))]
        finds, rounds = Finds.none(), 0
        redactions = self._redactions(looks, finds)
        new = self._outside(self._groups)
        while len(new) and rounds < self._config.audit_rounds:
            rounds += 1
            finds = Finds.joined([finds, new])
            redactions = self._redactions(looks, finds)
            stale = self._stale(redactions)
            positions = [self._groups[key].position for key in stale]
            tasks = [GroupTask(position, redactions.at(position)) for position in positions]
            self._render_again(tasks, is_last=rounds == self._config.audit_rounds)
            new = self._outside(stale)
        self._render_excepted(redactions)
        self._show_worst()
        return self._blurred(looks, redactions=redactions, finds=finds, rounds=rounds)

    def _take_samples(self) -> None:
        """Find out how the pictures stand of which nothing else tells it."""
        tasks = [SampleTask(position) for position in self._upright.samples()]
        answers = [answer for answer in self._answers(tasks) if isinstance(answer, SampleResult)]
        if answers:
            scores = [answer.scores for answer in sorted(answers, key=lambda answer: answer.position)]
            self._upright = replace(self._upright, sampled_quarters=clearest_quarters(np.stack(scores)))

    def _look_and_render(self) -> bool:
        """Make the first pass; False if a known answer failed."""
        needed = self._needed
        ahead = max(last - unit for unit, last in enumerate(needed)) + 1 + _UNITS_AHEAD * len(self._crew)
        homes: list[int] = []
        seen = asked = rendered = done = 0
        while rendered < len(self._units):
            while asked < len(self._units) and needed[asked] < seen:
                self._crew.submit(self._first_rendering(asked), worker=homes[asked])
                asked += 1
            while len(homes) < min(rendered + ahead, len(self._units)) and self._has_idle():
                homes.append(self._idlest())
                self._crew.submit(self._look_task(len(homes) - 1), worker=homes[-1])
            answer = self._crew.next_result()
            assert isinstance(answer, LookResult | RenderResult)  # samples came before, evidence comes after
            self._take(answer)
            rendered += isinstance(answer, RenderResult)
            if isinstance(answer, LookResult) and answer.look is None:
                return False
            while seen in self._looks:
                seen += 1
            done += len(self._units[answer.unit])
            self._progress("faces", done // 2, len(self._stream))  # each frame is looked at and rendered
        return True

    def _look_task(self, index: int) -> LookTask:
        unit = self._units[index]
        has_previous = unit.start > 0 and not self._stream.gap_before[unit.start]
        return LookTask(index, unit.start, unit.stop, bool(has_previous), self._upright.sampled_quarters)

    def _first_rendering(self, index: int) -> RenderTask:
        """Return the task that renders a unit, with the boxes that linking the whole run would give it."""
        unit = self._units[index]
        first = int(np.searchsorted(self._starts, unit.lead_start, side="right")) - 1
        looks = [self._looks[other] for other in range(first, self._needed[index] + 1)]
        seen = np.concatenate([look.position for look in looks])
        faces = all_of(look.faces for look in looks)
        redactions = self._linked(seen, faces, unit.lead_start, unit.tail_stop)
        position = self._looks[index].position
        spans = group_spans(
            position,
            self._stream.stamp_ns[position],
            start=unit.start,
            length=self._config.g,
            gap_ns=self._gap_ns,
        )
        groups = tuple(
            GroupTask(position[start:stop], redactions.at(position[start:stop])) for start, stop in spans
        )
        is_last = self._config.audit_rounds == 0
        return RenderTask(index, groups, is_last, self._upright.sampled_quarters)

    def _render_again(self, groups: Sequence[GroupTask], *, is_last: bool) -> None:
        """Make groups again."""
        quarters = self._upright.sampled_quarters
        tasks = [RenderTask(_NO_UNIT, (group,), is_last, quarters) for group in groups]
        total, done = sum(len(group.position) for group in groups), 0
        for answer in self._answers(tasks):
            self._take(answer)
            if isinstance(answer, RenderResult):
                done += sum(len(group.position) for group in answer.groups)
                self._progress("faces that the audit found", done, total)

    def _answers(self, tasks: Iterable[UnitTask]) -> Iterator[UnitResult]:
        """Yield the results of tasks that any worker may do."""
        waiting = deque(tasks)
        while waiting or any(self._crew.pending()):
            while waiting and self._has_idle():
                self._crew.submit(waiting.popleft(), worker=self._idlest())
            yield self._crew.next_result()

    def _render_excepted(self, redactions: Redactions) -> None:
        """Make the groups again that only excepted finds block; what a person judged was this very video."""
        digest = video_digest(group.digest for _, group in sorted(self._groups.items()))
        exceptions = self._exceptions.for_video(digest)
        if not len(exceptions):
            return
        blocked = [group for _, group in sorted(self._groups.items()) if not group.is_written]
        self._render_again(
            [
                GroupTask(
                    group.position,
                    redactions.at(group.position),
                    exceptions.at(self._stream.message_number[group.position].tolist()),
                    group.digest,
                )
                for group in blocked
            ],
            is_last=True,
        )

    def _show_worst(self) -> None:
        """Make the worst groups again, and of each its worst frame as evidence."""
        worst = [
            (-found[0], key, found[1])
            for key, group in self._groups.items()
            if (found := worst_frame(group.audit, group.excepted, self._config)) is not None
        ]
        for answer in self._answers(
            self._show_task(key, index) for _, key, index in sorted(worst)[:MOST_PICTURES]
        ):
            self._take(answer)

    def _show_task(self, key: int, index: int) -> ShowTask:
        group = self._groups[key]
        task = GroupTask(group.position, group.audit.rectangles, digest=group.digest)
        return ShowTask(task, index, self._upright.sampled_quarters)

    def _has_idle(self) -> bool:
        return min(self._crew.pending()) < _TASKS_WAITING

    def _idlest(self) -> int:
        pending = self._crew.pending()
        return pending.index(min(pending))

    def _take(self, answer: UnitResult) -> None:
        if isinstance(answer, LookResult):
            self._keep_means(answer)
            if answer.look is not None:
                self._looks[answer.unit] = answer.look
        elif isinstance(answer, Shown):
            self._shown[answer.position] = answer
        elif isinstance(answer, RenderResult):
            self._groups.update({int(group.position[0]): group for group in answer.groups})

    def _keep_means(self, answer: LookResult) -> None:
        # All workers ask the same question; should one of them answer otherwise, its answer counts.
        if self._means is None or answer.look is None:
            self._means = answer

    def _redactions(self, looks: Sequence[Look], finds: Finds) -> Redactions:
        """Link all faces, run by run."""
        faces = all_of(look.faces for look in looks).joined_with(finds.as_detections())
        starts = [0, *(np.flatnonzero(self._stream.gap_before[1:]) + 1).tolist(), len(self._stream)]
        seen = np.concatenate([look.position for look in looks])
        return joined(self._linked(seen, faces, start, stop) for start, stop in pairwise(starts))

    def _linked(self, seen: NDArray[np.int64], faces: Detections, start: int, stop: int) -> Redactions:
        position = seen[slice(*np.searchsorted(seen, [start, stop]).tolist())]
        return redact(
            position,
            self._stream.stamp_ns[position],
            within(faces, start, stop),
            config=self._config,
            size=self._size,
        )

    def _stale(self, redactions: Redactions) -> list[int]:
        """Return the groups that have to be made again: other rectangles, or a find that waits for its blur."""
        return [
            key
            for key, group in sorted(self._groups.items())
            if not _is_as_blurred(group, redactions)
            or (not group.is_written and any(map(len, group.audit.outside)))
        ]

    def _outside(self, keys: Iterable[int]) -> Finds:
        """Return what the audits of these groups found outside the blur."""
        return Finds.joined(
            [
                Finds(np.full(len(boxes), position, np.int64), boxes, label)
                for audit, positions in (
                    (self._groups[key].audit, self._groups[key].position) for key in keys
                )
                for position, boxes, label in zip(positions, audit.outside, audit.outside_label, strict=True)
                if len(boxes)
            ]
        )

    def _blurred(
        self, looks: Sequence[Look], *, redactions: Redactions, finds: Finds, rounds: int
    ) -> Blurred:
        assert self._means is not None
        groups = tuple(group for _, group in sorted(self._groups.items())) if looks else ()
        if not all(_is_as_blurred(group, redactions) for group in groups):
            raise AssertionError("what was blurred differs from what linking the whole recording gives")
        return Blurred(
            searches=self._means.searches,
            models=self._means.models,
            looks=tuple(looks),
            redactions=redactions,
            finds=finds,
            groups=groups,
            rounds=rounds,
            upright=self._upright,
            shown=tuple(shown for _, shown in sorted(self._shown.items())),
        )


def _is_as_blurred(group: Group, redactions: Redactions) -> bool:
    return all(map(np.array_equal, group.audit.rectangles, redactions.at(group.position)))
