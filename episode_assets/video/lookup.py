"""Pictures of a video by time: which frame a time means, exactly, and the arrays of those frames.

Times are compared as ratios of whole numbers, so no rounding decides. Frames by number belong in `reading`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from episode_assets.errors import BadConfig, BadVideo
from episode_assets.video.conversion import picture_from
from episode_assets.video.decoder import VideoDecoder
from episode_assets.video.decoder_cache import DecoderCache
from episode_assets.video.depth_frames import DEPTH_PIX_FMT, codes_of_frame
from episode_assets.video.faults import FrameTimestampError, UndecodableVideo
from episode_assets.video.picture import LIMITED_RANGE
from episode_assets.video.probing import VideoProbe
from episode_assets.video.rgb import frame_to_rgb

Seconds: TypeAlias = float | Fraction
"""A time or a distance in seconds. A float is the very number it holds; a tolerance, the decimal that it prints as."""

Output: TypeAlias = Literal["rgb24", "yuv420p", "gray12le"]
"""`rgb24`: (H, W, 3) uint8 full range. `yuv420p`: (H * 3 / 2, W) uint8, limited range BT.601, the planes one below the
other (I420). `gray12le`: (H, W) uint16 depth codes; see `DepthCoder`."""

DEFAULT_TOLERANCE_S = Fraction(1, 10_000)
"""What LeRobot's datasets allow."""


def decode_at(
    path: Path,
    timestamps: Sequence[Seconds],
    *,
    tolerance_s: Seconds = DEFAULT_TOLERANCE_S,
    output: Output = "rgb24",
    as_float: bool = False,
    cache: DecoderCache | None = None,
) -> NDArray[Any]:
    """Return the pictures nearest to some times of a video.

    Args:
        path: The video; constant rate or not.
        timestamps: Seconds on the video's own clock, in any order, with repeats or none at all.
        tolerance_s: How far a frame may lie from its query, inclusive; 0 or more.
        output: What is returned of each picture.
        as_float: float32 in 0..1 instead of uint8; not for depth codes.
        cache: Keeps the video open for the next call; without it the file is opened and closed.

    Returns:
        (N, *picture), in the order of the queries. Memory holds these and one picture more.

    Raises:
        FrameTimestampError: No frame lies near enough to a query; before anything is decoded.
        UndecodableVideo: The file cannot be read, is no depth video but codes were asked for, or a frame does not
            decode.
        BadConfig: The output or the tolerance is not one.
    """
    _check_output(output, as_float=as_float)
    with _leased(path, cache) as decoder:
        numbers = nearest_frames(decoder.facts, timestamps, tolerance_s=tolerance_s, where=path.name)
        found: NDArray[Any] | None = None
        for number, picture in _pictures(decoder, numbers, output):
            if found is None:
                found = np.empty((len(numbers), *picture.shape), np.float32 if as_float else picture.dtype)
            found[numbers == number] = picture / np.float32(255) if as_float else picture
        return _nothing(decoder, output, as_float=as_float) if found is None else found


def iterate_at(
    path: Path,
    timestamps: Sequence[Seconds],
    *,
    tolerance_s: Seconds = DEFAULT_TOLERANCE_S,
    output: Output = "rgb24",
    cache: DecoderCache | None = None,
) -> Iterator[tuple[int, NDArray[Any]]]:
    """Yield (position of the query, picture) in the order of the video; memory holds one picture.

    Arguments and errors are those of `decode_at`; a picture that several queries mean comes once for each.
    """
    _check_output(output, as_float=False)
    with _leased(path, cache) as decoder:
        numbers = nearest_frames(decoder.facts, timestamps, tolerance_s=tolerance_s, where=path.name)
        for number, picture in _pictures(decoder, numbers, output):
            for position in np.flatnonzero(numbers == number):
                yield int(position), picture


