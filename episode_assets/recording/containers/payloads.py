"""Payloads of single messages by the place where a scan found them.

Consecutive messages of one compressed chunk cost one unpacking.
"""

from __future__ import annotations

import sqlite3
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from types import TracebackType

from episode_assets.errors import BadRecording
from episode_assets.recording.containers.container import IN_FILE, IN_ROWS, PackedChunk
from episode_assets.recording.containers.source import Source
from episode_assets.recording.containers.sqlite_bag import open_database, read_row
from episode_assets.recording.containers.unpacking import ChunkRefusedError, unpack_again

_UNPACKED_CHUNKS_HELD = 2


class PayloadReader:
    """Reads payloads by place, and keeps the last two unpacked chunks; close it, or use it in a `with` block."""

    def __init__(self, source: Source, packed: Mapping[int, PackedChunk]) -> None:
        self._source = source
        self._packed = packed
        self._unpacked: OrderedDict[int, bytes | memoryview] = OrderedDict()
        self._database: sqlite3.Connection | None = None

    def get(self, chunk: int, offset: int, length: int) -> memoryview:
        """Return a payload.

        Args:
            chunk: Number of a compressed chunk, or one of the numbers of `container` for payloads in none.
            offset: Byte in the unpacked chunk; in the file, or the row id, for payloads in none.
            length: Size in bytes.

        Raises:
            BadRecording: The file is not the one that was scanned.
        """
        if chunk == IN_FILE:
            return memoryview(self._exactly(offset, length))
        if chunk == IN_ROWS:
            return memoryview(self._row(offset, length))
        if chunk not in self._unpacked:
            self._unpacked[chunk] = self._unpack(self._packed[chunk])
            while len(self._unpacked) > _UNPACKED_CHUNKS_HELD:
                self._unpacked.popitem(last=False)
        self._unpacked.move_to_end(chunk)
        return memoryview(self._unpacked[chunk])[offset : offset + length]

    def expect(self, places: Iterable[tuple[int, int, int]]) -> None:
        """Say which (chunk, offset, length) will be asked for, in that order: a remote file is read ahead of them."""
        self._source.expect(self._reads(places))

    def _reads(self, places: Iterable[tuple[int, int, int]]) -> Iterator[tuple[int, int]]:
        last = None
        for number, offset, length in places:
            if number == IN_FILE:
                yield offset, length
            elif number >= 0 and number != last:
                yield self._packed[number].offset, self._packed[number].packed_bytes
            last = number

    def close(self) -> None:
        """Close what the reader itself has opened; the source stays open."""
        if self._database is not None:
            self._database.close()
            self._database = None

    def __enter__(self) -> PayloadReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _unpack(self, chunk: PackedChunk) -> bytes | memoryview:
        data = self._exactly(chunk.offset, chunk.packed_bytes)
        try:
            return unpack_again(chunk.compression, data, chunk.unpacked_bytes)
        except ChunkRefusedError as error:
            raise BadRecording(
                f"chunk at offset {chunk.offset} changed since the scan: {error}", where=self._source.uri
            ) from error

    def _row(self, row_id: int, length: int) -> bytes | memoryview:
        if self._database is None:
            self._database = open_database(self._source)
        data = read_row(self._database, row_id, max_bytes=length)
        if data is None or len(data) != length:
            raise BadRecording(
                f"row {row_id} no longer holds the {length} bytes that it held when it was scanned",
                where=self._source.uri,
                remedy="register the recording again",
            )
        self._source.bytes_read += length
        return data

    def _exactly(self, offset: int, length: int) -> bytes:
        data = self._source.read_at(offset, length)
        if len(data) != length:
            raise BadRecording(
                f"{len(data)} of {length} bytes at offset {offset}: the file is shorter than when it was scanned",
                where=self._source.uri,
                remedy="register the recording again",
            )
        return data
