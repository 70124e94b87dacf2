"""Payloads of ROS 1: packed little endian, without padding and without a header of their own."""

from __future__ import annotations

from struct import Struct

from episode_assets.recording.encodings.cursor import NS_PER_S, Cursor

_HEAD = Struct("<IIII")


class Ros1Cursor(Cursor):
    """A reading position in one ROS 1 payload."""

    __slots__ = ()

    def __init__(self, payload: memoryview) -> None:
        self.order = "<"
        self.payload = payload
        self.at = 0

    def align(self, size: int) -> None:
        """Stay: nothing is padded."""

    def stamp(self) -> int:
        """Return a time: uint32 seconds and nanoseconds."""
        return self.u32() * NS_PER_S + self.u32()

    def header(self) -> tuple[int, str]:
        """Return stamp and frame of a std_msgs/Header: a running number, uint32 seconds and nanoseconds, text."""
        _, seconds, nanoseconds, length = _HEAD.unpack_from(self.payload, self.at)
        self.at += _HEAD.size
        return seconds * NS_PER_S + nanoseconds, str(self.raw(length), "utf-8")

    def string(self) -> str:
        """Return a text; it has no closing NUL."""
        return str(self.raw(self.u32()), "utf-8")
