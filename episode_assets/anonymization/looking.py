"""The look at a unit of work: decode every picture, find faces, take the signals, sort out what cannot be used.

What comes of a picture depends on that picture and its predecessor alone, so units may be cut anywhere. Payloads are
read once and kept, still compressed, for rendering. Linking faces over time belongs to `tracks`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from episode_assets.anonymization.boxes import SAME_OVERLAP, no_boxes, overlap_ratios
from episode_assets.anonymization.detectors import Found
from episode_assets.anonymization.early_groups import EarlyGroups
from episode_assets.anonymization.searching import FaceSearch
from episode_assets.anonymization.signals import PictureSignals, SignalMeter
from episode_assets.anonymization.tables import SignalRows
from episode_assets.anonymization.tracks import Detections
from episode_assets.anonymization.upright import Upright
from episode_assets.errors import SourceChanged
from episode_assets.recording import ImageMessage, ImageStream, PictureStep, UndecodableImage
from episode_assets.video import Picture, UndecodablePicture, decode_pictures

KEPT_BYTES = 96 << 20
"""Payloads of a process beyond this are read a second time instead of kept: raw pictures can fill gigabytes."""


@dataclass(frozen=True)
class DroppedPicture:
    """A picture that is not in the video: position in the stream, a word for the reason, and details."""

    position: int
    reason: str
    detail: str


@dataclass(frozen=True)
class Look:
    """What was seen of a unit.

    Attributes:
        position: (K,) int64 positions in the stream of the usable pictures.
        faces: Faces found; `frame` is the position in the stream.
        signals: One row for each usable picture.
        dropped: Pictures that cannot be used.
        refuted: How many weak boxes a second look refuted.
    """

    position: NDArray[np.int64]
    faces: Detections
    signals: SignalRows
    dropped: tuple[DroppedPicture, ...]
    refuted: int


@dataclass(frozen=True)
class Seeker:
    """Finds the faces of source pictures on a schedule, with a second look at what is doubtful.

    A face that is large enough for both scales is found at both. A weak box that leaves no trace at one is refuted: in
    practice plates and folds, which would cost more pixels than all faces together. Strong boxes, and boxes too small
    for the second scale, are never refuted.

    Attributes:
        far: Finds the smallest faces.
        near: Looks at the pictures between; None where all are searched by `far`.
        second: Looks again.
        doubt_below: Boxes from this score on are certain.
        stride: Faces are sought in pictures whose position in the stream is a multiple of this.
        far_stride: Of those, every n-th is searched by `far`.
        is_lonely: (P,) bool, for each picture of the stream whether its neighbours are too far away for tracks to cover
            what they show; such pictures are always searched, and by `far`.
        upright: How pictures are turned. One that is searched in several turns is always searched, and by `far`.
    """

    far: FaceSearch
    near: FaceSearch | None
    second: FaceSearch
    doubt_below: float
    stride: int
    far_stride: int
    upright: Upright
    is_lonely: NDArray[np.bool_]

    def __call__(self, position: int, picture: Picture) -> tuple[Found, int]:
        """Return the faces of a picture, and how many boxes were refuted."""
        turns = self.upright.turns(position)
        is_special = len(turns) > 1 or bool(self.is_lonely[position])
        if position % self.stride and not is_special:
            return Found.of(no_boxes()), 0
        is_far = (position // self.stride) % self.far_stride == 0 or is_special
        search = self.far if self.near is None or is_far else self.near
        found = search.labelled(picture, turns)
        boxes = found.boxes
        is_doubtful = self.second.surely_sees(boxes) & (boxes[:, 4] < self.doubt_below)
        if not is_doubtful.any():
            return found, 0
        is_confirmed = (overlap_ratios(boxes, self.second(picture, turns)) >= SAME_OVERLAP).any(axis=1)
        is_refuted = is_doubtful & ~is_confirmed
        return found.where(~is_refuted), int(is_refuted.sum())


def lonely_pictures(
    stamps_ns: NDArray[np.int64], gap_before: NDArray[np.bool_], *, hold_s: float
) -> NDArray[np.bool_]:
    """Return which pictures no track may reach: a gap, an end, or a step longer than a hold lies beside them.

    Args:
        stamps_ns: (P,) stamps of all pictures of the stream.
        gap_before: (P,) whether a gap lies before each of them.
        hold_s: How long a face stays covered beyond its finds.
    """
    is_apart = gap_before[1:] | (np.diff(stamps_ns) > round(hold_s * 1e9))
    return np.asarray(np.append(True, is_apart) | np.append(is_apart, True))


class UnitPictures:
    """The pictures of one unit, by position in the stream; decoded anew each time.

    Payloads that have been read are kept, still compressed. A unit of a video may begin inside a group of pictures;
    then it is decoded from the key frame before, which costs at most one group more (two where groups are open).

    Args:
        stream: The colour stream.
        size: True (width, height) that every picture must have.
        start: First position in the stream.
        stop: One past the last.
        keep_bytes: Largest sum of the payloads that are kept.
    """

    def __init__(
        self,
        stream: ImageStream,
        size: tuple[int, int],
        *,
        start: int,
        stop: int,
        keep_bytes: int = KEPT_BYTES,
    ) -> None:
        self._stream = stream
        self._size = size
        self._start, self._stop = start, stop
        self._keep_bytes = keep_bytes
        self._kept: dict[int, PictureStep] = {}
        self.kept_bytes = 0
        self._ahead: Iterator[tuple[PictureStep, Picture | UndecodablePicture]] = iter(())
        self._next = stop

    def scan(self) -> Iterator[tuple[int, ImageMessage, Picture] | DroppedPicture]:
        """Yield every picture once, in order, or why it cannot be used."""
        for step, decoded in decode_pictures(self, self._start, self._stop):
            assert step.position is not None
            picture = self._usable(step.position, decoded)
            if isinstance(picture, DroppedPicture):
                yield picture
            else:
                assert isinstance(step.message, ImageMessage)
                yield step.position, step.message, picture

    def again(self, position: int) -> Picture:
        """Return a usable picture, decoded anew; cheapest in the order of positions.

        Raises:
            SourceChanged: It does not decode any more.
        """
        skipped = position - self._next
        if skipped < 0 or self._stream.lead_in(position) < skipped:
            self._ahead = decode_pictures(self, position, self._stop)
        for step, decoded in self._ahead:
            if step.position == position:
                self._next = position + 1
                return self._still_whole(position, decoded)
        raise AssertionError(f"position {position} lies outside of [{self._start}, {self._stop})")

    def _still_whole(self, position: int, picture: Picture | UndecodablePicture) -> Picture:
        if isinstance(picture, Picture):
            return picture
        raise SourceChanged(
            f"message {self._stream.message_number[position]} of {self._stream.topic} decoded when faces were sought "
            f"in it, and does not any more: {picture.what}",
            where=self._stream.source,
            remedy="register the changed file as a new recording",
        )

    def let_go(self) -> None:
        """Forget all payloads; whoever asks again has them read a second time."""
        self._kept.clear()
        self.kept_bytes = 0

    def steps(self, start: int, stop: int) -> Iterator[PictureStep]:
        """Yield what the pictures `[start, stop)` need, like `ImageStream.steps`; kept payloads are not read again."""
        rows = self._stream.rows_for(start, stop).tolist()
        for is_kept, run in groupby(rows, self._kept.__contains__):
            if is_kept:
                yield from (self._kept[row] for row in run)
            else:
                for step in self._stream.steps_at(np.fromiter(run, np.int64)):
                    self._keep(step)
                    yield step

    def _keep(self, step: PictureStep) -> None:
        message = step.message
        if isinstance(message, UndecodableImage):
            self._kept[step.row] = step
        elif self.kept_bytes + len(message.data) <= self._keep_bytes:
            self._kept[step.row] = replace(step, message=replace(message, data=_own(message.data)))
            self.kept_bytes += len(message.data)

    def _usable(self, position: int, picture: Picture | UndecodablePicture) -> Picture | DroppedPicture:
        stamps = self._stream.stamp_ns
        if position > 0 and stamps[position] // 1000 == stamps[position - 1] // 1000:
            return DroppedPicture(
                position, "duplicate_stamp", "less than a microsecond after its predecessor"
            )
        if isinstance(picture, UndecodablePicture):
            return DroppedPicture(position, "undecodable", picture.what)
        found = (picture.true_width, picture.true_height)
        if found != self._size:
            detail = f"{found[0]}x{found[1]} where {self._size[0]}x{self._size[1]} is expected"
            return DroppedPicture(position, "size_change", detail)
        return picture


def _own(data: memoryview) -> memoryview:
    """Return the bytes of a payload without holding on to a chunk of the recording that they lie in."""
    return data if memoryview(data.obj).nbytes < 2 * data.nbytes else memoryview(bytes(data))


def look_at(start: int, pictures: UnitPictures, seek: Seeker, early: EarlyGroups) -> Look:
    """Look at every picture from `start` on.

    Args:
        start: First position in the stream that counts. Where `pictures` begin before it, the first signals compare
            with the picture before.
        pictures: Reads them, and keeps their payloads for rendering.
        seek: Finds faces.
        early: Encodes what shows none.
    """
    meter = SignalMeter()
    positions: list[int] = []
    faces: list[Found] = []
    signals: list[PictureSignals] = []
    dropped: list[DroppedPicture] = []
    refuted = 0
    for item in pictures.scan():
        if isinstance(item, DroppedPicture):
            meter.forget()
            if item.position >= start:
                dropped.append(item)
            continue
        position, message, picture = item
        if position < start:
            meter.see(picture)
            continue
        found, doubts = seek(position, picture)
        positions.append(position)
        faces.append(found)
        signals.append(meter.measure(picture, message.data))
        refuted += doubts
        # The last use of the picture, which is painted over there.
        early.see(position, message.stamp_ns, picture, shows_face=len(found.boxes) > 0)
        if early.has_all:
            pictures.let_go()
    early.end_group()
    position_column = np.array(positions, np.int64)
    detections = Detections.of([found.boxes for found in faces], label=Found.joined(faces).label)
    return Look(
        position=position_column,
        faces=replace(detections, frame=position_column[detections.frame]),
        signals=SignalRows.of(signals),
        dropped=tuple(dropped),
        refuted=refuted,
    )