def nearest_frames(
    facts: VideoProbe, timestamps: Iterable[Seconds], *, tolerance_s: Seconds, where: str
) -> NDArray[np.int64]:
    """Return the number of the frame nearest to each time, (N,) int64; of two equally near ones the earlier.

    Raises:
        FrameTimestampError: A frame lies farther away than the tolerance.
        BadVideo: A time is not finite.
        BadConfig: The tolerance is negative or no number.
    """
    tolerance = _tolerance(tolerance_s)
    queries = [exact_time(time, where) for time in timestamps]
    return np.asarray([_nearest(facts, query, tolerance, where) for query in queries], np.int64)


def _nearest(facts: VideoProbe, query: Fraction, tolerance: Fraction, where: str) -> int:
    after = int(np.searchsorted(facts.pts, math.floor(query / facts.time_base), side="right"))
    neighbours = [number for number in (after - 1, after) if 0 <= number < facts.frames]
    times = {number: int(facts.pts[number]) * facts.time_base for number in neighbours}
    best = min(neighbours, key=lambda number: abs(times[number] - query))
    if abs(times[best] - query) > tolerance:
        raise FrameTimestampError(
            where=where, query_s=query, frame=best, frame_s=times[best], tolerance_s=tolerance
        )
    return best


def exact_time(time: Seconds, where: str) -> Fraction:
    """Return a time as a ratio of whole numbers.

    Raises:
        BadVideo: It is not finite.
    """
    if not math.isfinite(time):
        raise BadVideo(f"a frame was asked for at {time} s", where=where)
    return Fraction(time) if isinstance(time, Fraction | int) else Fraction(float(time))


def _tolerance(tolerance_s: Seconds) -> Fraction:
    if isinstance(tolerance_s, bool) or not math.isfinite(tolerance_s) or tolerance_s < 0:
        raise BadConfig(f"tolerance_s must be 0 or more, got {tolerance_s!r}")
    return tolerance_s if isinstance(tolerance_s, Fraction) else Fraction(repr(float(tolerance_s)))


def _leased(path: Path, cache: DecoderCache | None) -> AbstractContextManager[VideoDecoder]:
    return VideoDecoder(path) if cache is None else cache.lease(path)


def _pictures(
    decoder: VideoDecoder, numbers: NDArray[np.int64], output: Output
) -> Iterator[tuple[int, NDArray[Any]]]:
    is_depth = decoder.facts.pix_fmt == DEPTH_PIX_FMT
    if (output == DEPTH_PIX_FMT) != is_depth:
        raise UndecodableVideo(
            f"{output} was asked for and the video is {decoder.facts.pix_fmt}", where=decoder.path.name
        )
    return ((number, _as_output(frame, output)) for number, frame in decoder.frames(numbers))


def _as_output(frame: Any, output: Output) -> NDArray[Any]:
    if output == "gray12le":
        return codes_of_frame(frame)
    if output == "rgb24":
        return frame_to_rgb(frame)
    picture = picture_from(frame, unstated_range=LIMITED_RANGE)
    planes = np.concatenate([picture.y.ravel(), picture.u.ravel(), picture.v.ravel()])
    return planes.reshape(picture.height * 3 // 2, picture.width)


def _nothing(decoder: VideoDecoder, output: Output, *, as_float: bool) -> NDArray[Any]:
    width, height = decoder.facts.width, decoder.facts.height
    shapes = {"rgb24": (height, width, 3), "yuv420p": (height * 3 // 2, width), "gray12le": (height, width)}
    depth_or_colour = np.uint16 if output == "gray12le" else np.uint8
    return np.empty((0, *shapes[output]), np.float32 if as_float else depth_or_colour)


def _check_output(output: str, *, as_float: bool) -> None:
    if output not in ("rgb24", "yuv420p", "gray12le"):
        raise BadConfig(f"output must be rgb24, yuv420p or gray12le, got {output!r}")
    if as_float and output == "gray12le":
        raise BadConfig("depth codes are whole numbers; turn them into metres with DepthCoder.depth")
