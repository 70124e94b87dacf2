"""Foxglove schemas as ROS 2 messages: the package foxglove_msgs, in CDR of mcap-ros2-support."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mcap_ros2.writer import Writer
from rosbags.typesys import Stores, get_types_from_msg, get_typestore  # noqa: TID253  # message definitions

from episode_assets_tests.recording.scene import foxglove
from episode_assets_tests.recording.scene.ros2 import plain
from episode_assets_tests.recording.scene.scene import Scene

_STAMPED = "builtin_interfaces/Time timestamp\nstring frame_id\n"
_PLACED = "geometry_msgs/Pose pose\n"

DEFINITIONS = {
    "CompressedImage": f"{_STAMPED}uint8[] data\nstring format",
    "RawImage": f"{_STAMPED}uint32 width\nuint32 height\nstring encoding\nuint32 step\nuint8[] data",
    "CameraCalibration": (
        f"{_STAMPED}uint32 width\nuint32 height\nstring distortion_model\n"
        "float64[] d\nfloat64[9] k\nfloat64[9] r\nfloat64[12] p"
    ),
    "PoseInFrame": f"{_STAMPED}{_PLACED}",
    "PosesInFrame": f"{_STAMPED}geometry_msgs/Pose[] poses",
    "FrameTransform": (
        "builtin_interfaces/Time timestamp\nstring parent_frame_id\nstring child_frame_id\n"
        "geometry_msgs/Vector3 translation\ngeometry_msgs/Quaternion rotation"
    ),
    "FrameTransforms": "foxglove_msgs/FrameTransform[] transforms",
    "PackedElementField": "uint8 FLOAT32=7\nstring name\nuint32 offset\nuint8 type",
    "PointCloud": (
        f"{_STAMPED}{_PLACED}uint32 point_stride\nfoxglove_msgs/PackedElementField[] fields\nuint8[] data"
    ),
    "Color": "float64 r\nfloat64 g\nfloat64 b\nfloat64 a",
    "TriangleListPrimitive": (
        f"{_PLACED}geometry_msgs/Point[] points\nfoxglove_msgs/Color color\nfoxglove_msgs/Color[] colors\n"
        "uint32[] indices"
    ),
    "KeyValuePair": "string key\nstring value",
    "SceneEntityDeletion": "builtin_interfaces/Time timestamp\nuint8 type\nstring id",
    "SceneEntity": (
        f"{_STAMPED}string id\nbuiltin_interfaces/Duration lifetime\nbool frame_locked\n"
        "foxglove_msgs/KeyValuePair[] metadata\nfoxglove_msgs/TriangleListPrimitive[] triangles"
    ),
    "SceneUpdate": "foxglove_msgs/SceneEntityDeletion[] deletions\nfoxglove_msgs/SceneEntity[] entities",
    "Log": (
        "builtin_interfaces/Time timestamp\nuint8 level\nstring message\nstring name\nstring file\nuint32 line"
    ),
}
"""Definitions of the package, without the primitives that the scene does not use."""

STORE = get_typestore(Stores.ROS2_HUMBLE)
for _name, _text in DEFINITIONS.items():
    STORE.register(get_types_from_msg(_text, f"foxglove_msgs/msg/{_name}"))


def write(path: Path, scene: Scene) -> None:
    """Write the streams that Foxglove has schemas for."""
    writer, schemas = Writer(str(path)), dict[str, Any]()
    for event in scene.events:
        if event.stream in foxglove.MESSAGES:
            message = foxglove.MESSAGES[event.stream](scene, event.index, event.stamp_ns)
            if message.type not in schemas:
                name = f"foxglove_msgs/msg/{message.type}"
                text, _ = STORE.generate_msgdef(name, ros_version=2)
                schemas[message.type] = writer.register_msgdef(name, text)
            tree = spelled(plain(message))
            writer.write_message(event.topic, schemas[message.type], tree, event.log_ns, event.log_ns)
    writer.add_metadata("session_metadata", scene.metadata)
    writer.finish()


def spelled(tree: dict[str, Any]) -> dict[str, Any]:
    """Return a tree in the spelling of ROS 2, which has no upper case letters in the names of fields."""
    return {name.lower(): value for name, value in tree.items()}
