"""Foxglove schemas in JSON: the standard library's text, base64 for bytes, JSON Schema beside it."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

from mcap.writer import CompressionType, Writer

from episode_assets_tests.recording.scene import foxglove
from episode_assets_tests.recording.scene.scene import Scene
from episode_assets_tests.recording.scene.trees import Choice, Message, Stamp


def write(path: Path, scene: Scene) -> None:
    """Write the streams that Foxglove has schemas for."""
    writer = Writer(str(path), compression=CompressionType.LZ4)
    writer.start(profile="", library="json")
    opened: dict[str, int] = {}
    for event in scene.events:
        if event.stream in foxglove.MESSAGES:
            message = foxglove.MESSAGES[event.stream](scene, event.index, event.stamp_ns)
            topic = event.topic
            if topic not in opened:
                opened[topic] = writer.register_channel(topic, "json", schema(writer, message))
            writer.add_message(opened[topic], event.log_ns, payload(message), event.log_ns)
    writer.add_metadata("session_metadata", scene.metadata)
    writer.finish()


def schema(writer: Writer, message: Message) -> int:
    """Register the schema of a message's type, taken from the message."""
    text = json.dumps(schema_of(message))
    return writer.register_schema(f"foxglove.{message.type}", "jsonschema", text.encode())


def payload(message: Message) -> bytes:
    """Return a message as JSON text; `json` writes floats so that they read back to the last bit."""
    return json.dumps(plain(message)).encode()


def plain(value: Any) -> Any:
    """Return a tree as what JSON knows."""
    if isinstance(value, Message):
        return {name: plain(field) for name, field in value.fields.items()}
    if isinstance(value, Stamp):
        return dict(zip(("sec", "nsec"), value.parts, strict=True))
    if isinstance(value, Choice):
        return value.number
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return [plain(item) for item in value] if isinstance(value, list) else value


def schema_of(value: Any) -> dict[str, Any]:
    """Return the JSON Schema of a value in the style of Foxglove's published ones."""
    if isinstance(value, Message):
        properties = {name: schema_of(field) for name, field in value.fields.items()}
        return {"title": f"foxglove.{value.type}", "type": "object", "properties": properties}
    if isinstance(value, Stamp):
        whole = {"type": "integer", "minimum": 0}
        return {"type": "object", "title": "time", "properties": {"sec": whole, "nsec": whole}}
    if isinstance(value, bytes):
        return {"type": "string", "contentEncoding": "base64"}
    if isinstance(value, list):
        return {"type": "array", "items": schema_of(value[0]) if value else {}}
    names = {str: "string", bool: "boolean", float: "number"}
    return {"type": names.get(type(value), "integer")}
