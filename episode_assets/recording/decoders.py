"""Which decoder reads a channel: one table per message encoding.

To read another encoding, add a function to `_ENCODINGS` that returns a decoder for a channel or the reason why there
is none. Decoders return the rows of `rows`; damage in a payload is always an `UndecodableMessageError`.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import cast

from episode_assets.recording import cdr
from episode_assets.recording.rows import ImageRow, Kind, Row, UndecodableMessageError

_TRACKING_FIELDS = re.compile(r"uint8\s+state\b[^\n]*\n(?:\s*(?:#[^\n]*)?\n)*\s*uint8\s+reason\b")
_SCHEMA_ENCODINGS_OF_CDR = frozenset({"ros2msg", "ros2idl"})


@dataclass(frozen=True)
class Decoder:
    """How the messages of one channel are read: the kind of rows, and the function from payload to rows."""

    kind: Kind
    rows: Callable[[memoryview], Sequence[Row]]

    def image(self, payload: memoryview) -> ImageRow:
        """Return the one picture of a message; raises UndecodableMessageError."""
        (row,) = self.rows(payload)
        return cast(ImageRow, row)


@dataclass(frozen=True)
class Undecodable:
    """Why the messages of a channel cannot be read."""

    reason: str


def plain_type(schema_name: str) -> str:
    """Return a type as package and last part: `sensor_msgs/msg/Image` and `sensor_msgs::msg::Image` are one."""
    parts = schema_name.replace("::", "/").split("/")
    return f"{parts[0]}/{parts[-1]}" if len(parts) > 1 else schema_name


def find_decoder(
    message_encoding: str, schema_encoding: str, schema_name: str, schema_data: bytes = b""
) -> Decoder | Undecodable | None:
    """Return the decoder of a channel, the reason why it cannot be read, or None where no role wants its type."""
    table = _ENCODINGS.get(message_encoding)
    if table is None:
        return Undecodable(f"message encoding {message_encoding!r}")
    return table(schema_encoding, schema_name, schema_data)


def _cdr_decoder(schema_encoding: str, schema_name: str, schema_data: bytes) -> Decoder | Undecodable | None:
    if schema_encoding not in _SCHEMA_ENCODINGS_OF_CDR:
        return Undecodable(f"schema encoding {schema_encoding!r}")
    name = plain_type(schema_name)
    text = schema_data.decode("utf-8", errors="replace")
    if name == "visualization_msgs/MarkerArray":
        return Decoder("mesh", partial(_cdr_rows, cdr.marker_array_parser(text)))
    if name.endswith("/TrackingState") and text and not _TRACKING_FIELDS.search(text):
        return Undecodable("a TrackingState without the fields uint8 state, uint8 reason behind the header")
    entry = cdr.TYPES.get(name) or cdr.TYPES.get(f"*/{name.rpartition('/')[2]}")
    if entry is None:
        return None
    kind, parse = entry
    return Decoder(kind, partial(_cdr_rows, parse))


def _cdr_rows(parse: Callable[[cdr.Cursor], Sequence[Row]], payload: memoryview) -> Sequence[Row]:
    try:
        return parse(cdr.Cursor(payload))
    except (struct.error, IndexError, UnicodeDecodeError, OverflowError) as error:
        raise UndecodableMessageError(
            f"payload of {len(payload)} bytes ends or breaks inside a field: {error}"
        ) from error


_ENCODINGS: dict[str, Callable[[str, str, bytes], Decoder | Undecodable | None]] = {"cdr": _cdr_decoder}
