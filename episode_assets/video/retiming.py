"""Stream copy of spans of our own videos to a constant frame rate: how a dataset's mp4 is made from bundles.

Nothing is decoded. Everything is checked before the first byte is written: one header for all spans, spans
that begin on key frames, no reordered frames. Encoding anew belongs in `segments`.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from episode_assets.errors import BadVideo
from episode_assets.video.aside import Aside
from episode_assets.video.faults import (
    FrameOutOfRange,
    NotOnKeyFrame,
    ParameterSetMismatch,
    named_failures,
)
from episode_assets.video.muxing import TICKS_PER_FRAME, check_fps, check_written, muxer
from episode_assets.video.probing import VideoProbe, opened, probe

_HEADER = (
    "codec",
    "profile",
    "level",
    "width",
    "height",
    "pix_fmt",
    "color_range",
    "color_matrix",
    "color_primaries",
    "color_transfer",
    "sample_aspect",
    "rotation",
    "extradata_sha256",
)
"""Facts that an mp4 keeps once for all its frames, by their names in `VideoProbe`."""


@dataclass(frozen=True)
class VideoSpan:
    """A run of frames of one video.

    Attributes:
        path: The mp4.
        first_frame: First frame, counted from 0; must be a key frame for a stream copy.
        last_frame_exclusive: One past the last frame.
    """

    path: Path
    first_frame: int
    last_frame_exclusive: int

    def __len__(self) -> int:
        return self.last_frame_exclusive - self.first_frame


def retime_copy(spans: Sequence[VideoSpan], out: Path, *, fps: int) -> VideoProbe:
    """Write the spans one after another with frame i at exactly i / fps.

    Args:
        spans: In order; each begins on a key frame. Several spans may name the same file.
        out: The mp4 to write.
        fps: Frames per second, at least 1.

    Returns:
        The probe of the finished file.

    Raises:
        NotOnKeyFrame: A span begins between two key frames.
        ParameterSetMismatch: The videos were encoded with different settings or sizes.
        FrameOutOfRange: A span is empty or reaches beyond its video.
        BadVideo: A video has reordered frames, or the result does not read back as planned.
    """
    rate = check_fps(fps)
    probes = check_copyable(spans)
    clock = constant_clock(sum(map(len, spans)), rate)
    with Aside(out) as aside:
        found = copy_packets(spans, probes, aside.path, clock, where=out.name)
        aside.publish()
    return found


class CopyClock(NamedTuple):
    """When each frame of a copy is shown.

    Attributes:
        stamps: (F,) int64 ticks, increasing.
        tick: Seconds per tick.
        last_duration: Ticks that the last frame lasts.
        timescale: How many ticks of the file's track make a second.
    """

    stamps: NDArray[np.int64]
    tick: Fraction
    last_duration: int
    timescale: int


def constant_clock(frames: int, fps: int) -> CopyClock:
    """Return the clock by which frame i is shown at exactly i / fps."""
    stamps = np.arange(frames, dtype=np.int64)
    return CopyClock(stamps, Fraction(1, fps), last_duration=1, timescale=TICKS_PER_FRAME * fps)


def copy_packets(
    spans: Sequence[VideoSpan], probes: Mapping[Path, VideoProbe], out: Path, clock: CopyClock, *, where: str
) -> VideoProbe:
    """Write the packets of spans that `check_copyable` has passed, one after another.

    Args:
        spans: In order.
        probes: What `check_copyable` returned.
        out: Where to write.
        clock: The stamps.
        where: The file's final name, for messages.

    Raises:
        BadVideo: The result does not read back as planned.
    """
    durations = np.diff(clock.stamps, append=clock.stamps[-1] + clock.last_duration)
    with (
        named_failures("spans cannot be copied", where=where, kind=BadVideo),
        opened(spans[0].path, will_decode=False) as (_, template),
        muxer(out, timescale=clock.timescale) as container,
    ):
        stream = container.add_stream_from_template(template, opaque=True)
        stream.time_base = clock.tick
        packets = (packet for span in spans for packet in _packets(span, probes[span.path]))
        for packet, stamp, duration in zip(packets, clock.stamps.tolist(), durations.tolist(), strict=True):
            packet.stream = stream
            packet.time_base = clock.tick
            packet.pts = packet.dts = stamp
            packet.duration = duration
            container.mux_one(packet)
    return check_written(out, clock.stamps, clock.tick, where=where)


def check_copyable(spans: Sequence[VideoSpan]) -> dict[Path, VideoProbe]:
    """Raise what `retime_copy` would raise about its inputs, without writing anything; return the probes."""
    if not spans:
        raise BadVideo("there is no span to copy")
    probes = {path: probe(path) for path in dict.fromkeys(span.path for span in spans)}
    first = probes[spans[0].path]
    for path, found in probes.items():
        if found.has_b_frames:
            raise BadVideo(
                "the video has reordered frames (B-frames)", where=path.name, remedy="encode it with bf=0"
            )
        if different := _differences(found, first):
            raise ParameterSetMismatch(
                f"the video has {different} of the first one",
                where=path.name,
                remedy="put it into another file, or encode it with the same settings",
            )
    for span in spans:
        _check_span(span, probes[span.path])
    return probes


def _check_span(span: VideoSpan, found: VideoProbe) -> None:
    where = span.path.name
    if not 0 <= span.first_frame < span.last_frame_exclusive <= found.frames:
        raise FrameOutOfRange(
            f"frames {span.first_frame} to {span.last_frame_exclusive} (end excluded) of {found.frames}",
            where=where,
        )
    if span.first_frame not in found.key_frames:
        later = found.key_frames[found.key_frames > span.first_frame]
        nearest = f"the next key frame is {int(later[0])}" if len(later) else "no key frame follows"
        raise NotOnKeyFrame(f"frame {span.first_frame} is not a key frame; {nearest}", where=where)


def _differences(found: VideoProbe, first: VideoProbe) -> str:
    """Return what of the header differs, in words; empty where a copy may stand behind the other."""
    pairs = ((name, getattr(found, name), getattr(first, name)) for name in _HEADER)
    return ", ".join(f"{name} {mine} instead of {theirs}" for name, mine, theirs in pairs if mine != theirs)


def _packets(span: VideoSpan, found: VideoProbe) -> Iterator[Any]:
    with opened(span.path, will_decode=False) as (container, stream):
        container.seek(int(found.pts[span.first_frame]), stream=stream, backward=True)
        packets = (packet for packet in container.demux(stream) if packet.size and packet.pts is not None)
        first = next(packets, None)
        if first is None:
            return
        # No frame is reordered, so after the first packet the positions count up.
        position = int(np.searchsorted(found.pts, first.pts))
        for packet in itertools.chain([first], packets):
            if position >= span.last_frame_exclusive:
                return
            if position >= span.first_frame:
                yield packet
            position += 1
