"""What a walk over a recording file finds: messages with their places, channels, damage; whatever the file format.

How each format is walked belongs to `walk` (MCAP), `bag` (ROS 1) and `sqlite_bag` (ROS 2); `opening` picks one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from mcap.records import Channel, Schema, Statistics

_LARGEST_DAMAGE_LIST = 100

IN_FILE = -1
"""Chunk number of payloads that lie in the file itself, not in a compressed chunk."""

IN_ROWS = -2
"""Chunk number of payloads that lie in the rows of a database; their offset is the row id."""


@dataclass(frozen=True)
class Damage:
    """A stretch of the file that could not be read.

    Attributes:
        kind: Stable word: cut, bad_record, bad_chunk, bad_crc, unsupported_compression, chunk_too_large,
            unknown_channel, bag_without_index, bad_rows, not_merged.
        offset: Byte in the file where it starts.
        length: Bytes of the stretch, as far as known.
        detail: What was found, in words.
        topics: Topics that lost messages, as far as the file still tells; empty where it does not.
        messages: How many messages were lost; None where nothing tells.
        is_estimate: Whether `messages` was reckoned from the size of the stretch instead of read from an index.
    """

    kind: str
    offset: int
    length: int
    detail: str
    topics: tuple[str, ...] = ()
    messages: int | None = None
    is_estimate: bool = False

    def in_words(self) -> str:
        """Return where it lies, what was found, and what was lost."""
        words = f"at byte {self.offset}, {self.length} bytes: {self.detail}"
        if self.messages is None:
            return words
        about, of = "about " if self.is_estimate else "", ", ".join(self.topics)
        return f"{words}; {about}{self.messages} messages lost" + (f" of {of}" if of else "")


class StoredMessage(NamedTuple):
    """A message and its place. `offset` counts in the file for `chunk` -1, else in the unpacked chunk.

    `publish_time_ns` is None in formats that keep no second time; `sequence` is 0 where there is none.
    """

    channel_id: int
    log_time_ns: int
    payload: memoryview
    chunk: int
    offset: int
    publish_time_ns: int | None = None
    sequence: int = 0


@dataclass(frozen=True)
class PackedChunk:
    """A compressed chunk: where its bytes lie in the file, and how to unpack them."""

    number: int
    offset: int
    packed_bytes: int
    unpacked_bytes: int
    compression: str


@dataclass(frozen=True)
class AttachmentPlace:
    """An attachment and where its bytes lie in the file; times as the format keeps them, in ns.

    `crc` is the CRC-32 of its record up to the end of its bytes, 0 where the writer computed none or only the index of
    the file was read.
    """

    name: str
    media_type: str
    create_time_ns: int
    log_time_ns: int
    offset: int
    length: int
    crc: int = 0


@dataclass
class Container:
    """What the walk has learned so far about everything that is not a message; complete when the walk has ended."""

    profile: str = ""
    library: str = ""
    schemas: dict[int, Schema] = field(default_factory=dict)
    channels: dict[int, Channel] = field(default_factory=dict)
    metadata: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    attachment_places: list[AttachmentPlace] = field(default_factory=list)
    statistics: Statistics | None = None
    chunks: int = 0
    compressions: set[str] = field(default_factory=set)
    packed: list[PackedChunk] = field(default_factory=list)
    damage: list[Damage] = field(default_factory=list)
    damage_total: int = 0
    salvaged_messages: int = 0
    has_footer: bool = False
    cut_offset: int | None = None

    @property
    def truncated(self) -> bool:
        """Whether the file ends before its closing marker."""
        return self.cut_offset is not None

    def note_damage(self, kind: str, offset: int, length: int, detail: str) -> None:
        """Count a damaged stretch; the first hundred are kept in detail."""
        self.keep_damage(Damage(kind, offset, length, detail))

    def keep_damage(self, damage: Damage) -> None:
        """Count a damaged stretch whose losses are known; the first hundred are kept in detail."""
        self.damage_total += 1
        if len(self.damage) < _LARGEST_DAMAGE_LIST:
            self.damage.append(damage)
