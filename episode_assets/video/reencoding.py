"""One video from another: encoded anew, trimmed if asked, and only copied where encoding would change nothing.

Pictures stay YUV and depth codes stay codes on their way. Several videos in one file belong in `concatenation`.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import NamedTuple

import numpy as np

from episode_assets.errors import BadConfig
from episode_assets.video.aside import Aside
from episode_assets.video.decoder import VideoDecoder
from episode_assets.video.encoder_config import RGBEncoderConfig
from episode_assets.video.encoding import resolved
from episode_assets.video.faults import FrameOutOfRange
from episode_assets.video.lookup import DEFAULT_TOLERANCE_S, Seconds, exact_time
from episode_assets.video.muxing import check_fps
from episode_assets.video.probing import VideoProbe, probe
from episode_assets.video.retiming import CopyClock, VideoSpan, check_copyable, constant_clock, copy_packets
from episode_assets.video.writing import VideoWriter

_CODECS = {"libsvtav1": "av1", "libaom-av1": "av1"}


class Trim(NamedTuple):
    """The part of a video that is kept, end excluded; None is the video's own begin or end.

    Either frame numbers or seconds on the video's own clock; a frame belongs to the part when its stamp does. A stamp
    within 0.1 ms of a border lies on it: seconds in floats are seldom the very stamps.
    """

    first_frame: int | None = None
    stop_frame: int | None = None
    start_s: Seconds | None = None
    stop_s: Seconds | None = None


class Reencoded(NamedTuple):
    """The new file, and whether its packets were copied because encoding would have changed nothing."""

    probe: VideoProbe
    is_copy: bool


def reencode(
    path: Path,
    out: Path,
    config: RGBEncoderConfig,
    *,
    trim: Trim | None = None,
    fps: int | None = None,
    encoded_with: RGBEncoderConfig | None = None,
    threads: int = 1,
    overwrite: bool = False,
) -> Reencoded:
    """Encode a video anew.

    Args:
        path: The video; of colour, or of depth codes where `config` is for those. Colour passes as 8-bit 4:2:0.
        out: The mp4 to write; there when it is whole. May be `path` itself with `overwrite`.
        config: How to encode.
        trim: What to keep; all of it if None.
        fps: Show frame i at exactly i / fps. Without it frames keep the distances of their stamps, the first at 0.
        encoded_with: How the source was encoded, if known (`config_from_info`). Where that is what `config` asks for
            and the part begins with a key frame, packets are copied.
        threads: Encoder threads; see `FrameEncoder`.
        overwrite: Whether an existing file is replaced.

    Raises:
        FrameOutOfRange: The trim holds no frame, or reaches beyond the video.
        BadVideo: The target exists, or the source is of depth and the configuration is not, or the other way round.
        UndecodableVideo: The source cannot be read.
        BadConfig: The encoder does not open, or a trim has both frames and seconds.
    """
    facts = probe(path)
    first, stop = _kept_frames(facts, trim or Trim(), where=path.name)
    span = VideoSpan(path, first, stop)
    config = resolved(config)
    if encoded_with == config and _is_copyable(facts, span, config):
        return Reencoded(_copied(span, facts, out, fps=fps, overwrite=overwrite), is_copy=True)
    time_base = None if fps is not None else facts.time_base
    with (
        VideoWriter(
            out, config, fps=fps, time_base=time_base, threads=threads, overwrite=overwrite
        ) as writer,
        VideoDecoder(path) as decoder,
    ):
        for number, frame in decoder.frames(np.arange(first, stop)):
            writer.add(frame, pts=None if fps is not None else int(facts.pts[number] - facts.pts[first]))
        return Reencoded(writer.finish(), is_copy=False)


def _kept_frames(facts: VideoProbe, trim: Trim, *, where: str) -> tuple[int, int]:
    has_frames = (trim.first_frame, trim.stop_frame) != (None, None)
    if has_frames and (trim.start_s, trim.stop_s) != (None, None):
        raise BadConfig("a trim has either frames or seconds")
    if has_frames:
        first = trim.first_frame or 0
        stop = facts.frames if trim.stop_frame is None else trim.stop_frame
    else:
        first = 0 if trim.start_s is None else _first_from(facts, trim.start_s, where)
        stop = facts.frames if trim.stop_s is None else _first_from(facts, trim.stop_s, where)
    if not 0 <= first < stop <= facts.frames:
        raise FrameOutOfRange(
            f"frames {first} to {stop} (end excluded) were asked for of {facts.frames}", where=where
        )
    return first, stop


def _first_from(facts: VideoProbe, time: Seconds, where: str) -> int:
    """Return the number of the first frame at a time, to within the tolerance, or after it."""
    ticks = math.ceil((exact_time(time, where) - DEFAULT_TOLERANCE_S) / facts.time_base)
    return int(np.searchsorted(facts.pts, ticks, side="left"))


def _is_copyable(facts: VideoProbe, span: VideoSpan, config: RGBEncoderConfig) -> bool:
    codec = _CODECS.get(config.vcodec, config.vcodec.partition("_")[0])
    return (
        (facts.codec, facts.pix_fmt) == (codec, config.pix_fmt)
        and span.first_frame in facts.key_frames
        and not facts.has_b_frames
    )


def _copied(span: VideoSpan, facts: VideoProbe, out: Path, *, fps: int | None, overwrite: bool) -> VideoProbe:
    clock = _kept_clock(span, facts) if fps is None else constant_clock(len(span), check_fps(fps))
    with Aside(out, overwrite=overwrite) as aside:
        found = copy_packets([span], check_copyable([span]), aside.path, clock, where=out.name)
        aside.publish()
    return found


def _kept_clock(span: VideoSpan, facts: VideoProbe) -> CopyClock:
    stamps = facts.pts[span.first_frame : span.last_frame_exclusive] - facts.pts[span.first_frame]
    end = facts.first_pts + int(facts.duration / facts.time_base)
    if span.last_frame_exclusive < facts.frames:
        end = int(facts.pts[span.last_frame_exclusive])
    last_duration = max(end - int(facts.pts[span.last_frame_exclusive - 1]), 1)
    return CopyClock(stamps, facts.time_base, last_duration, timescale=facts.time_base.denominator)
