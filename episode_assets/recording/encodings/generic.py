"""Messages of any type as plain Python values, for every encoding with a schema or none needed.

The shape is the same everywhere: a message is a dict by field name; numbers, texts and booleans are themselves; lists
of numbers and bytes are numpy arrays (1-D, of the dtype that the schema names); lists of texts or messages are lists.
JSON comes as its text says, because nothing tells bytes from a text there. A message inside a message that was not
sent is None. Types with a role have faster decoders, which `decoders` finds.
"""

from __future__ import annotations

import keyword
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from episode_assets.recording.encodings.decoding import Undecodable
from episode_assets.recording.encodings.fields import Fields, JsonFields, ProtobufFields
from episode_assets.recording.encodings.json_messages import SCHEMA_ENCODINGS, parse_json
from episode_assets.recording.encodings.protobuf import protobuf_parser
from episode_assets.recording.encodings.ros_decoder import CDR, ROS1
from episode_assets.recording.encodings.ros_schemas import RosType, ros_type
from episode_assets.recording.encodings.rows import UndecodableMessageError


@dataclass(frozen=True)
class Reader:
    """How any message of one channel is read.

    Attributes:
        decode: From a payload to plain values; raises UndecodableMessageError.
        stamp_ns: From a payload to the stamp that the message carries, 0 where it carries none; raises
            UndecodableMessageError.
    """

    decode: Callable[[memoryview], Any]
    stamp_ns: Callable[[memoryview], int]


def find_reader(
    message_encoding: str, schema_encoding: str, schema_name: str, schema_data: bytes = b""
) -> Reader | Undecodable:
    """Return how the messages of a channel are read, or the reason why they cannot be."""
    known, find = _ENCODINGS.get(message_encoding, (frozenset[str](), None))
    if find is None:
        return Undecodable(f"message encoding {message_encoding!r}")
    if schema_encoding not in known:
        return Undecodable(f"schema encoding {schema_encoding!r}" if schema_encoding else "no schema")
    return find(schema_encoding, schema_name, schema_data)


def _ros_reader(
    message_encoding: str, schema_encoding: str, schema_name: str, schema_data: bytes
) -> Reader | Undecodable:
    found = ros_type(message_encoding, schema_encoding, schema_name, schema_data)
    if isinstance(found, Undecodable):
        return found
    is_stamped = found.begins_with_header or found.begins_with_stamp
    stamp = partial(_ros_stamp, found) if is_stamped else _no_stamp
    return Reader(_RosValues(found).read, stamp)


def _protobuf_reader(schema_encoding: str, schema_name: str, schema_data: bytes) -> Reader | Undecodable:
    del schema_encoding
    parse = protobuf_parser(schema_name, schema_data)
    if isinstance(parse, Undecodable):
        return parse
    return Reader(
        lambda payload: _plain_protobuf(parse(payload)),
        lambda payload: _named_stamp(ProtobufFields(parse(payload))),
    )


def _json_reader(schema_encoding: str, schema_name: str, schema_data: bytes) -> Reader:
    del schema_encoding, schema_name, schema_data
    return Reader(parse_json, lambda payload: _named_stamp(JsonFields(parse_json(payload))))


_ENCODINGS: Mapping[str, tuple[frozenset[str], Callable[[str, str, bytes], Reader | Undecodable] | None]] = {
    "cdr": (CDR.schema_encodings, partial(_ros_reader, "cdr")),
    "ros1": (ROS1.schema_encodings, partial(_ros_reader, "ros1")),
    "protobuf": (frozenset({"protobuf"}), _protobuf_reader),
    "json": (SCHEMA_ENCODINGS, _json_reader),
}


def _no_stamp(payload: memoryview) -> int:
    del payload
    return 0


def _ros_stamp(found: RosType, payload: memoryview) -> int:
    try:
        cursor = found.cursor(payload)
        return cursor.header()[0] if found.begins_with_header else cursor.stamp()
    except (struct.error, ValueError, IndexError) as error:
        raise UndecodableMessageError(f"payload of {len(payload)} bytes ends inside its stamp") from error


def _named_stamp(message: Fields) -> int:
    """Return the time in a field `timestamp` or in a header, if there is one that is a time."""
    try:
        header = message.part("header")
        return message.stamp() or (header.stamp("stamp") if header else 0)
    except (ValueError, AttributeError):
        return 0  # a field of that name that is something else: a number, a text


class _RosValues:
    """Turns the objects of one type and of the types inside it into plain values."""

    def __init__(self, found: RosType) -> None:
        self._found = found
        self._names: dict[str, list[tuple[str, str]]] = {}

    def read(self, payload: memoryview) -> Any:
        return self._plain(self._found.decode(payload))

    def _plain(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._plain(item) for item in value]
        kind = getattr(value, "__msgtype__", None)
        if kind is None:
            return value
        names = self._names.get(kind) or self._names_of(kind)
        return {name: self._plain(getattr(value, attribute)) for name, attribute in names}

    def _names_of(self, kind: str) -> list[tuple[str, str]]:
        # rosbags puts an underscore behind names that are words of Python: from_, in_.
        names = [
            (name, f"{name}_" if keyword.iskeyword(name) else name) for name in self._found.fields_of(kind)
        ]
        self._names[kind] = names
        return names


def _plain_protobuf(message: Any) -> dict[str, Any]:
    return {
        field.name: None
        if field.has_presence and not message.HasField(field.name)
        else _plain_field(field, getattr(message, field.name))
        for field in message.DESCRIPTOR.fields
    }


def _plain_field(field: Any, value: Any) -> Any:
    if isinstance(value, Mapping):
        inner = field.message_type.fields_by_name["value"]
        return {key: _plain_single(inner, value[key]) for key in value}
    if hasattr(value, "extend"):  # a repeated field of either kind
        if field.message_type or field.cpp_type not in _DTYPES:
            return [_plain_single(field, item) for item in value]
        return np.array(value, dtype=_DTYPES[field.cpp_type])
    return _plain_single(field, value)


def _plain_single(field: Any, value: Any) -> Any:
    if field.message_type:
        return _plain_protobuf(value)
    return np.frombuffer(value, dtype=np.uint8) if isinstance(value, bytes) else value


_DTYPES: Mapping[int, np.dtype[Any]] = {
    1: np.dtype(np.int32),
    2: np.dtype(np.int64),
    3: np.dtype(np.uint32),
    4: np.dtype(np.uint64),
    5: np.dtype(np.float64),
    6: np.dtype(np.float32),
    7: np.dtype(np.bool_),
    8: np.dtype(np.int32),
}
"""Dtypes by protobuf's FieldDescriptor.CppType; 8 is an enumeration. Texts, bytes and messages have none."""
