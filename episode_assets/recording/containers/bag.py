"""ROS 1 bags (version 2.0): one linear walk over records and chunks, which keeps going where a record is damaged.

The index at the end is not needed, so a bag that was never closed reads as well as a whole one. The reader of the
`rosbags` package is not used: it refuses bags without index, and tells no place where a payload lies. How a record
is laid out belongs to `bag_records`; what a payload means belongs to `decoders`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from mcap.records import Channel, Schema

from episode_assets.progress import Progress, silent
from episode_assets.recording.containers.bag_records import (
    BAG_MAGIC,
    LARGEST_CHUNK_HEAD_BYTES,
    LARGEST_HEADER_BYTES,
    LENGTH,
    OP_BAG,
    OP_CHUNK,
    OP_CHUNK_INFO,
    OP_CONNECTION,
    OP_INDEX,
    OP_MESSAGE,
    BagChunk,
    BagHeader,
    BagRecordError,
    chunk_in,
    connection_number,
    entry_count,
    iterate_bag_records,
    opcode,
    parse_bag_header,
    parse_chunk,
    parse_connection,
    parse_fields,
    receive_time_ns,
)
from episode_assets.recording.containers.container import (
    IN_FILE,
    Container,
    Damage,
    PackedChunk,
    StoredMessage,
)
from episode_assets.recording.containers.losses import Losses
from episode_assets.recording.containers.source import EndOfBytes, ForwardReader, Source
from episode_assets.recording.containers.unpacking import ChunkRefusedError, unpack, unpack_partly

_LARGEST_INDEX_BYTES = 64 << 20
_SEARCHED_BYTES = 1 << 20


class BagWalk:
    """One linear pass over a ROS 1 bag; used like `walk.Walk`.

    Connections become channels under their own numbers, message types become schemas of encoding `ros1msg`. The log
    time of a message is its receive time.
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
        self._header: BagHeader | None = None
        self._schema_ids: dict[tuple[str, bytes], int] = {}
        self._index_records = 0
        self._index_read = False
        self.container = Container(profile="ros1")
        self._losses = Losses(self.container, lambda: None)

    def messages(self) -> Iterator[StoredMessage]:
        """Yield every readable message in file order; damage is noted in the container and passed over."""
        try:
            yield from self._walk()
        except EndOfBytes:  # the file became shorter while it was read
            self._cut(self._reader.offset, "the file became shorter while it was read")
        self._losses.settle()
        self._check_end()

    def _walk(self) -> Iterator[StoredMessage]:
        self._reader.take(len(BAG_MAGIC))
        while self._reader.remaining:
            start = self._reader.offset
            try:
                fields, length = self._head()
                yield from self._record(start, fields, length)
            except BagRecordError as error:
                self._resume_after(start, str(error))
            self._progress("read", self._reader.offset, self._source.size)

    def sha256(self) -> str | None:
        """Return the SHA-256 of the file, after reading what the walk has left over."""
        return self._reader.sha256()

    def _head(self) -> tuple[dict[bytes, bytes], int]:
        try:
            (header_length,) = LENGTH.unpack(self._reader.take(LENGTH.size))
            if header_length > LARGEST_HEADER_BYTES:
                raise BagRecordError(f"a record header claims {header_length} bytes")
            fields = parse_fields(bytes(self._reader.take(header_length)))
            (length,) = LENGTH.unpack(self._reader.take(LENGTH.size))
        except EndOfBytes as error:
            raise BagRecordError("the file ends inside a record header") from error
        return fields, int(length)

    def _record(self, start: int, fields: dict[bytes, bytes], length: int) -> Iterator[StoredMessage]:
        op = opcode(fields)
        if op == OP_INDEX and self._losses.is_open:
            self._losses.index(connection_number(fields), entry_count(fields))
        elif op != OP_INDEX:
            self._losses.settle()
        if op == OP_CHUNK:
            yield from self._chunk(start, parse_chunk(fields), length)
            return
        if length > self._reader.remaining:
            raise BagRecordError(f"a record claims {length} bytes of {self._reader.remaining}")
        body_at = self._reader.offset
        if op not in (OP_MESSAGE, OP_CONNECTION):
            self._reader.skip(length)
        elif length > self._max_chunk_bytes:
            self._reader.skip(length)
            self.container.note_damage(
                "bad_record", start, length, f"a record of {length} bytes is over the limit"
            )
        else:
            # A bag that was not closed ends in a chunk of unknown size; its records are met here.
            yield from self._content(fields, self._reader.take(length), IN_FILE, body_at)
        if op == OP_BAG:
            self._keep_header(start, parse_bag_header(fields))
        self._index_records += op in (OP_CHUNK_INFO, OP_CONNECTION) and start >= self._index_pos

    @property
    def _index_pos(self) -> int:
        return self._header.index_pos if self._header else 0

    def _keep_header(self, start: int, header: BagHeader) -> None:
        self._header = header
        if header.index_pos == 0:
            self.container.note_damage(
                "bag_without_index", start, 0, "a ROS 1 bag without index: it was not closed by its recorder"
            )

    def _chunk(self, start: int, head: BagChunk, length: int) -> Iterator[StoredMessage]:
        box, reader = self.container, self._reader
        extent = min(length, reader.remaining)
        # The sizes of a chunk are written when it is closed.
        if length == head.unpacked_bytes == 0 and head.compression:
            extent = reader.remaining
        is_cut = extent != length
        if is_cut and self._next_chunk() is not None:
            raise BagRecordError(f"a chunk claims {length} bytes of {reader.remaining}")
        if is_cut:
            box.cut_offset = start
        data_at = reader.offset
        stretch = data_at - start + extent
        if max(extent, head.unpacked_bytes) > self._max_chunk_bytes:
            detail = f"a chunk of {extent} bytes that claims {head.unpacked_bytes} unpacked is over the limit"
            self._losses.begin(Damage("chunk_too_large", start, stretch, detail), kept={}, estimate=None)
            reader.skip(extent)
            return
        records, trouble = self._unpack(head, reader.take(extent), is_cut=is_cut)
        kept: Counter[int] = Counter()
        try:
            for message in self._records(records, head, data_at, extent):
                kept[message.channel_id] += 1
                yield message
        except BagRecordError as error:
            trouble = trouble or ("bad_chunk", str(error))
        if trouble is None:
            box.chunks += 1
        else:
            box.salvaged_messages += kept.total()
            self._losses.begin(Damage(trouble[0], start, stretch, trouble[1]), kept=kept, estimate=None)

    def _unpack(
        self, head: BagChunk, data: memoryview, *, is_cut: bool
    ) -> tuple[memoryview, tuple[str, str] | None]:
        """Return the records of a chunk, or those before a cut or a break, with the kind of damage and its reason."""
        if is_cut:
            room = min(head.unpacked_bytes or self._max_chunk_bytes, self._max_chunk_bytes)
            detail = f"the file ends inside its chunk {self.container.chunks + 1}"
            return memoryview(unpack_partly(head.compression, data, room)), ("cut", detail)
        try:
            return memoryview(unpack(head.compression, data, head.unpacked_bytes)), None
        except ChunkRefusedError as error:
            records = unpack_partly(head.compression, data, head.unpacked_bytes)
            return memoryview(records), (error.kind, str(error))

    def _records(
        self, records: memoryview, head: BagChunk, data_at: int, packed_bytes: int
    ) -> Iterator[StoredMessage]:
        box = self.container
        box.compressions.add(head.compression)
        chunk, base = IN_FILE, data_at
        if head.compression:
            chunk, base = len(box.packed), 0
            box.packed.append(PackedChunk(chunk, data_at, packed_bytes, len(records), head.compression))
        for record in iterate_bag_records(records):
            yield from self._content(record.fields, record.body, chunk, base + record.body_at)

    def _content(
        self, fields: dict[bytes, bytes], body: memoryview, chunk: int, offset: int
    ) -> Iterator[StoredMessage]:
        """Take a message or a connection; records of other kinds are passed over, unreadable ones are counted."""
        op = opcode(fields)
        try:
            if op == OP_MESSAGE:
                yield from self._message(fields, body, chunk, offset)
            elif op == OP_CONNECTION:
                self._keep_connection(fields, body)
        except BagRecordError as error:
            self.container.note_damage("bad_record", offset, len(body), str(error))

    def _message(
        self, fields: dict[bytes, bytes], body: memoryview, chunk: int, offset: int
    ) -> Iterator[StoredMessage]:
        number, time_ns = connection_number(fields), receive_time_ns(fields)
        if number in self.container.channels or self._adopt_connection(number):
            yield StoredMessage(number, time_ns, body, chunk, offset)
        else:
            detail = f"message of connection {number}, which no record describes"
            self.container.note_damage("unknown_channel", offset, len(body), detail)

    def _keep_connection(self, fields: dict[bytes, bytes], body: memoryview) -> None:
        connection = parse_connection(fields, bytes(body))
        box = self.container
        key = (connection.kind, connection.definition)
        schema_id = self._schema_ids.setdefault(key, len(self._schema_ids) + 1)
        schema = Schema(id=schema_id, name=connection.kind, encoding="ros1msg", data=connection.definition)
        box.schemas.setdefault(schema_id, schema)
        channel = Channel(
            id=connection.number,
            topic=connection.topic,
            message_encoding="ros1",
            metadata=connection.details,
            schema_id=schema_id,
        )
        # Every connection is written twice, in its first chunk and in the index.
        if box.channels.get(connection.number) != channel:
            box.channels[connection.number] = channel

    def _adopt_connection(self, number: int) -> bool:
        """Look for a connection, whose chunk may be broken, in the index at the end; return whether it is there."""
        if not self._index_read and 0 < self._index_pos < self._source.size:
            self._index_read = True
            index = memoryview(self._source.read_at(self._index_pos, _LARGEST_INDEX_BYTES))
            try:
                for record in iterate_bag_records(index):
                    if opcode(record.fields) == OP_CONNECTION:
                        self._keep_connection(record.fields, record.body)
            except BagRecordError:
                pass  # what came before is kept; a message without its connection is counted
        return number in self.container.channels

    def _resume_after(self, start: int, reason: str) -> None:
        """Move on to the next chunk, or to the index, or to the end."""
        self._losses.settle()
        at, size = self._reader.offset, self._source.size
        to = self._next_chunk()
        if to is None and max(at, start + 1) <= self._index_pos < size:
            to = self._index_pos
        if to is None:
            self._cut(start, reason)
        else:
            self.container.note_damage(
                "bad_record", start, to - start, f"{reason}; reading goes on at byte {to}"
            )
        self._reader.skip((size if to is None else to) - at)

    def _next_chunk(self) -> int | None:
        """Return where the next chunk starts behind what was read, found by the form of its head."""
        at = self._reader.offset
        while True:
            window = self._source.read_at(at, _SEARCHED_BYTES)
            found = chunk_in(window)
            if found is not None:
                return at + found
            if len(window) < _SEARCHED_BYTES:
                return None
            at += _SEARCHED_BYTES - 2 * LARGEST_CHUNK_HEAD_BYTES

    def _cut(self, start: int, reason: str) -> None:
        self.container.cut_offset = start
        self.container.note_damage("cut", start, self._source.size - start, reason)

    def _check_end(self) -> None:
        """Compare what lies at the end with what the head of the bag promises."""
        box, header, size = self.container, self._header, self._source.size
        if header is None and not box.truncated:
            self._cut(size, "a ROS 1 bag without its head")
        elif header is not None and header.index_pos == 0 and not box.truncated:
            box.cut_offset = size
        elif header is not None and header.index_pos > 0 and not box.truncated:
            missing = header.connections + header.chunks - self._index_records
            if header.index_pos > size or missing > 0:
                self._cut(size, f"the index at the end lacks {missing} records")
        box.has_footer = not box.truncated
