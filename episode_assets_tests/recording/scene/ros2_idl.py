"""ROS 2 with schemas in the interface definition language and CDR of rosbags, in a file of the plain mcap writer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mcap.writer import Writer
from rosbags.interfaces import Nodetype  # noqa: TID253  # the serialiser and its definitions
from rosbags.typesys import Stores  # noqa: TID253

from episode_assets_tests.recording.scene import ros
from episode_assets_tests.recording.scene.ros_objects import instance, typestore
from episode_assets_tests.recording.scene.scene import Scene
from episode_assets_tests.recording.scene.trees import Message

STORE = typestore(Stores.ROS2_FOXY)
_WORDS = {"float64": "double", "float32": "float", "bool": "boolean"}


def write(path: Path, scene: Scene) -> None:
    """Write the scene with every stream."""
    writer, channels = Writer(str(path)), dict[str, int]()
    writer.start(profile="ros2", library="idl")
    for event in scene.events:
        message = ros.MESSAGES[event.stream](scene, event.index, event.stamp_ns)
        topic = event.topic
        if topic not in channels:
            schema = writer.register_schema(message.type, "ros2idl", definition(message.type).encode())
            channels[topic] = writer.register_channel(topic, "cdr", schema)
        writer.add_message(channels[topic], event.log_ns, payload(message), event.log_ns)
    writer.add_metadata("session_metadata", scene.metadata)
    writer.finish()


def payload(message: Message) -> bytes:
    """Return a message as CDR."""
    return bytes(STORE.serialize_cdr(instance(message, STORE.types), message.type))


def definition(type_name: str) -> str:
    """Return the text of a type with all that it refers to, a block for each."""
    blocks: dict[str, str] = {}
    _describe(type_name, blocks)
    rule = "=" * 80
    return "".join(f"{rule}\nIDL: {name}\n{block}" for name, block in blocks.items())


def _describe(type_name: str, blocks: dict[str, str]) -> None:
    package, middle, name = type_name.split("/")
    aliases: list[str] = []
    blocks[type_name] = ""
    members = [
        f"      {_word(kind, aliases, blocks)} {field};" for field, kind in STORE.fielddefs[type_name][1]
    ]
    lines = [f"module {package} {{", f"  module {middle} {{", *dict.fromkeys(aliases)]
    lines += [f"    struct {name} {{", *members, "    };", "  };", "};", ""]
    blocks[type_name] = "\n".join(lines)


def _word(kind: Any, aliases: list[str], blocks: dict[str, str]) -> str:
    """Return how a field's type is written; fixed arrays get a name of their own, as the generator of ROS gives."""
    node, detail = kind
    if node == Nodetype.BASE:
        return _WORDS.get(detail[0], detail[0])
    if node == Nodetype.NAME:
        if detail not in blocks:
            _describe(detail, blocks)
        return str(detail).replace("/", "::")
    element, length = detail
    word = _word(element, aliases, blocks)
    if node == Nodetype.SEQUENCE:
        return f"sequence<{word}>"
    alias = f"{word.replace('::', '__')}__{length}"
    aliases.append(f"    typedef {word} {alias}[{length}];")
    return alias
