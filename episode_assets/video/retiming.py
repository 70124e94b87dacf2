"""Stream copy of spans of our own videos to a constant frame rate: how a dataset's mp4 is made from bundles.

Nothing is decoded. Everything is checked before the first byte is written: one header for all spans, spans
that begin on key frames, no reordered frames. Encoding anew belongs in `segments`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from episode_assets.errors import BadConfig, BadVideo
from episode_assets.video.faults import (
    FrameOutOfRange,
    NotOnKeyFrame,
    ParameterSetMismatch,
    named_failures,
)
from episode_assets.video.muxing import muxer
from episode_assets.video.probing import VideoProbe, opened, probe

TICKS_PER_FRAME = 512
"""The mp4 track counts 512 ticks per frame, as FFmpeg itself chooses for common rates."""


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
    if isinstance(fps, bool) or fps < 1:
        raise BadConfig(f"fps must be a whole number of at least 1, got {fps!r}")
    if not spans:
        raise BadVideo("there is no span to copy")
    probes = check_copyable(spans)
    total = sum(len(span) for span in spans)
    written = 0
    with (
        named_failures("spans cannot be copied", where=out.name, kind=BadVideo),
        opened(spans[0].path) as (_, template),
        muxer(out, timescale=TICKS_PER_FRAME * fps) as container,
    ):
        stream = container.add_stream_from_template(template, opaque=True)
        stream.time_base = Fraction(1, fps)
        for span in spans:
            for packet in _packets(span, probes[span.path]):
                packet.stream = stream
                packet.time_base = Fraction(1, fps)
                packet.pts = packet.dts = written
                packet.duration = 1
                container.mux_one(packet)
                written += 1
    return _verified(out, total, fps)


def check_copyable(spans: Sequence[VideoSpan]) -> dict[Path, VideoProbe]:
    """Raise what `retime_copy` would raise about its inputs, without writing anything; return the probes."""
    probes = {path: probe(path) for path in dict.fromkeys(span.path for span in spans)}
    first = probes[spans[0].path]
    for path, found in probes.items():
        if found.has_b_frames:
            raise BadVideo(
                "the video has reordered frames (B-frames)", where=path.name, remedy="encode it with bf=0"
            )
        if _kind(found) != _kind(first):
            raise ParameterSetMismatch(
                f"{_kind(found)} differs from {_kind(first)} of the first video",
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


def _kind(found: VideoProbe) -> tuple[object, ...]:
    return (
        found.codec,
        found.width,
        found.height,
        found.pix_fmt,
        found.color_range,
        found.color_matrix,
        found.extradata_sha256[:12],
    )


def _packets(span: VideoSpan, found: VideoProbe) -> Iterator[Any]:
    with opened(span.path) as (container, stream):
        container.seek(int(found.pts[span.first_frame]), stream=stream, backward=True)
        for packet in container.demux(stream):
            if packet.size == 0 or packet.pts is None:
                continue
            position = int(np.searchsorted(found.pts, packet.pts))
            if position >= span.last_frame_exclusive:
                return
            if position >= span.first_frame:
                yield packet


def _verified(out: Path, total: int, fps: int) -> VideoProbe:
    found = probe(out)
    step = Fraction(1, fps) / found.time_base
    if found.frames != total or not np.array_equal(found.pts, np.arange(total) * int(step)):
        raise BadVideo(
            f"the copied video holds {found.frames} frames of {total}, or its stamps are not i / {fps}"
        )
    return found
