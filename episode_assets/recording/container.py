"""The MCAP container: one linear walk over records and chunks, which keeps going where a record is damaged.

The walk reads every byte once, front to back, and hands out messages with the place where their payload lies. The
seeking reader of the `mcap` package is not used: it needs a whole summary and fails without a name where parts of it
are missing. What a payload means belongs to `decoders`.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple, cast

import lz4.frame  # type: ignore[import-untyped]
import zstandard
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

from episode_assets.progress import Progress, silent
from episode_assets.recording.identify import MCAP_MAGIC, require_mcap
from episode_assets.recording.source import EndOfBytes, ForwardReader, Source

RECORD_HEAD = struct.Struct("<BQ")
MESSAGE_HEAD = struct.Struct("<HIQQ")
CHUNK_HEAD = struct.Struct("<QQQII")
_ATTACHMENT_HEAD_BYTES = 64 * 1024
_LARGEST_DAMAGE_LIST = 100

PARSE_ERRORS = (struct.error, McapError, UnicodeDecodeError, ValueError, OverflowError, IndexError)
"""What the record parsers raise on damaged bytes."""

IN_FILE = -1
"""Chunk number of payloads that lie in the file itself, not in a compressed chunk."""


@dataclass(frozen=True)
class Damage:
    """A stretch of the file that could not be read.

    Attributes:
        kind: Stable word: cut, bad_record, bad_chunk, bad_crc, unsupported_compression, chunk_too_large,
            unknown_channel.
        offset: Byte in the file where it starts.
        length: Bytes lost, as far as known.
        detail: What was found, in words.
    """

    kind: str
    offset: int
    length: int
    detail: str


class StoredMessage(NamedTuple):
    """A message and its place. `offset` counts in the file for `chunk` -1, else in the unpacked chunk."""

    channel_id: int
    log_time_ns: int
    payload: memoryview
    chunk: int
    offset: int


@dataclass(frozen=True)
class PackedChunk:
    """A compressed chunk: where its bytes lie in the file, and how to unpack them."""

    number: int
    offset: int
    packed_bytes: int
    unpacked_bytes: int
    compression: str


@dataclass
class Container:
    """What the walk has learned so far about everything that is not a message; complete when the walk has ended."""

    profile: str = ""
    library: str = ""
    schemas: dict[int, Schema] = field(default_factory=dict)
    channels: dict[int, Channel] = field(default_factory=dict)
    metadata: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    attachments: list[tuple[str, str, int]] = field(default_factory=list)
    statistics: Statistics | None = None
    chunks: int = 0
    compressions: set[str] = field(default_factory=set)
    packed: list[PackedChunk] = field(default_factory=list)
    damage: list[Damage] = field(default_factory=list)
    damage_total: int = 0
    has_footer: bool = False
    cut_offset: int | None = None

    @property
    def truncated(self) -> bool:
        """Whether the file ends before its closing marker."""
        return self.cut_offset is not None

    def note_damage(self, kind: str, offset: int, length: int, detail: str) -> None:
        """Count a damaged stretch; the first hundred are kept in detail."""
        self.damage_total += 1
        if len(self.damage) < _LARGEST_DAMAGE_LIST:
            self.damage.append(Damage(kind, offset, length, detail))


class ChunkRefusedError(Exception):
    """A chunk cannot be unpacked; carries the kind of damage and the reason."""

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(reason)
        self.kind = kind


def unpack(compression: str, data: bytes | memoryview, unpacked_bytes: int) -> bytes | memoryview:
    """Return the records of a chunk; never more than `unpacked_bytes` are taken from memory.

    Raises:
        ChunkRefusedError: The compression is unknown, or the bytes do not unpack to the stated size.
    """
    unpacker = _UNPACKERS.get(compression)
    if unpacker is None:
        raise ChunkRefusedError(
            "unsupported_compression", f"compression {compression[:32]!r} is not supported"
        )
    out = unpacker(data, unpacked_bytes)
    if len(out) != unpacked_bytes:
        raise ChunkRefusedError(
            "bad_chunk", f"chunk unpacks to another size than the stated {unpacked_bytes} bytes"
        )
    return out


def _unpack_nothing(data: bytes | memoryview, unpacked_bytes: int) -> bytes | memoryview:
    del unpacked_bytes
    return data


def _unpack_zstd(data: bytes | memoryview, unpacked_bytes: int) -> bytes:
    # The one-shot call takes the memory that the frame states, so it is used only where that is the stated size.
    try:
        unpacker = zstandard.ZstdDecompressor()
        if zstandard.frame_content_size(data) == unpacked_bytes:
            return bytes(unpacker.decompress(data))
        return bytes(unpacker.stream_reader(data).read(unpacked_bytes + 1))
    except (zstandard.ZstdError, MemoryError) as error:
        raise ChunkRefusedError("bad_chunk", f"zstd chunk does not unpack: {error}") from error


def _unpack_lz4(data: bytes | memoryview, unpacked_bytes: int) -> bytes:
    try:
        return bytes(lz4.frame.LZ4FrameDecompressor().decompress(data, max_length=unpacked_bytes + 1))
    except (RuntimeError, EOFError, MemoryError) as error:
        raise ChunkRefusedError("bad_chunk", f"lz4 chunk does not unpack: {error}") from error


_UNPACKERS = {"": _unpack_nothing, "zstd": _unpack_zstd, "lz4": _unpack_lz4}


class Walk:
    """One linear pass over an MCAP file.

    Iterate `messages()` to the end; `container` fills on the way. `sha256()` afterwards reads what is left and
    returns the digest of the whole file.
    """

    def __init__(
        self,
        source: Source,
        *,
        max_chunk_bytes: int,
        with_digest: bool = True,
        progress: Progress = silent,
    ) -> None:
        require_mcap(source)
        self._source = source
        self._reader = ForwardReader(source, with_digest=with_digest)
        self._max_chunk_bytes = max_chunk_bytes
        self._progress = progress
        self._known_summary: Summary | None = None
        self._summary_read = False
        self.container = Container()

    def messages(self) -> Iterator[StoredMessage]:
        """Yield every readable message in file order; damage is noted in the container and passed over."""
        self._reader.take(len(MCAP_MAGIC))
        while True:
            start = self._reader.offset
            if self._at_end(start):
                return
            try:
                opcode, length = RECORD_HEAD.unpack(self._reader.take(RECORD_HEAD.size))
            except EndOfBytes:
                self._cut(start)
                return
            # Unknown opcodes are passed over, as the format asks; only 0 can never be one.
            if opcode == 0 or length > self._reader.remaining:
                if self._resume_after(start, opcode, length):
                    continue
                return
            yield from self._record(start, opcode, length)
            self._progress("read", self._reader.offset, self._source.size)

    def sha256(self) -> str | None:
        """Return the SHA-256 of the file, after reading what the walk has left over."""
        return self._reader.sha256()

    def _at_end(self, start: int) -> bool:
        if not self.container.has_footer:
            if self._reader.remaining == 0:
                self._cut(start)
            return self._reader.remaining == 0
        left = self._reader.remaining
        if left < len(MCAP_MAGIC):
            self._cut(start)
        elif left > len(MCAP_MAGIC):
            detail = "bytes behind the end of the recording"
            self.container.note_damage(
                "trailing_bytes", start + len(MCAP_MAGIC), left - len(MCAP_MAGIC), detail
            )
        return True

    def _cut(self, start: int) -> None:
        self.container.cut_offset = start
        self.container.note_damage(
            "cut", start, self._source.size - start, "the file ends before its closing marker"
        )

    def _resume_after(self, start: int, opcode: int, length: int) -> bool:
        """Move on to the next chunk that the file's own index names; return whether there is a place to go on."""
        lost = self._source.size - start
        summary = self._summary()
        if summary is None:
            self._cut(start)
            return False
        ahead = [at for at in (*summary.chunk_offsets, summary.start) if at >= self._reader.offset]
        to = min(ahead, default=self._source.size)
        detail = (
            f"a record with opcode {opcode} claims {length} bytes of {lost}; reading goes on at byte {to}"
        )
        self.container.note_damage("bad_record", start, to - start, detail)
        self._reader.skip(to - self._reader.offset)
        return bool(ahead)

    def _summary(self) -> Summary | None:
        if not self._summary_read:
            self._summary_read = True
            self._known_summary = read_summary(self._source)
        return self._known_summary

    def _record(self, start: int, opcode: int, length: int) -> Iterator[StoredMessage]:
        body_at = start + RECORD_HEAD.size
        if opcode == Opcode.CHUNK:
            yield from self._chunk(start, length)
        elif opcode == Opcode.MESSAGE:
            yield from self._message(self._reader.take(length), IN_FILE, body_at)
        elif opcode == Opcode.ATTACHMENT:
            self._attachment(start, length)
        elif opcode in _SMALL_RECORDS and length <= self._max_chunk_bytes:
            self._small(opcode, self._reader.take(length), start)
        else:
            self._reader.skip(length)

    def _chunk(self, start: int, length: int) -> Iterator[StoredMessage]:
        box = self.container
        if length > self._max_chunk_bytes:
            detail = f"a chunk of {length} bytes is over the limit"
            box.note_damage("chunk_too_large", start, length, detail)
            self._reader.skip(length)
            return
        body_at = self._reader.offset
        try:
            head, records = self._open_chunk(self._reader.take(length))
        except ChunkRefusedError as error:
            box.note_damage(error.kind, start, RECORD_HEAD.size + length, str(error))
            return
        box.compressions.add(head.compression)
        box.chunks += 1
        if head.compression == "":
            yield from self._records(records, IN_FILE, body_at + head.data_at, start)
            return
        chunk = PackedChunk(
            len(box.packed), body_at + head.data_at, head.packed_bytes, head.unpacked_bytes, head.compression
        )
        box.packed.append(chunk)
        yield from self._records(records, chunk.number, 0, start)

    def _open_chunk(self, body: memoryview) -> tuple[ChunkHead, memoryview]:
        try:
            head = parse_chunk_head(body)
        except PARSE_ERRORS as error:
            raise ChunkRefusedError("bad_chunk", f"the head of the chunk is unreadable: {error}") from error
        if head.unpacked_bytes > self._max_chunk_bytes:
            raise ChunkRefusedError(
                "chunk_too_large", f"the chunk claims {head.unpacked_bytes} bytes unpacked"
            )
        data = body[head.data_at : head.data_at + head.packed_bytes]
        records = memoryview(unpack(head.compression, data, head.unpacked_bytes))
        if head.crc and zlib.crc32(records) != head.crc:
            raise ChunkRefusedError("bad_crc", "the chunk does not match its checksum")
        return head, records

    def _records(
        self, records: memoryview, chunk: int, base: int, chunk_start: int
    ) -> Iterator[StoredMessage]:
        at, end = 0, len(records)
        while at < end:
            if at + RECORD_HEAD.size > end:
                self.container.note_damage("bad_chunk", chunk_start, end - at, "a record of the chunk is cut")
                return
            opcode, length = RECORD_HEAD.unpack_from(records, at)
            body_at = at + RECORD_HEAD.size
            if opcode == 0 or length > end - body_at:
                detail = f"a record of the chunk claims {length} bytes of {end - body_at}"
                self.container.note_damage("bad_chunk", chunk_start, end - at, detail)
                return
            body = records[body_at : body_at + length]
            if opcode == Opcode.MESSAGE:
                yield from self._message(body, chunk, base + body_at)
            elif opcode in (Opcode.SCHEMA, Opcode.CHANNEL):
                self._small(opcode, body, chunk_start)
            at = body_at + length

    def _message(self, body: memoryview, chunk: int, offset: int) -> Iterator[StoredMessage]:
        if len(body) < MESSAGE_HEAD.size:
            self.container.note_damage("bad_record", offset, len(body), "message record is too short")
            return
        channel_id, _, log_time_ns, _ = MESSAGE_HEAD.unpack_from(body)
        if channel_id not in self.container.channels and not self._adopt_channel(channel_id):
            detail = f"message of channel {channel_id}, which no record describes"
            self.container.note_damage("unknown_channel", offset, len(body), detail)
            return
        if log_time_ns >= 1 << 63:
            self.container.note_damage(
                "bad_record", offset, len(body), f"log time {log_time_ns} is out of range"
            )
            return
        yield StoredMessage(
            channel_id, log_time_ns, body[MESSAGE_HEAD.size :], chunk, offset + MESSAGE_HEAD.size
        )

    def _adopt_channel(self, channel_id: int) -> bool:
        # The chunk that defined the channel may be broken; the summary repeats the definition.
        summary = self._summary()
        if summary is None or channel_id not in summary.container.channels:
            return False
        channel = summary.container.channels[channel_id]
        self.container.channels[channel_id] = channel
        if channel.schema_id in summary.container.schemas:
            self.container.schemas.setdefault(channel.schema_id, summary.container.schemas[channel.schema_id])
        return True

    def _small(self, opcode: int, body: memoryview, start: int) -> None:
        try:
            keep_record(self.container, opcode, body)
        except PARSE_ERRORS as error:
            name = Opcode(opcode).name.lower()
            self.container.note_damage(
                "bad_record", start, len(body), f"{name} record is unreadable: {error}"
            )

    def _attachment(self, start: int, length: int) -> None:
        head = self._reader.take(min(length, _ATTACHMENT_HEAD_BYTES))
        try:
            stream = ReadDataStream(io.BytesIO(head))
            stream.read8(), stream.read8()
            name, media_type = stream.read_prefixed_string(), stream.read_prefixed_string()
            self.container.attachments.append((name, media_type, int(stream.read8())))
        except PARSE_ERRORS as error:
            self.container.note_damage(
                "bad_record", start, length, f"attachment record is unreadable: {error}"
            )
        self._reader.skip(length - len(head))


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
    record: Any = parse_record(_SMALL_RECORDS[opcode], body)
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


