"""Four encodings in one file: every stream in one of them, as a recorder with several sources writes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from mcap.writer import Writer
from mcap_protobuf.schema import register_schema

from episode_assets_tests.recording.scene import foxglove, json_text, protobuf, ros, ros1, ros2, ros2_idl
from episode_assets_tests.recording.scene.scene import Scene
from episode_assets_tests.recording.scene.trees import Message


@dataclass(frozen=True)
class Part:
    """One encoding of the file: how it names the values, describes a type and packs a message."""

    messages: Mapping[str, Callable[[Scene, int, int], Message]]
    message_encoding: str
    schema: Callable[[Writer, Message], int]
    payload: Callable[[Message], bytes]


def write(path: Path, scene: Scene) -> None:
    """Write the scene with every stream."""
    writer, channels = Writer(str(path)), dict[str, int]()
    writer.start(profile="", library="mixed")
    for event in scene.events:
        part, topic = _PART_OF[event.stream], event.topic
        message = part.messages[event.stream](scene, event.index, event.stamp_ns)
        if topic not in channels:
            schema = part.schema(writer, message)
            channels[topic] = writer.register_channel(topic, part.message_encoding, schema)
        writer.add_message(channels[topic], event.log_ns, part.payload(message), event.log_ns)
    writer.add_metadata("session_metadata", scene.metadata)
    writer.finish()


def _ros_schema(encoding: str, definition: Callable[[str], str]) -> Callable[[Writer, Message], int]:
    def register(writer: Writer, message: Message) -> int:
        return writer.register_schema(message.type, encoding, definition(message.type).encode())

    return register


_CDR = Part(ros.MESSAGES, "cdr", _ros_schema("ros2msg", ros2.definition), ros2_idl.payload)
_ROS1 = Part(ros.MESSAGES, "ros1", _ros_schema("ros1msg", ros1.definition), ros1.payload)
_JSON = Part(foxglove.MESSAGES, "json", json_text.schema, json_text.payload)
_PROTOBUF = Part(
    foxglove.MESSAGES,
    "protobuf",
    lambda writer, message: register_schema(writer, type(protobuf.instance(message))),
    lambda message: protobuf.instance(message).SerializeToString(),
)
_PART_OF = {
    **dict.fromkeys(("rgb", "imu", "tracking", "trajectory"), _CDR),
    **dict.fromkeys(("depth", "point_cloud", "hands"), _PROTOBUF),
    **dict.fromkeys(("camera_info", "depth_camera_info", "annotations"), _JSON),
    **dict.fromkeys(("tf", "pose", "mesh"), _ROS1),
}
