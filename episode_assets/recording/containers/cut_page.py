"""The last page of a SQLite file that ends inside it: SQLite fills what is missing with zeros, without a word.

At most one message runs into such a cut. It is found by the layout of the page, and left out, so that no payload is
ever half zeros. Layout: https://www.sqlite.org/fileformat2.html, sections 1.6 and 1.7.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

from episode_assets.recording.containers.source import Source

Row: TypeAlias = tuple[int, Any, Any, Any]

_HEAD_AT, _HEAD = 16, struct.Struct(">H10xI")
"""Size of a page (1 means 65 536), and the number of pages."""

_TABLE_LEAF = 0x0D
_LEAF_HEAD = struct.Struct(">BHHHB")
_NEXT_PAGE_BYTES = 4
_ROW_OVERHEAD_BYTES = 64
_LONGEST_VARINT = 9


class CutPage:
    """What is left of the last page; nothing in a file that ends where a page ends.

    Attributes:
        missing_bytes: How much shorter the file is than its head says.
    """

    def __init__(self, source: Source) -> None:
        stated, pages = _HEAD.unpack(source.read_at(_HEAD_AT, _HEAD.size).ljust(_HEAD.size, b"\0"))
        self._page_bytes = 1 << 16 if stated == 1 else stated
        self.missing_bytes = max(0, pages * self._page_bytes - source.size)
        left = source.size % self._page_bytes if self._page_bytes else 0
        self._left = source.read_at(source.size - left, left)
        self._cut_row = self._row_of_leaf() if self._left[:1] == bytes([_TABLE_LEAF]) else None

    def without_cut_row(self, rows: Iterator[Row], note: Callable[[int], None]) -> Iterator[Row]:
        """Yield rows (id, topic, time, payload) but the one that runs into the cut, whose id is told to `note`.

        Pages are taken in the order of recording, so of all rows that have pages of their own only the last readable
        one can run into the cut: one that looks so is held back until another follows.
        """
        held: list[Row] = []
        for row in rows:
            if row[0] == self._cut_row:
                note(row[0])
                continue
            if self._has_own_pages(row[3]):
                yield from held
                held = []
                if self._may_be_filled(row[3]):
                    held = [row]
                    continue
            if held:
                held.append(row)
            else:
                yield row
        if held:
            note(held[0][0])
            yield from held[1:]

    def _has_own_pages(self, payload: Any) -> bool:
        return isinstance(payload, bytes) and len(payload) >= self._page_bytes - _ROW_OVERHEAD_BYTES

    def _may_be_filled(self, payload: bytes) -> bool:
        """Whether a payload ends as the file does, with zeros behind."""
        if not self._left or payload[-1:] != b"\0":
            return False
        return payload.rstrip(b"\0").endswith(self._left[_NEXT_PAGE_BYTES:].rstrip(b"\0"))

    def _row_of_leaf(self) -> int | None:
        """Return the id of the row whose cell in a leaf runs over the cut."""
        left = self._left
        if len(left) < _LEAF_HEAD.size:
            return None
        cells = _LEAF_HEAD.unpack_from(left)[2]
        pointers = left[_LEAF_HEAD.size : _LEAF_HEAD.size + 2 * cells]
        starts = [start for (start,) in struct.iter_unpack(">H", pointers[: len(pointers) // 2 * 2])]
        at = max((start for start in starts if start < len(left)), default=0)
        payload_bytes, id_at = _varint(left, at)
        row_id, payload_at = _varint(left, id_at)
        whole = payload_at + self._bytes_in_leaf(payload_bytes) <= len(left)
        return None if whole or payload_at > len(left) else row_id

    def _bytes_in_leaf(self, payload_bytes: int) -> int:
        usable = self._page_bytes
        if payload_bytes <= usable - 35:
            return payload_bytes
        least = (usable - 12) * 32 // 255 - 23
        kept = least + (payload_bytes - least) % (usable - 4)
        return (kept if kept <= usable - 35 else least) + _NEXT_PAGE_BYTES


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Return a number of seven bits a byte and where it ends, behind the end of the data where that cuts it."""
    value = 0
    for place in range(at, at + _LONGEST_VARINT - 1):
        if place >= len(data):
            return 0, len(data) + 1
        value = value << 7 | data[place] & 0x7F
        if data[place] < 0x80:
            return value, place + 1
    return 0, len(data) + 1
