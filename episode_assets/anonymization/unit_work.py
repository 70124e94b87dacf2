"""The work on one unit, in one worker process: look at its pictures, and later blur, encode and audit its groups.

Nothing unblurred leaves this process, and no encoded group reaches a disk before its own audit has passed. What is
blurred is told from outside, since it depends on what was seen before and after the unit; `passes` knows that.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from episode_assets.anonymization.areas import Areas
from episode_assets.anonymization.config import FaceBlurConfig
from episode_assets.anonymization.early_groups import EarlyGroups
from episode_assets.anonymization.evidence import Shown, evidence_picture
from episode_assets.anonymization.exceptions import Exceptions
from episode_assets.anonymization.groups import (
    EncodedGroup,
    GroupAudit,
    Rectangles,
    is_clean,
    longest_step_ns,
    make_group,
)
from episode_assets.anonymization.looking import (
    KEPT_BYTES,
    Look,
    Seeker,
    UnitPictures,
    lonely_pictures,
    look_at,
)
from episode_assets.anonymization.means import Means, SearchUse
from episode_assets.anonymization.turning import all_right_angles
from episode_assets.anonymization.upright import Upright
from episode_assets.freed_memory import return_freed_memory
from episode_assets.outcome import ModelUse
from episode_assets.recording import RecordingView
from episode_assets.video import Picture, decode_pictures


@dataclass(frozen=True)
class SampleTask:
    """Search one picture at all four right angles.

    Attributes:
        position: Position in the stream.
    """

    position: int


@dataclass(frozen=True)
class SampleResult:
    """What a sample showed.

    Attributes:
        position: Position in the stream.
        scores: (4,) float64: sum of the scores of certain faces after 0 to 3 quarter turns; zeros where the picture
            does not decode, or a known answer failed.
    """

    position: int
    scores: NDArray[np.float64]


@dataclass(frozen=True)
class LookTask:
    """Look at the pictures at `[start, stop)` and keep their payloads.

    Attributes:
        unit: Number of the unit.
        start, stop: Positions in the stream.
        has_previous: Whether the picture before `start` follows without a gap.
        sampled_quarters: What samples told of pictures whose roll is unknown; see `Upright`.
    """

    unit: int
    start: int
    stop: int
    has_previous: bool
    sampled_quarters: int | None


@dataclass(frozen=True)
class LookResult:
    """What a look saw, and with which means.

    Attributes:
        unit: Number of the unit.
        searches: The searches of the worker and their known answers.
        models: Weight files that take part.
        look: None if a known answer failed.
    """

    unit: int
    searches: tuple[SearchUse, ...]
    models: tuple[ModelUse, ...]
    look: Look | None


@dataclass(frozen=True)
class GroupTask:
    """One group of pictures to make.

    Attributes:
        position: (n,) int64 positions in the stream; the first one names the group.
        rectangles: What to blur, for each of them.
        excepted: For each of them, (E, 4) boxes in which finds do not block; None for none anywhere.
        digest: The only result that may be written where there are exceptions.
    """

    position: NDArray[np.int64]
    rectangles: tuple[Rectangles, ...]
    excepted: tuple[NDArray[np.float32], ...] | None = None
    digest: str | None = None


@dataclass(frozen=True)
class RenderTask:
    """Make groups of a unit.

    Attributes:
        unit: Number of the unit, whose kept payloads are used and then let go of.
        groups: The groups.
        is_last: Whether finds of the audit will not be blurred any more.
        sampled_quarters: As of a `LookTask`.
    """

    unit: int
    groups: tuple[GroupTask, ...]
    is_last: bool
    sampled_quarters: int | None


@dataclass(frozen=True)
class Group:
    """What is known of a group that was made; numbers only.

    Attributes:
        position: (n,) int64 positions in the stream.
        audit: What the audit of its newest version measured.
        is_written: Whether that version lies in the scratch directory; it does only after a passed audit, and not
            if it is made again anyway.
        digest: SHA-256 of its encoded pictures.
        excepted: For each picture, (E, 4) boxes in which finds did not block.
    """

    position: NDArray[np.int64]
    audit: GroupAudit
    is_written: bool
    digest: str
    excepted: tuple[NDArray[np.float32], ...]


@dataclass(frozen=True)
class RenderResult:
    """The groups of a `RenderTask`, in its order."""

    unit: int
    groups: tuple[Group, ...]


@dataclass(frozen=True)
class ShowTask:
    """Make a refused group again and show one of its frames as evidence.

    Attributes:
        group: The group, with the digest of what was refused; of another result nothing is shown.
        index: Which of its frames.
        sampled_quarters: As of a `LookTask`.
    """

    group: GroupTask
    index: int
    sampled_quarters: int | None


_NO_EXCEPTION = np.zeros((0, 4), np.float32)

UnitTask = SampleTask | LookTask | RenderTask | ShowTask
UnitResult = SampleResult | LookResult | RenderResult | Shown


@dataclass(frozen=True)
class WorkerSettings:
    """What every worker process needs to know; travels to it by pickling.

    Attributes:
        view_directory: Where the recording's index lies.
        source: Address of the recording.
        scratch: Where encoded groups are kept until they are joined.
        size: True (width, height) of the pictures.
        config: The settings of the run.
        areas: What people drew to be painted over.
        exceptions: Finds of the audit that people judged.
        upright: How the pictures stand, before samples are taken.
    """

    view_directory: Path
    source: str
    scratch: Path
    size: tuple[int, int]
    config: FaceBlurConfig
    areas: Areas
    exceptions: Exceptions
    upright: Upright

    def __call__(self) -> UnitWorker:
        """Return the worker of this process; detectors are loaded with its first task."""
        return UnitWorker(self)


class UnitWorker:
    """Works on units in one process; remembers payloads and early groups of those it has not yet rendered."""

    def __init__(self, settings: WorkerSettings) -> None:
        self._settings = settings
        self._loaded: _Tools | None = None
        self._pictures: dict[int, UnitPictures] = {}
        self._early: dict[int, EarlyGroups] = {}

    def __call__(self, task: UnitTask) -> UnitResult:
        """Do one task.

        Raises:
            ModelMissing: A weight file or package is not there.
        """
        # Loaded here and not in the initializer of the pool, whose exceptions lose their message.
        self._loaded = self._loaded or _Tools(self._settings)
        result = self._done(task, self._loaded)
        return_freed_memory()
        return result

    def _done(self, task: UnitTask, tools: _Tools) -> UnitResult:
        if isinstance(task, SampleTask):
            return SampleResult(task.position, tools.sample(task.position))
        if isinstance(task, LookTask):
            return self._look(task, tools)
        if isinstance(task, ShowTask):
            return self._show(task, tools)
        return self._render(task, tools)

    def _look(self, task: LookTask, tools: _Tools) -> LookResult:
        look = None
        if tools.knows_faces:
            kept = sum(pictures.kept_bytes for pictures in self._pictures.values())
            pictures = self._pictures[task.unit] = UnitPictures(
                tools.stream,
                self._settings.size,
                start=task.start - task.has_previous,
                stop=task.stop,
                keep_bytes=KEPT_BYTES - kept,
            )
            early = self._early[task.unit] = EarlyGroups(
                task.start, gap_ns=tools.gap_ns, areas=self._settings.areas, config=self._settings.config
            )
            look = look_at(task.start, pictures, tools.seeker(self._upright(task)), early)
        return LookResult(task.unit, tools.searches, tools.models, look)

    def _render(self, task: RenderTask, tools: _Tools) -> RenderResult:
        pictures, early = self._pictures.pop(task.unit, None), self._early.pop(task.unit, None)
        return RenderResult(
            task.unit,
            tuple(self._made(group, task, pictures, early, tools) for group in task.groups),
        )

    def _show(self, task: ShowTask, tools: _Tools) -> Shown:
        upright = self._upright(task)
        made = self._encoded(task.group, upright, None, None, tools)
        position, index = int(task.group.position[task.index]), task.index
        if hashlib.sha256(made.segment.data).hexdigest() != task.group.digest:
            return Shown(position, None)
        picture = next(islice(made.segment.decode(), index, None))
        hidden = np.concatenate([made.audit.rectangles[index], *self._settings.areas.at(position)])
        return Shown(
            position,
            evidence_picture(
                picture,
                np.concatenate([made.audit.outside[index], made.audit.refuted[index]]),
                hidden,
                tools.all_searches,
                upright.turns(position),
            ),
        )

    def _made(
        self,
        task: GroupTask,
        rendering: RenderTask,
        pictures: UnitPictures | None,
        early: EarlyGroups | None,
        tools: _Tools,
    ) -> Group:
        config = self._settings.config
        made = self._encoded(task, self._upright(rendering), pictures, early, tools)
        is_settled = rendering.is_last or not any(map(len, made.audit.outside))
        excepted = task.excepted or (_NO_EXCEPTION,) * len(task.position)
        digest = hashlib.sha256(made.segment.data).hexdigest()
        # What a person judged is that video alone: where encoding gave another one, nothing is excepted.
        is_as_judged = task.digest in {None, digest}
        is_written = is_settled and is_as_judged and is_clean(made.audit, excepted, config)
        self._put(task, made if is_written else None)
        return Group(task.position, made.audit, is_written, digest, excepted)

    def _encoded(
        self,
        task: GroupTask,
        upright: Upright,
        pictures: UnitPictures | None,
        early: EarlyGroups | None,
        tools: _Tools,
    ) -> EncodedGroup:
        if pictures is None:
            pictures = UnitPictures(
                tools.stream,
                self._settings.size,
                start=int(task.position[0]),
                stop=int(task.position[-1]) + 1,
            )
        return make_group(
            [partial(pictures.again, position) for position in task.position.tolist()],
            task.rectangles,
            [self._settings.areas.at(position) for position in task.position.tolist()],
            (tools.stream.stamp_ns[task.position] // 1000).tolist(),
            [upright.turns(position) for position in task.position.tolist()],
            config=self._settings.config,
            auditor=tools.auditor,
            early=None if early is None else early.pop(task.position),
        )

    def _upright(self, task: LookTask | RenderTask | ShowTask) -> Upright:
        return replace(self._settings.upright, sampled_quarters=task.sampled_quarters)

    def _put(self, task: GroupTask, made: EncodedGroup | None) -> None:
        """Replace what the scratch directory holds of a group; None leaves nothing."""
        segment, colours = group_paths(self._settings.scratch, task.position)
        segment.unlink(missing_ok=True)
        colours.unlink(missing_ok=True)
        if made is not None:
            made.segment.save(segment)
            np.save(colours, made.colours)


def group_paths(scratch: Path, position: Sequence[int] | NDArray[np.int64]) -> tuple[Path, Path]:
    """Return where a group's encoded pictures and its colour counts, (n, 3, 256) int32, are kept."""
    name = f"{int(position[0]):09d}"
    return scratch / f"{name}.segment", scratch / f"{name}.npy"


