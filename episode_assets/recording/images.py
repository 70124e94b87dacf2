"""Pictures of a recording, one at a time: where each lies, and its payload when somebody asks.

Only depth is decoded to numbers here; colour pictures go to `video` as they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from episode_assets.errors import PermanentError
from episode_assets.recording.container import PackedChunk
from episode_assets.recording.decoders import Decoder
from episode_assets.recording.payloads import PayloadReader
from episode_assets.recording.rows import ImageRow, UndecodableMessageError
from episode_assets.recording.source import Source
from episode_assets.recording.timeline import gap_before

_COMPRESSED_DEPTH_HEAD = 12
_MAX_MM = 65535


class UndecodableImage(PermanentError):  # named as its users call it
    """One picture cannot be decoded; the caller skips and counts it."""


@dataclass(frozen=True)
class ImageMessage:
    """One picture as it lies in the recording.

    Attributes:
        message_number: Its number among all messages of its topic, in file order from 0.
        stamp_ns: Header stamp (log time where the header has none).
        format: jpeg, png, webp; rgb8, bgr8, mono8 and other raw encodings by their ROS names; 16UC1, mono16, 32FC1;
            `compressedDepth png` and `compressedDepth rvl` for depth transported in a CompressedImage.
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
        duplicates: Messages left out for a repeated stamp.
        undecodable_numbers: Numbers of messages that could not be read as pictures; they have no stamp.
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
    _chunk: NDArray[np.int64] = field(repr=False)
    _offset: NDArray[np.int64] = field(repr=False)
    _length: NDArray[np.int64] = field(repr=False)
    _packed: Mapping[int, PackedChunk] = field(repr=False)
    _decoder: Decoder = field(repr=False)

    def __len__(self) -> int:
        return len(self.stamp_ns)

    @property
    def gap_before(self) -> NDArray[np.bool_]:
        """Return (N,) flags: true where a gap lies before the picture."""
        return gap_before(self.stamp_ns)

    def read(self, start: int = 0, stop: int | None = None) -> Iterator[ImageMessage]:
        """Yield the pictures at positions `[start, stop)`, reading each payload once from the recording.

        A compressed chunk is unpacked once as long as its pictures are asked for one after the other. Memory is one
        payload, or two unpacked chunks.

        Raises:
            UndecodableImage: A payload is not the message that the scan saw there.
            BadRecording: The file is shorter than the one that was scanned, or a chunk does not unpack any more.
        """
        with Source(self.source) as source:
            payloads = PayloadReader(source, self._packed)
            for position in range(start, len(self) if stop is None else min(stop, len(self))):
                payload = payloads.get(
                    int(self._chunk[position]), int(self._offset[position]), int(self._length[position])
                )
                yield self._message(position, payload)

    def read_past_damage(self, start: int, stop: int) -> Iterator[tuple[int, ImageMessage | None]]:
        """Yield position and picture of `[start, stop)` like `read`; None stands for a message that does not decode.

        Raises:
            BadRecording: The file is shorter than the one that was scanned, or a chunk does not unpack any more.
        """
        position = start
        while position < stop:
            try:
                for message in self.read(position, stop):
                    yield position, message
                    position += 1
            except UndecodableImage:
                # The iterator ends with its error; go on behind the damaged message.
                yield position, None
                position += 1

    def _message(self, position: int, payload: memoryview) -> ImageMessage:
        number = int(self.message_number[position])
        try:
            row = self._decoder.image(payload)
        except UndecodableMessageError as error:
            raise UndecodableImage(f"message {number} of {self.topic}: {error}", where=self.source) from error
        return ImageMessage(
            number,
            int(self.stamp_ns[position]),
            picture_format(row),
            row.data.toreadonly(),
            row.width,
            row.height,
            row.step,
            row.is_bigendian,
        )


_MAGICS = ((b"\xff\xd8", "jpeg"), (b"\x89PNG", "png"))


