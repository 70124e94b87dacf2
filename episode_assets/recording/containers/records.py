"""The records of an MCAP file, from bytes: chunk heads, and everything small through the `mcap` package."""

from __future__ import annotations

import io
import struct
from collections import Counter
from collections.abc import Container as Collection
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

from episode_assets.recording.containers.container import AttachmentPlace, Container

RECORD_HEAD = struct.Struct("<BQ")
MESSAGE_HEAD = struct.Struct("<HIQQ")
CHUNK_HEAD = struct.Struct("<QQQII")
MESSAGE_RECORD = struct.Struct("<BQHIQQ")
INDEX_HEAD = struct.Struct("<HI")
_LENGTH = struct.Struct("<Q")

PARSE_ERRORS = (struct.error, McapError, UnicodeDecodeError, ValueError, OverflowError, IndexError)
"""What the record parsers raise on damaged bytes."""


LARGEST_CHUNK_HEAD_BYTES = 128
"""More than the head of any chunk with a compression that has a name."""


class ChunkHead(NamedTuple):
    """The fixed part of a chunk record; `data_at` counts from the start of the record's body."""

    start_ns: int
    end_ns: int
    compression: str
    crc: int
    unpacked_bytes: int
    packed_bytes: int
    data_at: int

    @property
    def record_bytes(self) -> int:
        """Bytes of the record's body, reckoned from the head; a whole record claims the same."""
        return self.data_at + self.packed_bytes


def parse_chunk_head(body: memoryview) -> ChunkHead:
    """Return the head of a chunk record from the start of its body; raises one of PARSE_ERRORS on damaged bytes."""
    start_ns, end_ns, unpacked_bytes, crc, name_length = CHUNK_HEAD.unpack_from(body)
    name_at = CHUNK_HEAD.size
    data_at = name_at + name_length + _LENGTH.size
    if data_at > LARGEST_CHUNK_HEAD_BYTES:
        raise ValueError(f"a compression with a name of {name_length} bytes")
    compression = str(body[name_at : name_at + name_length], "utf-8")
    (packed_bytes,) = _LENGTH.unpack_from(body, name_at + name_length)
    return ChunkHead(start_ns, end_ns, compression, crc, unpacked_bytes, packed_bytes, data_at)


def keep_record(container: Container, opcode: int, body: memoryview) -> None:
    """Parse a small record and keep it; raises one of PARSE_ERRORS on damaged bytes."""
    record: Any = parse_record(SMALL_RECORDS[opcode], body)
    if isinstance(record, Schema):
        container.schemas[record.id] = record
    elif isinstance(record, Channel):
        # Writers repeat a channel in every chunk; that its object stays the same tells that nothing changed.
        if container.channels.get(record.id) != record:
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


def parse_attachment_head(body: memoryview, body_at: int) -> AttachmentPlace:
    """Return what an attachment is from the start of its record's body; raises one of PARSE_ERRORS on damaged bytes."""
    stream = ReadDataStream(io.BytesIO(body))
    log_time_ns, create_time_ns = stream.read8(), stream.read8()
    name, media_type = stream.read_prefixed_string(), stream.read_prefixed_string()
    length = stream.read8()
    return AttachmentPlace(name, media_type, create_time_ns, log_time_ns, body_at + stream.count, length)


def place_of_attachment(index: AttachmentIndex) -> AttachmentPlace:
    """Return where the bytes of an attachment lie, from its entry in the index; the checksum is not in there."""
    # Before them come two times, two texts with their lengths, and their own length.
    names = len(index.name.encode()) + len(index.media_type.encode())
    data_at = index.offset + RECORD_HEAD.size + 8 + 8 + 4 + 4 + names + 8
    return AttachmentPlace(
        index.name, index.media_type, index.create_time, index.log_time, data_at, index.data_size
    )


def count_messages(records: memoryview, channels: Collection[int]) -> Counter[int]:
    """Return how many messages each of the given channels has among whole records."""
    found = (
        MESSAGE_HEAD.unpack_from(body)[0] for op, body in iterate_records(records) if op == Opcode.MESSAGE
    )
    return Counter(channel_id for channel_id in found if channel_id in channels)


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
