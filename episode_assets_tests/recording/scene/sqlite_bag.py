"""ROS 2 in its older container: a bag of SQLite, as rosbags writes it. It has no place for session metadata."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rosbags.rosbag2 import StoragePlugin, Writer  # noqa: TID253  # the writer

from episode_assets_tests.recording.scene import ros
from episode_assets_tests.recording.scene.ros2_idl import STORE, payload
from episode_assets_tests.recording.scene.scene import Scene


def write(path: Path, scene: Scene) -> None:
    """Write the scene with every stream; the bag is a folder, of which the one data file is moved to `path`."""
    folder, connections = path.with_suffix(".bag2"), dict[str, Any]()
    with Writer(folder, version=9, storage_plugin=StoragePlugin.SQLITE3) as writer:
        for event in scene.events:
            message = ros.MESSAGES[event.stream](scene, event.index, event.stamp_ns)
            if event.topic not in connections:
                connections[event.topic] = writer.add_connection(event.topic, message.type, typestore=STORE)
            writer.write(connections[event.topic], event.log_ns, payload(message))
    (data,) = folder.glob("*.db3")
    data.rename(path)
