"""A reading position in the payload of one ROS message, whatever its wire format.

The two formats differ in padding, in how a text ends and in how a header begins; everything else is shared here. A
length that cannot fit into the payload is refused before memory is taken for it. What the types of messages look like
belongs to `ros_types`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import lru_cache
from struct import Struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from episode_assets.recording.encodings.rows import Triple, UndecodableMessageError

NS_PER_S = 1_000_000_000


class Cursor(ABC):
    """Reads one field after the other; `at` is the next byte, `order` the byte order in the words of `struct`."""

    __slots__ = ("at", "order", "payload")

    payload: memoryview
    order: str
    at: int

    @abstractmethod
    def align(self, size: int) -> None:
        """Pass over the padding in front of a value of `size` bytes."""

    @abstractmethod
    def stamp(self) -> int:
        """Return a time (int64 ns)."""

    @abstractmethod
    def header(self) -> tuple[int, str]:
        """Return stamp (int64 ns) and frame of a std_msgs/Header."""

    @abstractmethod
    def string(self) -> str:
        """Return a text."""

    def u8(self) -> int:
        """Return one unsigned byte."""
        value = self.payload[self.at]
        self.at += 1
        return value

    def u32(self) -> int:
        """Return an unsigned 32-bit integer."""
        return self._one(_U32[self.order])

    def i32(self) -> int:
        """Return a signed 32-bit integer."""
        return self._one(_I32[self.order])

    def _one(self, packed: Struct) -> int:
        self.align(4)
        value: int = packed.unpack_from(self.payload, self.at)[0]
        self.at += 4
        return value

    def doubles(self, count: int) -> tuple[Any, ...]:
        """Return `count` 8-byte floats."""
        self.align(8)
        values = _doubles(self.order, count).unpack_from(self.payload, self.at)
        self.at += 8 * count
        return values

    def triple(self) -> Triple:
        """Return three 8-byte floats."""
        x, y, z = self.doubles(3)
        return x, y, z

    def raw(self, length: int) -> memoryview:
        """Return the next `length` bytes as a view."""
        end = self.at + length
        if end > len(self.payload):
            raise UndecodableMessageError(
                f"a field of {length} bytes in a payload with {len(self.payload) - self.at} left"
            )
        view = self.payload[self.at : end]
        self.at = end
        return view

    def count(self, item_bytes: int) -> int:
        """Return the length of a sequence whose items have at least `item_bytes`."""
        count = self.u32()
        if count * item_bytes > len(self.payload) - self.at:
            raise UndecodableMessageError(
                f"a sequence of {count} items in a payload with {len(self.payload) - self.at} bytes left"
            )
        return count

    def table(self, width: int) -> NDArray[np.float64]:
        """Return a sequence of items of `width` 8-byte floats as (N, width), in one step."""
        count = self.count(8 * width)
        if count == 0:
            return np.empty((0, width))
        self.align(8)
        flat = np.frombuffer(self.raw(8 * width * count), dtype=f"{self.order}f8")
        return flat.reshape(-1, width).astype(np.float64)


_U32 = {order: Struct(f"{order}I") for order in "<>"}
_I32 = {order: Struct(f"{order}i") for order in "<>"}


@lru_cache(maxsize=64)
def _doubles(order: str, count: int) -> Struct:
    return Struct(f"{order}{count}d")
