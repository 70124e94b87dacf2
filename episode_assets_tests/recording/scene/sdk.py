"""Foxglove schemas through the Foxglove SDK: its own classes, its own serialiser and its own file writer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from foxglove import Context, channels, messages, open_mcap

from episode_assets_tests.recording.scene import foxglove
from episode_assets_tests.recording.scene.scene import Scene
from episode_assets_tests.recording.scene.trees import Choice, Message, Stamp


def write(path: Path, scene: Scene) -> None:
    """Write the streams that Foxglove has schemas for."""
    context, opened = Context(), dict[str, Any]()
    with open_mcap(str(path), context=context) as writer:
        for event in scene.events:
            if event.stream in foxglove.MESSAGES:
                message = foxglove.MESSAGES[event.stream](scene, event.index, event.stamp_ns)
                log(opened, context, event.topic, message, event.log_ns)
        writer.write_metadata("session_metadata", scene.metadata)


def log(opened: dict[str, Any], context: Context, topic: str, message: Message, log_ns: int) -> None:
    """Log a message on the channel of its topic, which is opened at its first message."""
    if topic not in opened:
        opened[topic] = getattr(channels, f"{message.type}Channel")(topic, context=context)
    opened[topic].log(instance(message), log_time=log_ns)


def instance(value: Any) -> Any:
    """Return a tree as objects of the SDK's classes."""
    if isinstance(value, Message):
        fields = {name: instance(field) for name, field in value.fields.items()}
        return getattr(messages, value.type)(**fields)
    if isinstance(value, Stamp):
        return messages.Timestamp(*value.parts)
    if isinstance(value, Choice):
        return getattr(getattr(messages, value.enum), value.name)
    return [instance(item) for item in value] if isinstance(value, list) else value
