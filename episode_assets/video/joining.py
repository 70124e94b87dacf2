"""Joining segments into one mp4 with true stamps, by stream copy.

The bytes depend on the segments alone: no wall clock, no writer's name, no order of processes. Re-timing to a
constant rate belongs in `retiming`.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from contextlib import AbstractContextManager
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from episode_assets.errors import BadVideo
from episode_assets.video.encoding import NOMINAL_FPS
from episode_assets.video.faults import ParameterSetMismatch, named_failures
from episode_assets.video.muxing import check_written, muxer, stream_template
from episode_assets.video.probing import VideoProbe
from episode_assets.video.segments import Segment

TICKS_PER_SECOND = (1_000_000, 90_000, 1_000)
"""Time bases in order of preference. Microseconds hold header stamps to within half a microsecond. An mp4 cannot
store two frames 2^31 ticks or more apart, so a video with a hole of 36 minutes needs the second (off by up to
5.6 microseconds), one with a hole of 6 hours the third."""

_MOST_TICKS = 2**31 - 2

Stamps = NDArray[np.int64]


def join_segments(segments: Sequence[Path], out: Path) -> VideoProbe:
    """Write saved segments one after another into an mp4.

    The first frame gets stamp 0 and every other its stamp minus the first, in microseconds; the last frame
    lasts as long as the median distance. One segment is in memory at a time.

    Args:
        segments: Files that `Segment.save` wrote, in order of time.
        out: The mp4 to write; index first (faststart), colour tags inside.

    Returns:
        The probe of the finished file, whose frame count and stamps have been compared with the segments.

    Raises:
        ParameterSetMismatch: The segments have different sizes, codecs or parameter sets.
        BadVideo: No segment, stamps that do not advance, or a file that does not read back as written.
    """
    stamps, rate = _in_ticks(_planned_stamps(segments))
    first = Segment.load(segments[0])
    time_base = Fraction(1, rate)
    durations = np.diff(stamps, append=stamps[-1] + _last_duration(stamps, rate))
    with named_failures("segments cannot be joined", where=out.name, kind=BadVideo):
        position = 0
        with _template(first) as template, muxer(out, timescale=rate) as container:
            stream = container.add_stream_from_template(template, opaque=True)
            stream.time_base = time_base
            stream.width, stream.height = first.width, first.height  # AV1 is not probed without a decoder
            for path in segments:
                segment = Segment.load(path)
                for data, is_key in zip(segment.packets(), segment.is_key, strict=True):
                    packet = av.Packet(bytes(data))
                    packet.stream = stream
                    packet.time_base = time_base
                    packet.pts = packet.dts = int(stamps[position])
                    packet.duration = int(durations[position])
                    packet.is_keyframe = is_key
                    container.mux_one(packet)
                    position += 1
    return check_written(out, stamps, time_base, where=out.name)


def _planned_stamps(segments: Sequence[Path]) -> Stamps:
    """Return all stamps relative to the first, after checking that the segments belong together."""
    if not segments:
        raise BadVideo("there is no segment to join")
    stamps = array("q")
    expected: tuple[object, ...] | None = None
    for path in segments:
        segment = Segment.load(path)
        kind = (segment.codec, segment.width, segment.height, segment.extradata)
        if expected is not None and kind != expected:
            raise ParameterSetMismatch(
                "a segment differs from the first in codec, size or parameter sets",
                where=path.name,
                remedy="encode all chunks with the same configuration",
            )
        expected = kind
        stamps.extend(segment.pts_us)
    relative = np.frombuffer(stamps, np.int64) - stamps[0]
    if (np.diff(relative) <= 0).any():
        at = int(np.flatnonzero(np.diff(relative) <= 0)[0]) + 1
        raise BadVideo(
            f"the stamp of frame {at} does not advance", remedy="join the segments in order of time"
        )
    return relative


def _in_ticks(stamps_us: Stamps) -> tuple[Stamps, int]:
    """Return the stamps in the finest ticks that an mp4 can hold, and how many of them make a second."""
    widest_us = int(np.diff(stamps_us).max(initial=0))
    for rate in TICKS_PER_SECOND:
        if widest_us * rate // 1_000_000 <= _MOST_TICKS:
            return (stamps_us * rate + 500_000) // 1_000_000, rate
    raise BadVideo(f"two frames lie {widest_us / 86_400e6:.1f} days apart", remedy="split the recording")


def _last_duration(stamps: Stamps, rate: int) -> int:
    return int(np.median(np.diff(stamps))) if len(stamps) > 1 else rate // NOMINAL_FPS


def _template(segment: Segment) -> AbstractContextManager[Any]:
    return stream_template(segment.codec, segment.extradata, bytes(next(segment.packets())))
