"""Which decoder reads a channel of ROS messages: types read by hand, and Foxglove schemas in ROS spelling.

The two wire formats are rows of `WIRES`. What the types look like belongs to `ros_types`.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from episode_assets.recording.encodings import foxglove
from episode_assets.recording.encodings.cdr import CdrCursor
from episode_assets.recording.encodings.cursor import Cursor
from episode_assets.recording.encodings.decoding import Decoder, Rows, Undecodable, plain_type
from episode_assets.recording.encodings.fields import ObjectFields
from episode_assets.recording.encodings.mapped import mapped_rows
from episode_assets.recording.encodings.ros1 import Ros1Cursor
from episode_assets.recording.encodings.ros_schemas import ros_parser
from episode_assets.recording.encodings.ros_types import TYPES, Parser, marker_array_parser
from episode_assets.recording.encodings.rows import Row, UndecodableMessageError


@dataclass(frozen=True)
class Wire:
    """A wire format of ROS: its cursor, and the schema languages that describe its messages."""

    message_encoding: str
    cursor: Callable[[memoryview], Cursor]
    schema_encodings: frozenset[str]


CDR = Wire("cdr", CdrCursor, frozenset({"ros2msg", "ros2idl"}))
ROS1 = Wire("ros1", Ros1Cursor, frozenset({"ros1msg"}))


def ros_decoder(
    wire: Wire, schema_encoding: str, schema_name: str, schema_data: bytes
) -> Decoder | Undecodable | None:
    """Return the decoder of a ROS channel, why there is none, or None where no role wants its type."""
    if schema_encoding not in wire.schema_encodings:
        return Undecodable(f"schema encoding {schema_encoding!r}" if schema_encoding else "no schema")
    if (schema := foxglove.schema_of(schema_name)) is not None:
        return _foxglove_decoder(wire, schema, schema_encoding, schema_name, schema_data)
    name = plain_type(schema_name)
    text = schema_data.decode("utf-8", errors="replace")
    if name == "visualization_msgs/MarkerArray":
        return Decoder("mesh", _reader(wire, _marker_array(wire, text)))
    if name.endswith("/TrackingState") and text.strip() and not _has_tracking_fields(text, schema_encoding):
        return Undecodable("a TrackingState without the fields uint8 state, uint8 reason behind the header")
    entry = TYPES.get(name) or TYPES.get(f"*/{name.rpartition('/')[2]}")
    if entry is None:
        return None
    kind, parse = entry
    return Decoder(kind, _reader(wire, parse))


def _foxglove_decoder(
    wire: Wire, schema: str, schema_encoding: str, schema_name: str, schema_data: bytes
) -> Decoder | Undecodable:
    parse = ros_parser(wire.message_encoding, schema_encoding, schema_name, schema_data)
    if isinstance(parse, Undecodable):
        return parse
    kind, mapper = foxglove.SCHEMAS[schema]
    return Decoder(kind, mapped_rows(lambda payload: ObjectFields(parse(payload)), mapper))


def _reader(wire: Wire, parse: Parser) -> Rows:
    cursor = wire.cursor

    def rows(payload: memoryview) -> Sequence[Row]:
        try:
            return parse(cursor(payload))
        except (struct.error, IndexError, UnicodeDecodeError, OverflowError) as error:
            raise UndecodableMessageError(
                f"payload of {len(payload)} bytes ends or breaks inside a field: {error}"
            ) from error

    return rows


def _marker_array(wire: Wire, text: str) -> Parser:
    # Without a schema text the standard definition holds: that of ROS 2 has had both parts since 2022.
    is_standard_ros2 = wire is CDR and not text.strip()
    return marker_array_parser(
        has_texture=is_standard_ros2 or "texture_resource" in text,
        has_mesh_file=is_standard_ros2 or "mesh_file" in text,
    )


_MSG_COMMENTS = re.compile(r"#[^\n]*")
_MSG_TRACKING = re.compile(r"\buint8\s+state\b[^\n]*\s+uint8\s+reason\b")
_IDL_DECORATION = re.compile(r'"(?:\\.|[^"\\])*"|//[^\n]*|/\*.*?\*/', re.DOTALL)
_IDL_ANNOTATIONS = re.compile(r"@\w+(?:\s*\([^)]*\))?")
_IDL_TRACKING = re.compile(r"\b(?:uint8|octet)\s+state\s*;\s*(?:uint8|octet)\s+reason\s*;")


def _has_tracking_fields(text: str, schema_encoding: str) -> bool:
    if schema_encoding == "ros2idl":
        bare = _IDL_ANNOTATIONS.sub("", _IDL_DECORATION.sub("", text))
        return bool(_IDL_TRACKING.search(bare))
    return bool(_MSG_TRACKING.search(_MSG_COMMENTS.sub("", text)))
