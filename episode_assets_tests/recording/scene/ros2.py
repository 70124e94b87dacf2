"""ROS 2: CDR serialised by mcap-ros2-support, schemas as message text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mcap_ros2.writer import Writer
from rosbags.typesys import Stores  # noqa: TID253  # message definitions

from episode_assets_tests.recording.scene import ros
from episode_assets_tests.recording.scene.ros_objects import typestore
from episode_assets_tests.recording.scene.scene import Scene
from episode_assets_tests.recording.scene.trees import Choice, Message, Stamp

STORE = typestore(Stores.ROS2_HUMBLE)


def write(path: Path, scene: Scene) -> None:
    """Write the scene with every stream."""
    writer = Writer(str(path))
    schemas: dict[str, Any] = {}
    for event in scene.events:
        message = ros.MESSAGES[event.stream](scene, event.index, event.stamp_ns)
        if message.type not in schemas:
            schemas[message.type] = writer.register_msgdef(message.type, definition(message.type))
        schema, topic = schemas[message.type], event.topic
        writer.write_message(topic, schema, plain(message), event.log_ns, event.log_ns)
    writer.add_metadata("session_metadata", scene.metadata)
    writer.finish()


def definition(type_name: str) -> str:
    """Return the text of a type with all that it refers to."""
    text, _ = STORE.generate_msgdef(type_name, ros_version=2)
    return str(text)


def plain(value: Any) -> Any:
    """Return a tree as the dictionaries that the writer takes."""
    if isinstance(value, Message):
        return {name: plain(field) for name, field in value.fields.items()}
    if isinstance(value, Choice):
        return value.number
    if isinstance(value, Stamp):
        return dict(zip(("sec", "nanosec"), value.parts, strict=True))
    return [plain(item) for item in value] if isinstance(value, list) else value
