"""Stamps, sizes and key frames of all packets of a video, without reading the packets where an index lists them.

The index of an mp4 says everything unless pictures are reordered; other containers are read from end to end.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from episode_assets.video.mp4_boxes import has_composition_offsets, last_frame_ticks


class PacketList(NamedTuple):
    """The packets with content of one stream, in the order in which they are stored.

    Attributes:
        stamps: (N,) int64 presentation stamps in ticks.
        sizes: (N,) int64 bytes.
        is_key: (N,) bool.
        end: Largest stamp plus duration, in ticks; 0 where there is no packet.
    """

    stamps: NDArray[np.int64]
    sizes: NDArray[np.int64]
    is_key: NDArray[np.bool_]
    end: int


def packet_list(path: Path, container: Any, stream: Any) -> PacketList:
    """Return the packets of a stream of an opened file."""
    return _indexed(path, container, stream) or _read(container, stream)


def _indexed(path: Path, container: Any, stream: Any) -> PacketList | None:
    """Return what the index says; None where it says too little, or of bytes that the file does not have."""
    if "mp4" not in container.format.name.split(",") or has_composition_offsets(path):
        return None
    entries = _table((e.timestamp, e.size, e.is_keyframe, e.pos + e.size) for e in stream.index_entries)
    last_duration = last_frame_ticks(path)
    if not len(entries) or len(entries) != stream.frames or last_duration is None:
        return None
    stamps, sizes, is_key, ends = entries.T
    if not sizes.all() or ends.max() > path.stat().st_size or (np.diff(stamps) <= 0).any():
        return None
    return PacketList(stamps.copy(), sizes.copy(), is_key.astype(bool), int(stamps[-1]) + last_duration)


def _read(container: Any, stream: Any) -> PacketList:
    packets = _table(
        (packet.pts, packet.size, packet.is_keyframe, packet.pts + (packet.duration or 0))
        for packet in container.demux(stream)
        if packet.size and packet.pts is not None
    )
    stamps, sizes, is_key, ends = packets.T
    return PacketList(stamps.copy(), sizes.copy(), is_key.astype(bool), int(ends.max(initial=0)))


def _table(rows: Iterable[tuple[int, int, int, int]]) -> NDArray[np.int64]:
    """Return rows (N, 4) of numbers; a list of them would take six times the memory."""
    return np.fromiter(rows, np.dtype((np.int64, 4)))
