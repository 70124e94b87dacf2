"""Typed access to the fields of a decoded message by name, whatever its encoding: protobuf, JSON or ROS objects.

A field that is absent reads as its default; one that is not what was asked for raises UndecodableMessageError, because
nobody can trust the types that a file claims. What the fields mean belongs to `foxglove`.
"""

from __future__ import annotations

import binascii
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from episode_assets.recording.encodings.cursor import NS_PER_S
from episode_assets.recording.encodings.rows import Quadruple, Triple, UndecodableMessageError

_SECONDS = ("sec", "seconds", "secs")
_NANOSECONDS = ("nsec", "nanos", "nanosec", "nsecs")
_LATEST_NS = (1 << 63) - 1


class Fields(ABC):
    """The fields of one message."""

    __slots__ = ("_message",)

    def __init__(self, message: Any) -> None:
        self._message = message

    @abstractmethod
    def value(self, name: str) -> Any:
        """Return a field as the decoder gave it, None where it is absent."""

    @abstractmethod
    def octets(self, name: str) -> memoryview:
        """Return a field of bytes as a view."""

    @abstractmethod
    def table(self, name: str, columns: Sequence[str]) -> NDArray[np.float64]:
        """Return numbers of a list of messages as (N, columns)."""

    def first(self, *names: str) -> Any:
        """Return the first of these fields that is there: writers spell them differently."""
        for name in names:
            value = self.value(name)
            if value is not None:
                return value
        return None

    def part(self, name: str) -> Self | None:
        """Return a message inside this one, None where it is absent."""
        value = self.value(name)
        return None if value is None else type(self)(value)

    def parts(self, name: str) -> list[Self]:
        """Return a list of messages inside this one."""
        return [type(self)(value) for value in _items(self.value(name), name)]

    def text(self, name: str) -> str:
        """Return a text, "" where it is absent."""
        value = self.value(name)
        if value is None:
            return ""
        if not isinstance(value, str):
            raise _wrong(name, value, "a text")
        return value

    def whole(self, *names: str, highest: int = (1 << 32) - 1) -> int:
        """Return a whole number from 0 to `highest`, 0 where it is absent."""
        value = self.first(*names)
        number = 0.0 if value is None else _number(value, names[0])
        if not 0 <= number <= highest or number != int(number):
            raise _wrong(names[0], value, f"a whole number from 0 to {highest}")
        return int(number)

    def numbers(self, *names: str) -> tuple[float, ...]:
        """Return a list of numbers."""
        return tuple(_number(value, names[0]) for value in _items(self.first(*names), names[0]))

    def indices(self, name: str) -> NDArray[np.int64]:
        """Return a list of whole numbers."""
        values = np.array(list(_items(self.value(name), name)) or np.empty(0, np.int64))
        if values.dtype.kind not in "iu" or values.ndim != 1:
            raise _wrong(name, values.dtype, "whole numbers")
        return values.astype(np.int64)

    def stamp(self, name: str = "timestamp") -> int:
        """Return a time in ns, 0 where it is absent."""
        time = self.part(name)
        if time is None:
            return 0
        seconds = time.whole(*_SECONDS, highest=_LATEST_NS // NS_PER_S - 1)
        return seconds * NS_PER_S + time.whole(*_NANOSECONDS, highest=NS_PER_S - 1)

    def triple(self, name: str) -> Triple:
        """Return x, y, z of a vector, zeros where it is absent."""
        vector = self.part(name)
        return (0.0, 0.0, 0.0) if vector is None else (vector._at("x"), vector._at("y"), vector._at("z"))

    def quaternion(self, name: str) -> Quadruple:
        """Return x, y, z, w of a rotation; no rotation where it is absent, zeros where a writer left it unset."""
        q = self.part(name)
        return (0.0, 0.0, 0.0, 1.0) if q is None else (q._at("x"), q._at("y"), q._at("z"), q._at("w"))

    def pose(self, name: str = "pose") -> tuple[Triple, Quadruple]:
        """Return position and orientation; the identity where the pose is absent."""
        pose = self.part(name)
        if pose is None:
            return (0.0, 0.0, 0.0), (0.0, 0.0, 0.0, 1.0)
        return pose.triple("position"), pose.quaternion("orientation")

    def _at(self, name: str) -> float:
        value = self.value(name)
        return 0.0 if value is None else _number(value, name)


class JsonFields(Fields):
    """The fields of a JSON object; bytes are base64."""

    __slots__ = ()

    def __init__(self, message: Any) -> None:
        if not isinstance(message, Mapping):
            raise UndecodableMessageError(f"a JSON {type(message).__name__} where an object belongs")
        super().__init__(message)

    def value(self, name: str) -> Any:
        """Return a field as JSON has it."""
        return self._message.get(name)

    def octets(self, name: str) -> memoryview:
        """Return the bytes that a text of base64 stands for."""
        try:
            return memoryview(binascii.a2b_base64(self.text(name), strict_mode=True))
        except ValueError as error:
            raise UndecodableMessageError(f"field {name!r} is not base64: {error}") from error

    def table(self, name: str, columns: Sequence[str]) -> NDArray[np.float64]:
        """Return numbers of a list of objects as (N, columns); left out ones are 0."""
        rows = [[item._at(column) for column in columns] for item in self.parts(name)]
        return np.array(rows, dtype=np.float64).reshape(-1, len(columns))


class ObjectFields(Fields):
    """The fields of a message that a library decoded into an object."""

    __slots__ = ()

    def value(self, name: str) -> Any:
        """Return an attribute, None where the type has no such field."""
        return getattr(self._message, name, None)

    def octets(self, name: str) -> memoryview:
        """Return a field of bytes or of 8-bit numbers as a view."""
        value = self.value(name)
        if value is None:
            return memoryview(b"")
        if isinstance(value, np.ndarray) and value.dtype == np.uint8:
            return value.data
        if not isinstance(value, bytes):
            raise _wrong(name, value, "bytes")
        return memoryview(value)

    def table(self, name: str, columns: Sequence[str]) -> NDArray[np.float64]:
        """Return numbers of a list of objects as (N, columns), without an object of ours for each."""
        items = _items(self.value(name), name)
        try:
            flat = [getattr(item, column) for item in items for column in columns]
        except AttributeError as error:
            raise UndecodableMessageError(
                f"items of {name!r} are not what their name says: {error}"
            ) from error
        if not set(map(type, flat)) <= {float, int}:
            raise UndecodableMessageError(f"items of {name!r} do not hold numbers")
        return np.array(flat, dtype=np.float64).reshape(-1, len(columns))


class ProtobufFields(ObjectFields):
    """The fields of a protobuf message; a message inside it that was not sent is absent."""

    __slots__ = ()

    def value(self, name: str) -> Any:
        """Return a field, None where the type has none of this name or the message was not sent."""
        known = self._message.DESCRIPTOR.fields_by_name.get(name)
        if known is None or (known.has_presence and not self._message.HasField(name)):
            return None
        return getattr(self._message, name)


def _items(value: Any, name: str) -> Iterable[Any]:
    if value is None:
        return ()
    if isinstance(value, np.ndarray):
        return value.tolist()  # type: ignore[no-any-return]
    if isinstance(value, (str, bytes, Mapping)) or not isinstance(value, Sequence):
        raise _wrong(name, value, "a list")
    return value


def _number(value: Any, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise _wrong(name, value, "a number")
    return float(value)


def _wrong(name: str, value: Any, wanted: str) -> UndecodableMessageError:
    found = repr(value)
    return UndecodableMessageError(f"field {name!r} is {found[:60]} and not {wanted}")
