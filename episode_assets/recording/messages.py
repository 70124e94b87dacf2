"""All messages of a recording in one pass, for scripts: any container, any encoding, decoded when somebody asks.

What the pipeline needs of a recording goes through `scan` and `RecordingView` instead.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from episode_assets.errors import MissingStream, PermanentError
from episode_assets.recording.config import RecordingConfig
from episode_assets.recording.containers.container import Container, Damage, StoredMessage
from episode_assets.recording.containers.opening import open_walk
from episode_assets.recording.containers.parts import parts_of
from episode_assets.recording.containers.source import Source
from episode_assets.recording.encodings.decoding import ChannelType, Undecodable
from episode_assets.recording.encodings.generic import Reader, find_reader
from episode_assets.recording.encodings.rows import UndecodableMessageError

_MIB = 1 << 20
_DEFAULT = RecordingConfig()


class UndecodableMessage(PermanentError):  # named as its users call it
    """One message cannot be decoded; the others of its topic may well be."""


@dataclass(frozen=True, eq=False)
class Message:
    """One message as it lies in the recording.

    Attributes:
        topic: Topic as written.
        schema: Name of its type as written, "" where the channel has none.
        message_encoding: cdr, ros1, protobuf, json, or a name that nobody reads.
        message_number: Its number among the messages of its topic and type, in file order from 0.
        log_time_ns: When the recorder wrote it.
        payload: Its bytes; a view that keeps the block around it in memory as long as it is held.
    """

    topic: str
    schema: str
    message_encoding: str
    message_number: int
    log_time_ns: int
    payload: memoryview = field(repr=False)
    _channel: _Channel = field(repr=False)

    @cached_property
    def stamp_ns(self) -> int:
        """Stamp that the message carries if it is positive, else the log time."""
        reader = self._channel.reader
        if isinstance(reader, Undecodable):
            return self.log_time_ns
        try:
            stamp = reader.stamp_ns(self.payload)
        except UndecodableMessageError:
            return self.log_time_ns
        return stamp if 0 < stamp < 1 << 63 else self.log_time_ns

    def decode(self) -> Any:
        """Return the message as plain values: a dict by field name, in the shape that `generic` describes.

        Raises:
            UndecodableMessage: Nobody reads the encoding or the schema, or the payload is damaged.
        """
        where = f"message {self.message_number} of {self.topic} at log time {self.log_time_ns}"
        reader = self._channel.reader
        if isinstance(reader, Undecodable):
            raise UndecodableMessage(f"cannot be decoded: {reader.reason}", where=where)
        try:
            return reader.decode(self.payload)
        except UndecodableMessageError as error:
            raise UndecodableMessage(str(error), where=where) from error


class _Channel:
    """What is known about one topic with one type; its reader is made when somebody decodes."""

    def __init__(self, topic: str, kind: ChannelType) -> None:
        self.topic = topic
        self.kind = kind
        self.messages = 0

    @cached_property
    def reader(self) -> Reader | Undecodable:
        return find_reader(*self.kind)

    def next_message(self, stored: StoredMessage) -> Message:
        number = self.messages
        self.messages += 1
        encoding, _, schema, _ = self.kind
        return Message(self.topic, schema, encoding, number, stored.log_time_ns, stored.payload, self)


class MessageReader(Iterator[Message]):
    """The messages of a recording; what was lost on the way is known when the last one has been taken."""

    def __init__(self, uri: str, *, topics: Sequence[str] | None, config: RecordingConfig) -> None:
        self.uri = uri
        self.damage: tuple[Damage, ...] = ()
        """Stretches that could not be read, of all parts; offsets count within their part."""
        self.is_truncated = False
        """Whether a part ends before its closing marker."""
        self.bytes_read = 0
        """Bytes that were read from the recording."""
        self._topics = None if topics is None else frozenset(topics)
        self._config = config
        self._channels: dict[tuple[str, ChannelType], _Channel] = {}
        self._seen_topics: set[str] = set()
        self._messages = self._read()

    def __next__(self) -> Message:
        return next(self._messages)

    @property
    def counts(self) -> dict[str, int]:
        """Messages taken so far by topic."""
        counts: Counter[str] = Counter()
        for channel in self._channels.values():
            counts[channel.topic] += channel.messages
        return dict(counts)

    def close(self) -> None:
        """Stop here and close the file."""
        self._messages.close()

    def _read(self) -> Generator[Message, None, None]:
        for part in parts_of(self.uri):
            with Source(part) as source:
                yield from self._read_part(source)
        missing = sorted((self._topics or set()) - self._seen_topics)
        if missing:
            raise MissingStream(
                f"no topic {', '.join(missing)}",
                where=self.uri,
                remedy=f"topics of the recording: {', '.join(sorted(self._seen_topics)) or 'none'}",
            )

    def _read_part(self, source: Source) -> Iterator[Message]:
        walk = open_walk(
            source,
            max_chunk_bytes=self._config.max_chunk_mib * _MIB,
            with_digest=False,
            through_compression=True,
        )
        box = walk.container
        wanted: dict[int, tuple[object, _Channel | None]] = {}
        for stored in walk.messages():
            known = wanted.get(stored.channel_id)
            # A file may define a channel id again with other content: the record object tells.
            if known is None or known[0] is not box.channels[stored.channel_id]:
                known = box.channels[stored.channel_id], self._channel(box, stored.channel_id)
                wanted[stored.channel_id] = known
            self.bytes_read = source.bytes_read
            if known[1] is not None:
                yield known[1].next_message(stored)
        self._seen_topics.update(channel.topic for channel in box.channels.values())
        self.damage += tuple(box.damage)
        self.is_truncated |= box.truncated
        self.bytes_read = source.bytes_read

    def _channel(self, box: Container, channel_id: int) -> _Channel | None:
        channel = box.channels[channel_id]
        if self._topics is not None and channel.topic not in self._topics:
            return None
        schema = box.schemas.get(channel.schema_id)
        name, encoding, data = (schema.name, schema.encoding, schema.data) if schema else ("", "", b"")
        kind = (channel.message_encoding, encoding, name, data)
        return self._channels.setdefault((channel.topic, kind), _Channel(channel.topic, kind))


def read_messages(
    uri: str, *, topics: Sequence[str] | None = None, config: RecordingConfig = _DEFAULT
) -> MessageReader:
    """Return the messages of a recording in file order, in one pass that passes over damage.

    Memory does not grow with the recording. Nothing is decoded before `Message.decode` or `Message.stamp_ns` is asked
    for. File order is the order of writing, not of time.

    Args:
        uri: Path or fsspec address of a recording, or of a ROS 2 bag directory, whose parts are read one after the
            other.
        topics: Topics to give; all where None.
        config: How to read; its topic map is not used.

    Raises:
        BadRecording: The file is no recording. Raised when the first message is asked for.
        MissingStream: A topic of `topics` is not in the recording. Raised at the end, which is where it is known.
    """
    return MessageReader(uri, topics=topics, config=config)
