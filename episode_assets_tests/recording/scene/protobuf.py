"""Foxglove schemas in protobuf: generated classes, written by mcap-protobuf-support."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

from mcap_protobuf.writer import Writer

from episode_assets_tests.recording.scene import foxglove
from episode_assets_tests.recording.scene.scene import Scene
from episode_assets_tests.recording.scene.trees import Choice, Message, Stamp


def write(path: Path, scene: Scene) -> None:
    """Write the streams that Foxglove has schemas for."""
    writer = Writer(str(path))
    for event in scene.events:
        if event.stream in foxglove.MESSAGES:
            message = foxglove.MESSAGES[event.stream](scene, event.index, event.stamp_ns)
            writer.write_message(event.topic, instance(message), event.log_ns, event.log_ns)
    writer.add_metadata("session_metadata", scene.metadata)
    writer.finish()


def instance(message: Message) -> Any:
    """Return a tree as an object of its generated class."""
    module = import_module(f"foxglove_schemas_protobuf.{message.type}_pb2")
    return getattr(module, message.type)(**plain(message))


def plain(value: Any) -> Any:
    """Return a tree as the keyword arguments that generated classes take."""
    if isinstance(value, Message):
        return {name: plain(field) for name, field in value.fields.items()}
    if isinstance(value, Stamp):
        return dict(zip(("seconds", "nanos"), value.parts, strict=True))
    if isinstance(value, Choice):
        return value.number
    return [plain(item) for item in value] if isinstance(value, list) else value