_SMALL_RECORDS: dict[int, Any] = {
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


@dataclass(frozen=True)
class Summary:
    """The index at the end of a whole file.

    Attributes:
        start: Byte in the file where it begins.
        container: Its schemas, channels and statistics.
        chunks: Chunk indexes in the order of the file.
        metadata: Places of metadata records: (offset, length).
        attachments: (name, media type, bytes) of each attachment.
    """

    start: int
    container: Container
    chunks: tuple[ChunkIndex, ...]
    metadata: tuple[tuple[int, int], ...]
    attachments: tuple[tuple[str, str, int], ...]

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
    attachments: list[tuple[str, str, int]] = []
    for opcode, body in iterate_records(records):
        if opcode == Opcode.CHUNK_INDEX:
            chunks.append(parse_record(ChunkIndex, body))
        elif opcode == Opcode.METADATA_INDEX:
            place = parse_record(MetadataIndex, body)
            metadata.append((place.offset, place.length))
        elif opcode == Opcode.ATTACHMENT_INDEX:
            index = parse_record(AttachmentIndex, body)
            attachments.append((index.name, index.media_type, index.data_size))
        elif opcode in _SMALL_RECORDS:
            keep_record(box, opcode, body)
    chunks.sort(key=lambda chunk: int(chunk.chunk_start_offset))
    return Summary(start, box, tuple(chunks), tuple(metadata), tuple(attachments))


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
