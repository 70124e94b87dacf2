"""ROS 1 in its own container: a bag of rosbags, with packed chunks. A bag has no place for session metadata."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rosbags.rosbag1 import Writer  # noqa: TID253  # the writer

from episode_assets_tests.recording.scene import ros
from episode_assets_tests.recording.scene.ros1 import STORE, payload
from episode_assets_tests.recording.scene.scene import Scene


def write(path: Path, scene: Scene) -> None:
    """Write the scene with every stream."""
    writer, connections = Writer(path), dict[str, Any]()
    writer.set_compression(Writer.CompressionFormat.BZ2)
    with writer:
        for event in scene.events:
            message = ros.MESSAGES[event.stream](scene, event.index, event.stamp_ns)
            if event.topic not in connections:
                connections[event.topic] = writer.add_connection(event.topic, message.type, typestore=STORE)
            writer.write(connections[event.topic], event.log_ns, payload(message))
