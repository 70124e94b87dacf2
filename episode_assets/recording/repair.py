"""A clean MCAP of what is readable: of a damaged file, a bag of another format, or the parts of a split recording.

Nothing is decoded: messages keep their bytes, times, sequence numbers and order. What was lost is written into the new
file as a metadata record, without the names of the inputs. How damage is read past belongs to the walks; how parts are
found belongs to `parts`.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from mcap.records import Channel
from mcap.writer import CompressionType, Writer

from episode_assets.errors import (
    BadConfig,
    BadRecording,
    DiskFull,
    NothingToExport,
    SourceChanged,
    StorageTrouble,
)
from episode_assets.progress import Progress, silent
from episode_assets.recording.config import RecordingConfig
from episode_assets.recording.containers.container import AttachmentPlace, Container, Damage, StoredMessage
from episode_assets.recording.containers.opening import AnyWalk, open_walk
from episode_assets.recording.containers.parts import parts_of
from episode_assets.recording.containers.source import Source, local_path
from episode_assets.recording.containers.walk import Walk

REPAIR_RECORD = "episode_assets.repair"
"""Name of the metadata record that says what a repaired file was made of, and what was lost."""

COMPRESSIONS: Mapping[str, CompressionType] = {
    "zstd": CompressionType.ZSTD,
    "lz4": CompressionType.LZ4,
    "none": CompressionType.NONE,
}
"""How the chunks of the new file may be packed."""

MIB = 1 << 20
_DEFAULT = RecordingConfig()
_LIBRARY = "episode-assets"


@dataclass(frozen=True)
class RepairedPart:
    """What was read of one input file.

    Attributes:
        uri: Its path or address.
        size_bytes: Its size.
        messages: Messages kept, salvaged ones included.
        salvaged_messages: How many of them lay in chunks that are cut or broken.
        cut_offset: Byte at which the file is cut, or None.
        damage: Stretches that could not be read (the first hundred).
        damage_total: How many there are.
        attachments_left_out: Attachments that do not match their checksum, or are larger than the limit for chunks.
    """

    uri: str
    size_bytes: int
    messages: int
    salvaged_messages: int
    cut_offset: int | None
    damage: tuple[Damage, ...]
    damage_total: int
    attachments_left_out: int


@dataclass(frozen=True)
class RepairReport:
    """What a repair kept and lost.

    Attributes:
        out: The new file.
        size_bytes: Its size.
        channels: Its channels, empty ones included.
        attachments: Its attachments.
        parts: What was read of each input, in order.
    """

    out: Path
    size_bytes: int
    channels: int
    attachments: int
    parts: tuple[RepairedPart, ...]

    @property
    def messages(self) -> int:
        """Messages in the new file."""
        return sum(part.messages for part in self.parts)

    @property
    def salvaged_messages(self) -> int:
        """How many of them lay in chunks that are cut or broken."""
        return sum(part.salvaged_messages for part in self.parts)

    @property
    def is_complete(self) -> bool:
        """Whether nothing was lost."""
        return not any(
            part.damage_total or part.attachments_left_out or part.cut_offset is not None
            for part in self.parts
        )


def repair(
    uris: Sequence[str],
    out: Path,
    *,
    compression: str = "zstd",
    force: bool = False,
    config: RecordingConfig = _DEFAULT,
    progress: Progress = silent,
) -> RepairReport:
    """Write every readable message of one recording into a new, whole MCAP file.

    Memory is bounded by the largest chunk, message or attachment that is read; `out` appears when it is complete.

    Args:
        uris: Paths or addresses of the parts of one recording, in order; a directory of a ROS 2 bag gives its parts.
        out: The file to write.
        compression: One of `COMPRESSIONS`.
        force: Replace an existing file.
        config: How to read.
        progress: Told the bytes that are read.

    Raises:
        BadConfig: The output exists, is one of the inputs, or the compression is unknown.
        BadRecording: An input is no recording, or nothing of them can be read.
        NothingToExport: The inputs are whole and hold no message.
        DiskFull: No space is left where the output lies.
        StorageTrouble: A place did not answer.
    """
    if compression not in COMPRESSIONS:
        raise BadConfig(f"compression {compression!r} is not one of {', '.join(COMPRESSIONS)}")
    parts = [part for uri in uris for part in parts_of(uri)]
    _require_free(out, parts, force=force)
    with _written_aside(out) as file:
        copy = _Copy(file, COMPRESSIONS[compression], config.max_chunk_mib * MIB)
        done, total = 0, sum(map(_size_of, parts))
        reports = []
        for uri in parts:
            with Source(uri) as source:
                reports.append(copy.part(source, _shifted(progress, done, total)))
                done += source.size
        _require_messages(reports)
        copy.finish(reports)
    return RepairReport(out, out.stat().st_size, copy.channels, copy.attachments, tuple(reports))


@dataclass
class _Copy:
    """A new file that grows part by part; schemas and channels of equal content are one."""

    file: IO[bytes]
    compression: CompressionType
    max_bytes: int
    attachments: int = 0
    _writer: Writer | None = None
    _schemas: dict[tuple[str, str, bytes], int] = field(default_factory=dict)
    _channels: dict[tuple[object, ...], int] = field(default_factory=dict)
    _metadata: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    @property
    def channels(self) -> int:
        return len(self._channels)

    def part(self, source: Source, progress: Progress) -> RepairedPart:
        walk = open_walk(
            source,
            max_chunk_bytes=self.max_bytes,
            with_digest=False,
            progress=progress,
            through_compression=True,
        )
        messages = self._copy_messages(walk)
        box = walk.container
        self._register_all(box)
        left_out = self._copy_attachments(walk) if isinstance(walk, Walk) else 0
        self._metadata += [record for record in box.metadata if record not in self._metadata]
        return RepairedPart(
            source.uri,
            source.size,
            messages,
            box.salvaged_messages,
            box.cut_offset,
            tuple(box.damage),
            box.damage_total,
            left_out,
        )

    def finish(self, parts: Sequence[RepairedPart]) -> None:
        assert self._writer is not None  # there are messages
        for name, entries in self._metadata:
            self._writer.add_metadata(name, entries)
        self._writer.add_metadata(REPAIR_RECORD, _record(parts))
        self._writer.finish()

    def _copy_messages(self, walk: AnyWalk) -> int:
        count = 0
        ids: dict[int, tuple[Channel, int]] = {}
        for message in walk.messages():
            channel = walk.container.channels[message.channel_id]
            known = ids.get(message.channel_id)
            if known is None or known[0] is not channel:
                self._register_all(walk.container)
                known = ids[message.channel_id] = (channel, self._register(channel, walk.container))
            self._add(message, known[1])
            count += 1
        return count

    def _add(self, message: StoredMessage, channel_id: int) -> None:
        assert self._writer is not None  # its channel is registered
        published = message.publish_time_ns
        self._writer.add_message(
            channel_id,
            message.log_time_ns,
            message.payload,  # the writer copies any buffer
            message.log_time_ns if published is None else published,
            message.sequence,
        )

    def _register_all(self, box: Container) -> None:
        # A channel without messages has to stand before some message: the writer drops records of a chunk without.
        for channel in box.channels.values():
            self._register(channel, box)

    def _register(self, channel: Channel, box: Container) -> int:
        writer = self._started(box)
        schema = box.schemas.get(channel.schema_id)
        schema_id = 0
        if schema is not None:
            content = (schema.name, schema.encoding, schema.data)
            schema_id = self._schemas.get(content) or writer.register_schema(*content)
            self._schemas[content] = schema_id
        key = (channel.topic, channel.message_encoding, schema_id, tuple(sorted(channel.metadata.items())))
        if key not in self._channels:
            self._channels[key] = writer.register_channel(
                channel.topic, channel.message_encoding, schema_id, channel.metadata
            )
        return self._channels[key]

    def _started(self, box: Container) -> Writer:
        if self._writer is None:
            self._writer = Writer(self.file, compression=self.compression)
            # What a reader decides by the library, the layout of a recorder, stays as it was.
            self._writer.start(profile=box.profile, library=box.library or _LIBRARY)
        return self._writer

    def _copy_attachments(self, walk: Walk) -> int:
        """Copy the attachments of a part; return how many had to be left out."""
        left_out = 0
        for place in walk.container.attachment_places:
            try:
                data = self._attachment(walk, place)
            except (BadRecording, SourceChanged):
                left_out += 1
                continue
            self._started(walk.container).add_attachment(
                place.create_time_ns, place.log_time_ns, place.name, place.media_type, data
            )
            self.attachments += 1
        return left_out

    def _attachment(self, walk: Walk, place: AttachmentPlace) -> bytes:
        if place.length > self.max_bytes:
            raise BadRecording(f"attachment {place.name!r} of {place.length} bytes is over the limit")
        return walk.read_attachment(place)


def _record(parts: Sequence[RepairedPart]) -> dict[str, str]:
    """Return what the new file says about itself; inputs are numbered, since their names are private."""
    entries = {
        "parts": str(len(parts)),
        "messages": str(sum(part.messages for part in parts)),
        "salvaged_messages": str(sum(part.salvaged_messages for part in parts)),
        "damaged_stretches": str(sum(part.damage_total for part in parts)),
    }
    for number, part in enumerate(parts):
        entries[f"part.{number}.size_bytes"] = str(part.size_bytes)
        entries[f"part.{number}.messages"] = str(part.messages)
        if part.cut_offset is not None:
            entries[f"part.{number}.cut_offset"] = str(part.cut_offset)
        if part.attachments_left_out:
            entries[f"part.{number}.attachments_left_out"] = str(part.attachments_left_out)
        for index, damage in enumerate(part.damage):
            entries[f"part.{number}.damage.{index}"] = f"{damage.kind} {damage.in_words()}"
    return entries


def _require_free(out: Path, parts: Sequence[str], *, force: bool) -> None:
    if ":/" in str(out):
        raise BadConfig(
            "the output is an address", where=str(out), remedy="name a local file, and copy it there"
        )
    try:
        is_there, is_file = os.path.lexists(out), out.is_file() and not out.is_symlink()
    except OSError as error:
        raise BadConfig(f"the output cannot be named so: {error.strerror}", where=str(out)[:80]) from error
    if not is_there:
        return
    for uri in parts:
        path = local_path(uri)
        if path is not None and path.exists() and out.exists() and path.samefile(out):
            raise BadConfig("the output is one of the inputs", where=str(out), remedy="write to another file")
    if not is_file:
        raise BadConfig(
            "the output is no regular file", where=str(out), remedy="name a file that is not there yet"
        )
    if not force:
        raise BadConfig(
            "the output exists", where=str(out), remedy="name another file, or replace it with --force"
        )


def _require_messages(parts: Sequence[RepairedPart]) -> None:
    if any(part.messages for part in parts):
        return
    for part in parts:
        if part.damage:
            first = part.damage[0]
            raise BadRecording(f"no message is readable: {first.in_words()}", where=part.uri)
    raise NothingToExport("the recording is valid and holds 0 messages: nothing to write", where=parts[0].uri)


@contextmanager
def _written_aside(out: Path) -> Iterator[IO[bytes]]:
    """Give a file beside `out` that takes its place when the block ends well, and vanishes when it does not."""
    aside = out.with_name(f".{out.name}.{os.getpid()}.part")
    try:
        with aside.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        aside.replace(out)
    except StorageTrouble:
        raise
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise DiskFull("no space is left for the output", where=str(out)) from error
        raise StorageTrouble(f"writing failed: {error}", where=str(out)) from error
    finally:
        aside.unlink(missing_ok=True)


def _size_of(uri: str) -> int:
    with Source(uri) as source:
        return source.size


def _shifted(progress: Progress, before: int, of_all: int) -> Progress:
    def shifted(stage: str, done: int, total: int) -> None:
        progress(stage, before + done, max(of_all, total))

    return shifted
