"""A run of frames encoded on its own, in memory: what a chunk worker makes and the joiner takes.

A segment begins with a key frame, has closed GOPs and no reordered frames, and its header bytes depend on the
configuration and size alone, never on the content or the stamps. So segments that different processes made
join by stream copy. It can be decoded without having touched a disk, which the privacy audit needs. Joining
files belongs in `joining`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import av

from episode_assets.errors import BadVideo
from episode_assets.video.encoder_config import RGBEncoderConfig
from episode_assets.video.encoding import EncodedFrame, FrameEncoder
from episode_assets.video.faults import UndecodableVideo, named_failures
from episode_assets.video.picture import Picture, frame_of, padded_size, picture_of, shared_picture_of

_DECODERS = {"av1": "libdav1d"}  # libav's own av1 decoder needs hardware
STRICT_DECODING = {"err_detect": "explode"}
"""Without it a damaged picture is concealed and comes back as if it were whole."""

_MAGIC = b"EASEGM1\n"


@dataclass(frozen=True)
class Segment:
    """Encoded frames of one chunk, in presentation order.

    Attributes:
        codec: libav's name of the codec (`h264`), without the encoder's.
        width: Coded width in pixels, even.
        height: Coded height in pixels, even.
        true_width: Width before padding.
        true_height: Height before padding.
        extradata: The parameter sets, as the encoder gave them (Annex B for H.264).
        pts_us: Presentation stamps in microseconds, strictly increasing, any origin.
        is_key: Which packets are key frames; the first is.
        sizes: Bytes of each packet.
        data: The packets one after another.
    """

    codec: str
    width: int
    height: int
    true_width: int
    true_height: int
    extradata: bytes
    pts_us: tuple[int, ...]
    is_key: tuple[bool, ...]
    sizes: tuple[int, ...]
    data: bytes

    def __len__(self) -> int:
        return len(self.pts_us)

    def packets(self) -> Iterator[memoryview]:
        """Yield the bytes of each packet in order, without copying."""
        view, start = memoryview(self.data), 0
        for size in self.sizes:
            yield view[start : start + size]
            start += size

    def decode(self) -> Iterator[Picture]:
        """Decode the pictures from memory, one at a time, in order; they are to be looked at, not written to.

        Raises:
            UndecodableVideo: A packet does not decode, or pictures are missing at the end.
        """
        context: Any = av.CodecContext.create(_DECODERS.get(self.codec, self.codec), "r")
        context.thread_count = 1
        context.options = STRICT_DECODING
        context.extradata = self.extradata
        decoded = 0
        for packet in [*self.packets(), None]:
            with named_failures("a segment does not decode", where=f"frame {decoded} of the segment"):
                frames = context.decode(None if packet is None else av.Packet(bytes(packet)))
            for frame in frames:
                decoded += 1
                yield self._picture(frame)
        if decoded != len(self):
            raise UndecodableVideo(f"a segment of {len(self)} frames gave {decoded} pictures")

    def _picture(self, frame: Any) -> Picture:
        if (self.true_width, self.true_height) == (self.width, self.height):
            return shared_picture_of(frame)
        return picture_of(frame, true_width=self.true_width, true_height=self.true_height)

    def save(self, path: Path) -> None:
        """Write the segment to a scratch file; not an artifact format."""
        header = json.dumps(
            {
                "codec": self.codec,
                "size": [self.width, self.height, self.true_width, self.true_height],
                "extradata": len(self.extradata),
                "pts_us": self.pts_us,
                "is_key": [int(key) for key in self.is_key],
                "sizes": self.sizes,
            }
        ).encode()
        with (
            named_failures("a segment cannot be written", where=path.name, kind=BadVideo),
            path.open("wb") as file,
        ):
            file.write(_MAGIC + len(header).to_bytes(8, "little") + header + self.extradata)
            file.write(self.data)

    @classmethod
    def load(cls, path: Path) -> Segment:
        """Read a segment that `save` wrote.

        Raises:
            UndecodableVideo: The file is not a whole segment.
        """
        with named_failures("a segment cannot be read", where=path.name):
            content = path.read_bytes()
        try:
            return _parse(content)
        except (ValueError, KeyError, TypeError) as error:
            raise UndecodableVideo(
                f"{len(content)} bytes are not a whole segment",
                where=path.name,
                remedy="encode the chunk again",
            ) from error


def _parse(content: bytes) -> Segment:
    start = len(_MAGIC) + 8
    length = int.from_bytes(content[len(_MAGIC) : start], "little")
    if not content.startswith(_MAGIC) or start + length > len(content):
        raise ValueError("no segment header")
    header: dict[str, Any] = json.loads(content[start : start + length])
    data_start = start + length + header["extradata"]
    data = content[data_start:]
    counts = {len(header["pts_us"]), len(header["is_key"]), len(header["sizes"])}
    if len(data) != sum(header["sizes"]) or len(counts) != 1:
        raise ValueError("sizes do not add up")
    width, height, true_width, true_height = header["size"]
    return Segment(
        codec=header["codec"],
        width=width,
        height=height,
        true_width=true_width,
        true_height=true_height,
        extradata=content[start + length : data_start],
        pts_us=tuple(header["pts_us"]),
        is_key=tuple(bool(key) for key in header["is_key"]),
        sizes=tuple(header["sizes"]),
        data=data,
    )


class SegmentEncoder:
    """Encodes the pictures of one chunk into a `Segment`.

    Memory holds the encoded packets and the encoder's few frames of look-ahead. Use it in a `with` block, so
    that the encoder is freed when an exception ends the chunk.

    Args:
        config: How to encode.
        true_width: Width of every picture before padding.
        true_height: Height of every picture before padding.

    Raises:
        BadConfig: The encoder does not open with these options, or reorders frames.
    """

    def __init__(self, config: RGBEncoderConfig, *, true_width: int, true_height: int) -> None:
        self._size = (true_width, true_height)
        self._coded = padded_size(true_width, true_height)
        self._encoder: FrameEncoder | None = FrameEncoder(config, width=self._coded[0], height=self._coded[1])
        self._pts_us: list[int] = []
        self._keys: list[bool] = []
        self._sizes: list[int] = []
        self._data = bytearray()

    def __enter__(self) -> SegmentEncoder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._encoder = None

    def encode(self, picture: Picture, *, pts_us: int, force_key: bool = False) -> None:
        """Encode one picture.

        Args:
            picture: Of the size given at construction; only read, and free again on return.
            pts_us: Its stamp in microseconds, larger than the one before.
            force_key: Begin a new group of pictures here.

        Raises:
            BadVideo: The size differs, or the stamp does not advance.
        """
        size = (picture.true_width, picture.true_height)
        self.encode_frame(frame_of(picture), size, pts_us=pts_us, force_key=force_key)

    def encode_frame(
        self, frame: Any, size: tuple[int, ...], *, pts_us: int, force_key: bool = False
    ) -> None:
        """Encode one frame of libav, in the pixel format of the encoder and of the padded size.

        Args:
            frame: Only read.
            size: True width and height of what it shows.
            pts_us: As for `encode`.
            force_key: As for `encode`.

        Raises:
            BadVideo: The size differs, or the stamp does not advance.
        """
        if size != self._size:
            raise BadVideo(
                f"a picture of {size[0]} x {size[1]} came into a segment of {self._size[0]} x {self._size[1]}"
            )
        if self._pts_us and pts_us <= self._pts_us[-1]:
            raise BadVideo(f"stamp {pts_us} us follows {self._pts_us[-1]} us; stamps must advance")
        self._pts_us.append(pts_us)
        self._take(self._opened().encode(frame, force_key=force_key))

    def finish(self) -> Segment:
        """Flush the encoder and return the segment.

        Raises:
            BadVideo: No picture was encoded, or the encoder lost one.
        """
        if not self._pts_us:
            raise BadVideo("a segment needs at least one picture")
        encoder, self._encoder = self._opened(), None
        self._take(encoder.flush())
        return Segment(
            codec=encoder.codec,
            width=self._coded[0],
            height=self._coded[1],
            true_width=self._size[0],
            true_height=self._size[1],
            extradata=encoder.extradata,
            pts_us=tuple(self._pts_us),
            is_key=tuple(self._keys),
            sizes=tuple(self._sizes),
            data=bytes(self._data),
        )

    def _opened(self) -> FrameEncoder:
        if self._encoder is None:
            raise BadVideo("the segment is finished; begin another one")
        return self._encoder

    def _take(self, frames: list[EncodedFrame]) -> None:
        for frame in frames:
            self._keys.append(frame.is_key)
            self._sizes.append(len(frame.data))
            self._data += frame.data
