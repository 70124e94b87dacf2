"""The first pass over a chunk: decode every picture, find faces, take the signals, sort out what cannot be used.

Payloads are read once and kept, still compressed, for the second pass. Linking faces over time belongs to `tracks`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from episode_assets.anonymization.boxes import SAME_OVERLAP, Boxes, no_boxes, overlap_ratios
from episode_assets.anonymization.searching import FaceSearch
from episode_assets.anonymization.signals import PictureSignals, SignalMeter
from episode_assets.anonymization.tables import signals_table
from episode_assets.anonymization.tracks import Detections
from episode_assets.chunks import Chunk
from episode_assets.recording import ImageMessage, ImageStream, UndecodableImage
from episode_assets.video import Picture, UndecodablePicture, decode_picture

_SURELY_SEEN = 1.5
"""A face this many times the smallest one that a scale serves is seen at that scale."""

_KEPT_BYTES = 192 << 20
"""Payloads beyond this are read a second time instead of kept: raw pictures of a chunk can fill gigabytes."""


@dataclass(frozen=True)
class DroppedPicture:
    """A picture that is not in the video: position in the stream, a word for the reason, and details."""

    position: int
    reason: str
    detail: str


@dataclass(frozen=True)
class Look:
    """What the first pass saw.

    Attributes:
        position: (K,) int64 positions in the stream of the usable pictures, margins included.
        stamp_ns: (K,) int64 their stamps.
        own: First and one past the last of them, as indexes into the K, that belong to the chunk.
        faces: Faces found; `frame` indexes the K.
        signals: One row for each picture of the chunk's own, columns of `PictureSignals`.
        dropped: Pictures of the chunk's own that cannot be used.
        refuted: How many weak boxes of the chunk's own pictures a second look refuted.
    """

    position: NDArray[np.int64]
    stamp_ns: NDArray[np.int64]
    own: tuple[int, int]
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


class ChunkPictures:
    """The pictures of one chunk, by position in the stream; decoded anew each time.

    Args:
        stream: The colour stream.
        size: True (width, height) that every picture must have.
    """

    def __init__(self, stream: ImageStream, size: tuple[int, int]) -> None:
        self._stream = stream
        self._size = size
        self._kept: dict[int, ImageMessage] = {}
        self._kept_bytes = 0

    def scan(self, start: int, stop: int) -> Iterator[tuple[int, ImageMessage, Picture] | DroppedPicture]:
        """Yield every picture of `[start, stop)` once, in order, or why it cannot be used."""
        for position, message in self._messages(start, stop):
            if isinstance(message, DroppedPicture):
                yield message
                continue
            picture = self._decoded(position, message)
            if isinstance(picture, DroppedPicture):
                yield picture
                continue
            if self._kept_bytes + len(message.data) <= _KEPT_BYTES:
                self._kept[position] = message
                self._kept_bytes += len(message.data)
            yield position, message, picture

    def again(self, position: int) -> Picture:
        """Return a picture that `scan` has yielded, decoded anew."""
        message = self._kept.get(position)
        if message is None:
            message = next(self._stream.read(position, position + 1))
        picture = self._decoded(position, message)
        assert isinstance(picture, Picture)
        return picture

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
    chunk: Chunk, pictures: ChunkPictures, stamps_ns: NDArray[np.int64], seek: Seeker, stride: int
) -> Look:
    """Make the first pass over a chunk and its margins.

    Args:
        chunk: What to look at.
        pictures: Its pictures; keeps their payloads for the second pass.
        stamps_ns: (N,) stamps of the whole stream.
        seek: Finds faces.
        stride: It looks at pictures whose position in the stream is a multiple of this.
    """
    meter = SignalMeter()
    positions: list[int] = []
    faces: list[Boxes] = []
    signals: list[PictureSignals] = []
    dropped: list[DroppedPicture] = []
    refuted = 0
    for item in pictures.scan(chunk.lead_start, chunk.tail_stop):
        if isinstance(item, DroppedPicture):
            if chunk.start <= item.position < chunk.stop:
                dropped.append(item)
            continue
        position, message, picture = item
        positions.append(position)
        found, doubts = seek(picture) if position % stride == 0 else (no_boxes(), 0)
        faces.append(found)
        if chunk.start <= position < chunk.stop:
            refuted += doubts
            signals.append(meter.measure(picture, message.data))
        elif position == chunk.start - 1:
            meter.see(picture)
    position_column = np.array(positions, np.int64)
    own = np.searchsorted(position_column, [chunk.start, chunk.stop])
    return Look(
        position=position_column,
        stamp_ns=stamps_ns[position_column],
        own=(int(own[0]), int(own[1])),
        faces=Detections.of(faces),
        signals=signals_table(signals),
        dropped=tuple(dropped),
        refuted=refuted,
    )
