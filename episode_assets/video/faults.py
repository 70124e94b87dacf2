"""The ways in which pictures and videos fail, by name.

    BadVideo
    ├── UndecodablePicture      one picture's bytes do not decode
    ├── UndecodableVideo        a video file or segment cannot be opened, or breaks off
    ├── ParameterSetMismatch    videos that a stream copy would join were encoded with different headers
    ├── NotOnKeyFrame           a stream copy was asked to begin between two key frames
    ├── FrameOutOfRange         a frame was asked for that the video does not hold
    └── FrameTimestampError     no frame lies near enough to a time that was asked for (also a ValueError)

Nothing of PyAV's own error classes leaves this room; `named_failures` is the one place of translation.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from functools import partial

import av

from episode_assets.errors import BadVideo, DiskFull


class UndecodablePicture(BadVideo):
    """The bytes of one picture are cut off, mangled, or in a format that is not known here."""


class UndecodableVideo(BadVideo):
    """A video file or segment cannot be opened, or its pictures break off."""


class ParameterSetMismatch(BadVideo):
    """Videos differ in the header that an mp4 keeps once; joined, they would silently show wrong pictures."""


class NotOnKeyFrame(BadVideo):
    """A stream copy can begin only at a key frame, and this span does not."""


class FrameOutOfRange(BadVideo):
    """A frame was asked for that the video does not hold."""


class FrameTimestampError(BadVideo, ValueError):
    """No frame lies within the tolerance of a time that was asked for.

    Args:
        where: Name of the video.
        query_s: The time that was asked for, seconds.
        frame: Number of the nearest frame.
        frame_s: Its time, seconds.
        tolerance_s: How far it may lie from the query, seconds.
    """

    def __init__(
        self, *, where: str, query_s: Fraction, frame: int, frame_s: Fraction, tolerance_s: Fraction
    ) -> None:
        self.query_s, self.frame, self.frame_s, self.tolerance_s = query_s, frame, frame_s, tolerance_s
        distance_s = abs(query_s - frame_s)
        super().__init__(
            f"no frame at {float(query_s):.9g} s: the nearest, number {frame}, lies at {float(frame_s):.9g} s, "
            f"{float(distance_s):.6g} s away, and {float(tolerance_s):.6g} s are allowed",
            where=where,
            remedy="ask for the times of frames, or allow a larger tolerance",
        )

    def __reduce__(self) -> tuple[object, ...]:
        named = {
            name: getattr(self, name) for name in ("where", "query_s", "frame", "frame_s", "tolerance_s")
        }
        return (partial(type(self), **named), ())


@contextmanager
def named_failures(what: str, *, where: str, kind: type[BadVideo] = UndecodableVideo) -> Iterator[None]:
    """Turn what libav and the file system raise inside the block into `kind`; a full disk into `DiskFull`."""
    try:
        yield
    except (av.FFmpegError, OSError, EOFError, UnicodeDecodeError) as error:
        if getattr(error, "errno", None) == errno.ENOSPC:
            raise DiskFull(
                f"{what}: no space left on the device", where=where, remedy="free some space and run again"
            ) from error
        raise kind(f"{what} ({_reason(error)})", where=where) from error


def _reason(error: BaseException) -> str:
    log = getattr(error, "log", None)
    text = str(getattr(error, "strerror", None) or error)
    return f"{text}: {log[2].strip()}" if log else text
