"""The ways in which pictures and videos fail, by name.

    BadVideo
    ├── UndecodablePicture      one picture's bytes do not decode
    ├── UndecodableVideo        a video file or segment cannot be opened, or breaks off
    ├── ParameterSetMismatch    videos that a stream copy would join were encoded with different headers
    ├── NotOnKeyFrame           a stream copy was asked to begin between two key frames
    └── FrameOutOfRange         a frame was asked for that the video does not hold

Nothing of PyAV's own error classes leaves this room; `named_failures` is the one place of translation.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

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
