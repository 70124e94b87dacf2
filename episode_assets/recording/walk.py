"""MCAP: one linear walk over records and chunks, which keeps going where a record is damaged.

The walk reads every byte once, front to back, and hands out messages with the place where their payload lies. The
seeking reader of the `mcap` package is not used: it needs a whole summary and fails without a name where parts of it
are missing. What a payload means belongs to `decoders`.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterator

from mcap.data_stream import ReadDataStream
from mcap.opcode import Opcode

from episode_assets.progress import Progress, silent
from episode_assets.recording.container import IN_FILE, Container, PackedChunk, StoredMessage
from episode_assets.recording.identify import MCAP_MAGIC
from episode_assets.recording.records import (
    MESSAGE_HEAD,
    PARSE_ERRORS,
    RECORD_HEAD,
    SMALL_RECORDS,
    ChunkHead,
    keep_record,
    parse_chunk_head,
)
from episode_assets.recording.source import EndOfBytes, ForwardReader, Source
from episode_assets.recording.summary import Summary, read_summary
from episode_assets.recording.unpacking import ChunkRefusedError, unpack

_ATTACHMENT_HEAD_BYTES = 64 * 1024


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
        elif opcode in SMALL_RECORDS and length <= self._max_chunk_bytes:
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
