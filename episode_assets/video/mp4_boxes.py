"""What an mp4 says outside of its streams: where its index lies, what is in it, and how its picture is to be turned.

Boxes are those of ISO/IEC 14496-12. libav tells neither without decoding or a warning.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

_FOLDERS = (b"moov", b"trak", b"mdia", b"minf", b"stbl")
_TRACK_BYTES, _HANDLER_BYTES = 96, 12
_MATRIX_AT = {0: 40, 1: 52}
"""Where the matrix of a track header begins, by version of the box."""


class _Box(NamedTuple):
    name: bytes
    start: int
    stop: int


def is_faststart(path: Path) -> bool:
    """Return whether the index (`moov`) lies before the pictures (`mdat`); False for other files."""
    with path.open("rb") as file:
        names = (box.name for box in _boxes(file, 0, path.stat().st_size))
        return next((name == b"moov" for name in names if name in (b"moov", b"mdat")), False)


def rotation(path: Path) -> int:
    """Return by how many degrees clockwise players turn the video, 0 to 359; 0 for other files."""
    with path.open("rb") as file:
        header, turned = b"", 0
        for box in _nested(file, 0, path.stat().st_size):
            if box.name == b"tkhd":
                header = _read(file, box, _TRACK_BYTES)
            elif box.name == b"hdlr" and _read(file, box, _HANDLER_BYTES)[8:12] == b"vide":
                turned = _angle(header)
        return turned


def has_composition_offsets(path: Path) -> bool:
    """Return whether pictures of an mp4 are shown in another order or at other times than its index says."""
    with path.open("rb") as file:
        return any(box.name == b"ctts" for box in _nested(file, 0, path.stat().st_size))


def last_frame_ticks(path: Path) -> int | None:
    """Return how long the last frame of the first video track lasts, in its ticks; None for other files.

    The duration in a header need not be that of the frames.
    """
    with path.open("rb") as file:
        is_video = False
        for box in _nested(file, 0, path.stat().st_size):
            if box.name == b"hdlr":
                is_video = _read(file, box, _HANDLER_BYTES)[8:12] == b"vide"
            elif box.name == b"stts" and is_video:
                return _last_step(file, box)
    return None


def _last_step(file: BinaryIO, box: _Box) -> int | None:
    """Return the last step of a table of runs: version and flags, how many runs, then frames and step of each."""
    runs = int.from_bytes(_read(file, box, 8)[4:], "big")
    last = box.start + 8 * runs
    if not runs or last + 8 > box.stop:
        return None
    return int.from_bytes(_read(file, box._replace(start=last), 8)[4:], "big")


def _angle(header: bytes) -> int:
    at = _MATRIX_AT.get(header[0] if header else -1)
    if at is None or len(header) < at + 8:
        return 0
    a, b = (int.from_bytes(header[at + 4 * i : at + 4 * i + 4], "big", signed=True) for i in (0, 1))
    return round(math.degrees(math.atan2(b, a))) % 360


def _nested(file: BinaryIO, start: int, stop: int, *, depth: int = 0) -> Iterator[_Box]:
    """Yield the boxes of a file and those inside its index, no deeper than the tables of samples lie."""
    for box in _boxes(file, start, stop):
        yield box
        if depth < len(_FOLDERS) and box.name == _FOLDERS[depth]:
            yield from _nested(file, box.start, box.stop, depth=depth + 1)


def _boxes(file: BinaryIO, start: int, stop: int) -> Iterator[_Box]:
    """Yield the boxes between two positions; breaks off where a size cannot be."""
    while start + 8 <= stop:
        file.seek(start)
        head = file.read(16)
        size, content = int.from_bytes(head[:4], "big"), start + 8
        if size == 1:
            size, content = int.from_bytes(head[8:16], "big"), start + 16
        end = stop if size == 0 else start + size
        if not content <= end:
            return
        yield _Box(head[4:8], content, min(end, stop))
        start = end


def _read(file: BinaryIO, box: _Box, count: int) -> bytes:
    file.seek(box.start)
    return file.read(min(count, box.stop - box.start))
