"""Pictures of a recording, one at a time: where each lies, and its payload when somebody asks.

Nothing is decoded here: depth is turned into numbers in `depth_pictures`, colour in `video`. Pictures of a video need
others before them; which ones, and in which order, is known here too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from episode_assets.errors import PermanentError
from episode_assets.recording.containers.container import IN_FILE, PackedChunk
from episode_assets.recording.containers.payloads import PayloadReader
from episode_assets.recording.containers.source import Source
from episode_assets.recording.encodings.decoders import Decoder
from episode_assets.recording.encodings.rows import UndecodableMessageError
from episode_assets.recording.pictures.key_frames import GroupStart
from episode_assets.recording.pictures.picture_formats import picture_format
from episode_assets.recording.timeline import gap_before

Place: TypeAlias = tuple[int, int, int]
"""Chunk, offset and length of a payload, as `PayloadReader.get` takes them."""

OnChunk: TypeAlias = Callable[[int, PayloadReader], None]


class UndecodableImage(PermanentError):  # named as its users call it
    """One picture cannot be decoded; the caller skips and counts it."""


@dataclass(frozen=True)
class ImageMessage:
    """One picture as it lies in the recording.

    Attributes:
        message_number: Its number among all messages of its topic, in file order from 0.
        stamp_ns: Header stamp (log time where the header has none).
        format: jpeg, png, webp, avif; h264, h265, av1, vp9; rgb8, bgr8, mono8 and other raw encodings by their ROS
            names; 16UC1, mono16, 32FC1; `compressedDepth png` and `compressedDepth rvl` for depth transported in a
            CompressedImage, with ` 32FC1` behind it where the values are quantised floats.
        data: Read-only bytes of the picture, without message fields.
        width: Pixels, None for compressed formats.
        height: Pixels, None for compressed formats.
        step: Bytes per row, None for compressed formats.
        is_bigendian: Byte order of 16- and 32-bit raw encodings.
    """

    message_number: int
    stamp_ns: int
    format: str
    data: memoryview
    width: int | None
    height: int | None
    step: int | None
    is_bigendian: bool


@dataclass(frozen=True)
class Duplicate:
    """A message left out because an earlier one of its topic has the same stamp."""

    message_number: int
    stamp_ns: int


@dataclass(frozen=True)
class PictureStep:
    """One message on the way to pictures, in the order in which a decoder takes them.

    Attributes:
        row: Its number among the pictures of the topic that the scan could read, in file order.
        position: Position in the stream; None for a message that gives no frame since it repeats a stamp.
        starts_group: Whether a decoder can begin here; true for stills.
        stands_alone: Whether, besides, nothing behind needs anything before; a decoder then forgets what it knew.
        is_after_hole: Whether messages between the one before and this one are missing or damaged.
        message: The picture, or why it cannot be read.
    """

    row: int
    position: int | None
    starts_group: bool
    stands_alone: bool
    is_after_hole: bool
    message: ImageMessage | UndecodableImage


@dataclass(frozen=True, eq=False)
class StoredPictures:
    """Where the pictures of one topic lie: (M,) each, in file order, repeated stamps included.

    Attributes:
        message_number: int64, number among all messages of the topic.
        stamp_ns: int64.
        log_time_ns: int64.
        chunk: int64 compressed chunk, -1 for the file itself.
        offset: int64 byte in the unpacked chunk or in the file.
        length: int64 bytes of the payload.
        group_start: int8, values of `GroupStart`.
        is_after_hole: bool, messages before it are missing or damaged.
    """

    message_number: NDArray[np.int64]
    stamp_ns: NDArray[np.int64]
    log_time_ns: NDArray[np.int64]
    chunk: NDArray[np.int64]
    offset: NDArray[np.int64]
    length: NDArray[np.int64]
    group_start: NDArray[np.int8]
    is_after_hole: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class ImageStream:
    """The pictures of one topic in the order of their stamps; cheap until `read`.

    Attributes:
        role: rgb or depth.
        topic: Topic the pictures come from.
        frame_id: Frame that the messages name.
        source: Address of the recording.
        source_bytes: Size the recording had when it was scanned.
        message_number: (N,) int64, number in file order among all messages of the topic.
        stamp_ns: (N,) int64, strictly increasing.
        log_time_ns: (N,) int64.
        gap_before: (N,) bool, by the one gap rule.
        duplicates: Messages left out for a repeated stamp. Those of a video are decoded all the same, since the
            pictures behind them need them.
        undecodable_numbers: Numbers of messages that could not be read as pictures; they have no stamp.
        is_video: Whether pictures need other pictures to be decoded.
    """

    role: str
    topic: str
    frame_id: str
    source: str
    source_bytes: int
    message_number: NDArray[np.int64]
    stamp_ns: NDArray[np.int64]
    log_time_ns: NDArray[np.int64]
    duplicates: tuple[Duplicate, ...]
    undecodable_numbers: tuple[int, ...]
    _stored: StoredPictures = field(repr=False)
    _row: NDArray[np.int64] = field(repr=False)
    _packed: Mapping[int, PackedChunk] = field(repr=False)
    _decoder: Decoder = field(repr=False)

    def __len__(self) -> int:
        return len(self.stamp_ns)

    @property
    def gap_before(self) -> NDArray[np.bool_]:
        """Return (N,) flags: true where a gap lies before the picture."""
        return gap_before(self.stamp_ns)

    @cached_property
    def is_video(self) -> bool:
        """Whether pictures need other pictures to be decoded."""
        return bool((self._stored.group_start != GroupStart.CLOSED).any())

    def read(self, start: int = 0, stop: int | None = None) -> Iterator[ImageMessage]:
        """Yield the pictures at positions `[start, stop)`, reading each payload once from the recording.

        A compressed chunk is unpacked once as long as its pictures are asked for one after the other. Memory is one
        payload, or two unpacked chunks.

        Raises:
            UndecodableImage: A payload is not the message that the scan saw there.
            BadRecording: The file is shorter than the one that was scanned, or a chunk does not unpack any more.
        """
        for _, message in self.read_past_damage(start, len(self) if stop is None else stop):
            if isinstance(message, UndecodableImage):
                raise message
            yield message

    def read_past_damage(
        self, start: int, stop: int
    ) -> Iterator[tuple[int, ImageMessage | UndecodableImage]]:
        """Yield position and picture of `[start, stop)` like `read`, or why the message does not decode.

        Raises:
            BadRecording: The file is shorter than the one that was scanned, or a chunk does not unpack any more.
        """
        positions = range(start, min(stop, len(self)))
        return zip(positions, self._messages(self._row[start:stop]), strict=True)

    def read_at(self, positions: Sequence[int]) -> Iterator[tuple[int, ImageMessage | UndecodableImage]]:
        """Yield position and picture of some positions like `read_past_damage`; what lies between is not read.

        Compressed chunks that hold none of them are not unpacked. Pictures of a video come as they were sent.

        Raises:
            BadRecording: The file is shorter than the one that was scanned, or a chunk does not unpack any more.
        """
        rows = self._row[np.array(positions, dtype=np.int64)]
        return zip(positions, self._messages(rows), strict=True)

    def lead_in(self, start: int) -> int:
        """Return how many messages have to be decoded before the picture at `start` can be: 0 for stills."""
        row = int(self._row[start])
        return row - self._group_row(row) if self.is_video else 0

    def rows_for(self, start: int, stop: int) -> NDArray[np.int64]:
        """Return the rows (K,) of all messages that the pictures `[start, stop)` need, in the order of decoding.

        Those of stills are the pictures themselves. Those of a video begin at the key frame at or before the first,
        or one group earlier where that key frame leaves its group open. Where pictures are stored in another order
        than they are shown, they end with a whole group: what a decoder drops of a damaged one depends on what follows.
        """
        rows = self._row[start:stop]
        if not self.is_video or not len(rows):
            return rows
        last = int(rows.max())
        return np.arange(
            self._group_row(int(rows.min())), self._group_end(last) if self._is_reordered else last + 1
        )

    def _group_row(self, row: int) -> int:
        index = int(np.searchsorted(self._group_rows, row, side="right")) - 1
        if index > 0 and self._stored.group_start[self._group_rows[index]] == GroupStart.OPEN:
            index -= 1
        return int(self._group_rows[index]) if index >= 0 else row

    def _group_end(self, row: int) -> int:
        index = int(np.searchsorted(self._group_rows, row, side="right"))
        return int(self._group_rows[index]) if index < len(self._group_rows) else len(self._stored.stamp_ns)

    @cached_property
    def _is_reordered(self) -> bool:
        return bool((np.diff(self._row) < 0).any())

    @cached_property
    def _group_rows(self) -> NDArray[np.intp]:
        return np.flatnonzero(self._stored.group_start != GroupStart.NONE)

    def steps(self, start: int, stop: int) -> Iterator[PictureStep]:
        """Yield every message that the pictures `[start, stop)` need, in the order of decoding (see `rows_for`).

        Raises:
            BadRecording: The file is shorter than the one that was scanned, or a chunk does not unpack any more.
        """
        return self.steps_at(self.rows_for(start, stop))

    def steps_at(self, rows: NDArray[np.int64], *, on_chunk: OnChunk | None = None) -> Iterator[PictureStep]:
        """Yield the messages of these rows like `steps`.

        Args:
            rows: (R,) which ones, in which order.
            on_chunk: Called with the number of each compressed chunk while it is unpacked.
        """
        for row, message in zip(map(int, rows), self._messages(rows, on_chunk), strict=True):
            position = int(self._position[row])
            yield PictureStep(
                row,
                position if position >= 0 else None,
                bool(self._stored.group_start[row] != GroupStart.NONE),
                bool(self._stored.group_start[row] == GroupStart.CLOSED),
                bool(self._stored.is_after_hole[row]),
                message,
            )

    @cached_property
    def _position(self) -> NDArray[np.int64]:
        positions = np.full(len(self._stored.stamp_ns), -1, np.int64)
        positions[self._row] = np.arange(len(self._row))
        return positions

    def positions_in(self, chunk: int) -> NDArray[np.int64]:
        """Return the positions of the pictures that lie in a compressed chunk."""
        found = np.sort(self._position[self._stored.chunk == chunk])
        return found[found >= 0]

    def place_of(self, position: int) -> Place:
        """Return where the picture at a position lies."""
        return self._place(int(self._row[position]))

    def message_at(self, position: int, payload: memoryview) -> ImageMessage | UndecodableImage:
        """Return the picture at a position, given the payload that lies there."""
        return self._message(int(self._row[position]), payload)

    def _place(self, row: int) -> Place:
        return int(self._stored.chunk[row]), int(self._stored.offset[row]), int(self._stored.length[row])

    def _messages(
        self, rows: NDArray[np.int64], on_chunk: OnChunk | None = None
    ) -> Iterator[ImageMessage | UndecodableImage]:
        unpacked = IN_FILE
        with Source(self.source) as source, PayloadReader(source, self._packed) as payloads:
            payloads.expect(map(self._place, rows))
            for row in map(int, rows):  # a list of them would take four times the memory of the array
                place = self._place(row)
                payload = payloads.get(*place)
                if on_chunk is not None and place[0] >= 0 and place[0] != unpacked:
                    unpacked = place[0]
                    on_chunk(unpacked, payloads)
                yield self._message(row, payload)

    def _message(self, row: int, payload: memoryview) -> ImageMessage | UndecodableImage:
        number = int(self._stored.message_number[row])
        try:
            image = self._decoder.image(payload)
        except UndecodableMessageError as error:
            return UndecodableImage(f"message {number} of {self.topic}: {error}", where=self.source)
        return ImageMessage(
            number,
            int(self._stored.stamp_ns[row]),
            picture_format(image),
            image.data.toreadonly(),
            image.width,
            image.height,
            image.step,
            image.is_bigendian,
        )
