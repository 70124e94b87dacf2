"""The work on one chunk, in one worker process: look, track, blur, encode, audit, and again where the audit finds.

Nothing unblurred leaves this process, and no encoded picture reaches a disk before the audit of its whole chunk has
passed. Which chunks exist, and what they tell each other, belongs to `blurring`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from episode_assets.anonymization.boxes import Boxes, no_boxes
from episode_assets.anonymization.config import FaceBlurConfig
from episode_assets.anonymization.detectors import FaceDetector, make_detector
from episode_assets.anonymization.groups import (
    TRACE_RATIO,
    Auditor,
    EncodedGroup,
    GroupAudit,
    Rectangles,
    concatenated,
    make_group,
    part_of,
)
from episode_assets.anonymization.known_answer import KnownAnswer, ask
from episode_assets.anonymization.looking import ChunkPictures, Look, Seeker, look_at
from episode_assets.anonymization.redaction import redaction_rectangles
from episode_assets.anonymization.searching import FaceSearch
from episode_assets.anonymization.tracks import Detections, Source, TrackBoxes, build_tracks
from episode_assets.chunks import Chunk
from episode_assets.outcome import ModelUse
from episode_assets.recording import RecordingView
from episode_assets.video import Segment


@dataclass(frozen=True)
class Finds:
    """What audits found outside the blur: (N,) positions in the stream, and (N, 5) boxes."""

    position: NDArray[np.int64]
    boxes: Boxes

    @classmethod
    def none(cls) -> Finds:
        """Return no finds."""
        return cls(np.zeros(0, np.int64), no_boxes())

    @classmethod
    def joined(cls, parts: Sequence[Finds]) -> Finds:
        """Return the finds of several sources, ordered by position, then box."""
        position = np.concatenate([np.zeros(0, np.int64), *(part.position for part in parts)])
        boxes = np.concatenate([no_boxes(), *(part.boxes for part in parts)])
        order = np.lexsort((*boxes.T[::-1], position))
        return cls(position[order], boxes[order])

    def __len__(self) -> int:
        return len(self.position)

    def within(self, start: int, stop: int) -> Finds:
        """Return the finds at positions `[start, stop)`."""
        chosen = (self.position >= start) & (self.position < stop)
        return Finds(self.position[chosen], self.boxes[chosen])

    def equals(self, other: Finds) -> bool:
        """Say whether both hold the same finds."""
        return np.array_equal(self.position, other.position) and np.array_equal(self.boxes, other.boxes)


@dataclass(frozen=True)
class SearchUse:
    """One search as it was really done: what the detector saw, what it can find, and its known answer."""

    role: str
    input_width: int
    input_height: int
    smallest_face_px: float
    known_answer: KnownAnswer


@dataclass(frozen=True)
class ChunkResult:
    """All that a chunk leaves behind; numbers only.

    Attributes:
        chunk: The chunk.
        searches: The searches and their known answers.
        models: Weight files that took part.
        look: What the first pass saw; None if a known answer failed, and then nothing else is there.
        tracks: Boxes of all pictures of the look, margins included.
        finds: Finds of the chunk's own audit that were blurred.
        foreign: Finds of other chunks that were taken into account.
        audits: One for each group, in order.
        rounds: How often groups were made anew because of own finds.
        is_written: Whether the audit passed and the encoded chunk lies in the scratch directory.
    """

    chunk: Chunk
    searches: tuple[SearchUse, ...]
    models: tuple[ModelUse, ...]
    look: Look | None
    tracks: TrackBoxes | None
    finds: Finds
    foreign: Finds
    audits: tuple[GroupAudit, ...]
    rounds: int
    is_written: bool

    @property
    def knows_faces(self) -> bool:
        """Whether every search found the face of the known-answer test."""
        return all(search.known_answer.passed for search in self.searches)


@dataclass(frozen=True)
class ChunkTask:
    """What a worker is asked to do.

    Attributes:
        chunk: The chunk.
        foreign: Finds of other chunks' audits within this chunk's margins.
        previous: The result of an earlier visit; its look is used again.
    """

    chunk: Chunk
    foreign: Finds
    previous: ChunkResult | None = None


@dataclass(frozen=True)
class WorkerSettings:
    """What every worker process needs to know; travels to it by pickling.

    Attributes:
        view_directory: Where the recording's index lies.
        source: Address of the recording.
        scratch: Where encoded chunks are kept until they are joined.
        size: True (width, height) of the pictures.
        gap_ns: Longest step that is no gap.
        config: The settings of the run.
    """

    view_directory: Path
    source: str
    scratch: Path
    size: tuple[int, int]
    gap_ns: int
    config: FaceBlurConfig

    def __call__(self) -> ChunkWorker:
        """Return the worker of this process; detectors are loaded with its first task."""
        return ChunkWorker(self)


class ChunkWorker:
    """Works on chunks, one after the other, in one process."""

    def __init__(self, settings: WorkerSettings) -> None:
        self._settings = settings
        self._tools: _Tools | None = None

    def __call__(self, task: ChunkTask) -> ChunkResult:
        """Return what became of the chunk.

        Raises:
            ModelMissing: A weight file or package is not there.
        """
        # Loaded here and not in the initializer of the pool, whose exceptions lose their message.
        self._tools = self._tools or _Tools(self._settings)
        return _Visit(self._settings, self._tools, task).result()


class _Tools:
    """The detectors of one process, after their known-answer test."""

    def __init__(self, settings: WorkerSettings) -> None:
        cv2.setNumThreads(1)
        config = settings.config
        lowest = config.score_threshold * TRACE_RATIO
        finder = make_detector(config.detector, score_threshold=lowest)
        auditor = (
            finder
            if config.audit_detector == config.detector
            else make_detector(config.audit_detector, score_threshold=lowest)
        )
        self.stream = RecordingView.open(settings.view_directory, settings.source).rgb
        self.models = tuple(dict.fromkeys([*finder.models, *auditor.models]))
        self.searches: list[SearchUse] = []
        first = self._search("detection", finder, 1.0, settings)
        key = None
        every = self._search("audit", auditor, config.audit_scale, settings)
        if config.audit_key_scale > 0:
            key = self._search("audit of key frames", auditor, config.audit_key_scale, settings)
        self.seeker = Seeker(first, every, doubt_below=config.strong_score)
        self.auditor = Auditor(every, key, doubt_below=config.strong_score)

    def _search(
        self, role: str, detector: FaceDetector, scale: float, settings: WorkerSettings
    ) -> FaceSearch:
        config = settings.config
        width, height = settings.size
        min_face_px = config.min_face_px / scale
        # The limit moves with the scale, or both would look at the same picture where it bites.
        longest_px = round(config.detector_max_px * scale)
        search = FaceSearch(
            detector,
            width=width,
            height=height,
            min_face_px=min_face_px,
            longest_px=longest_px,
            score_threshold=config.score_threshold,
        )
        answer = ask(detector, min_face_px=min_face_px, needed_score=config.strong_score)
        self.searches.append(SearchUse(role, *search.input_size, search.reached_face_px, answer))
        return search


class _Visit:
    """One visit of a worker to one chunk."""

    def __init__(self, settings: WorkerSettings, tools: _Tools, task: ChunkTask) -> None:
        self._settings = settings
        self._config = settings.config
        self._tools = tools
        self._task = task
        self._pictures = ChunkPictures(tools.stream, settings.size)
        self._groups: dict[int, EncodedGroup] = {}

    def result(self) -> ChunkResult:
        """Do the work."""
        make = partial(
            ChunkResult,
            chunk=self._task.chunk,
            searches=tuple(self._tools.searches),
            models=self._tools.models,
            foreign=self._task.foreign,
        )
        if not all(search.known_answer.passed for search in self._tools.searches):
            return make(look=None, tracks=None, finds=Finds.none(), audits=(), rounds=0, is_written=False)
        previous = self._task.previous
        look = self._look() if previous is None or previous.look is None else previous.look
        spans = group_spans(look, length=self._config.g, gap_ns=self._settings.gap_ns)
        finds = Finds.none() if previous is None else previous.finds
        if previous is not None and previous.is_written:
            self._take_over(previous, spans)
        tracks, finds, rounds = self._until_clean(look, spans, finds)
        audits = tuple(self._groups[index].audit for index in range(len(spans)))
        passed = all(is_clean(audit, self._config) for audit in audits)
        if passed and spans:
            self._write(spans)
        return make(
            look=look,
            tracks=tracks,
            finds=finds,
            audits=audits,
            rounds=rounds if previous is None else max(rounds, previous.rounds),
            is_written=passed,
        )

    def _look(self) -> Look:
        return look_at(
            self._task.chunk,
            self._pictures,
            self._tools.stream.stamp_ns,
            self._tools.seeker,
            self._config.detector_stride,
        )

    def _until_clean(
        self, look: Look, spans: Sequence[tuple[int, int]], finds: Finds
    ) -> tuple[TrackBoxes, Finds, int]:
        """Make the groups; blur what their audits find and make those groups anew, a few times at most."""
        for done in range(self._config.audit_rounds + 1):
            tracks = self._tracks(look, finds)
            self._make_groups(look, spans, self._rectangles(look, tracks))
            new = self._outside(look, spans)
            if len(new) == 0 or done == self._config.audit_rounds:
                break
            finds = Finds.joined([finds, new])
        return tracks, finds, done

    def _tracks(self, look: Look, finds: Finds) -> TrackBoxes:
        faces = look.faces.joined_with(_as_detections(Finds.joined([finds, self._task.foreign]), look))
        config = self._config
        return build_tracks(
            faces,
            look.stamp_ns,
            fill_s=config.fill_s,
            hold_s=config.hold_s,
            hold_growth=config.hold_growth,
            strong_score=config.strong_score,
        )

    def _rectangles(self, look: Look, tracks: TrackBoxes) -> Mapping[int, Rectangles]:
        width, height = self._settings.size
        every = redaction_rectangles(tracks.box, scale=self._config.box_scale, width=width, height=height)
        starts = np.searchsorted(tracks.frame, np.arange(len(look.position) + 1))
        rectangles: dict[int, Rectangles] = {}
        for frame in range(*look.own):
            mine = every[starts[frame] : starts[frame + 1]]
            rectangles[frame] = mine[(mine[:, 2] > mine[:, 0]) & (mine[:, 3] > mine[:, 1])]
        return rectangles

    def _make_groups(
        self, look: Look, spans: Sequence[tuple[int, int]], rectangles: Mapping[int, Rectangles]
    ) -> None:
        for index, (start, stop) in enumerate(spans):
            wanted = tuple(rectangles[frame] for frame in range(start, stop))
            made = self._groups.get(index)
            if made is not None and all(map(np.array_equal, made.audit.rectangles, wanted)):
                continue
            self._groups[index] = make_group(
                [partial(self._pictures.again, int(position)) for position in look.position[start:stop]],
                wanted,
                (look.stamp_ns[start:stop] // 1000).tolist(),
                config=self._config,
                auditor=self._tools.auditor,
            )

    def _outside(self, look: Look, spans: Sequence[tuple[int, int]]) -> Finds:
        parts = [
            Finds(np.full(len(boxes), look.position[frame], np.int64), boxes)
            for index, (start, stop) in enumerate(spans)
            for frame, boxes in zip(range(start, stop), self._groups[index].audit.outside, strict=True)
        ]
        return Finds.joined(parts)

    def _take_over(self, previous: ChunkResult, spans: Sequence[tuple[int, int]]) -> None:
        """Load the groups that an earlier visit has written."""
        if not spans:
            return
        segment = Segment.load(segment_path(self._settings.scratch, self._task.chunk))
        colours = np.load(colours_path(self._settings.scratch, self._task.chunk))
        first = spans[0][0]
        for index, ((start, stop), audit) in enumerate(zip(spans, previous.audits, strict=True)):
            part = part_of(segment, start - first, stop - first)
            self._groups[index] = EncodedGroup(part, colours[start - first : stop - first], audit)

    def _write(self, spans: Sequence[tuple[int, int]]) -> None:
        groups = [self._groups[index] for index in range(len(spans))]
        concatenated([group.segment for group in groups]).save(
            segment_path(self._settings.scratch, self._task.chunk)
        )
        np.save(
            colours_path(self._settings.scratch, self._task.chunk),
            np.concatenate([group.colours for group in groups]),
        )


def group_spans(look: Look, *, length: int, gap_ns: int) -> tuple[tuple[int, int], ...]:
    """Cut the chunk's own pictures into groups of at most `length`; a group also begins after a gap.

    Returns:
        Half-open ranges of indexes into the look's pictures.
    """
    spans: list[tuple[int, int]] = []
    start, stop = look.own
    for frame in range(start, stop):
        is_after_gap = frame > start and look.stamp_ns[frame] - look.stamp_ns[frame - 1] > gap_ns
        if frame == start or is_after_gap or frame - spans[-1][0] == length:
            spans.append((frame, frame + 1))
        else:
            spans[-1] = (spans[-1][0], frame + 1)
    return tuple(spans)


def is_clean(audit: GroupAudit, config: FaceBlurConfig) -> bool:
    """Say whether a group may be published: no strong find outside the blur, and no blur that kept its detail."""
    is_strong = any((boxes[:, 4] >= config.strong_score).any() for boxes in audit.outside)
    has_detail = any((kept > config.audit_max_detail).any() for kept in audit.kept_detail)
    return not is_strong and not has_detail


def segment_path(scratch: Path, chunk: Chunk) -> Path:
    """Return where a chunk's encoded pictures are kept."""
    return scratch / f"{chunk.index:06d}.segment"


def colours_path(scratch: Path, chunk: Chunk) -> Path:
    """Return where a chunk's colour counts, (n, 3, 256) int32, are kept."""
    return scratch / f"{chunk.index:06d}.npy"


def _as_detections(finds: Finds, look: Look) -> Detections:
    """Return the finds on pictures of the look, with the look's frame numbers."""
    frame = np.searchsorted(look.position, finds.position)
    here = (frame < len(look.position)) & np.isin(finds.position, look.position)
    return Detections(
        frame=frame[here].astype(np.int64),
        box=finds.boxes[here, :4],
        score=finds.boxes[here, 4],
        source=np.full(int(here.sum()), Source.AUDIT, np.uint8),
    )