class _Tools:
    """The detectors of one process, after their known-answer test."""

    def __init__(self, settings: WorkerSettings) -> None:
        cv2.setNumThreads(1)
        self._settings = settings
        config = settings.config
        means = Means(config, settings.size, settings.upright.all_turns())
        finder = means.detector(config.detector)
        auditor = (
            finder if config.audit_detector == config.detector else means.detector(config.audit_detector)
        )
        self.stream = RecordingView.open(settings.view_directory, settings.source).rgb
        self.gap_ns = longest_step_ns(self.stream)
        self.models = tuple(dict.fromkeys([*finder.models, *auditor.models]))
        self._far = means.search("detection", finder, config.min_face_px)
        self._near = None
        if config.far_stride > 1 and config.near_face_px > config.min_face_px:
            self._near = means.search("detection on pictures between", finder, config.near_face_px)
        self.auditor = means.auditor(auditor, self._far if auditor is finder else None)
        # What one net alone can see, another must not refute.
        self._second = self.auditor.every
        if auditor is not finder:
            self._second = means.search("second look", finder, config.min_face_px / config.audit_scale)
        self.searches = tuple(means.uses)
        self.knows_faces = means.knows_faces
        self.all_searches = tuple(dict.fromkeys((self._far, *self.auditor.searches)))

    def seeker(self, upright: Upright) -> Seeker:
        """Return what finds faces in source pictures that stand like this."""
        config = self._settings.config
        return Seeker(
            far=self._far,
            near=self._near,
            second=self._second,
            doubt_below=config.strong_score,
            stride=config.detector_stride,
            far_stride=config.far_stride,
            upright=upright,
            is_lonely=lonely_pictures(self.stream.stamp_ns, self.stream.gap_before, hold_s=config.hold_s),
        )

    def sample(self, position: int) -> NDArray[np.float64]:
        """Return what `SampleResult` says of a picture."""
        scores = np.zeros(4)
        search, strong = self._near or self._far, self._settings.config.strong_score
        for _, picture in decode_pictures(self.stream, position, position + 1):
            if self.knows_faces and isinstance(picture, Picture) and self._fits(picture):
                found = [search(picture, (turn,))[:, 4] for turn in all_right_angles()]
                scores = np.array([score[score >= strong].sum() for score in found], np.float64)
        return scores

    def _fits(self, picture: Picture) -> bool:
        return (picture.true_width, picture.true_height) == self._settings.size
