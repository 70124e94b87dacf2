"""Packets into an mp4 whose bytes depend on the packets and stamps alone, beside the target until it is whole.

Which packets, and with which stamps, is decided in `joining`, `retiming` and `writing`.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import av

from episode_assets.errors import BadVideo

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
