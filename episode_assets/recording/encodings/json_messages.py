"""JSON messages: Foxglove schemas and ROS types by their names, every other object as its text.

Text rows are cheap on purpose, since most JSON topics are nobody's stream: the text is not parsed.
"""

from __future__ import annotations

import json
from typing import Any, NoReturn

from episode_assets.recording.encodings import foxglove, ros_json
from episode_assets.recording.encodings.decoding import Decoder, Undecodable, plain_type
from episode_assets.recording.encodings.fields import JsonFields
from episode_assets.recording.encodings.mapped import mapped_rows
from episode_assets.recording.encodings.rows import TextRow, UndecodableMessageError

SCHEMA_ENCODINGS = frozenset({"jsonschema", ""})


def json_decoder(schema_encoding: str, schema_name: str, schema_data: bytes) -> Decoder | Undecodable | None:
    """Return the decoder of a JSON channel, or why there is none; the schema text itself is not needed."""
    del schema_data
    if schema_encoding not in SCHEMA_ENCODINGS:
        return Undecodable(f"schema encoding {schema_encoding!r}")
    schema = foxglove.schema_of(schema_name)
    known = foxglove.SCHEMAS[schema] if schema else ros_json.TYPES.get(plain_type(schema_name))
    if known is None:
        return Decoder("text", _text_rows)
    kind, mapper = known
    return Decoder(kind, mapped_rows(_read, mapper))


def parse_json(payload: memoryview) -> Any:
    """Return what a JSON text stands for; raises UndecodableMessageError. `NaN` is read, though it is no JSON."""
    try:
        return json.loads(str(payload, "utf-8"))
    except (ValueError, RecursionError) as error:
        raise UndecodableMessageError(
            f"payload of {len(payload)} bytes is not JSON: {str(error)[:200]}"
        ) from error


def _read(payload: memoryview) -> JsonFields:
    try:
        return JsonFields(json.loads(str(payload, "utf-8"), parse_constant=_refuse))
    except RecursionError as error:
        raise UndecodableMessageError(f"payload of {len(payload)} bytes is nested too deeply") from error
    except UnicodeDecodeError as error:
        raise UndecodableMessageError(f"payload of {len(payload)} bytes is not UTF-8: {error}") from error
    except json.JSONDecodeError as error:
        raise UndecodableMessageError(f"payload of {len(payload)} bytes is not JSON: {error}") from error


def _refuse(constant: str) -> NoReturn:
    raise UndecodableMessageError(f"{constant} is not a number in JSON")


def _text_rows(payload: memoryview) -> list[TextRow]:
    try:
        text = str(payload, "utf-8").strip()
    except UnicodeDecodeError as error:
        raise UndecodableMessageError(f"payload of {len(payload)} bytes is not UTF-8: {error}") from error
    if not (text.startswith("{") and text.endswith("}")):
        raise UndecodableMessageError(f"payload of {len(payload)} bytes is no JSON object")
    return [TextRow(0, "", text)]
