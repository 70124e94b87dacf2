"""The records of an MCAP file, from bytes: chunk heads, and everything small through the `mcap` package."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from typing import Any, NamedTuple

from mcap.data_stream import ReadDataStream
from mcap.exceptions import McapError
from mcap.opcode import Opcode
from mcap.records import (
    AttachmentIndex,
    Channel,
    ChunkIndex,
    Footer,
    Header,
    Metadata,
    MetadataIndex,
    Schema,
    Statistics,
    SummaryOffset,
)

from episode_assets.recording.container import Container

RECORD_HEAD = struct.Struct("<BQ")
MESSAGE_HEAD = struct.Struct("<HIQQ")
CHUNK_HEAD = struct.Struct("<QQQII")

PARSE_ERRORS = (struct.error, McapError, UnicodeDecodeError, ValueError, OverflowError, IndexError)
"""What the record parsers raise on damaged bytes."""


class ChunkHead(NamedTuple):
    """The fixed part of a chunk record; `data_at` counts from the start of the record's body."""

    compression: str
    crc: int
    unpacked_bytes: int
    packed_bytes: int
    data_at: int


def parse_chunk_head(body: memoryview) -> ChunkHead:
    """Return the head of a chunk record's body; raises one of PARSE_ERRORS on damaged bytes."""
    _, _, unpacked_bytes, crc, name_length = CHUNK_HEAD.unpack_from(body)
    name_at = CHUNK_HEAD.size
    compression = str(body[name_at : name_at + name_length], "utf-8")
    (packed_bytes,) = struct.unpack_from("<Q", body, name_at + name_length)
    data_at = name_at + name_length + 8
    if packed_bytes > len(body) - data_at:
        raise ValueError(f"chunk data of {packed_bytes} bytes in a record with {len(body) - data_at}")
    return ChunkHead(compression, crc, unpacked_bytes, packed_bytes, data_at)


def keep_record(container: Container, opcode: int, body: memoryview) -> None:
    """Parse a small record and keep it; raises one of PARSE_ERRORS on damaged bytes."""
    record: Any = parse_record(SMALL_RECORDS[opcode], body)
    if isinstance(record, Schema):
        container.schemas[record.id] = record
    elif isinstance(record, Channel):
        container.channels[record.id] = record
    elif isinstance(record, Metadata):
        container.metadata.append((record.name, record.metadata))
    elif isinstance(record, Header):
        container.profile, container.library = record.profile, record.library
    elif isinstance(record, Statistics):
        container.statistics = record
    elif isinstance(record, Footer):
        container.has_footer = True


def parse_record(kind: Any, body: memoryview) -> Any:
    """Return a record of the `mcap` package from its body; raises one of PARSE_ERRORS on damaged bytes."""
    return kind.read(ReadDataStream(io.BytesIO(body)))


SMALL_RECORDS: dict[int, Any] = {
    Opcode.HEADER: Header,
    Opcode.FOOTER: Footer,
    Opcode.SCHEMA: Schema,
    Opcode.CHANNEL: Channel,
    Opcode.METADATA: Metadata,
    Opcode.STATISTICS: Statistics,
    # Read only to see that they are what they claim: a layout from before version 1.0 shows here first.
    Opcode.ATTACHMENT_INDEX: AttachmentIndex,
    Opcode.CHUNK_INDEX: ChunkIndex,
    Opcode.METADATA_INDEX: MetadataIndex,
    Opcode.SUMMARY_OFFSET: SummaryOffset,
}


def iterate_records(records: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Yield opcode and body of records that lie one behind the other; raises ValueError where one is cut."""
    at = 0
    while at < len(records):
        opcode, length = RECORD_HEAD.unpack_from(records, at)
        at += RECORD_HEAD.size
        if length > len(records) - at:
            raise ValueError(f"a record claims {length} bytes of {len(records) - at}")
        yield opcode, records[at : at + length]
        at += length
