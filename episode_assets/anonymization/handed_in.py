"""Pictures of a recording that somebody hands in one by one: searched, blurred again where needed, and only then kept.

What a caller did to them is not trusted. Each group is encoded in memory and audited as the computation audits its own
groups; faces that are found are blurred with what lies around them in time, and a group reaches the disk when nothing
that comes later can change it. Making a blurred video from the recording itself belongs to `blurring`.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from copy import copy, deepcopy
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from episode_assets.anonymization.areas import Areas
from episode_assets.anonymization.blurring import write_blurred
from episode_assets.anonymization.config import FaceBlurConfig
from episode_assets.anonymization.detectors import Found
from episode_assets.anonymization.exceptions import Exceptions
from episode_assets.anonymization.finds import Finds
from episode_assets.anonymization.groups import (
    EncodedGroup,
    Rectangles,
    blocking_finds,
    is_clean,
    longest_step_ns,
    make_group,
)
from episode_assets.anonymization.looking import DroppedPicture, Look, UnitPictures
from episode_assets.anonymization.means import Means
from episode_assets.anonymization.one_by_one import require_known_answer, seeker_of_every_picture
from episode_assets.anonymization.passes import Blurred
from episode_assets.anonymization.redactions import Redactions, joined, redact, within
from episode_assets.anonymization.signals import PictureSignals, SignalMeter
from episode_assets.anonymization.tables import SignalRows
from episode_assets.anonymization.tracks import Detections, TrackBoxes
from episode_assets.anonymization.unit_work import Group, WorkerSettings, group_paths
from episode_assets.anonymization.upright import Upright
from episode_assets.errors import AuditFailed, NothingToExport
from episode_assets.outcome import Json, Outcome
from episode_assets.recording import RecordingView, median_step_ns
from episode_assets.video import Picture

_GAP_STEPS = 2.5
"""A step longer than this many median ones is a gap, here as everywhere."""

_NO_EXCEPTION = np.zeros((0, 4), np.float32)

_STATE = (
    "_open",
    "_open_faces",
    "_open_signals",
    "_waiting",
    "_faces",
    "_seen",
    "_finds",
    "_looks",
    "_groups",
    "_hidden",
    "_names",
    "_rounds",
    "_reblurred",
    "_painted",
)
"""What changes while pictures are taken; the values in these are never changed themselves."""


@dataclass(frozen=True)
class _Made:
    """A group that was made and may still be made again.

    Attributes:
        position: (n,) int64 positions in the stream.
        encoded: Its newest version, in memory.
        redactions: What was blurred in it.
        is_painted: (n,) bool, pictures that were painted over as a whole.
    """

    position: NDArray[np.int64]
    encoded: EncodedGroup
    redactions: Redactions
    is_painted: NDArray[np.bool_]


class HandedInPictures:
    """The blurred video of a recording, made of pictures that a caller hands in.

    Memory holds the pictures of one group, and of about a second before it the encoded ones.

    Args:
        view: The recording whose pictures they are.
        scratch: Private directory for groups that passed; is made.
        size: True (width, height) of every picture.
        config: The settings of blur, audit and encoder.

    Raises:
        ModelMissing: A weight file or package is not there.
        AuditFailed: The detector does not find the face of the known-answer test.
    """

    def __init__(
        self, view: RecordingView, scratch: Path, *, size: tuple[int, int], config: FaceBlurConfig
    ) -> None:
        self._view = view
        self._stream = view.rgb
        self._config = config
        upright = Upright(view.attitude(self._stream.stamp_ns), key_stride=config.g)
        self._settings = WorkerSettings(
            view_directory=view.directory,
            source=view.source,
            scratch=scratch,
            size=size,
            config=config,
            areas=Areas(),
            exceptions=Exceptions(()),
            upright=upright,
        )
        means = Means(config, size, upright.all_turns())
        detector = means.detector(config.audit_detector)
        self._auditor = means.auditor(detector)
        self._seek = seeker_of_every_picture(means, config, upright)
        require_known_answer(means)
        self._searches, self._models = tuple(means.uses), means.models
        self._recorded = self._unread()
        scratch.mkdir(mode=0o700, exist_ok=True)
        step_ns = round(_GAP_STEPS * median_step_ns(self._stream.stamp_ns))
        self._gap_ns = max(longest_step_ns(self._stream), step_ns)
        self._reach_ns = round(max(config.fill_s, config.hold_s, config.smooth_s) * 1e9)
        self._meter = SignalMeter()
        self._open: list[tuple[int, Picture]] = []
        self._open_faces: list[Found] = []
        self._open_signals: list[PictureSignals] = []
        self._waiting: deque[_Made] = deque()
        self._faces = Detections.of([])
        self._seen = np.zeros(0, np.int64)
        self._finds: list[Finds] = []
        self._looks: list[Look] = []
        self._groups: list[Group] = []
        self._hidden: list[Redactions] = []
        self._names = _TrackNames()
        self._rounds = 0
        self._reblurred: frozenset[int] = frozenset()
        self._painted = 0

    def add(self, position: int, picture: Picture, faces: Found | None = None) -> None:
        """Take the next picture.

        Args:
            position: Its position in the stream, larger than the one before.
            picture: Of the size given at construction; belongs to this object from now on.
            faces: What was found in the recorded picture, which is searched where nobody says it. It is blurred here
                too, and hidden in depth.
        """
        if self._open and position <= self._open[-1][0]:
            return  # The caller was interrupted after it had been taken, and hands it in again.
        with self._wholly():
            self._take(position, picture, faces)

    def _take(self, position: int, picture: Picture, faces: Found | None) -> None:
        if faces is None:
            faces, _ = self._seek(position, self._recorded.again(position))
        if self._open and self._begins_group(position):
            self._close_group()
        if self._is_gap(position):
            self._meter.forget()
        self._open.append((position, picture))
        self._open_faces.append(faces)
        self._open_signals.append(self._meter.measure(picture, memoryview(picture.y.tobytes())))

    def finish(self, directory: Path, dropped: Sequence[DroppedPicture]) -> Outcome:
        """Write what `blur_recording` writes, of the pictures that were handed in; may be called again if it failed.

        Args:
            directory: Empty, private directory.
            dropped: Pictures that cannot be used, in the order of positions; all others that were not handed in are
                named beside them.

        Raises:
            NothingToExport: No picture was handed in.
            AuditFailed: Faces are left; nothing was written but their boxes.
        """
        with self._wholly():
            return self._finished(directory, dropped)

    @contextmanager
    def _wholly(self) -> Iterator[None]:
        """Do what is done inside completely or not at all, so that a caller who was interrupted can go on."""
        before: dict[str, object] = {name: copy(getattr(self, name)) for name in _STATE}
        before |= {"_meter": deepcopy(self._meter), "_recorded": self._unread()}
        try:
            yield
        except BaseException:
            self.__dict__.update(before)
            raise

    def _unread(self) -> UnitPictures:
        """Return the recorded pictures for a search in the order of positions."""
        return UnitPictures(self._stream, self._settings.size, start=0, stop=len(self._stream), keep_bytes=0)

    def _finished(self, directory: Path, dropped: Sequence[DroppedPicture]) -> Outcome:
        if self._open:
            self._close_group()
        while self._waiting:
            self._settle(self._waiting.popleft())
        if not self._groups:
            raise NothingToExport("no picture was handed in", where=self._stream.topic)
        self._looks[-1] = replace(self._looks[-1], dropped=self._left_out(dropped))
        blurred = Blurred(
            searches=self._searches,
            models=self._models,
            looks=tuple(self._looks),
            redactions=_all_of(self._hidden),
            finds=Finds.joined(self._finds),
            groups=tuple(self._groups),
            rounds=self._rounds,
            upright=self._settings.upright,
        )
        outcome = write_blurred(self._view, directory, self._settings, blurred, gap_ns=self._gap_ns)
        if not blurred.passed:
            raise AuditFailed(
                f"faces are left in pictures that were handed in, the first in frame {self._first_refused()}",
                where=self._stream.topic,
                remedy="blur these frames before handing them in, or hand in none and let the export blur",
            )
        own: dict[str, Json] = {
            "pictures": "handed in",
            "frames_blurred_anew": len(self._reblurred),
            "frames_painted": self._painted,
        }
        return replace(outcome, privacy={**(outcome.privacy or {}), **own})

    def _begins_group(self, position: int) -> bool:
        # By a grid over the stream, so that no cut depends on what was left out.
        last = self._open[-1][0]
        return position // self._config.g != last // self._config.g or self._is_gap(position)

    def _is_gap(self, position: int) -> bool:
        last = self._open[-1][0] if self._open else int(self._seen[-1]) if len(self._seen) else position
        return bool(self._stream.stamp_ns[position] - self._stream.stamp_ns[last] > self._gap_ns)

    def _close_group(self) -> None:
        """Make the open group, and those before it again where what it shows changes their blur."""
        position = np.array([item for item, _ in self._open], np.int64)
        sources = [picture.copy for _, picture in self._open]
        found = Detections.of(
            [faces.boxes for faces in self._open_faces], label=Found.joined(self._open_faces).label
        )
        found = replace(found, frame=position[found.frame])
        self._looks.append(Look(position, found, self._signals(), (), 0))
        self._seen = np.concatenate([self._seen, position])
        self._faces = self._faces.joined_with(found)
        self._open, self._open_faces, self._open_signals = [], [], []
        self._waiting.append(self._make(position, sources, self._redactions()))
        self._blur_finds(sources)
        self._paint_what_blocks(sources)
        self._let_go()

    def _signals(self) -> SignalRows:
        return SignalRows.of(self._open_signals)

    def _blur_finds(self, sources: Sequence[Callable[[], Picture]]) -> None:
        """Blur what audits found, in the newest group from what was handed in, in others from what they hold."""
        newest = len(self._waiting) - 1
        changed = [newest]
        for number in range(1, self._config.audit_rounds + 1):
            new = Finds.joined([_outside(self._waiting[index]) for index in changed])
            if not len(new):
                return
            self._rounds = max(self._rounds, number)
            self._finds.append(new)
            self._reblurred |= set(new.position.tolist())
            self._faces = self._faces.joined_with(new.as_detections())
            redactions = self._redactions()
            changed = [
                index for index, made in enumerate(self._waiting) if not _is_blurred_so(made, redactions)
            ]
            for index in changed:
                made = self._waiting[index]
                origin = sources if index == newest else _held(made)
                self._waiting[index] = self._make(made.position, origin, redactions, made.is_painted)

    def _paint_what_blocks(self, sources: Sequence[Callable[[], Picture]]) -> None:
        """Paint over whole pictures in which a find stays: they lose their content, the others nothing."""
        newest = len(self._waiting) - 1
        for index, made in enumerate(self._waiting):
            blocks = self._blocking(made)
            if blocks.any():
                origin = sources if index == newest else _held(made)
                painted = made.is_painted | blocks
                self._waiting[index] = self._make(made.position, origin, made.redactions, painted)

    def _blocking(self, made: _Made) -> NDArray[np.bool_]:
        excepted = (_NO_EXCEPTION,) * len(made.position)
        found = blocking_finds(made.encoded.audit, excepted, self._config)
        kept = made.encoded.audit.kept_detail
        limit = self._config.audit_max_detail
        return np.array(
            [blocks.any() or (share > limit).any() for blocks, share in zip(found, kept, strict=True)], bool
        )

    def _make(
        self,
        position: NDArray[np.int64],
        sources: Sequence[Callable[[], Picture]],
        redactions: Redactions,
        is_painted: NDArray[np.bool_] | None = None,
    ) -> _Made:
        painted = np.zeros(len(position), bool) if is_painted is None else is_painted
        upright = self._settings.upright
        encoded = make_group(
            sources,
            redactions.at(position),
            [self._whole_picture() if whole else () for whole in painted.tolist()],
            (self._stream.stamp_ns[position] // 1000).tolist(),
            [upright.turns(item) for item in position.tolist()],
            config=self._config,
            auditor=self._auditor,
        )
        return _Made(position, encoded, redactions, painted)

    def _whole_picture(self) -> tuple[Rectangles, ...]:
        width, height = self._settings.size
        return (np.array([[0, 0, width + width % 2, height + height % 2]], np.int32),)

    def _redactions(self) -> Redactions:
        """Return what is blurred in the pictures that are remembered."""
        stamps = self._stream.stamp_ns[self._seen]
        cuts = np.flatnonzero(np.diff(stamps) > self._gap_ns) + 1
        return joined(
            redact(
                run,
                self._stream.stamp_ns[run],
                within(self._faces, int(run[0]), int(run[-1]) + 1),
                config=self._config,
                size=self._settings.size,
            )
            for run in np.split(self._seen, cuts)
            if len(run)
        )

    def _let_go(self) -> None:
        """Settle groups that later finds cannot reach, and forget what no group that waits depends on."""
        now_ns = self._stream.stamp_ns[self._waiting[-1].position[-1]]
        while now_ns - self._stream.stamp_ns[self._waiting[0].position[-1]] > self._reach_ns:
            self._settle(self._waiting.popleft())
        first_ns = self._stream.stamp_ns[self._waiting[0].position[0]] - self._config.margin_ns
        self._seen = self._seen[self._stream.stamp_ns[self._seen] >= first_ns]
        self._faces = within(self._faces, int(self._seen[0]), len(self._stream))

    def _settle(self, made: _Made) -> None:
        """Keep a group for good, on the disk if it is clean."""
        audit = made.encoded.audit
        excepted = (_NO_EXCEPTION,) * len(made.position)
        is_written = is_clean(audit, excepted, self._config)
        if is_written:
            segment, colours = group_paths(self._settings.scratch, made.position)
            made.encoded.segment.save(segment)
            np.save(colours, made.encoded.colours)
        digest = hashlib.sha256(made.encoded.segment.data).hexdigest()
        self._groups.append(Group(made.position, audit, is_written, digest, excepted))
        self._painted += int(made.is_painted.sum())
        self._hidden.append(self._names.named(made.redactions, made.position))

    def _left_out(self, dropped: Sequence[DroppedPicture]) -> tuple[DroppedPicture, ...]:
        used = np.concatenate([group.position for group in self._groups])
        known = {picture.position: picture for picture in dropped}
        missing = np.setdiff1d(np.arange(len(self._stream)), used).tolist()
        return tuple(
            known.get(position, DroppedPicture(position, "not_handed_in", "the caller left it out"))
            for position in missing
        )

    def _first_refused(self) -> int:
        before = 0
        for group in self._groups:
            if not group.is_written:
                return before
            before += len(group.position)
        return before


class _TrackNames:
    """Gives tracks of overlapping stretches lasting names, by the boxes that both stretches hold."""

    def __init__(self) -> None:
        self._name_of: dict[tuple[int, bytes], int] = {}
        self._next = 0

    def named(self, stretch: Redactions, position: NDArray[np.int64]) -> Redactions:
        """Return the rows of some pictures of a stretch under lasting numbers; stretches follow one another."""
        rows = stretch.tracks
        keys = [(int(frame), box.tobytes()) for frame, box in zip(rows.frame, rows.box, strict=True)]
        names: dict[int, int] = {}
        for track, key in zip(rows.track.tolist(), keys, strict=True):
            if key in self._name_of:
                names.setdefault(track, self._name_of[key])
        for track in rows.track.tolist():
            if track not in names:
                names[track], self._next = self._next, self._next + 1
        lasting = np.array([names[track] for track in rows.track.tolist()], np.int64)
        self._name_of = dict(zip(keys, lasting.tolist(), strict=True))
        return _only(replace(stretch, tracks=replace(rows, track=lasting)), position)


def _held(made: _Made) -> list[Callable[[], Picture]]:
    """Return what gives the pictures of a group as they were encoded."""
    return [picture.copy for picture in made.encoded.segment.decode()]


def _all_of(parts: Iterable[Redactions]) -> Redactions:
    """Return redactions one under the other, tracks numbered as they are."""
    everything = [joined([]), *parts]
    columns = {
        item.name: np.concatenate([getattr(part.tracks, item.name) for part in everything])
        for item in fields(TrackBoxes)
    }
    return Redactions(TrackBoxes(**columns), np.concatenate([part.rectangle for part in everything]))


def _outside(made: _Made) -> Finds:
    audit = made.encoded.audit
    return Finds.joined(
        [
            Finds(np.full(len(boxes), position, np.int64), boxes, label)
            for position, boxes, label in zip(made.position, audit.outside, audit.outside_label, strict=True)
        ]
    )


def _is_blurred_so(made: _Made, redactions: Redactions) -> bool:
    return all(map(np.array_equal, made.encoded.audit.rectangles, redactions.at(made.position)))


def _only(redactions: Redactions, position: NDArray[np.int64]) -> Redactions:
    """Return the rows of some pictures."""
    is_mine = np.isin(redactions.tracks.frame, position)
    columns = {item.name: getattr(redactions.tracks, item.name)[is_mine] for item in fields(TrackBoxes)}
    return Redactions(TrackBoxes(**columns), redactions.rectangle[is_mine])
