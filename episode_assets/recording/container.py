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
