"""A quick look at a recording: what it holds, without reading its pictures.

Reads the file's own index where that is whole and agrees with itself, else walks the file once. Nothing is written.
How messages are found through the index belongs to `index_reading`.
"""

from __future__ import annotations

from mcap.opcode import Opcode
from mcap.records import Metadata

from episode_assets.errors import BadRecording
from episode_assets.recording.config import RecordingConfig
from episode_assets.recording.containers.container import Container
from episode_assets.recording.containers.identify import format_of
from episode_assets.recording.containers.opening import open_walk
from episode_assets.recording.containers.parts import only_part
from episode_assets.recording.containers.records import PARSE_ERRORS, iterate_records, parse_record
from episode_assets.recording.containers.source import Source
from episode_assets.recording.containers.summary import Summary, read_header, read_summary
from episode_assets.recording.index_reading import IndexReader
from episode_assets.recording.inventory import Inventory
from episode_assets.recording.survey import Logs, require_readable, survey

MIB = 1 << 20
_DEFAULT = RecordingConfig()
_LARGEST_METADATA_BYTES = 16 * MIB


def inspect(uri: str, *, config: RecordingConfig = _DEFAULT) -> Inventory:
    """Return what a recording holds.

    With a whole index the figures are those of log times and `basis` is `index`; gravity and camera frame are then
    left open, since they take the messages themselves. Otherwise the file is walked once; so are
    bags, and recordings in a file that is compressed as a whole, whose damage then counts in the unpacked file.

    Raises:
        BadRecording: The file is no recording, damaged before its first message, or a directory of several parts.
        MissingStream: A configured topic is missing or of the wrong type.
    """
    uri = only_part(uri)
    with Source(uri) as source:
        format_of(source)
        indexed = _from_index(source, config)
        if indexed is not None:
            logs, container = indexed
            basis = "index"
            source.check_unchanged()
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
        ).inventory


def _from_index(source: Source, config: RecordingConfig) -> tuple[Logs, Container] | None:
    """Return logs and container from the index, or None where it is missing, partial or contradicts itself."""
    summary = read_summary(source)
    if summary is None or not _is_whole(summary, source.size):
        return None
    try:
        container = summary.container
        logs = IndexReader(source, summary, largest_chunk_bytes=config.max_chunk_mib * MIB).logs()
        container.metadata = _metadata(source, summary)
        header = read_header(source)
        container.profile, container.library = header.profile, header.library
    except (*PARSE_ERRORS, BadRecording):
        return None
    statistics = container.statistics
    if statistics is None or logs.messages != statistics.message_count:
        return None
    # A file may hold attachments and metadata that its index does not name.
    if statistics.attachment_count > len(summary.attachments) or statistics.metadata_count > len(
        summary.metadata
    ):
        return None
    container.attachment_places = list(summary.attachments)
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


def _metadata(source: Source, summary: Summary) -> list[tuple[str, dict[str, str]]]:
    if not all(0 <= length <= _LARGEST_METADATA_BYTES for _, length in summary.metadata):
        raise ValueError("the index names a metadata record of an absurd length")
    return [_metadata_record(data) for data in source.read_ranges(summary.metadata)]


def _metadata_record(data: bytes) -> tuple[str, dict[str, str]]:
    for opcode, body in iterate_records(memoryview(data)):
        if opcode == Opcode.METADATA:
            record = parse_record(Metadata, body)
            return record.name, record.metadata
    raise ValueError("the index points to no metadata record")
