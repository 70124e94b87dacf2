"""MCAP: one linear walk over records and chunks, which keeps going where a record is damaged.

The walk reads every byte once, front to back, and hands out messages with the place where their payload lies. The
seeking reader of the `mcap` package is not used: it needs a whole summary and fails without a name where parts of it
are missing. Where reading can go on behind damage is found by `resync`; what a stretch cost is booked by `losses`;
what a payload means belongs to `decoders`.

What is believed: a chunk with a checksum that does not match is not returned at all, since any of its bytes may be
wrong. A chunk that is cut, that breaks while it is unpacked, or that holds a broken record is returned up to the
break; these messages are counted as salvaged.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterator
from dataclasses import replace

from isal.isal_zlib import crc32
from mcap.opcode import Opcode

from episode_assets.progress import Progress, silent
from episode_assets.recording.attachments import attachment_bytes
from episode_assets.recording.containers.container import (
    IN_FILE,
    AttachmentPlace,
    Container,
    Damage,
    PackedChunk,
    StoredMessage,
)
from episode_assets.recording.containers.identify import MCAP_MAGIC
from episode_assets.recording.containers.losses import Losses
from episode_assets.recording.containers.records import (
    INDEX_HEAD,
    LARGEST_CHUNK_HEAD_BYTES,
    MESSAGE_HEAD,
    MESSAGE_RECORD,
    PARSE_ERRORS,
    RECORD_HEAD,
    SMALL_RECORDS,
    ChunkHead,
    count_messages,
    keep_record,
    parse_attachment_head,
    parse_chunk_head,
)
from episode_assets.recording.containers.resync import FIRST_PRIVATE_OPCODE, RecordFinder, may_be_head
from episode_assets.recording.containers.source import EndOfBytes, ForwardReader, Source
from episode_assets.recording.containers.summary import Summary, read_summary
from episode_assets.recording.containers.unpacking import ChunkRefusedError, unpack, unpack_partly

_ATTACHMENT_HEAD_BYTES = 64 * 1024
_CRC_BYTES = 4
_CHUNK, _MESSAGE = int(Opcode.CHUNK), int(Opcode.MESSAGE)
"""As plain numbers: members of an enumeration cost too much in the loop over messages."""

_INSIDE_A_CHUNK = frozenset({Opcode.MESSAGE, Opcode.SCHEMA, Opcode.CHANNEL, Opcode.MESSAGE_INDEX})


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
        self._may_look_ahead = True
        self._unknown: dict[int, Damage] = {}
        self._read_messages = self._read_bytes = 0
        self.container = Container()
        self._losses = Losses(self.container, self._summary)
        self._finder = RecordFinder(source, self._is_channel)

    def messages(self) -> Iterator[StoredMessage]:
        """Yield every readable message in file order; damage is noted in the container and passed over."""
        try:
            yield from self._walk()
        except EndOfBytes:  # the file became shorter while it was read
            self._cut(self._reader.offset)
        self._losses.settle()
        for damage in self._unknown.values():
            self.container.keep_damage(damage)

    def sha256(self) -> str | None:
        """Return the SHA-256 of the file, after reading what the walk has left over."""
        return self._reader.sha256()

    def read_attachment(self, place: AttachmentPlace) -> bytes:
        """Return the bytes of an attachment that the walk has passed.

        Raises:
            BadRecording: They do not match their checksum.
        """
        return attachment_bytes(self._source, place)

    def _walk(self) -> Iterator[StoredMessage]:
        reader = self._reader
        reader.take(len(MCAP_MAGIC))
        while not self._at_end(reader.offset):
            start = reader.offset
            if reader.remaining < RECORD_HEAD.size:
                self._cut(start)
                return
            # Passed only when it is believed: the next record may begin inside what looks like a head.
            opcode, length = RECORD_HEAD.unpack(reader.peek(RECORD_HEAD.size))
            if opcode not in _INSIDE_A_CHUNK:
                self._losses.settle()
            if opcode == _CHUNK:
                yield from self._chunk(start, length)
            elif not self._is_sound(opcode, length):
                yield from self._unsound(start, opcode, length)
            elif opcode == _MESSAGE:
                message = self._loose_message(start, length)
                if message is not None:
                    yield message
            else:
                self._other(start, opcode, length)
            self._progress("read", reader.offset, self._source.size)

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
        if self.container.cut_offset is None:
            self._losses.settle()
            self.container.cut_offset = start
            self.container.note_damage(
                "cut", start, self._source.size - start, "the file ends before its closing marker"
            )

    # Damage between records

    def _is_sound(self, opcode: int, length: int) -> bool:
        """Whether the record that comes next is what it claims, by its own lengths or by what follows it."""
        # Unknown opcodes are passed over, as the format asks; only 0 can never be one.
        if opcode == 0 or length > self._reader.remaining - RECORD_HEAD.size:
            return False
        if opcode == _MESSAGE:
            return length <= self._max_chunk_bytes and self._is_sound_message(length)
        body = self._peek_body(min(length + RECORD_HEAD.size, _ATTACHMENT_HEAD_BYTES))
        if self._finder.adds_up(opcode, length, body):
            return True
        if opcode == Opcode.FOOTER or self._finder.adds_up(Opcode.CHUNK, length, body):
            return False
        behind = self._body_at + length
        if length + RECORD_HEAD.size <= _ATTACHMENT_HEAD_BYTES:
            is_followed = self._may_be_head(body[length:], behind)
        else:
            is_followed = self._finder.may_follow(behind)
        return is_followed or self._hides_no_record(length)

    def _is_sound_message(self, length: int) -> bool:
        body = self._peek_body(length + RECORD_HEAD.size)
        # Between chunks, one wrong bit turns a message index into something that could pass for a message.
        if self.container.chunks and self._finder.adds_up(Opcode.MESSAGE_INDEX, length, body):
            return False
        behind = self._body_at + length
        return self._may_be_head(body[length:], behind) or self._hides_no_record(length)

    def _hides_no_record(self, length: int) -> bool:
        # No record follows: either this one lies about its length, or the next one is damaged.
        found = self._finder.find(self._body_at)
        return found is None or found >= self._body_at + length

    @property
    def _body_at(self) -> int:
        return self._reader.offset + RECORD_HEAD.size

    def _peek_body(self, length: int) -> memoryview:
        return self._reader.peek(RECORD_HEAD.size + length)[RECORD_HEAD.size :]

    def _may_be_head(self, head: memoryview, at: int) -> bool:
        if len(head) < RECORD_HEAD.size:
            return True  # here the file is cut
        opcode, length = RECORD_HEAD.unpack(head)
        return may_be_head(opcode, length, self._source.size - at)

    def _unsound(self, start: int, opcode: int, length: int) -> Iterator[StoredMessage]:
        if not self._finder.adds_up(Opcode.CHUNK, length, self._peek_body(LARGEST_CHUNK_HEAD_BYTES)):
            self._resume_after(start, opcode, length)
            return
        detail = f"a chunk is marked with opcode {opcode}: it is read by its head"
        self.container.keep_damage(Damage("bad_record", start, 1, detail, messages=0))
        yield from self._chunk(start, length)

    def _resume_after(self, start: int, opcode: int, length: int) -> None:
        """Pass over what is no record, up to the next place where one stands."""
        size = self._source.size
        to = self._finder.find(start + 1)
        if to is None and not self._is_closed():
            self._cut(start)
        else:
            end = size if to is None else to
            detail = f"a record with opcode {opcode} claims {length} bytes of {size - start}; " + (
                "nothing readable follows" if to is None else f"reading goes on at byte {to}"
            )
            damage = Damage("bad_record", start, end - start, detail)
            # A message index is only a list of what its chunk has given already.
            estimate = 0 if opcode == Opcode.MESSAGE_INDEX else self._reckon(end - start)
            self._losses.begin(damage, kept={}, estimate=estimate)
            if opcode == Opcode.MESSAGE_INDEX:
                self._losses.settle()
        self._reader.skip((size if to is None else to) - self._reader.offset)
        self.container.has_footer |= to is None

    def _is_closed(self) -> bool:
        return self._source.read_at(self._source.size - len(MCAP_MAGIC), len(MCAP_MAGIC)) == MCAP_MAGIC

    def _reckon(self, stretch_bytes: int) -> float | None:
        """Return how many messages a stretch may have held, by those read so far."""
        return stretch_bytes * self._read_messages / self._read_bytes if self._read_bytes else None

    # Records outside chunks

    def _other(self, start: int, opcode: int, length: int) -> None:
        self._reader.take(RECORD_HEAD.size)
        if opcode == Opcode.ATTACHMENT:
            self._attachment(start, length)
        elif opcode in SMALL_RECORDS and length <= self._max_chunk_bytes:
            self._small(opcode, self._reader.take(length), start)
        else:
            if opcode == Opcode.MESSAGE_INDEX:
                self._index(start, length)
            elif Opcode.DATA_END < opcode < FIRST_PRIVATE_OPCODE:
                detail = f"opcode {opcode} is not one of the format: the record is passed over"
                self.container.note_damage("bad_record", start, RECORD_HEAD.size + length, detail)
            self._reader.skip(length)

    def _index(self, start: int, length: int) -> None:
        """Take from a message index what a damaged chunk before it held; the record stays to be passed over."""
        if length >= INDEX_HEAD.size:
            channel_id, entry_bytes = INDEX_HEAD.unpack(self._reader.peek(INDEX_HEAD.size))
            if INDEX_HEAD.size + entry_bytes <= length and entry_bytes % 16 == 0:
                self._losses.index(channel_id, entry_bytes // 16)
                return
        self.container.note_damage("bad_record", start, length, "a message index does not add up")

    def _loose_message(self, start: int, length: int) -> StoredMessage | None:
        body = self._reader.take(RECORD_HEAD.size + length)[RECORD_HEAD.size :]
        if length < MESSAGE_HEAD.size:
            self.container.note_damage("bad_record", start, length, "message record is too short")
            return None
        channel_id, sequence, log_time_ns, publish_time_ns = MESSAGE_HEAD.unpack_from(body)
        payload_at = start + RECORD_HEAD.size + MESSAGE_HEAD.size
        known = channel_id in self.container.channels and log_time_ns < 1 << 63
        if not known and not self._may_return(channel_id, log_time_ns, payload_at, length):
            return None
        self._read_messages += 1
        self._read_bytes += RECORD_HEAD.size + length
        if self._losses.is_open and self.container.chunks:
            # In a file of chunks, a message outside of them lay in one whose head is damaged.
            self._losses.keep(channel_id)
            self.container.salvaged_messages += 1
        payload = body[MESSAGE_HEAD.size :]
        return StoredMessage(channel_id, log_time_ns, payload, IN_FILE, payload_at, publish_time_ns, sequence)

    def _small(self, opcode: int, body: memoryview, start: int) -> None:
        try:
            keep_record(self.container, opcode, body)
        except PARSE_ERRORS as error:
            name = Opcode(opcode).name.lower()
            self.container.note_damage(
                "bad_record", start, len(body), f"{name} record is unreadable: {error}"
            )

    def _attachment(self, start: int, length: int) -> None:
        head = self._reader.peek(min(length, _ATTACHMENT_HEAD_BYTES))
        end = self._reader.offset + length
        try:
            place = parse_attachment_head(head, start + RECORD_HEAD.size)
        except PARSE_ERRORS as error:
            detail = f"attachment record is unreadable: {error}"
            self.container.note_damage("bad_record", start, length, detail)
        else:
            crc_at = place.offset + place.length
            if crc_at + _CRC_BYTES <= end:
                self._reader.skip(crc_at - self._reader.offset)
                crc = int.from_bytes(self._reader.take(_CRC_BYTES), "little")
                place = replace(place, crc=crc)
            self.container.attachment_places.append(place)
        self._reader.skip(end - self._reader.offset)

    # Chunks

    def _chunk(self, start: int, length: int) -> Iterator[StoredMessage]:
        head = self._chunk_head()
        if head is None:
            self._resume_after(start, Opcode.CHUNK, length)
            return
        body_at, left = self._body_at, self._reader.remaining - RECORD_HEAD.size
        extent = self._extent(head, length)
        if extent is None:
            self._resume_after(start, Opcode.CHUNK, length)
            return
        if extent != length or head.record_bytes > length:
            detail = (
                f"a chunk of {length} bytes that holds {head.record_bytes} by its head: {extent} are read"
            )
            self.container.keep_damage(Damage("bad_record", start, RECORD_HEAD.size, detail, messages=0))
        self._reader.take(RECORD_HEAD.size)
        if extent > left:
            self.container.cut_offset = start
        stretch = RECORD_HEAD.size + min(extent, left)
        if max(min(extent, left), head.unpacked_bytes) > self._max_chunk_bytes:
            detail = f"a chunk of {extent} bytes that claims {head.unpacked_bytes} unpacked is over the limit"
            self._lose(Damage("chunk_too_large", start, stretch, detail), head, {}, 0)
            self._reader.skip(extent)
            return
        body = self._reader.take(min(extent, left))
        data = body[head.data_at : head.record_bytes]
        try:
            records = self._unpack(head, data, is_cut=extent > left)
            trouble = None
        except ChunkRefusedError as error:
            trouble = "cut" if extent > left else error.kind
            records = memoryview(b"")
            if error.kind in ("bad_chunk", "cut"):
                room = min(head.unpacked_bytes, self._max_chunk_bytes)
                records = memoryview(unpack_partly(head.compression, data, room))
            detail = str(error)
        self.container.compressions.add(head.compression)
        chunk, base = self._place(head, body_at + head.data_at, len(data), len(records))
        end = yield from self._records(records, chunk, base, start)
        if trouble is None and end == len(records):
            self.container.chunks += 1
            return
        if trouble is None:
            trouble, detail = "bad_chunk", f"a record of the chunk is broken, {end} bytes into it"
        kept = count_messages(records[:end], self.container.channels)
        self.container.salvaged_messages += kept.total()
        if kept:
            detail += f"; kept before the break: {self._by_topic(kept)}"
        self._lose(Damage(trouble, start, stretch, detail), head, kept, end)

    def _chunk_head(self) -> ChunkHead | None:
        try:
            return parse_chunk_head(self._peek_body(LARGEST_CHUNK_HEAD_BYTES))
        except PARSE_ERRORS:
            return None

    def _extent(self, head: ChunkHead, length: int) -> int | None:
        """Return how long the body of a chunk is where its record and its head disagree; None where nothing tells."""
        if head.record_bytes == length:
            return length
        for extent in (length, head.record_bytes):
            if self._finder.may_follow(self._body_at + extent):
                return extent
        return None

    def _unpack(self, head: ChunkHead, data: memoryview, *, is_cut: bool) -> memoryview:
        if is_cut:
            raise ChunkRefusedError("cut", "the file ends inside a chunk, before its closing marker")
        records = memoryview(unpack(head.compression, data, head.unpacked_bytes))
        if head.crc and crc32(records) != head.crc:
            raise ChunkRefusedError("bad_crc", "the chunk does not match its checksum")
        return records

    def _place(
        self, head: ChunkHead, data_at: int, packed_bytes: int, unpacked_bytes: int
    ) -> tuple[int, int]:
        """Return number and base of the places of a chunk's messages."""
        if head.compression == "":
            return IN_FILE, data_at
        packed = self.container.packed
        packed.append(PackedChunk(len(packed), data_at, packed_bytes, unpacked_bytes, head.compression))
        return len(packed) - 1, 0

    def _records(
        self, records: memoryview, chunk: int, base: int, chunk_start: int
    ) -> Generator[StoredMessage, None, int]:
        """Yield the messages among the records of a chunk; return how many bytes of whole records there are."""
        at, end, count = 0, len(records), 0
        channels = self.container.channels
        head_bytes, payload_skip = RECORD_HEAD.size, MESSAGE_RECORD.size
        # One call reads the heads of record and message; it costs too much to do it in two, or in a function.
        last = end - payload_skip
        while at < end:
            if at <= last:
                opcode, length, channel_id, sequence, log_time_ns, publish_time_ns = (
                    MESSAGE_RECORD.unpack_from(records, at)
                )
            elif at + head_bytes <= end:
                opcode, length = RECORD_HEAD.unpack_from(records, at)
            else:
                break
            behind = at + head_bytes + length
            if opcode == 0 or behind > end:
                break
            if opcode == _MESSAGE:
                if behind < at + payload_skip:
                    break
                payload_at = base + at + payload_skip
                if (channel_id in channels and log_time_ns < 1 << 63) or self._may_return(
                    channel_id, log_time_ns, payload_at, length
                ):
                    count += 1
                    yield StoredMessage(
                        channel_id,
                        log_time_ns,
                        records[at + payload_skip : behind],
                        chunk,
                        payload_at,
                        publish_time_ns,
                        sequence,
                    )
            elif opcode in (Opcode.SCHEMA, Opcode.CHANNEL):
                self._small(opcode, records[at + head_bytes : behind], chunk_start)
            elif opcode < FIRST_PRIVATE_OPCODE:
                detail = f"a record with opcode {opcode}, {at} bytes into a chunk, is passed over"
                self.container.note_damage("bad_record", chunk_start, behind - at, detail)
            at = behind
        self._read_messages += count
        self._read_bytes += at
        return at

    def _lose(self, damage: Damage, head: ChunkHead, kept: Counter[int] | dict[int, int], end: int) -> None:
        more = self._reckon(max(head.unpacked_bytes - end, 0))
        estimate = None if more is None else more + sum(kept.values())
        self._losses.begin(damage, kept=kept, estimate=estimate)

    def _by_topic(self, kept: Counter[int]) -> str:
        topics: Counter[str] = Counter()
        for channel_id, count in kept.items():
            topics[self.container.channels[channel_id].topic] += count
        return ", ".join(f"{count} of {topic}" for topic, count in sorted(topics.items()))

    # Channels

    def _is_channel(self, channel_id: int) -> bool:
        if channel_id in self.container.channels:
            return True
        summary = self._summary()
        return summary is not None and channel_id in summary.container.channels

    def _may_return(self, channel_id: int, log_time_ns: int, offset: int, length: int) -> bool:
        """Whether a message is complete with its channel and a usable time; notes it where not."""
        if channel_id not in self.container.channels and not self._adopt_channel(channel_id):
            known = self._unknown.get(channel_id)
            self._unknown[channel_id] = Damage(
                "unknown_channel",
                known.offset if known else offset,
                (known.length if known else 0) + length,
                f"messages of channel {channel_id}, which no record describes",
                messages=((known.messages or 0) if known else 0) + 1,
            )
            return False
        if log_time_ns >= 1 << 63:
            self.container.keep_damage(
                Damage(
                    "bad_record", offset, length, f"log time {log_time_ns} is out of range",
                    topics=(self.container.channels[channel_id].topic,), messages=1,
                )
            )  # fmt: skip
            return False
        return True

    def _adopt_channel(self, channel_id: int) -> bool:
        """Take the definition of a channel from the summary, or from behind: its own place may be broken."""
        if channel_id in self._unknown:
            return False
        summary = self._summary()
        if summary is not None and channel_id in summary.container.channels:
            return self._adopt(channel_id, summary.container)
        if not self._may_look_ahead:
            return False
        self._may_look_ahead = False
        ahead = Walk(self._source, max_chunk_bytes=self._max_chunk_bytes, with_digest=False)
        ahead._may_look_ahead = False
        for _ in ahead.messages():
            pass
        for known in ahead.container.channels.keys() - self.container.channels.keys():
            self._adopt(known, ahead.container)
        return channel_id in self.container.channels

    def _adopt(self, channel_id: int, other: Container) -> bool:
        channel = other.channels[channel_id]
        self.container.channels[channel_id] = channel
        if channel.schema_id in other.schemas:
            self.container.schemas.setdefault(channel.schema_id, other.schemas[channel.schema_id])
        return True

    def _summary(self) -> Summary | None:
        if not self._summary_read:
            self._summary_read = True
            self._known_summary = read_summary(self._source)
        return self._known_summary
