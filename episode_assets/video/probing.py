"""What a video file holds, from its packets and headers, without decoding a picture.

All times are exact rationals or whole ticks: a rate of 30000/1001 stays one. Decoding belongs in `reading`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from episode_assets.video.faults import UndecodableVideo, named_failures
from episode_assets.video.mp4_boxes import is_faststart, rotation
from episode_assets.video.packet_list import PacketList, packet_list

_UNSPECIFIED, _FULL_RANGE = 2, 2
"""libav's numbers for a matrix that nobody states, and for luma from 0 to 255."""


@dataclass(frozen=True)
class AudioFacts:
    """The facts of one audio stream.

    Attributes:
        codec: libav's codec name, such as `aac`.
        channels: How many.
        channel_layout: libav's name, such as `stereo`.
        sample_rate: Samples per second.
        bit_depth: Bits of a decoded sample.
        bit_rate: Bits per second, or None where the file does not say.
    """

    codec: str
    channels: int
    channel_layout: str
    sample_rate: int
    bit_depth: int
    bit_rate: int | None


@dataclass(frozen=True)
class VideoProbe:
    """The facts of one video stream.

    Attributes:
        codec: libav's codec name, such as `h264`.
        width: Coded width in pixels.
        height: Coded height in pixels.
        pix_fmt: Pixel format, such as `yuv420p`.
        profile: Codec profile, or None.
        color_range: libav's number: 1 limited, 2 full, 0 unset.
        color_matrix: libav's number: 6 is BT.601 (SMPTE 170M), 1 is BT.709, 2 is unset.
        frames: Packets with content.
        time_base: Seconds per tick.
        pts: Presentation stamps in ticks, (frames,) int64, increasing, read-only.
        duration: Last stamp plus last duration minus first stamp, in seconds.
        is_cfr: Whether all stamps lie equally far apart, and no two are the same.
        avg_rate: Frames per second that the container states, or None.
        base_rate: The lowest rate in which all stamps can be written, as libav guesses it, or None.
        key_frames: Positions of the key frames in presentation order, (K,) int64, read-only.
        max_key_gap: Largest distance between neighbouring key frames, the end of the video included; in
            frames.
        has_b_frames: Whether packets are stored in another order than they are shown.
        extradata_sha256: Hash of the header with the parameter sets, hex.
        faststart: Whether the index lies before the pictures (mp4), so that playing starts while loading.
        audio: The facts of the first audio stream, or None.
        channels: Components of the pixel format: 3 for YUV, 1 for grey.
        level: Codec level as the codec counts it (H.264: 31 is 3.1), or None.
        color_primaries: libav's number: 1 is BT.709, 2 is unset.
        color_transfer: libav's number: 13 is sRGB, 1 is BT.709, 2 is unset.
        sample_aspect: Width of a pixel through its height; 1 where nothing is said.
        rotation: Degrees clockwise by which players turn the pictures.
        sizes: Bytes of each frame's packet, (frames,) int64, read-only.
    """

    codec: str
    width: int
    height: int
    pix_fmt: str
    profile: str | None
    color_range: int
    color_matrix: int
    frames: int
    time_base: Fraction
    pts: NDArray[np.int64]
    duration: Fraction
    is_cfr: bool
    avg_rate: Fraction | None
    base_rate: Fraction | None
    key_frames: NDArray[np.int64]
    max_key_gap: int
    has_b_frames: bool
    extradata_sha256: str
    faststart: bool
    audio: AudioFacts | None
    channels: int
    level: int | None
    color_primaries: int
    color_transfer: int
    sample_aspect: Fraction
    rotation: int
    sizes: NDArray[np.int64]

    @property
    def has_audio(self) -> bool:
        """Whether the file holds an audio stream."""
        return self.audio is not None

    @property
    def rate(self) -> Fraction | None:
        """Frames per second: exact where the rate is constant, else what the container states, or None."""
        if self.is_cfr and self.frames > 1:
            return 1 / (int(self.pts[1] - self.pts[0]) * self.time_base)
        return self.avg_rate

    @property
    def first_pts(self) -> int:
        """Stamp of the first frame in ticks."""
        return int(self.pts[0])

    @property
    def last_pts(self) -> int:
        """Stamp of the last frame in ticks."""
        return int(self.pts[-1])

    @property
    def encoded_bytes(self) -> int:
        """Bytes of all packets of the stream."""
        return int(self.sizes.sum())

    @property
    def pts_us(self) -> NDArray[np.int64]:
        """Stamps relative to the first frame in microseconds, (frames,) int64, rounded to nearest."""
        ticks = self.pts - self.pts[0]
        scale = self.time_base * 1_000_000
        return np.asarray(
            (ticks * scale.numerator * 2 + scale.denominator) // (2 * scale.denominator), np.int64
        )


