"""The look at a unit of work: decode every picture, find faces, take the signals, sort out what cannot be used.

What comes of a picture depends on that picture and its predecessor alone, so units may be cut anywhere. Payloads are
read once and kept, still compressed, for rendering. Linking faces over time belongs to `tracks`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from episode_assets.anonymization.boxes import SAME_OVERLAP, Boxes, no_boxes, overlap_ratios
from episode_assets.anonymization.searching import FaceSearch
from episode_assets.anonymization.signals import PictureSignals, SignalMeter
from episode_assets.anonymization.tables import signals_table
from episode_assets.anonymization.tracks import Detections
from episode_assets.recording import ImageMessage, ImageStream, UndecodableImage
from episode_assets.video import Picture, UndecodablePicture, decode_picture

_SURELY_SEEN = 1.5
"""A face this many times the smallest one that a scale serves is seen at that scale."""

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
        signals: One row for each usable picture, columns of `PictureSignals`.
        dropped: Pictures that cannot be used.
        refuted: How many weak boxes a second look refuted.
    """

    position: NDArray[np.int64]
    faces: Detections
    signals: pa.Table
    dropped: tuple[DroppedPicture, ...]
    refuted: int


@dataclass(frozen=True)
class Seeker:
    """Finds the faces of source pictures, with a second look at what is doubtful.

    A face that is large enough for both scales is found at both. A weak box that is found at one only is refuted: in
    practice plates and folds, which would cost more pixels than all faces together. Strong boxes, and boxes too small
    for the second scale, are never refuted.
    """

    first: FaceSearch
    second: FaceSearch
    doubt_below: float

    def __call__(self, picture: Picture) -> tuple[Boxes, int]:
        """Return the faces of a picture, and how many boxes were refuted."""
        found = self.first(picture)
        height = found[:, 3] - found[:, 1]
        is_large = height >= _SURELY_SEEN * self.second.reached_face_px
        is_doubtful = is_large & (found[:, 4] < self.doubt_below)
        if not is_doubtful.any():
            return found, 0
        is_confirmed = (overlap_ratios(found, self.second(picture)) >= SAME_OVERLAP).any(axis=1)
        is_refuted = is_doubtful & ~is_confirmed
        return found[~is_refuted], int(is_refuted.sum())


class UnitPictures:
    """The pictures of one unit, by position in the stream; decoded anew each time.

    Args:
        stream: The colour stream.
        size: True (width, height) that every picture must have.
    """

    def __init__(self, stream: ImageStream, size: tuple[int, int]) -> None:
        self._stream = stream
        self._size = size
        self._kept: dict[int, ImageMessage] = {}
        self.kept_bytes = 0

    def scan(
        self, start: int, stop: int, *, keep_bytes: int = KEPT_BYTES
    ) -> Iterator[tuple[int, ImageMessage, Picture] | DroppedPicture]:
        """Yield every picture of `[start, stop)` once, in order, or why it cannot be used.

        Args:
            start: First position in the stream.
            stop: One past the last.
            keep_bytes: Largest sum of the payloads that are kept for `again`.
        """
        for position, message in self._messages(start, stop):
            if isinstance(message, DroppedPicture):
                yield message
                continue
            picture = self._decoded(position, message)
            if isinstance(picture, DroppedPicture):
                yield picture
                continue
            self._keep(position, message, keep_bytes)
            yield position, message, picture

    def fetch(self, start: int, stop: int) -> None:
        """Read the payloads of `[start, stop)` ahead of `again`; damaged ones are passed over."""
        for position, message in self._messages(start, stop):
            if isinstance(message, ImageMessage):
                self._keep(position, message, KEPT_BYTES)

    def again(self, position: int) -> Picture:
        """Return a usable picture, decoded anew."""
        message = self._kept.get(position)
        if message is None:
            message = next(self._stream.read(position, position + 1))
        picture = self._decoded(position, message)
        assert isinstance(picture, Picture)
        return picture

    def _keep(self, position: int, message: ImageMessage, most_bytes: int) -> None:
        if self.kept_bytes + len(message.data) <= most_bytes:
            # A copy: the view would hold on to the whole chunk of the recording that it lies in.
            self._kept[position] = replace(message, data=memoryview(bytes(message.data)))
            self.kept_bytes += len(message.data)

    def _messages(self, start: int, stop: int) -> Iterator[tuple[int, ImageMessage | DroppedPicture]]:
        position = start
        while position < stop:
            try:
                for message in self._stream.read(position, stop):
                    yield position, message
                    position += 1
            except UndecodableImage as error:
                yield position, DroppedPicture(position, "undecodable", error.what)
                position += 1

    def _decoded(self, position: int, message: ImageMessage) -> Picture | DroppedPicture:
        stamps = self._stream.stamp_ns
        if position > 0 and stamps[position] // 1000 == stamps[position - 1] // 1000:
            return DroppedPicture(
                position, "duplicate_stamp", "less than a microsecond after its predecessor"
            )
        try:
            picture = decoded(message)
        except UndecodablePicture as error:
            return DroppedPicture(position, "undecodable", error.what)
        found = (picture.true_width, picture.true_height)
        if found != self._size:
            detail = f"{found[0]}x{found[1]} where {self._size[0]}x{self._size[1]} is expected"
            return DroppedPicture(position, "size_change", detail)
        return picture


def decoded(message: ImageMessage) -> Picture:
    """Decode the picture of one message.

    Raises:
        UndecodablePicture: The payload is damaged or of an unknown format.
    """
    return decode_picture(
        message.format, message.data, width=message.width, height=message.height, step=message.step
    )


def look_at(
    start: int,
    stop: int,
    pictures: UnitPictures,
    seek: Seeker,
    *,
    has_previous: bool,
    stride: int,
    keep_bytes: int,
) -> Look:
    """Look at every picture of `[start, stop)`.

    Args:
        start: First position in the stream.
        stop: One past the last.
        pictures: Reads them, and keeps their payloads for rendering.
        seek: Finds faces.
        has_previous: Whether the picture before `start` follows without a gap; the first signals compare with it.
        stride: Faces are sought in pictures whose position in the stream is a multiple of this.
        keep_bytes: Largest sum of payloads to keep.
    """
    meter = SignalMeter()
    positions: list[int] = []
    faces: list[Boxes] = []
    signals: list[PictureSignals] = []
    dropped: list[DroppedPicture] = []
    refuted = 0
    for item in pictures.scan(start - has_previous, stop, keep_bytes=keep_bytes):
        if isinstance(item, DroppedPicture):
            meter.forget()
            if item.position >= start:
                dropped.append(item)
            continue
        position, message, picture = item
        if position < start:
            meter.see(picture)
            continue
        found, doubts = seek(picture) if position % stride == 0 else (no_boxes(), 0)
        positions.append(position)
        faces.append(found)
        signals.append(meter.measure(picture, message.data))
        refuted += doubts
    position_column = np.array(positions, np.int64)
    detections = Detections.of(faces)
    return Look(
        position=position_column,
        faces=replace(detections, frame=position_column[detections.frame]),
        signals=signals_table(signals),
        dropped=tuple(dropped),
        refuted=refuted,
    )
