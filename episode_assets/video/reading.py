"""Reading pictures of a video by frame number, one group of pictures at a time.

Memory holds one picture, whatever is asked for. Facts that need no decoding belong in `probing`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from episode_assets.video.faults import FrameOutOfRange, UndecodableVideo
from episode_assets.video.picture import Picture, picture_of
from episode_assets.video.probing import VideoProbe, opened, probe
from episode_assets.video.segments import STRICT_DECODING


def decode_frames(path: Path, indices: Sequence[int] | None = None) -> Iterator[tuple[int, Picture]]:
    """Decode frames by number.

    Args:
        path: The video (8-bit 4:2:0).
        indices: Frame numbers in presentation order, in any order and with repeats; all frames if None.

    Yields:
        (frame number, picture) in increasing order, each number once. Only the groups of pictures that hold a
        wanted frame are decoded.

    Raises:
        FrameOutOfRange: A number lies outside the video.
        UndecodableVideo: The file cannot be read, or a picture does not decode.
    """
    frames = decode_raw_frames(path, indices, ("yuv420p", "yuvj420p"))
    return ((index, picture_of(frame)) for index, frame in frames)


def decode_raw_frames(
    path: Path, indices: Sequence[int] | None, formats: Sequence[str]
) -> Iterator[tuple[int, Any]]:
    """Decode frames by number like `decode_frames`, and leave them as libav's own.

    Raises:
        FrameOutOfRange: A number lies outside the video.
        UndecodableVideo: The file cannot be read, has another pixel format, or a frame does not decode.
    """
    facts = probe(path)
    wanted = checked_numbers(facts, indices, where=path.name)
    if facts.pix_fmt not in formats:
        raise UndecodableVideo(f"pixel format {facts.pix_fmt} is not {' or '.join(formats)}", where=path.name)
    return _decode(path, facts, wanted)


def checked_numbers(
    facts: VideoProbe, indices: Sequence[int] | NDArray[np.int64] | None, *, where: str
) -> NDArray[np.int64]:
    """Return frame numbers in increasing order, each once; all of them for None.

    Raises:
        FrameOutOfRange: A number lies outside the video.
        UndecodableVideo: Frames cannot be told apart, because two have the same stamp.
    """
    same = np.flatnonzero(np.diff(facts.pts) == 0)
    if len(same):
        raise UndecodableVideo(f"frames {same[0]} and {same[0] + 1} have the same stamp", where=where)
    wanted = np.arange(facts.frames) if indices is None else np.unique(np.asarray(indices, np.int64))
    outside = wanted[(wanted < 0) | (wanted >= facts.frames)]
    if len(outside):
        raise FrameOutOfRange(f"frame {int(outside[0])} of a video of {facts.frames} frames", where=where)
    return wanted


def _decode(path: Path, facts: VideoProbe, wanted: NDArray[np.int64]) -> Iterator[tuple[int, Any]]:
    with opened(path) as (container, stream):
        prepare(stream)
        yield from decode_wanted(container, stream, facts, wanted, where=path.name)


def prepare(stream: Any) -> None:
    """Set up the decoder of a stream: one thread, and damage is an error instead of grey."""
    stream.codec_context.thread_count = 1
    stream.codec_context.options = STRICT_DECODING


def decode_wanted(
    container: Any, stream: Any, facts: VideoProbe, wanted: NDArray[np.int64], *, where: str
) -> Iterator[tuple[int, Any]]:
    """Decode frames of an open file by number, in increasing order; only the groups that hold one are decoded.

    Raises:
        UndecodableVideo: A frame does not decode.
    """
    for run in _runs(wanted, facts.key_frames):
        yield from _decode_run(where, container, stream, facts, run)


def _runs(wanted: NDArray[np.int64], key_frames: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Split the wanted frames where decoding on would pass over a whole group in which nothing is wanted."""
    group = np.searchsorted(key_frames, wanted, side="right")
    cuts = np.flatnonzero(np.diff(group) > 1) + 1
    return [run for run in np.split(wanted, cuts) if len(run)]


def _decode_run(
    where: str, container: Any, stream: Any, facts: VideoProbe, run: NDArray[np.int64]
) -> Iterator[tuple[int, Any]]:
    container.seek(int(facts.pts[run[0]]), stream=stream, backward=True)
    left = list(run[::-1])
    for frame in container.decode(stream):
        index = int(np.searchsorted(facts.pts, frame.pts))
        if index > left[-1]:
            break
        if index == left[-1]:
            yield int(left.pop()), frame
        if not left:
            return
    raise UndecodableVideo(f"frame {int(left[-1])} does not decode", where=where)
