"""Where reading can go on behind damage: the next place of an MCAP file at which a record stands beyond doubt.

Payloads hold every pattern of bytes, so a place counts only where the lengths inside the record add up with the length
that it claims. The search passes over the file once, block by block. What was lost on the way belongs to `losses`.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Mapping
from typing import TypeAlias

from mcap.opcode import Opcode

from episode_assets.recording.containers.identify import MCAP_MAGIC
from episode_assets.recording.containers.records import (
    INDEX_HEAD,
    MESSAGE_HEAD,
    PARSE_ERRORS,
    RECORD_HEAD,
    parse_chunk_head,
)
from episode_assets.recording.containers.source import Source
from episode_assets.recording.containers.unpacking import COMPRESSIONS

_FIRST_BLOCK_BYTES, _LARGEST_BLOCK_BYTES = 1 << 12, 1 << 20
"""Most damage ends nearby; a search that goes on takes larger blocks."""

_JUDGED_BYTES = 4096
"""A record is told by its first bytes; names that are longer together are not believed."""

_FOOTER_BYTES = 20
_LARGEST_OPCODE = int(Opcode.DATA_END)

FIRST_PRIVATE_OPCODE = 0x80
"""From here on, opcodes belong to whoever writes them and are passed over."""

_U32, _U64 = struct.Struct("<I"), struct.Struct("<Q")

_CANDIDATE = re.compile(rb"[\x02-\x07\x09\x0c\x0f](?=[\s\S]{5}\x00\x00\x00)")
"""An opcode that reading can go on at, before a length below 2^40."""

Judge: TypeAlias = Callable[[memoryview, int], bool]


class RecordFinder:
    """Finds and judges records of one file.

    Args:
        source: The file.
        is_channel: Tells whether a channel id is one that the file defines.
    """

    def __init__(self, source: Source, is_channel: Callable[[int], bool]) -> None:
        self._source = source
        self._is_channel = is_channel
        self._judges: Mapping[int, Judge] = {
            Opcode.CHUNK: chunk_adds_up,
            Opcode.MESSAGE_INDEX: self._index_adds_up,
            Opcode.MESSAGE: self._message_fits,
            Opcode.SCHEMA: lambda body, length: any(body[:2]) and _skip(body, 2, 3) == length,
            Opcode.CHANNEL: lambda body, length: _skip(body, 4, 3) == length,
            Opcode.METADATA: lambda body, length: _skip(body, 0, 2) == length,
            Opcode.ATTACHMENT: _attachment_adds_up,
            Opcode.DATA_END: lambda _, length: length == _U32.size,
            Opcode.FOOTER: _footer_adds_up,
        }
        self._searched_from, self._found = 0, None

    _found: int | None

    def find(self, start: int) -> int | None:
        """Return the first byte at or behind `start` at which a record stands, or None."""
        if self._found is not None and self._searched_from <= start <= self._found:
            return self._found
        self._searched_from, self._found = start, self._search(start)
        return self._found

    def _search(self, start: int) -> int | None:
        at, step = start, _FIRST_BLOCK_BYTES
        while at < self._source.size:
            block = memoryview(self._source.read_at(at, step + _JUDGED_BYTES))
            for match in _CANDIDATE.finditer(block, 0, min(step + RECORD_HEAD.size, len(block))):
                place = match.start()
                if self._stands(block[place : place + _JUDGED_BYTES], at + place):
                    return at + place
            at, step = at + step, min(2 * step, _LARGEST_BLOCK_BYTES)
        return None

    def adds_up(self, opcode: int, length: int, body: memoryview) -> bool:
        """Whether the lengths inside a record, given the start of its body, agree with the length that it claims."""
        judge = self._judges.get(opcode)
        try:
            return judge is not None and judge(body, length)
        except PARSE_ERRORS:
            return False

    def may_follow(self, at: int) -> bool:
        """Whether the byte behind a record may be the start of another: a whole one, a cut one, or the end."""
        left = self._source.size - at
        if left < RECORD_HEAD.size:
            return left >= 0
        window = memoryview(self._source.read_at(at, _JUDGED_BYTES))
        opcode, length = RECORD_HEAD.unpack_from(window)
        body = window[RECORD_HEAD.size :]
        if opcode in self._judges:
            return self.adds_up(opcode, length, body)
        return may_be_head(opcode, length, left)

    def _stands(self, window: memoryview, at: int) -> bool:
        opcode, length = RECORD_HEAD.unpack_from(window)
        end = at + RECORD_HEAD.size + length
        # A chunk may be cut by the end of the file; it is told by its head alone.
        if end > self._source.size and opcode != Opcode.CHUNK:
            return False
        if not self.adds_up(opcode, length, window[RECORD_HEAD.size :]):
            return False
        # These hold no length of their own that could agree, so what follows has to be a record as well.
        return opcode not in (Opcode.MESSAGE, Opcode.DATA_END) or self.may_follow(end)

    def _index_adds_up(self, body: memoryview, length: int) -> bool:
        channel_id, entry_bytes = INDEX_HEAD.unpack_from(body)
        fits = INDEX_HEAD.size + entry_bytes == length and entry_bytes % 16 == 0
        return fits and self._is_channel(channel_id)

    def _message_fits(self, body: memoryview, length: int) -> bool:
        channel_id, _, log_time_ns, _ = MESSAGE_HEAD.unpack_from(body)
        return length >= MESSAGE_HEAD.size and log_time_ns < 1 << 63 and self._is_channel(channel_id)


def may_be_head(opcode: int, length: int, left: int) -> bool:
    """Whether opcode and length may begin a record, whole or of an unknown kind, in the `left` bytes of a file."""
    is_assigned = 0 < opcode <= _LARGEST_OPCODE or opcode >= FIRST_PRIVATE_OPCODE
    return is_assigned and RECORD_HEAD.size + length <= left


def chunk_adds_up(body: memoryview, length: int) -> bool:
    """Whether the head of a chunk record agrees with the length of the record; raises one of PARSE_ERRORS."""
    head = parse_chunk_head(body)
    return (
        head.record_bytes == length
        and head.compression in COMPRESSIONS
        and head.start_ns <= head.end_ns
        and (head.compression != "" or head.packed_bytes == head.unpacked_bytes)
    )


def _skip(body: memoryview, at: int, count: int) -> int:
    """Return the place behind `count` fields that say their length first; raises struct.error behind the window."""
    for _ in range(count):
        (length,) = _U32.unpack_from(body, at)
        at += _U32.size + length
    return at


def _attachment_adds_up(body: memoryview, length: int) -> bool:
    at = _skip(body, 16, 2)
    (data_bytes,) = _U64.unpack_from(body, at)
    return bool(at + _U64.size + data_bytes + _U32.size == length)


def _footer_adds_up(body: memoryview, length: int) -> bool:
    behind = body[_FOOTER_BYTES : _FOOTER_BYTES + len(MCAP_MAGIC)]
    return length == _FOOTER_BYTES and MCAP_MAGIC.startswith(behind)