def picture_format(row: ImageRow) -> str:
    """Return the format of a picture; for compressed ones the payload's own marker is trusted over the text."""
    if row.width is not None:
        return row.format
    name = row.format.lower()
    if "compresseddepth" in name:
        packing = "rvl" if "rvl" in name else "png"
        return f"compressedDepth {packing}" if "32fc1" not in name else f"compressedDepth {packing} 32FC1"
    head = bytes(row.data[:12])
    for magic, found in _MAGICS:
        if head.startswith(magic):
            return found
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "webp"
    for word in ("jpeg", "jpg", "png", "webp", "h264", "h265"):
        if word in name:
            return "jpeg" if word == "jpg" else word
    return row.format


_DEPTH_FORMATS = frozenset({"16UC1", "mono16", "Z16", "32FC1"})
_PNG_BIT_DEPTH_AT, _PNG_COLOUR_TYPE_AT = 24, 25


def is_depth_picture(row: ImageRow) -> bool:
    """Whether a picture has one channel of 16 or 32 bits, as depth has; told without decoding it."""
    name = picture_format(row)
    if name == "png" and len(row.data) > _PNG_COLOUR_TYPE_AT:
        return row.data[_PNG_BIT_DEPTH_AT] == 16 and row.data[_PNG_COLOUR_TYPE_AT] == 0
    return name in _DEPTH_FORMATS or name.startswith("compressedDepth")


def decode_depth(message: ImageMessage) -> NDArray[np.uint16]:
    """Return depth (H, W) in whole millimetres; 0 is a hole.

    16-bit integers are millimetres and 32-bit floats are metres, rounded. Values that are not finite or not positive
    become holes and too far ones 65535, since a plain cast would wrap them into plausible distances.

    Raises:
        UndecodableImage: The format is not depth, or the bytes do not match the stated size.
    """
    if message.format in {"16UC1", "mono16", "Z16"}:
        return _raw_plane(message, np.dtype(np.uint16)).astype(np.uint16)
    if message.format == "32FC1":
        return _millimetres(_raw_plane(message, np.dtype(np.float32)))
    if message.format in {"png", "compressedDepth png"}:
        return _png_depth(message)
    raise UndecodableImage(
        f"depth message {message.message_number} has format {message.format!r}",
        remedy="16UC1, mono16, 32FC1 or PNG",
    )


def _raw_plane(message: ImageMessage, dtype: np.dtype[np.generic]) -> NDArray[np.generic]:
    width, height, step = message.width or 0, message.height or 0, message.step or 0
    step = step or width * dtype.itemsize
    if width < 1 or height < 1 or step < width * dtype.itemsize or len(message.data) < step * height:
        raise UndecodableImage(
            f"depth message {message.message_number}: {len(message.data)} bytes for {width}x{height}, step {step}"
        )
    ordered = dtype.newbyteorder(">" if message.is_bigendian else "<")
    # Some writers append bytes after the picture, and rows may be padded: the stated size decides.
    rows = np.frombuffer(message.data[: step * height], dtype=np.uint8).reshape(height, step)
    return np.ascontiguousarray(rows[:, : width * dtype.itemsize]).view(ordered)


def _millimetres(metres: NDArray[np.generic]) -> NDArray[np.uint16]:
    with np.errstate(invalid="ignore", over="ignore"):
        mm = np.rint(metres.astype(np.float64) * 1000.0)
        usable = np.isfinite(mm) & (mm > 0)
    return np.where(usable, np.minimum(mm, _MAX_MM), 0.0).astype(np.uint16)


def _png_depth(message: ImageMessage) -> NDArray[np.uint16]:
    transported = message.format.startswith("compressedDepth")
    head = _COMPRESSED_DEPTH_HEAD if transported else 0
    data = np.frombuffer(message.data[head:], dtype=np.uint8)
    picture = cv2.imdecode(data, cv2.IMREAD_UNCHANGED) if len(data) else None
    if picture is None or picture.dtype != np.uint16 or picture.ndim != 2:
        raise UndecodableImage(f"depth message {message.message_number} holds no 16-bit single-channel PNG")
    return np.asarray(picture, dtype=np.uint16)
