"""Whole videos one after another in one file, by stream copy.

Nothing is encoded, everything is checked before the first byte, and pictures on both sides of each seam are compared
with their sources. Parts of videos at a constant rate belong in `retiming`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import reduce
from math import gcd
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from episode_assets.errors import BadVideo
from episode_assets.video.aside import Aside
from episode_assets.video.decoder import VideoDecoder
from episode_assets.video.faults import UndecodableVideo
from episode_assets.video.muxing import check_fps
from episode_assets.video.probing import VideoProbe
from episode_assets.video.retiming import CopyClock, VideoSpan, check_copyable, constant_clock, copy_packets


def concatenate(
    paths: Sequence[Path], out: Path, *, fps: int | None = None, overwrite: bool = False
) -> VideoProbe:
    """Write whole videos one after another.

    Args:
        paths: The videos, in order; the same one may come again.
        out: The mp4 to write; there when it is whole, and before that nothing is.
        fps: Show frame i at exactly i / fps. Without it every video keeps its own stamps, and the next begins when the
            last frame of the one before has lasted its time.
        overwrite: Whether an existing file is replaced.

    Returns:
        The probe of the finished file.

    Raises:
        ParameterSetMismatch: A video differs from the first in what an mp4 keeps once: codec, profile, level, size,
            pixel format, colours, pixel aspect, rotation, parameter sets. A copy would show wrong pictures.
        NotOnKeyFrame: A video does not begin with a key frame.
        BadVideo: No video, reordered frames, a target that exists, or pictures at a seam that are not their source's.
        UndecodableVideo: A video cannot be read.
    """
    with Aside(out, overwrite=overwrite) as aside:
        probes = check_copyable([VideoSpan(path, 0, 1) for path in paths])
        spans = [VideoSpan(path, 0, probes[path].frames) for path in paths]
        frames = sum(map(len, spans))
        clock = _kept_clock(paths, probes) if fps is None else constant_clock(frames, check_fps(fps))
        copied = copy_packets(spans, probes, aside.path, clock, where=out.name)
        _check_seams(spans, aside.path, where=out.name)
        aside.publish()
    return copied


def _kept_clock(paths: Sequence[Path], probes: Mapping[Path, VideoProbe]) -> CopyClock:
    """Return stamps in ticks that measure every video exactly."""
    lengths = [probes[path].time_base for path in paths] + [probes[path].duration for path in paths]
    tick = reduce(_common_measure, lengths)
    begin, stamps = 0, []
    for path in paths:
        found = probes[path]
        stamps.append(begin + (found.pts - found.first_pts) * int(found.time_base / tick))
        begin += int(found.duration / tick)
    joined = np.concatenate(stamps)
    return CopyClock(joined, tick, last_duration=begin - int(joined[-1]), timescale=tick.denominator)


def _common_measure(one: Fraction, other: Fraction) -> Fraction:
    """Return the largest fraction of which both are whole multiples."""
    return Fraction(
        gcd(one.numerator * other.denominator, other.numerator * one.denominator),
        one.denominator * other.denominator,
    )


def _check_seams(spans: Sequence[VideoSpan], copied: Path, *, where: str) -> None:
    """Compare the first and last picture of every video with the copy."""
    begin = 0
    with VideoDecoder(copied) as after:
        for span in spans:
            numbers = np.array([0, len(span) - 1])
            with VideoDecoder(span.path) as before:
                expected = _pictures(before, numbers)
            try:
                found = _pictures(after, begin + numbers)
            except UndecodableVideo as error:
                raise BadVideo(
                    f"{span.path.name} does not decode after copying ({error.what})", where=where
                ) from error
            for number, pair in enumerate(zip(expected, found, strict=True)):
                if not np.array_equal(*pair):
                    raise BadVideo(
                        f"picture {numbers[number]} of {span.path.name} is another one after copying",
                        where=where,
                    )
            begin += len(span)


def _pictures(decoder: VideoDecoder, numbers: NDArray[np.int64]) -> list[NDArray[np.generic]]:
    return [frame.to_ndarray() for _, frame in decoder.frames(numbers)]
