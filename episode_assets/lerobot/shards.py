"""Which episode lies in which file: numbers of chunks and files, and when a file is closed. Arithmetic only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

MIB = 1024 * 1024
# Readers compare times as float32, whose spacing above 1024 s exceeds their tolerance of 0.1 ms.
VIDEO_SECONDS_MAX = 1024


@dataclass(frozen=True)
class FilePlace:
    """A file by chunk and number, as the format counts them."""

    chunk: int
    file: int

    def following(self, *, chunks_size: int) -> FilePlace:
        """Return the place after this one."""
        if self.file + 1 < chunks_size:
            return FilePlace(self.chunk, self.file + 1)
        return FilePlace(self.chunk + 1, 0)

    def path(self, folder: str, suffix: str) -> str:
        """Return the path below the dataset's root."""
        return f"{folder}/chunk-{self.chunk:03d}/file-{self.file:03d}.{suffix}"


@dataclass(frozen=True)
class VideoPart:
    """What one episode brings to a video file: frames, bytes, and the digest of its parameter sets."""

    frames: int
    size: int
    parameters: str


@dataclass(frozen=True)
class VideoPlace:
    """Where an episode's frames lie: the file and the number of the first frame in it."""

    place: FilePlace
    first_frame: int


def place_videos(
    parts: Sequence[VideoPart], *, fps: int, limit_mib: int, chunks_size: int
) -> tuple[VideoPlace, ...]:
    """Return the place of every episode's video, in order.

    A file is closed before an episode that would reach the size limit or carry it past 1024 s, and where the
    parameter sets of the stream change, because a copy keeps only one set per file. An episode alone in its file
    may be of any size and length.
    """
    places: list[VideoPlace] = []
    place, frames, size = FilePlace(0, 0), 0, 0
    for i, part in enumerate(parts):
        is_full = size + part.size >= limit_mib * MIB or frames + part.frames > VIDEO_SECONDS_MAX * fps
        if frames and (is_full or part.parameters != parts[i - 1].parameters):
            place, frames, size = place.following(chunks_size=chunks_size), 0, 0
        places.append(VideoPlace(place, frames))
        frames, size = frames + part.frames, size + part.size
    return tuple(places)


def place_tables(sizes: Sequence[int], *, limit_mib: int, chunks_size: int) -> tuple[FilePlace, ...]:
    """Return the file of every episode's rows, in order.

    Decided by sizes that are known before anything is written, so that a longer list of episodes leaves the places of
    its beginning as they are.

    Args:
        sizes: Bytes of every episode before compression.
        limit_mib: A file is closed before an episode with which it would reach this size.
        chunks_size: Files per chunk folder.
    """
    places: list[FilePlace] = []
    place, filled = FilePlace(0, 0), 0
    for size in sizes:
        if filled and filled + size >= limit_mib * MIB:
            place, filled = place.following(chunks_size=chunks_size), 0
        places.append(place)
        filled += size
    return tuple(places)
