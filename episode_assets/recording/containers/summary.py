"""The index at the end of a whole MCAP file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from mcap.opcode import Opcode
from mcap.records import AttachmentIndex, ChunkIndex, Footer, Header, MetadataIndex

from episode_assets.recording.containers.container import AttachmentPlace, Container
from episode_assets.recording.containers.identify import MCAP_MAGIC
from episode_assets.recording.containers.records import (
    PARSE_ERRORS,
    RECORD_HEAD,
    SMALL_RECORDS,
    iterate_records,
    keep_record,
    parse_record,
    place_of_attachment,
)
from episode_assets.recording.containers.source import Source


@dataclass(frozen=True)
class Summary:
    """The index at the end of a whole file.

    Attributes:
        start: Byte in the file where it begins.
        container: Its schemas, channels and statistics.
        chunks: Chunk indexes in the order of the file.
        metadata: Places of metadata records: (offset, length).
        attachments: Places of attachments.
    """

    start: int
    container: Container
    chunks: tuple[ChunkIndex, ...]
    metadata: tuple[tuple[int, int], ...]
    attachments: tuple[AttachmentPlace, ...]

    @property
    def chunk_offsets(self) -> tuple[int, ...]:
        """Bytes in the file where the chunks begin."""
        return tuple(chunk.chunk_start_offset for chunk in self.chunks)


_FOOTER_BODY_BYTES = 20
_TAIL_BYTES = RECORD_HEAD.size + _FOOTER_BODY_BYTES + len(MCAP_MAGIC)
_LARGEST_HEADER_BYTES = 1 << 20
_LARGEST_SUMMARY_BYTES = 256 * 1024 * 1024


def read_header(source: Source) -> Header:
    """Return the header record, which the format puts first; raises one of PARSE_ERRORS where it is not there."""
    head = source.read_at(len(MCAP_MAGIC), RECORD_HEAD.size)
    opcode, length = RECORD_HEAD.unpack(head)
    if opcode != Opcode.HEADER or length > _LARGEST_HEADER_BYTES:
        raise ValueError(f"opcode {opcode} with {length} bytes where the header is expected")
    at = len(MCAP_MAGIC) + RECORD_HEAD.size
    return cast(Header, parse_record(Header, memoryview(source.read_at(at, length))))


def read_summary(source: Source) -> Summary | None:
    """Return the file's summary; None where there is none, or where it cannot be parsed."""
    tail = source.read_at(max(source.size - _TAIL_BYTES, 0), _TAIL_BYTES)
    if len(tail) < _TAIL_BYTES or not tail.endswith(MCAP_MAGIC) or tail[0] != Opcode.FOOTER:
        return None
    try:
        footer = parse_record(Footer, memoryview(tail)[RECORD_HEAD.size :])
        start, length = footer.summary_start, source.size - _TAIL_BYTES - footer.summary_start
        if start == 0 or not 0 < length <= _LARGEST_SUMMARY_BYTES:
            return None
        return _parse_summary(start, memoryview(source.read_at(start, length)))
    except PARSE_ERRORS:
        return None


def _parse_summary(start: int, records: memoryview) -> Summary:
    box = Container()
    chunks: list[ChunkIndex] = []
    metadata: list[tuple[int, int]] = []
    attachments: list[AttachmentPlace] = []
    for opcode, body in iterate_records(records):
        if opcode == Opcode.CHUNK_INDEX:
            chunks.append(parse_record(ChunkIndex, body))
        elif opcode == Opcode.METADATA_INDEX:
            place = parse_record(MetadataIndex, body)
            metadata.append((place.offset, place.length))
        elif opcode == Opcode.ATTACHMENT_INDEX:
            attachments.append(place_of_attachment(parse_record(AttachmentIndex, body)))
        elif opcode in SMALL_RECORDS:
            keep_record(box, opcode, body)
    chunks.sort(key=lambda chunk: int(chunk.chunk_start_offset))
    return Summary(start, box, tuple(chunks), tuple(metadata), tuple(attachments))
