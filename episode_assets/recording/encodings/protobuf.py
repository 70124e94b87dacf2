"""Protobuf messages, read by the descriptors that the file brings along.

Each schema gets a pool of its own: two files may define one name differently.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from episode_assets.recording.encodings import foxglove
from episode_assets.recording.encodings.decoding import Decoder, Undecodable
from episode_assets.recording.encodings.fields import ProtobufFields
from episode_assets.recording.encodings.mapped import mapped_rows
from episode_assets.recording.encodings.rows import UndecodableMessageError


def protobuf_decoder(
    schema_encoding: str, schema_name: str, schema_data: bytes
) -> Decoder | Undecodable | None:
    """Return the decoder of a protobuf channel, why there is none, or None where no role wants its type."""
    if schema_encoding != "protobuf":
        return Undecodable(f"schema encoding {schema_encoding!r}" if schema_encoding else "no schema")
    schema = foxglove.schema_of(schema_name)
    if schema is None:
        return None
    parse = protobuf_parser(schema_name, schema_data)
    if isinstance(parse, Undecodable):
        return parse
    kind, mapper = foxglove.SCHEMAS[schema]
    return Decoder(kind, mapped_rows(lambda payload: ProtobufFields(parse(payload)), mapper))


def protobuf_parser(schema_name: str, schema_data: bytes) -> Callable[[memoryview], Any] | Undecodable:
    """Return the function from a payload to a protobuf message, or why the descriptors do not give one.

    The function raises UndecodableMessageError.
    """
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
    from mcap.records import Schema
    from mcap_protobuf.decoder import DecoderFactory

    schema = Schema(id=1, name=schema_name, encoding="protobuf", data=schema_data)
    try:
        decode = DecoderFactory().decoder_for("protobuf", schema)
    except Exception as error:  # the library raises what its parts raise
        return Undecodable(f"descriptors of {schema_name} cannot be used: {str(error)[:200]}")
    assert decode is not None  # given for every protobuf schema

    def parse(payload: memoryview) -> Any:
        try:
            return decode(payload)  # type: ignore[arg-type]  # takes every buffer
        except DecodeError as error:
            raise UndecodableMessageError(
                f"payload of {len(payload)} bytes is no {schema_name}: {error}"
            ) from error

    return parse
