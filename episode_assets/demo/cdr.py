"""Writes ROS 2 message payloads: little-endian CDR with its four-byte encapsulation header.

Only the encoding rules live here; which fields a message has stands in `messages`. The rules are written out on their
own, so that a recording made here also checks the project's reader.
"""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray

ENCAPSULATION = b"\x00\x01\x00\x00"


class CdrWriter:
    """Appends fields in message order. Alignment counts from behind the encapsulation header."""

    def __init__(self) -> None:
        self._buffer = bytearray(ENCAPSULATION)

    def pack(self, code: str, *values: float) -> CdrWriter:
        """Append numbers of one type, each aligned to its own size.

        Args:
            code: A `struct` type letter: B, ?, i, I, f, d.
            values: The numbers.
        """
        if values:
            self._align(struct.calcsize(code))
            self._buffer += struct.pack(f"<{len(values)}{code}", *values)
        return self

    def text(self, value: str) -> CdrWriter:
        """Append a string: length with the closing zero, then the bytes."""
        encoded = value.encode() + b"\x00"
        self.pack("I", len(encoded))
        self._buffer += encoded
        return self

    def blob(self, data: bytes) -> CdrWriter:
        """Append a uint8 sequence."""
        self.pack("I", len(data))
        self._buffer += data
        return self

    def array(self, values: NDArray[np.generic]) -> CdrWriter:
        """Append the numbers of an array without a count; its item size gives the alignment."""
        if values.size:
            self._align(values.dtype.itemsize)
            self._buffer += np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("<")).tobytes()
        return self

    def stamp(self, stamp_ns: int) -> CdrWriter:
        """Append builtin_interfaces/Time."""
        return self.pack("i", stamp_ns // 10**9).pack("I", stamp_ns % 10**9)

    def header(self, stamp_ns: int, frame_id: str) -> CdrWriter:
        """Append std_msgs/Header."""
        return self.stamp(stamp_ns).text(frame_id)

    def finish(self) -> bytes:
        """Give the payload."""
        return bytes(self._buffer)

    def _align(self, size: int) -> None:
        self._buffer += bytes(-(len(self._buffer) - len(ENCAPSULATION)) % size)
