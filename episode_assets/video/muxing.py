"""Packets into an mp4 whose bytes depend on the packets and stamps alone, beside the target until it is whole.

Which packets, and with which stamps, is decided in `joining`, `retiming` and `writing`.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from episode_assets.errors import BadConfig, BadVideo
from episode_assets.video.probing import VideoProbe, probe

TICKS_PER_FRAME = 512
"""An mp4 of constant rate counts 512 ticks per frame, as FFmpeg itself chooses for common rates."""

_RAW_DEMUXERS = {"h264": "h264", "hevc": "hevc", "av1": "obu"}


@contextmanager
def muxer(out: Path, *, timescale: int) -> Iterator[Any]:
    """Open an mp4 for stream copy: index first, no edit list, nothing in it that differs between runs."""
    options = {
        "movflags": "+faststart",
        "fflags": "+bitexact",
        "use_editlist": "0",
        "video_track_timescale": str(timescale),
        "movie_timescale": str(timescale),
    }
    with av.open(str(out), "w", format="mp4", options=options) as container:
        yield container


@contextmanager
def stream_template(codec: str, extradata: bytes, first_packet: bytes) -> Iterator[Any]:
    """Yield a stream with the codec parameters of encoded frames, by demuxing the first packet from memory.

    Raises:
        BadVideo: The codec has no form outside of a file.
    """
    if codec not in _RAW_DEMUXERS:
        raise BadVideo(f"codec {codec} cannot be put into an mp4 here; h264, hevc and av1 can")
    with av.open(io.BytesIO(extradata + first_packet), format=_RAW_DEMUXERS[codec]) as container:
        yield container.streams.video[0]


def check_written(path: Path, stamps: NDArray[np.int64], tick: Fraction, *, where: str) -> VideoProbe:
    """Return the probe of a file that was just written, once it holds every frame with its stamp.

    Args:
        path: The file.
        stamps: What each frame was given, (F,) int64 ticks.
        tick: Seconds per tick.
        where: The file's final name, for the message.

    Raises:
        BadVideo: Frames are missing or have other stamps.
    """
    found = probe(path)
    scale = tick / found.time_base
    if not np.array_equal(found.pts * scale.denominator, stamps * scale.numerator):
        raise BadVideo(
            f"{len(stamps)} frames were given and {found.frames} written, or with other stamps", where=where
        )
    return found


def check_fps(fps: object) -> int:
    """Return a rate that a file can have.

    Raises:
        BadConfig: It is not a whole number of at least 1.
    """
    if isinstance(fps, bool) or not isinstance(fps, int) or fps < 1:
        raise BadConfig(f"fps must be a whole number of at least 1, got {fps!r}")
    return fps
