"""Messages found through the index of a whole MCAP file: their counts and log times, and the first of each topic.

Message indexes of many chunks are fetched together and taken apart as arrays: a recording of 2 GB has thousands of
chunks and may have millions of messages. Whether the index can be trusted is decided by the caller.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from mcap.opcode import Opcode
from mcap.records import ChunkIndex
from numpy.typing import NDArray

from episode_assets.errors import BadRecording
from episode_assets.recording.collect import TopicLog
from episode_assets.recording.containers.container import IN_FILE, PackedChunk, StoredMessage
from episode_assets.recording.containers.payloads import PayloadReader
from episode_assets.recording.containers.records import CHUNK_HEAD, INDEX_HEAD, MESSAGE_HEAD, RECORD_HEAD
from episode_assets.recording.containers.source import Source
from episode_assets.recording.containers.summary import Summary
from episode_assets.recording.survey import Logs

_BATCH_BYTES = 32 << 20
_HEAD_BYTES = RECORD_HEAD.size + MESSAGE_HEAD.size
_PICTURE_HEAD_BYTES = 1 << 13
_ENTRY_BYTES = 16


class _Entries(NamedTuple):
    """Messages of some chunks by their message indexes, (N,) each, in file order; offsets count in the chunk."""

    chunks: NDArray[np.int64]
    channel_ids: NDArray[np.int64]
    log_times_ns: NDArray[np.int64]
    offsets: NDArray[np.int64]


class _Place(NamedTuple):
    """Where the first message of a channel lies: in which chunk, at which byte of it, up to which the next one may."""

    channel_id: int
    chunk: int
    offset: int
    end: int


class IndexReader:
    """Reads one file by its summary.

    Args:
        source: The file.
        summary: Its summary, in which every chunk lies inside the file.
        largest_chunk_bytes: Largest chunk that is unpacked.
    """

    def __init__(self, source: Source, summary: Summary, *, largest_chunk_bytes: int) -> None:
        self._source = source
        self._chunks = summary.chunks
        self._container = summary.container
        self._largest = largest_chunk_bytes
        self._logs = Logs(summary.container)

    def logs(self) -> Logs:
        """Return logs with every message counted, and the first message of each topic looked at.

        Raises:
            BadRecording: The index names a channel that the file does not define.
            ValueError: The index contradicts the file; also any other of PARSE_ERRORS.
        """
        firsts: dict[int, _Place] = {}
        for numbers in self._batches():
            entries = self._entries(numbers)
            unknown = set(np.unique(entries.channel_ids).tolist()) - self._container.channels.keys()
            if unknown:
                raise BadRecording(
                    f"the index names channels {sorted(unknown)} that the file does not define"
                )
            self._logs.add_indexed(entries.channel_ids, entries.log_times_ns)
            for place in self._firsts(entries, dict(firsts)):
                firsts[place.channel_id] = place
        self._look_at([place for place in firsts.values() if self._is_wanted(place)])
        return self._logs

    def _batches(self) -> Iterator[list[int]]:
        batch, size = list[int](), 0
        for number, chunk in enumerate(self._chunks):
            batch.append(number)
            size += chunk.message_index_length
            if size >= _BATCH_BYTES:
                yield batch
                batch, size = [], 0
        if batch:
            yield batch

    def _entries(self, numbers: Sequence[int]) -> _Entries:
        chunks = [self._chunks[number] for number in numbers]
        read = self._source.read_ranges(
            [(c.chunk_start_offset + c.chunk_length, c.message_index_length) for c in chunks]
        )
        pairs = list[memoryview]()
        owners = list[tuple[int, int, int]]()
        for number, records in zip(numbers, read, strict=True):
            for channel_id, body in _message_indexes(memoryview(records)):
                pairs.append(body)
                owners.append((number, channel_id, len(body) // _ENTRY_BYTES))
        values = np.frombuffer(b"".join(pairs), dtype="<i8").reshape(-1, 2)
        of_chunk, of_channel, counts = np.array(owners, dtype=np.int64).reshape(-1, 3).T
        in_chunk = np.repeat(of_chunk, counts)
        order = np.lexsort((values[:, 1], in_chunk))
        return _Entries(
            in_chunk[order], np.repeat(of_channel, counts)[order], values[order, 0], values[order, 1]
        )

    def _firsts(self, entries: _Entries, known: Mapping[int, _Place]) -> Iterator[_Place]:
        for channel_id in np.unique(entries.channel_ids).tolist():
            if channel_id in known:
                continue
            row = int(np.argmax(entries.channel_ids == channel_id))
            number, offset = int(entries.chunks[row]), int(entries.offsets[row])
            following = row + 1
            same_chunk = following < len(entries.chunks) and entries.chunks[following] == number
            end = int(entries.offsets[following]) if same_chunk else self._chunks[number].uncompressed_size
            yield _Place(channel_id, number, offset, end)

    def _is_wanted(self, place: _Place) -> bool:
        chunk = self._chunks[place.chunk]
        may_be_read = not chunk.compression or chunk.uncompressed_size <= self._largest
        return self._logs.log_of(place.channel_id).kind is not None and may_be_read

    def _look_at(self, places: Sequence[_Place]) -> None:
        """Give the first message of each topic to its log; channels of one topic share one."""
        in_file = [place for place in places if not self._chunks[place.chunk].compression]
        for place, record in zip(in_file, self._heads(in_file), strict=True):
            base = _data_offset(self._chunks[place.chunk])
            self._take(self._message(place, record, IN_FILE, base + place.offset))
        packed = [place for place in places if self._chunks[place.chunk].compression]
        with PayloadReader(self._source, self._packed(packed)) as payloads:
            for place in sorted(packed, key=lambda item: (item.chunk, item.offset)):
                record = payloads.get(place.chunk, place.offset, max(0, place.end - place.offset))
                self._take(self._message(place, record, place.chunk, place.offset))

    def _take(self, message: StoredMessage) -> None:
        log = self._logs.log_of(message.channel_id)
        if not log.stamp:
            log.look_at(message, 0)

    def _packed(self, places: Sequence[_Place]) -> dict[int, PackedChunk]:
        return {
            place.chunk: PackedChunk(
                place.chunk,
                _data_offset(chunk),
                chunk.compressed_size,
                chunk.uncompressed_size,
                chunk.compression,
            )
            for place in places
            for chunk in (self._chunks[place.chunk],)
        }

    def _heads(self, places: Sequence[_Place]) -> list[memoryview]:
        """Return the record of each place that lies in the file itself; of large pictures the first bytes only."""
        ranges = []
        for place in places:
            length = max(0, place.end - place.offset)
            if _is_told_by_its_head(self._logs.log_of(place.channel_id)):
                length = min(length, _PICTURE_HEAD_BYTES)
            ranges.append((_data_offset(self._chunks[place.chunk]) + place.offset, length))
        return [memoryview(data) for data in self._source.read_ranges(ranges)]

    def _message(self, place: _Place, record: memoryview, chunk: int, offset: int) -> StoredMessage:
        """Return the message of a record; what was not read of its payload is zeros."""
        opcode, length = RECORD_HEAD.unpack_from(record)
        channel_id, _, log_time_ns, _ = MESSAGE_HEAD.unpack_from(record, RECORD_HEAD.size)
        fits = MESSAGE_HEAD.size <= length <= place.end - place.offset - RECORD_HEAD.size
        if opcode != Opcode.MESSAGE or channel_id != place.channel_id or not fits:
            raise ValueError(f"the index points to opcode {opcode} with {length} bytes instead of a message")
        payload = record[_HEAD_BYTES : RECORD_HEAD.size + length]
        missing = length - MESSAGE_HEAD.size - len(payload)
        if missing:
            payload = memoryview(bytes(payload) + bytes(missing))
        return StoredMessage(channel_id, log_time_ns, payload, chunk, offset + _HEAD_BYTES)


def _is_told_by_its_head(log: TopicLog) -> bool:
    """Whether everything but the bulk of a message lies in front of it, as in the pictures and clouds of ROS."""
    is_bulky = log.kind in {"image", "point_cloud"} and log.message_encoding in {"cdr", "ros1"}
    return is_bulky and log.schema.startswith("sensor_msgs/")


def _message_indexes(records: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Yield channel and entries of the message indexes behind one chunk."""
    at, end = 0, len(records)
    while at < end:
        opcode, length = RECORD_HEAD.unpack_from(records, at)
        channel_id, entry_bytes = INDEX_HEAD.unpack_from(records, at + RECORD_HEAD.size)
        entries_at = at + RECORD_HEAD.size + INDEX_HEAD.size
        at += RECORD_HEAD.size + length
        if (
            opcode != Opcode.MESSAGE_INDEX
            or entry_bytes % _ENTRY_BYTES
            or entries_at + entry_bytes > at
            or at > end
        ):
            raise ValueError(f"opcode {opcode} with {length} bytes where message indexes are expected")
        yield channel_id, records[entries_at : entries_at + entry_bytes]


def _data_offset(chunk: ChunkIndex) -> int:
    name_bytes = len(chunk.compression.encode())
    return int(chunk.chunk_start_offset) + RECORD_HEAD.size + CHUNK_HEAD.size + name_bytes + 8
