"""The records of a ROS 1 bag (version 2.0), from bytes: header fields, connections, chunk heads.

A record is a header of `name=value` fields and its data, each behind a length of four bytes. The walk over them is
in `bag`.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from typing import NamedTuple

BAG_MAGIC = b"#ROSBAG V2.0\n"

OP_MESSAGE, OP_BAG, OP_INDEX, OP_CHUNK, OP_CHUNK_INFO, OP_CONNECTION = 2, 3, 4, 5, 6, 7

LARGEST_HEADER_BYTES = 1 << 16
"""Headers hold a topic name at most: a longer one is damage."""

LARGEST_CHUNK_HEAD_BYTES = 128

LENGTH = struct.Struct("<I")
_POSITION = struct.Struct("<Q")
_TIME = struct.Struct("<II")
_S = 1_000_000_000


class BagRecordError(ValueError):
    """A header does not parse; a signal inside this room."""


class BagHeader(NamedTuple):
    """What the first record says; `index_pos` is 0 in a bag that was not closed."""

    index_pos: int
    connections: int
    chunks: int


class BagChunk(NamedTuple):
    """How a chunk is packed; its data follows the header."""

    compression: str
    unpacked_bytes: int


class Connection(NamedTuple):
    """Messages of one publisher on one topic."""

    number: int
    topic: str
    kind: str
    definition: bytes
    details: dict[str, str]


class BagRecord(NamedTuple):
    """A record inside an unpacked chunk; `body_at` counts from the start of the chunk."""

    fields: dict[bytes, bytes]
    body: memoryview
    body_at: int


def parse_fields(header: bytes) -> dict[bytes, bytes]:
    """Return the fields of a header; raises BagRecordError."""
    fields: dict[bytes, bytes] = {}
    at, end = 0, len(header)
    while at < end:
        if at + LENGTH.size > end:
            raise BagRecordError("a header field is cut")
        (length,) = LENGTH.unpack_from(header, at)
        at += LENGTH.size
        if length > end - at:
            raise BagRecordError(f"a header field claims {length} bytes of {end - at}")
        name, separator, value = header[at : at + length].partition(b"=")
        if not separator:
            raise BagRecordError("a header field without a name")
        fields[name] = value
        at += length
    return fields


def opcode(fields: Mapping[bytes, bytes]) -> int:
    """Return what kind of record a header begins; raises BagRecordError."""
    op = fields.get(b"op", b"")
    if len(op) != 1:
        raise BagRecordError("a record without its kind")
    return op[0]


def parse_bag_header(fields: Mapping[bytes, bytes]) -> BagHeader:
    """Return the head of the bag; raises BagRecordError."""
    return BagHeader(
        _number(fields, b"index_pos", _POSITION),
        _number(fields, b"conn_count", LENGTH),
        _number(fields, b"chunk_count", LENGTH),
    )


def parse_chunk(fields: Mapping[bytes, bytes]) -> BagChunk:
    """Return the head of a chunk; raises BagRecordError. Uncompressed chunks get the empty name, as in MCAP."""
    compression = _text(fields.get(b"compression", b""))
    return BagChunk("" if compression == "none" else compression, _number(fields, b"size", LENGTH))


def parse_connection(fields: Mapping[bytes, bytes], body: bytes) -> Connection:
    """Return a connection from its record; raises BagRecordError."""
    details = parse_fields(body)
    topic = fields.get(b"topic") or details.get(b"topic", b"")
    kept = {_text(name): _text(value) for name, value in details.items() if name not in _OWN_FIELDS}
    return Connection(
        connection_number(fields),
        _text(topic),
        _text(details.get(b"type", b"")),
        details.get(b"message_definition", b""),
        kept,
    )


def connection_number(fields: Mapping[bytes, bytes]) -> int:
    """Return which connection a record belongs to; raises BagRecordError."""
    return _number(fields, b"conn", LENGTH)


def entry_count(fields: Mapping[bytes, bytes]) -> int:
    """Return how many messages of its connection an index record tells of one chunk; raises BagRecordError."""
    return _number(fields, b"count", LENGTH)


def receive_time_ns(fields: Mapping[bytes, bytes]) -> int:
    """Return when a message was received, in ns; raises BagRecordError."""
    time = fields.get(b"time", b"")
    if len(time) != _TIME.size:
        raise BagRecordError("a message without its time")
    seconds, nanoseconds = _TIME.unpack(time)
    return int(seconds) * _S + int(nanoseconds)


def iterate_bag_records(records: memoryview) -> Iterator[BagRecord]:
    """Yield the records that lie one behind the other in a chunk; raises BagRecordError where one is cut or garbled."""
    at, end = 0, len(records)
    while at < end:
        header_at = at + LENGTH.size
        body_at = header_at + _length(records, at, end) + LENGTH.size
        length = _length(records, body_at - LENGTH.size, end)
        fields = parse_fields(bytes(records[header_at : body_at - LENGTH.size]))
        yield BagRecord(fields, records[body_at : body_at + length], body_at)
        at = body_at + length


def chunk_in(window: bytes) -> int | None:
    """Return where the first chunk record starts in a stretch of a bag, or None; heads cut by its end are not found."""
    mark = window.find(_CHUNK_MARK)
    while mark >= 0:
        for start in range(mark - LENGTH.size, max(mark - LARGEST_CHUNK_HEAD_BYTES, -1), -1):
            if _is_chunk_head(window, start):
                return start
        mark = window.find(_CHUNK_MARK, mark + 1)
    return None


def _is_chunk_head(window: bytes, start: int) -> bool:
    header_at = start + LENGTH.size
    (length,) = LENGTH.unpack_from(window, start)
    if length > LARGEST_CHUNK_HEAD_BYTES or header_at + length + LENGTH.size > len(window):
        return False
    try:
        fields = parse_fields(window[header_at : header_at + length])
        return opcode(fields) == OP_CHUNK and parse_chunk(fields).compression in _COMPRESSIONS
    except BagRecordError:
        return False


def _length(records: memoryview, at: int, end: int) -> int:
    if at + LENGTH.size > end:
        raise BagRecordError("a record is cut")
    (length,) = LENGTH.unpack_from(records, at)
    if length > end - at - LENGTH.size:
        raise BagRecordError(f"a record claims {length} bytes of {end - at - LENGTH.size}")
    return int(length)


def _number(fields: Mapping[bytes, bytes], name: bytes, kind: struct.Struct) -> int:
    value = fields.get(name, b"")
    if len(value) != kind.size:
        raise BagRecordError(f"a record without its {_text(name)}")
    return int(kind.unpack(value)[0])


def _text(value: bytes) -> str:
    return value.decode("utf-8", errors="replace")


_CHUNK_MARK = LENGTH.pack(len(b"op=?")) + b"op=" + bytes([OP_CHUNK])
_COMPRESSIONS = frozenset({"", "bz2", "lz4"})
_OWN_FIELDS = frozenset({b"topic", b"type", b"message_definition"})
