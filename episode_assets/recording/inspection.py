"""A quick look at a recording: what it holds, without reading its pictures.

Reads the file's own index where that is whole and agrees with itself, else walks the file once. Nothing is written.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from mcap.opcode import Opcode
from mcap.records import ChunkIndex, Metadata
from numpy.typing import NDArray

from episode_assets.errors import BadRecording
from episode_assets.recording.config import RecordingConfig
from episode_assets.recording.container import IN_FILE, Container, PackedChunk, StoredMessage
from episode_assets.recording.identify import format_of
from episode_assets.recording.inventory import Inventory
from episode_assets.recording.opening import open_walk
from episode_assets.recording.payloads import PayloadReader
from episode_assets.recording.records import (
    CHUNK_HEAD,
    MESSAGE_HEAD,
    PARSE_ERRORS,
    RECORD_HEAD,
    iterate_records,
    parse_record,
)
from episode_assets.recording.source import Source
from episode_assets.recording.summary import Summary, read_header, read_summary
from episode_assets.recording.survey import Logs, require_readable, survey

MIB = 1 << 20
_DEFAULT = RecordingConfig()
_LARGEST_METADATA_BYTES = 16 * MIB


def inspect(uri: str, *, config: RecordingConfig = _DEFAULT) -> Inventory:
    """Return what a recording holds.

    With a whole index the figures are those of log times and `basis` is `index`; gravity and camera frame are then
    left open, since they take the messages themselves. Otherwise the file is walked once.

    Raises:
        BadRecording: The file is no MCAP recording, or damaged before its first message.
        MissingStream: A configured topic is missing or of the wrong type.
    """
    with Source(uri) as source:
        format_of(source)
        indexed = _from_index(source, config)
        if indexed is not None:
            logs, container = indexed
            basis = "index"
        else:
            walk = open_walk(
                source,
                max_chunk_bytes=config.max_chunk_mib * MIB,
                with_digest=False,
                through_compression=True,
            )
            logs, container, basis = Logs(walk.container), walk.container, "scan"
            for message in walk.messages():
                logs.add(message)
            require_readable(logs, container, size_bytes=source.size, where=uri)
        return survey(
            logs, container, config=config, basis=basis, size_bytes=source.size, sha256=None, where=uri
        )


class _Entries(NamedTuple):
    """Messages of one chunk by its message indexes, in file order."""

    channel_ids: NDArray[np.int64]
    log_times_ns: NDArray[np.int64]
    offsets: NDArray[np.int64]


def _from_index(source: Source, config: RecordingConfig) -> tuple[Logs, Container] | None:
    """Return logs and container from the index, or None where it is missing, partial or contradicts itself."""
    summary = read_summary(source)
    if summary is None or not _is_whole(summary, source.size):
        return None
    try:
        logs = _index_logs(source, summary, config)
        container = summary.container
        container.metadata = [_metadata(source, *place) for place in summary.metadata]
        header = read_header(source)
        container.profile, container.library = header.profile, header.library
    except (*PARSE_ERRORS, BadRecording):
        return None
    statistics = container.statistics
    if statistics is None or logs.messages != statistics.message_count:
        return None
    container.attachments = list(summary.attachments)
    container.chunks = len(summary.chunks)
    container.compressions = {chunk.compression for chunk in summary.chunks}
    return logs, container


def _is_whole(summary: Summary, size: int) -> bool:
    box = summary.container
    used = {channel_id for chunk in summary.chunks for channel_id in chunk.message_index_offsets}
    return (
        bool(summary.chunks)
        and box.statistics is not None
        and used <= box.channels.keys()
        and all(c.schema_id == 0 or c.schema_id in box.schemas for c in box.channels.values())
        and all(
            c.chunk_start_offset + c.chunk_length + c.message_index_length <= size for c in summary.chunks
        )
    )


def _index_logs(source: Source, summary: Summary, config: RecordingConfig) -> Logs:
    logs = Logs(summary.container)
    packed = {
        number: PackedChunk(
            number, _data_offset(chunk), chunk.compressed_size, chunk.uncompressed_size, chunk.compression
        )
        for number, chunk in enumerate(summary.chunks)
        if chunk.compression and chunk.uncompressed_size <= config.max_chunk_mib * MIB
    }
    payloads = PayloadReader(source, packed)
    seen: set[int] = set()
    for number, chunk in enumerate(summary.chunks):
        entries = _entries(source, chunk)
        unknown = set(entries.channel_ids.tolist()) - summary.container.channels.keys()
        if unknown:
            raise BadRecording(f"the index names channels {sorted(unknown)} that the file does not define")
        logs.add_indexed(entries.channel_ids, entries.log_times_ns)
        for channel_id in sorted(set(entries.channel_ids.tolist()) - seen):
            seen.add(channel_id)
            first = int(np.argmax(entries.channel_ids == channel_id))
            log = logs.log_of(channel_id)
            if log.kind is not None and not log.stamp and (not chunk.compression or number in packed):
                place = int(entries.offsets[first])
                log.look_at(_message(payloads, chunk, number, place), 0)
    return logs


def _entries(source: Source, chunk: ChunkIndex) -> _Entries:
    at = chunk.chunk_start_offset + chunk.chunk_length
    records = memoryview(source.read_at(at, chunk.message_index_length))
    parts: list[NDArray[np.int64]] = []
    for opcode, body in iterate_records(records):
        if opcode != Opcode.MESSAGE_INDEX:
            raise ValueError(f"opcode {opcode} where message indexes are expected")
        channel_id, length = int.from_bytes(body[:2], "little"), int.from_bytes(body[2:6], "little")
        pairs = np.frombuffer(body[6 : 6 + length], dtype="<i8").reshape(-1, 2)
        parts.append(np.column_stack([np.full(len(pairs), channel_id), pairs]).astype(np.int64))
    rows = np.concatenate(parts) if parts else np.empty((0, 3), dtype=np.int64)
    rows = rows[np.argsort(rows[:, 2], kind="stable")]
    return _Entries(rows[:, 0], rows[:, 1], rows[:, 2])


def _data_offset(chunk: ChunkIndex) -> int:
    return (
        int(chunk.chunk_start_offset)
        + RECORD_HEAD.size
        + CHUNK_HEAD.size
        + len(chunk.compression.encode())
        + 8
    )


def _message(payloads: PayloadReader, chunk: ChunkIndex, number: int, offset: int) -> StoredMessage:
    where, base = (number, 0) if chunk.compression else (IN_FILE, _data_offset(chunk))
    head_bytes = RECORD_HEAD.size + MESSAGE_HEAD.size
    head = payloads.get(where, base + offset, head_bytes)
    opcode, length = RECORD_HEAD.unpack_from(head)
    channel_id, _, log_time_ns, _ = MESSAGE_HEAD.unpack_from(head, RECORD_HEAD.size)
    if opcode != Opcode.MESSAGE or not MESSAGE_HEAD.size <= length <= chunk.uncompressed_size:
        raise ValueError(f"the index points to opcode {opcode} with {length} bytes instead of a message")
    payload = payloads.get(where, base + offset + head_bytes, length - MESSAGE_HEAD.size)
    return StoredMessage(channel_id, log_time_ns, payload, where, base + offset + head_bytes)


def _metadata(source: Source, offset: int, length: int) -> tuple[str, dict[str, str]]:
    if not 0 <= length <= _LARGEST_METADATA_BYTES:
        raise ValueError(f"a metadata record of {length} bytes")
    for opcode, body in iterate_records(memoryview(source.read_at(offset, length))):
        if opcode == Opcode.METADATA:
            record = parse_record(Metadata, body)
            return record.name, record.metadata
    raise ValueError("the index points to no metadata record")
