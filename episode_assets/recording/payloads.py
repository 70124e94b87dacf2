"""Payloads of single messages by the place where a scan found them.

Consecutive messages of one compressed chunk cost one unpacking.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping

from episode_assets.errors import BadRecording
from episode_assets.recording.container import IN_FILE, PackedChunk
from episode_assets.recording.source import Source
from episode_assets.recording.unpacking import ChunkRefusedError, unpack

_UNPACKED_CHUNKS_HELD = 2


class PayloadReader:
    """Reads payloads by place, and keeps the last two unpacked chunks."""

    def __init__(self, source: Source, packed: Mapping[int, PackedChunk]) -> None:
        self._source = source
        self._packed = packed
        self._unpacked: OrderedDict[int, bytes | memoryview] = OrderedDict()

    def get(self, chunk: int, offset: int, length: int) -> memoryview:
        """Return a payload; `offset` counts in the file for chunk -1, else in the unpacked chunk."""
        if chunk == IN_FILE:
            return memoryview(self._exactly(offset, length))
        if chunk not in self._unpacked:
            self._unpacked[chunk] = self._unpack(self._packed[chunk])
            while len(self._unpacked) > _UNPACKED_CHUNKS_HELD:
                self._unpacked.popitem(last=False)
        self._unpacked.move_to_end(chunk)
        return memoryview(self._unpacked[chunk])[offset : offset + length]

    def _unpack(self, chunk: PackedChunk) -> bytes | memoryview:
        data = self._exactly(chunk.offset, chunk.packed_bytes)
        try:
            return unpack(chunk.compression, data, chunk.unpacked_bytes)
        except ChunkRefusedError as error:
            raise BadRecording(
                f"chunk at offset {chunk.offset} changed since the scan: {error}", where=self._source.uri
            ) from error

    def _exactly(self, offset: int, length: int) -> bytes:
        data = self._source.read_at(offset, length)
        if len(data) != length:
            raise BadRecording(
                f"{len(data)} of {length} bytes at offset {offset}: the file is shorter than when it was scanned",
                where=self._source.uri,
                remedy="register the recording again",
            )
        return data
