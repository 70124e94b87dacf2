"""Writes the MCAP container the way the phone app does.

All schemas and channels come before the first chunk, chunks are uncompressed and followed by their message indexes,
every CRC is 0 (not computed), one running sequence number spans all topics, and the metadata record comes at the end.
Message payloads are made in `messages`.
"""

from __future__ import annotations

import struct
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import BinaryIO

MAGIC = b"\x89MCAP0\r\n"
CHUNK_BYTES = 524_288
FLUSH_NS = 500_000_000

_HEADER, _FOOTER, _SCHEMA, _CHANNEL, _MESSAGE, _CHUNK, _MESSAGE_INDEX, _CHUNK_INDEX = range(1, 9)
_STATISTICS, _METADATA, _METADATA_INDEX, _SUMMARY_OFFSET, _DATA_END = 0x0B, 0x0C, 0x0D, 0x0E, 0x0F


@dataclass
class _OpenChunk:
    records: bytearray = field(default_factory=bytearray)
    index: dict[int, list[tuple[int, int]]] = field(default_factory=lambda: defaultdict(list))
    first_ns: int = 0
    last_ns: int = 0
    opened_ns: int = 0


class McapFile:
    """An MCAP file being written to a binary stream. Call `close` to finish it."""

    def __init__(self, stream: BinaryIO, *, profile: str, library: str) -> None:
        self._stream = stream
        self._position = 0
        self._sequence = 0
        self._definitions: list[tuple[int, bytes]] = []
        self._schema_count = 0
        self._counts: dict[int, int] = {}
        self._span_ns: tuple[int, int] | None = None
        self._chunk = _OpenChunk()
        self._chunk_indexes: list[bytes] = []
        self._metadata_indexes: list[bytes] = []
        self._write(MAGIC)
        self._record(_HEADER, _text(profile) + _text(library))

    def add_schema(self, name: str, text: str) -> int:
        """Write a ros2msg schema record and give its id."""
        self._schema_count += 1
        encoded = text.encode()
        body = struct.pack("<H", self._schema_count) + _text(name) + _text("ros2msg")
        self._define(_SCHEMA, body + struct.pack("<I", len(encoded)) + encoded)
        return self._schema_count

    def add_channel(self, topic: str, schema_id: int) -> int:
        """Write a channel record for CDR messages and give its id."""
        channel_id = len(self._counts) + 1
        self._counts[channel_id] = 0
        body = struct.pack("<HH", channel_id, schema_id) + _text(topic) + _text("cdr") + struct.pack("<I", 0)
        self._define(_CHANNEL, body)
        return channel_id

    def add_message(self, channel_id: int, stamp_ns: int, payload: bytes) -> None:
        """Append a message to the open chunk; log and publish time are the stamp."""
        chunk = self._chunk
        if not chunk.records:
            chunk.first_ns = chunk.last_ns = chunk.opened_ns = stamp_ns
        chunk.first_ns = min(chunk.first_ns, stamp_ns)
        chunk.last_ns = max(chunk.last_ns, stamp_ns)
        chunk.index[channel_id].append((stamp_ns, len(chunk.records)))
        body = struct.pack("<HIQQ", channel_id, self._sequence, stamp_ns, stamp_ns)
        chunk.records += struct.pack("<BQ", _MESSAGE, len(body) + len(payload)) + body + payload
        self._sequence += 1
        self._counts[channel_id] += 1
        if len(chunk.records) >= CHUNK_BYTES or stamp_ns - chunk.opened_ns >= FLUSH_NS:
            self._close_chunk()

    def add_metadata(self, name: str, entries: Mapping[str, str]) -> None:
        """Write a metadata record outside any chunk."""
        self._close_chunk()
        pairs = b"".join(_text(key) + _text(value) for key, value in entries.items())
        body = _text(name) + struct.pack("<I", len(pairs)) + pairs
        start = self._position
        self._record(_METADATA, body)
        self._metadata_indexes.append(struct.pack("<QQ", start, self._position - start) + _text(name))

    def close(self) -> None:
        """Write the end of the data, the summary and the footer."""
        self._close_chunk()
        self._record(_DATA_END, struct.pack("<I", 0))
        summary_start = self._position
        groups = [
            (_SCHEMA, [body for kind, body in self._definitions if kind == _SCHEMA]),
            (_CHANNEL, [body for kind, body in self._definitions if kind == _CHANNEL]),
            (_CHUNK_INDEX, self._chunk_indexes),
            (_METADATA_INDEX, self._metadata_indexes),
            (_STATISTICS, [self._statistics()]),
        ]
        offsets = []
        for kind, bodies in groups:
            start = self._position
            for body in bodies:
                self._record(kind, body)
            if bodies:
                offsets.append(struct.pack("<BQQ", kind, start, self._position - start))
        offset_start = self._position
        for body in offsets:
            self._record(_SUMMARY_OFFSET, body)
        self._record(_FOOTER, struct.pack("<QQI", summary_start, offset_start, 0))
        self._write(MAGIC)

    def _define(self, kind: int, body: bytes) -> None:
        self._definitions.append((kind, body))
        self._record(kind, body)

    def _close_chunk(self) -> None:
        chunk = self._chunk
        if not chunk.records:
            return
        start = self._position
        head = struct.pack("<QQQI", chunk.first_ns, chunk.last_ns, len(chunk.records), 0) + _text("")
        self._record(_CHUNK, head + struct.pack("<Q", len(chunk.records)), chunk.records)
        index_start = self._position
        offsets = b""
        for channel_id, entries in chunk.index.items():
            offsets += struct.pack("<HQ", channel_id, self._position)
            packed = b"".join(struct.pack("<QQ", *entry) for entry in entries)
            self._record(_MESSAGE_INDEX, struct.pack("<HI", channel_id, len(packed)) + packed)
        self._chunk_indexes.append(
            struct.pack("<QQQQ", chunk.first_ns, chunk.last_ns, start, index_start - start)
            + struct.pack("<I", len(offsets))
            + offsets
            + struct.pack("<Q", self._position - index_start)
            + _text("")
            + struct.pack("<QQ", len(chunk.records), len(chunk.records))
        )
        first, last = self._span_ns or (chunk.first_ns, chunk.last_ns)
        self._span_ns = (min(first, chunk.first_ns), max(last, chunk.last_ns))
        self._chunk = _OpenChunk()

    def _statistics(self) -> bytes:
        first, last = self._span_ns or (0, 0)
        counts = b"".join(struct.pack("<HQ", key, value) for key, value in self._counts.items())
        return (
            struct.pack("<QHI", self._sequence, self._schema_count, len(self._counts))
            + struct.pack("<III", 0, len(self._metadata_indexes), len(self._chunk_indexes))
            + struct.pack("<QQI", first, last, len(counts))
            + counts
        )

    def _record(self, kind: int, *parts: bytes | bytearray) -> None:
        self._write(struct.pack("<BQ", kind, sum(len(part) for part in parts)))
        for part in parts:
            self._write(part)

    def _write(self, data: bytes | bytearray) -> None:
        self._stream.write(data)
        self._position += len(data)


def _text(value: str) -> bytes:
    encoded = value.encode()
    return struct.pack("<I", len(encoded)) + encoded
