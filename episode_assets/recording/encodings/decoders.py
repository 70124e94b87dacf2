"""Which decoder reads a channel: one row per message encoding.

To read another encoding, add a function to `_ENCODINGS` that returns a decoder for a channel or the reason why there
is none. Decoders return the rows of `rows`; damage in a payload is always an `UndecodableMessageError`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from episode_assets.recording.encodings.decoding import Decoder, Undecodable, plain_type
from episode_assets.recording.encodings.json_messages import json_decoder
from episode_assets.recording.encodings.protobuf import protobuf_decoder
from episode_assets.recording.encodings.ros_decoder import CDR, ROS1, ros_decoder

__all__ = ["Decoder", "Undecodable", "find_decoder", "plain_type"]

_ENCODINGS: dict[str, Callable[[str, str, bytes], Decoder | Undecodable | None]] = {
    "cdr": partial(ros_decoder, CDR),
    "ros1": partial(ros_decoder, ROS1),
    "protobuf": protobuf_decoder,
    "json": json_decoder,
}


def find_decoder(
    message_encoding: str, schema_encoding: str, schema_name: str, schema_data: bytes = b""
) -> Decoder | Undecodable | None:
    """Return the decoder of a channel, the reason why it cannot be read, or None where no role wants its type."""
    table = _ENCODINGS.get(message_encoding)
    if table is None:
        return Undecodable(f"message encoding {message_encoding!r}")
    found = table(schema_encoding, schema_name, schema_data)
    if isinstance(found, Decoder):
        return replace(found, channel=(message_encoding, schema_encoding, schema_name, schema_data))
    return found