@contextmanager
def opened(path: Path, *, will_decode: bool = True) -> Iterator[tuple[Any, Any]]:
    """Open a file and yield (container, first video stream).

    Args:
        path: The file.
        will_decode: Without, the pixel format may stay unknown: libav decodes a picture to learn it, which costs
            more than hundreds of packets.

    Raises:
        UndecodableVideo: It is missing, no video, or breaks off while the block reads it.
    """
    options = {} if will_decode else {"skip_frame": "all"}
    with (
        named_failures("a video cannot be read", where=path.name),
        av.open(str(path), options=options) as container,
    ):
        if not container.streams.video:
            raise UndecodableVideo("the file holds no video stream", where=path.name)
        stream = container.streams.video[0]
        if stream.codec_context is None:
            raise UndecodableVideo("the file names a codec that has no decoder here", where=path.name)
        yield container, stream


def probe(path: Path) -> VideoProbe:
    """Read the facts of the first video stream of a file; every packet is known, none is decoded.

    Raises:
        UndecodableVideo: The file cannot be opened, holds no video, or holds no frame.
    """
    with opened(path, will_decode=False) as (container, stream):
        if pix_fmt := _told_pix_fmt(stream.codec_context):
            return _probed(path, container, stream, pix_fmt)
    with opened(path) as (container, stream):
        return _probed(path, container, stream, stream.codec_context.pix_fmt)


def _told_pix_fmt(context: Any) -> str | None:
    """Return the pixel format if colours and format are told outside of the pictures."""
    if int(context.colorspace) == _UNSPECIFIED:
        return None
    if context.pix_fmt is None and context.codec.canonical_name == "h264":
        return _h264_pix_fmt(context.extradata or b"", is_full=int(context.color_range) == _FULL_RANGE)
    return context.pix_fmt  # type: ignore[no-any-return]


def _h264_pix_fmt(header: bytes, *, is_full: bool) -> str | None:
    """Return the format of the usual parameter sets in an mp4: 8 bits, 4:2:0 (ITU-T H.264, 7.3.2.1.1)."""
    profile, shape = header[9:10], header[12:13]
    if header[:1] != b"\x01" or is_full or not shape:
        return None
    # High profile goes on with set 0, chroma format 1 and twice 8 bits: the Exp-Golomb codes 1, 010, 1, 1.
    is_usual = profile in (b"\x42", b"\x4d") or (profile == b"\x64" and shape[0] >> 2 == 0b101011)
    return "yuv420p" if is_usual else None


def _probed(path: Path, container: Any, stream: Any, pix_fmt: str | None) -> VideoProbe:
    packets = packet_list(path, container, stream)
    if not len(packets.stamps):
        raise UndecodableVideo("the video holds no frame", where=path.name)
    return _facts(path, container, stream, packets, pix_fmt)


def video_duration(path: Path) -> Fraction:
    """Return how long a video lasts in seconds, from its packets: headers may lie.

    Raises:
        UndecodableVideo: As `probe`.
    """
    return probe(path).duration


def _audio_of(container: Any) -> AudioFacts | None:
    if not container.streams.audio:
        return None
    context = container.streams.audio[0].codec_context
    if context is None:
        return AudioFacts("unknown", 0, "unknown", 0, 0, None)
    return AudioFacts(
        codec=context.codec.canonical_name,
        channels=context.channels,
        channel_layout=context.layout.name,
        sample_rate=context.sample_rate,
        bit_depth=context.format.bits if context.format else 0,
        bit_rate=context.bit_rate,
    )


def _are_even(pts: NDArray[np.int64]) -> bool:
    steps = np.unique(np.diff(pts))
    return len(steps) < 2 and bool((steps > 0).all())


def _facts(path: Path, container: Any, stream: Any, packets: PacketList, pix_fmt: str | None) -> VideoProbe:
    order = np.argsort(packets.stamps, kind="stable")
    pts, sizes = packets.stamps[order], packets.sizes[order]
    key_frames = np.flatnonzero(packets.is_key[order]).astype(np.int64)
    context = stream.codec_context
    for values in (pts, sizes, key_frames):
        values.setflags(write=False)
    return VideoProbe(
        codec=context.codec.canonical_name,
        width=context.width,
        height=context.height,
        pix_fmt=pix_fmt or "unknown",
        profile=stream.profile,
        color_range=int(context.color_range),
        color_matrix=int(context.colorspace),
        frames=len(pts),
        time_base=stream.time_base,
        pts=pts,
        duration=(packets.end - int(pts[0])) * stream.time_base,
        is_cfr=_are_even(pts),
        avg_rate=stream.average_rate,
        base_rate=stream.base_rate,
        key_frames=key_frames,
        max_key_gap=int(np.diff([*key_frames, len(pts)]).max()) if len(key_frames) else len(pts),
        has_b_frames=bool((np.diff(packets.stamps) < 0).any()),
        extradata_sha256=hashlib.sha256(context.extradata or b"").hexdigest(),
        faststart=is_faststart(path),
        audio=_audio_of(container),
        channels=len(av.VideoFormat(pix_fmt).components) if pix_fmt else 0,
        level=context.level,
        color_primaries=int(context.color_primaries),
        color_transfer=int(context.color_trc),
        sample_aspect=stream.sample_aspect_ratio or Fraction(1),
        rotation=rotation(path),
        sizes=sizes,
    )
