"""Payloads of ROS 2: CDR in its first version (XCDR1), as every ROS 2 release writes it.

Alignment counts from byte 4, behind the encapsulation header. Parameter lists and XCDR2 are refused by name.
"""

from __future__ import annotations

from struct import Struct

from episode_assets.recording.encodings.cursor import NS_PER_S, Cursor
from episode_assets.recording.encodings.rows import UndecodableMessageError

ORIGIN = 4
_HEADS = {"<": Struct("<iII"), ">": Struct(">iII")}


def byte_order(payload: memoryview) -> str:
    """Return the byte order that the encapsulation header names; raises UndecodableMessageError where none does."""
    if len(payload) < ORIGIN:
        raise UndecodableMessageError(f"payload of {len(payload)} bytes is shorter than a CDR header")
    if payload[0] != 0 or payload[1] not in {0, 1}:
        raise UndecodableMessageError(f"encapsulation {payload[0]:02x} {payload[1]:02x} is not plain CDR")
    return "<" if payload[1] == 1 else ">"


class CdrCursor(Cursor):
    """A reading position in one CDR payload."""

    __slots__ = ()

    def __init__(self, payload: memoryview) -> None:
        self.order = byte_order(payload)
        self.payload = payload
        self.at = ORIGIN

    def align(self, size: int) -> None:
        """Move to the next multiple of `size`."""
        self.at += -(self.at - ORIGIN) % size

    def stamp(self) -> int:
        """Return a time: int32 seconds, uint32 nanoseconds."""
        return self.i32() * NS_PER_S + self.u32()

    def header(self) -> tuple[int, str]:
        """Return stamp and frame of a std_msgs/Header: int32 seconds, uint32 nanoseconds, text."""
        self.align(4)
        seconds, nanoseconds, length = _HEADS[self.order].unpack_from(self.payload, self.at)
        self.at += 12
        return seconds * NS_PER_S + nanoseconds, self._text(length)

    def string(self) -> str:
        """Return a text; its stated length includes the closing NUL."""
        return self._text(self.u32())

    def _text(self, length: int) -> str:
        raw = self.raw(length)
        end = length - 1 if length and raw[-1] == 0 else length
        return str(raw[:end], "utf-8")
