"""ROS messages of any type, decoded by the schema that the file brings along (msg or IDL text), through rosbags.

What is repaired here is what recorders write in practice: schemas without text or without their nested types, other
separators, three-part names. What decoded messages look like to users belongs to `generic`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from episode_assets.recording.encodings import cdr
from episode_assets.recording.encodings.cursor import Cursor
from episode_assets.recording.encodings.decoding import Undecodable, plain_type
from episode_assets.recording.encodings.ros1 import Ros1Cursor
from episode_assets.recording.encodings.rows import UndecodableMessageError

_SEPARATOR = "=" * 80 + "\n"
_ANY_SEPARATOR = re.compile(r"^={3,}[ \t]*(?:\n|\Z)", re.MULTILINE)
_IDL_HEADING = re.compile(r"\AIDL: [^\n]*\n")
_PREPROCESSOR_LINE = re.compile(r"^[ \t]*#[^\n]*$", re.MULTILINE)
_SERVICE_LINE = re.compile(r"^---[ \t]*$", re.MULTILINE)
_HEADER = "std_msgs/msg/Header"
_TIME = "builtin_interfaces/msg/Time"
_STAMP_NAMES = frozenset({"timestamp", "stamp"})
_LONGEST_UNROLLED_ARRAY = 4096
"""rosbags writes a line of code for each item of a fixed array of messages; no message needs that many."""


class UnusableSchemaError(ValueError):
    """The schema of a channel does not say how its messages are laid out."""


@dataclass(frozen=True)
class RosType:
    """A message type with its definitions: decodes payloads of one wire format."""

    store: Any
    name: str
    is_ros1: bool
    has_text: bool

    def decode(self, payload: memoryview) -> Any:
        """Return the rosbags object of a payload; raises UndecodableMessageError."""
        if not self.is_ros1:
            cdr.byte_order(payload)  # names what it refuses
        # A message has no more items than bytes; rosbags allows 2^32 items of an empty type.
        self.store.max_sequence_length = max(1, len(payload))
        decode = self.store.deserialize_ros1 if self.is_ros1 else self.store.deserialize_cdr
        try:
            return decode(payload, self.name)
        except Exception as error:  # generated code raises what its parts raise
            why = str(error)[:200] if self.has_text else "its schema has no text"
            raise UndecodableMessageError(
                f"payload of {len(payload)} bytes is no {self.name}: {why}"
            ) from error

    @property
    def begins_with_header(self) -> bool:
        """Whether the first field is a std_msgs/Header."""
        return self._first_field[1] == _HEADER

    @property
    def begins_with_stamp(self) -> bool:
        """Whether the first field is a time by type and name, as in the messages of Foxglove."""
        name, kind = self._first_field
        return kind == _TIME and name in _STAMP_NAMES

    @property
    def _first_field(self) -> tuple[str, object]:
        fields = self.store.fielddefs[self.name][1]
        return (fields[0][0], fields[0][1][1]) if fields else ("", None)

    def fields_of(self, kind: str) -> list[str]:
        """Return the names of the fields of a type; a message without any has none."""
        names = [name for name, _ in self.store.fielddefs[kind][1]]
        return [] if names == ["structure_needs_at_least_one_member"] else names

    def cursor(self, payload: memoryview) -> Cursor:
        """Return a position at the first field; raises UndecodableMessageError."""
        return Ros1Cursor(payload) if self.is_ros1 else cdr.CdrCursor(payload)


def ros_type(
    message_encoding: str, schema_encoding: str, schema_name: str, schema_data: bytes
) -> RosType | Undecodable:
    """Return the type of a channel of encoding `cdr` or `ros1`, or why its schema cannot be used.

    A schema without text stands for the standard type of that name, or else for a message without fields.
    """
    from rosbags.typesys.store import Typestore

    is_ros1 = message_encoding == "ros1"
    try:
        definitions, name = _definitions(schema_encoding, schema_name, schema_data, is_ros1=is_ros1)
        _complete(definitions, is_ros1=is_ros1)
        if not is_ros1:
            definitions = {
                key: (constants, _unsigned(fields)) for key, (constants, fields) in definitions.items()
            }
        _check_arrays(definitions)
        store = Typestore()
        store.register(definitions)
        store.get_msgdef(name)
    except Exception as error:  # parsers and generated code raise what their parts raise
        what = " ".join(str(error).split())[:200]
        return Undecodable(f"schema of {schema_name} cannot be used: {what}")
    return RosType(store, name, is_ros1, has_text=bool(schema_data.strip()))


def ros_parser(
    message_encoding: str, schema_encoding: str, schema_name: str, schema_data: bytes
) -> Callable[[memoryview], Any] | Undecodable:
    """Return the function from a payload to a rosbags object, or why the schema gives none."""
    if not schema_data.strip():
        return Undecodable(f"schema of {schema_name} cannot be used: it has no text")
    found = ros_type(message_encoding, schema_encoding, schema_name, schema_data)
    return found if isinstance(found, Undecodable) else found.decode


def _definitions(
    schema_encoding: str, schema_name: str, schema_data: bytes, *, is_ros1: bool
) -> tuple[dict[str, Any], str]:
    """Return the definitions in a schema text, and the full name of its own type."""
    from rosbags.typesys import get_types_from_idl, get_types_from_msg

    text = schema_data.decode("utf-8").replace("\r\n", "\n").strip("\n\0 \t")
    if not text:
        return _standard_definition(schema_name, is_ros1=is_ros1)
    blocks = [block for block in _ANY_SEPARATOR.split(text) if block.strip()]
    if schema_encoding == "ros2idl":
        found: dict[str, Any] = {}
        for block in blocks:
            bare = _PREPROCESSOR_LINE.sub("", _IDL_HEADING.sub("", block))  # rosbags takes no `#include`
            found.update(get_types_from_idl(bare))
        name = _named(found, schema_name)
        if name is None:
            raise UnusableSchemaError(f"it does not define {schema_name}")
        return found, name
    if _SERVICE_LINE.search(text):
        raise UnusableSchemaError("it has a `---` line: parts of a service or action, and no message")
    joined = _SEPARATOR.join(block.rstrip("\n") + "\n" for block in blocks)
    found = get_types_from_msg(joined, schema_name)
    return found, next(iter(found))


def _standard_definition(schema_name: str, *, is_ros1: bool) -> tuple[dict[str, Any], str]:
    standard = _standard_types(is_ros1=is_ros1)
    name = _named(standard, schema_name)
    if name is not None:
        return {name: standard[name]}, name
    package, _, last = plain_type(schema_name).partition("/")
    return {f"{package}/msg/{last}": ([], [])}, f"{package}/msg/{last}"


def _named(definitions: dict[str, Any], schema_name: str) -> str | None:
    """Return the key of a type by package and last part, None where it is not defined."""
    wanted = plain_type(schema_name)
    return next((name for name in definitions if plain_type(name) == wanted), None)


def _standard_types(*, is_ros1: bool) -> dict[str, Any]:
    """Return the definitions of the common interfaces."""
    from rosbags.typesys import Stores, get_types_from_msg, get_typestore

    if not is_ros1:
        return dict(get_typestore(Stores.ROS2_JAZZY).fielddefs)
    types = dict(get_typestore(Stores.ROS1_NOETIC).fielddefs)
    # rosbags reads the seconds of ROS 1 as signed, which ends in the year 2038; they are unsigned.
    types.update(get_types_from_msg("uint32 sec\nuint32 nanosec", "builtin_interfaces/msg/Time"))
    for name in ("tf2_msgs/msg/TFMessage", "tf/msg/tfMessage"):
        types.update(get_types_from_msg("geometry_msgs/TransformStamped[] transforms", name))
    return types


def _complete(definitions: dict[str, Any], *, is_ros1: bool) -> None:
    """Add the standard types that definitions mention and do not bring along."""
    standard: dict[str, Any] = {}
    todo = list(definitions)
    while todo:
        for kind, detail in (description for _, description in definitions[todo.pop()][1]):
            item = detail[0] if isinstance(detail, tuple) and isinstance(detail[0], tuple) else (kind, detail)
            name = item[1]
            if not isinstance(name, str) or name in definitions:
                continue
            standard = standard or _standard_types(is_ros1=is_ros1)
            if name not in standard:
                raise UnusableSchemaError(f"it does not define {name}")
            definitions[name] = standard[name]
            todo.append(name)


def _unsigned(fields: list[Any]) -> list[Any]:
    # A byte of ROS 2 is an octet; rosbags reads single ones as signed, as ROS 1 has them.
    octets = {"byte", "octet"}
    return [
        (name, (kind, ("uint8", 0)) if isinstance(detail, tuple) and detail[0] in octets else (kind, detail))
        for name, (kind, detail) in fields
    ]


def _check_arrays(definitions: dict[str, Any]) -> None:
    from rosbags.interfaces import Nodetype

    for owner, (_, fields) in definitions.items():
        for name, (kind, detail) in fields:
            if kind != Nodetype.ARRAY:
                continue
            (item_kind, item), length = detail
            unrolled = item_kind == Nodetype.NAME or item[0] == "string"
            if unrolled and length > _LONGEST_UNROLLED_ARRAY:
                raise UnusableSchemaError(f"{owner}.{name} is an array of {length} items")
