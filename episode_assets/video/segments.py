"""A run of frames encoded on its own, in memory: what a chunk worker makes and the joiner takes.

A segment begins with a key frame, has closed GOPs and no reordered frames, and its header bytes depend on the
configuration and size alone, never on the content or the stamps. So segments that different processes made
join by stream copy. It can be decoded without having touched a disk, which the privacy audit needs. Joining
files belongs in `joining`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

import av

from episode_assets.errors import BadConfig, BadVideo
from episode_assets.video.codecs import AUTO_ORDER
from episode_assets.video.encoder_config import RGBEncoderConfig
from episode_assets.video.faults import UndecodableVideo, named_failures
from episode_assets.video.picture import Picture, frame_of, padded_size, picture_of, tag

NOMINAL_FPS = 15
"""What the encoder believes. It sees evenly spaced frames, so the bytes do not depend on the stamps; the true
stamps are kept beside the packets and written by the container.

x264 spends fewer bits on frames that it takes for shorter: at crf 18, pictures of the phone app (15 Hz) come out 1.4 dB
worse and a third smaller when it believes in 30 Hz. One rate for all recordings keeps their parameter sets equal.
"""

_ENCODER_THREADS = 1  # the bytes of libx264 differ between one and two threads
_KEY_FRAME = 1  # libav's AV_PICTURE_TYPE_I
_GLOBAL_HEADER = 1 << 22
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
        """Decode the pictures from memory, one at a time, in order.

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
                yield picture_of(frame, true_width=self.true_width, true_height=self.true_height)
        if decoded != len(self):
            raise UndecodableVideo(f"a segment of {len(self)} frames gave {decoded} pictures")

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
        width, height = padded_size(true_width, true_height)
        config.check_size(width, height)
        self._context: Any = _open_encoder(resolved(config), width, height)
        self._pts_us: list[int] = []
        self._keys: list[bool] = []
        self._sizes: list[int] = []
        self._data = bytearray()

    def __enter__(self) -> SegmentEncoder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._context = None

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
        frame.pts = len(self._pts_us)
        if force_key or not self._pts_us:
            frame.pict_type = _KEY_FRAME
        self._pts_us.append(pts_us)
        self._take(frame)

    def finish(self) -> Segment:
        """Flush the encoder and return the segment.

        Raises:
            BadVideo: No picture was encoded, or the encoder lost one.
        """
        if not self._pts_us:
            raise BadVideo("a segment needs at least one picture")
        self._take(None)
        context, self._context = self._context, None
        if len(self._sizes) != len(self._pts_us) or not self._keys[0]:
            raise BadVideo(
                f"{len(self._pts_us)} pictures went into the encoder, {len(self._sizes)} packets came out"
            )
        return Segment(
            codec=context.codec.canonical_name,
            width=context.width,
            height=context.height,
            true_width=self._size[0],
            true_height=self._size[1],
            extradata=context.extradata or b"",
            pts_us=tuple(self._pts_us),
            is_key=tuple(self._keys),
            sizes=tuple(self._sizes),
            data=bytes(self._data),
        )

    def _take(self, frame: Any) -> None:
        with named_failures("the encoder failed", where=f"frame {len(self._pts_us) - 1}", kind=BadVideo):
            packets = self._context.encode(frame)
        for packet in packets:
            if packet.pts != len(self._sizes):
                raise BadConfig(
                    f"the encoder reorders frames (packet {len(self._sizes)} shows frame {packet.pts})",
                    remedy="switch B-frames off, for libx264 with the option bf=0",
                )
            self._keys.append(bool(packet.is_keyframe))
            self._sizes.append(packet.size)
            self._data += packet


def resolved(config: RGBEncoderConfig) -> RGBEncoderConfig:
    """Return the configuration with `auto` replaced by the first encoder that really encodes a frame here.

    Being compiled in says little: wheels list hardware encoders on machines without the hardware.

    Raises:
        BadConfig: None of them works with these options.
    """
    if config.vcodec != "auto":
        return config
    refusals: list[str] = []
    for vcodec in AUTO_ORDER:
        try:
            candidate = replace(config, vcodec=vcodec)
            with SegmentEncoder(candidate, true_width=256, true_height=256) as encoder:
                encoder.encode(Picture.blank(256, 256), pts_us=0)
                encoder.finish()
        except (BadConfig, BadVideo) as error:
            refusals.append(f"{vcodec}: {error.what}")
            continue
        return candidate
    raise BadConfig(
        f"vcodec 'auto' found no encoder ({'; '.join(refusals)})", remedy="name a codec, such as h264"
    )


def _has_repeatable_tree(width: int) -> bool:
    """Whether x264's macroblock tree gives the same bytes each time for pictures of this width.

    Its vector code takes eight macroblocks at once and reads behind a row that is no multiple of them: what lies there
    in memory then moves a quantiser now and then (1 encode in 720 at 320x240; certain under MALLOC_PERTURB_=1).
    """
    return -(-width // 16) % 8 == 0


def _open_encoder(config: RGBEncoderConfig, width: int, height: int) -> Any:
    options = dict(config.options(threads=_ENCODER_THREADS))
    options["flags"] = "+cgop"
    if config.vcodec == "libsvtav1":
        os.environ.setdefault("SVT_LOG", "1")  # errors only; the encoder has no option for it
    if config.vcodec in ("h264", "hevc"):
        options["forced-idr"] = "1"
    if config.vcodec == "h264" and not _has_repeatable_tree(width):
        options.setdefault("mbtree", "0")
    context: Any = av.CodecContext.create(config.encoder, "w")
    context.width, context.height = width, height
    context.pix_fmt = config.pix_fmt
    context.time_base = Fraction(1, NOMINAL_FPS)
    context.framerate = Fraction(NOMINAL_FPS)
    context.thread_count = _ENCODER_THREADS
    context.flags |= _GLOBAL_HEADER
    context.options = options
    tag(context)
    try:
        context.open()
    except (av.FFmpegError, ValueError) as error:
        raise BadConfig(f"the encoder {config.encoder} does not open with {options} ({error})") from error
    if context.options:
        raise BadConfig(f"the encoder {config.encoder} did not take the options {sorted(context.options)}")
    return context
