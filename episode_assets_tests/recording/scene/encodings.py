"""The encodings that the scene is written in, and what each has no schema for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from episode_assets_tests.recording.scene import (
    foxglove,
    foxglove_ros2,
    json_text,
    mixed,
    protobuf,
    ros1,
    ros1_bag,
    ros2,
    ros2_idl,
    sdk,
    sqlite_bag,
    video,
)
from episode_assets_tests.recording.scene.scene import Scene


@dataclass(frozen=True)
class Encoding:
    """One way to write the scene.

    Attributes:
        name: What stands in the table.
        write: Writes the scene to a file.
        no_schema: Streams that cannot be written, with the reason.
        is_video: Whether the pictures are coded over time and so not the same bytes.
        file_name: Name of the file, by which people tell what it is.
        has_metadata: Whether the file holds the session metadata.
        has_own_metadata: Whether the container says something of itself, which nobody knows to be harmless.
    """

    name: str
    write: Callable[[Path, Scene], None]
    no_schema: Mapping[str, str] = field(default_factory=dict)
    is_video: bool = False
    file_name: str = "scene.mcap"
    has_metadata: bool = True
    has_own_metadata: bool = False


ENCODINGS = (
    Encoding("mcap-ros2", ros2.write),
    Encoding("ros2 idl", ros2_idl.write),
    Encoding("mcap-ros1", ros1.write),
    Encoding("ros1 bag", ros1_bag.write, file_name="scene.bag", has_metadata=False),
    Encoding(
        "ros2 sqlite", sqlite_bag.write, file_name="scene.db3", has_metadata=False, has_own_metadata=True
    ),
    Encoding("mcap-protobuf", protobuf.write, foxglove.NO_SCHEMA),
    Encoding("json", json_text.write, foxglove.NO_SCHEMA),
    Encoding("foxglove-sdk", sdk.write, foxglove.NO_SCHEMA),
    Encoding("h264 video", video.write, foxglove.NO_SCHEMA, is_video=True),
    Encoding("foxglove_msgs", foxglove_ros2.write, foxglove.NO_SCHEMA),
    Encoding("mixed", mixed.write),
)
