"""The ROS message types that have a role, read field by field for ROS 2 and ROS 1 alike.

A generic decoder builds a Python object for each point of a mesh and costs ten times as much per IMU sample. The
layouts are those of the common interfaces, which ROS 1 and ROS 2 share, and of the phone app. To read another type,
add a parser and a row to `TYPES`. How numbers and texts lie in a payload belongs to `cdr` and `ros1`; all other types
go through `generic`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from episode_assets.recording.encodings.cursor import Cursor
from episode_assets.recording.encodings.rows import (
    CameraInfoRow,
    CloudField,
    CloudRow,
    ImageRow,
    ImuRow,
    Kind,
    MarkerRow,
    PoseRow,
    PosesRow,
    Quadruple,
    Row,
    TextRow,
    TrackingRow,
    TransformRow,
    Triple,
    UndecodableMessageError,
)

Parser: TypeAlias = Callable[[Cursor], Sequence[Row]]

_SMALLEST_MARKER = 150
_SMALLEST_POINT_FIELD = 13
_SMALLEST_POSE_STAMPED = 64
_SMALLEST_TRANSFORM = 64


def _compressed_image(cursor: Cursor) -> list[ImageRow]:
    stamp, frame = cursor.header()
    name = cursor.string()
    data = cursor.raw(cursor.u32())
    return [ImageRow(stamp, frame, name, data, None, None, None, False)]


def _image(cursor: Cursor) -> list[ImageRow]:
    stamp, frame = cursor.header()
    height, width = cursor.u32(), cursor.u32()
    encoding = cursor.string()
    is_bigendian = bool(cursor.u8())
    step = cursor.u32()
    data = cursor.raw(cursor.u32())
    return [ImageRow(stamp, frame, encoding, data, width, height, step, is_bigendian)]


def _camera_info(cursor: Cursor) -> list[CameraInfoRow]:
    stamp, frame = cursor.header()
    height, width = cursor.u32(), cursor.u32()
    model = cursor.string()
    d = cursor.doubles(cursor.count(8))
    k = cursor.doubles(9)
    return [CameraInfoRow(stamp, frame, width, height, model, k, d)]


def _translation_and_rotation(cursor: Cursor) -> tuple[Triple, Quadruple]:
    x, y, z, qx, qy, qz, qw = cursor.doubles(7)
    return (x, y, z), (qx, qy, qz, qw)


def _one_pose(cursor: Cursor) -> PoseRow:
    stamp, frame = cursor.header()
    return PoseRow(stamp, frame, "", *_translation_and_rotation(cursor))


def _pose_stamped(cursor: Cursor) -> list[PoseRow]:
    return [_one_pose(cursor)]


def _path(cursor: Cursor) -> list[PoseRow]:
    cursor.header()
    return [_one_pose(cursor) for _ in range(cursor.count(_SMALLEST_POSE_STAMPED))]


def _pose_array(cursor: Cursor) -> list[PosesRow]:
    stamp, frame = cursor.header()
    return [PosesRow(stamp, frame, cursor.table(7))]


def _odometry(cursor: Cursor) -> list[PoseRow]:
    stamp, frame = cursor.header()
    child = cursor.string()
    return [PoseRow(stamp, frame, child, *_translation_and_rotation(cursor))]


def _transform(cursor: Cursor) -> TransformRow:
    stamp, parent = cursor.header()
    child = cursor.string()
    return TransformRow(stamp, parent, child, *_translation_and_rotation(cursor))


def _transform_stamped(cursor: Cursor) -> list[PoseRow]:
    return [PoseRow(*_transform(cursor))]


def _tf_message(cursor: Cursor) -> list[TransformRow]:
    return [_transform(cursor) for _ in range(cursor.count(_SMALLEST_TRANSFORM))]


def _imu(cursor: Cursor) -> list[ImuRow]:
    stamp, frame = cursor.header()
    # Orientation, angular velocity and linear acceleration, each followed by its 9 covariances.
    numbers = cursor.doubles(37)
    orientation, gyro, acceleration = numbers[:4], numbers[13:16], numbers[25:28]
    # sensor_msgs/Imu: a first covariance element of -1 means that the sender does not provide the part.
    return [
        ImuRow(
            stamp,
            frame,
            None if numbers[4] == -1 or not any(orientation) else orientation,
            None if numbers[16] == -1 else gyro,
            None if numbers[28] == -1 else acceleration,
        )
    ]


def _tracking_state(cursor: Cursor) -> list[TrackingRow]:
    stamp, frame = cursor.header()
    return [TrackingRow(stamp, frame, cursor.u8(), cursor.u8())]


def _one_marker(cursor: Cursor) -> MarkerRow:
    stamp, frame = cursor.header()
    namespace = cursor.string()
    number, kind, action = cursor.i32(), cursor.i32(), cursor.i32()
    translation, quaternion = _translation_and_rotation(cursor)
    scale = cursor.triple()
    cursor.raw(16 + 8)  # one colour and the lifetime
    cursor.u8()  # frame_locked
    points = cursor.table(3)
    return MarkerRow(stamp, frame, namespace, number, kind, action, translation, quaternion, scale, points)


def _marker(cursor: Cursor) -> list[MarkerRow]:
    return [_one_marker(cursor)]


def marker_array_parser(*, has_texture: bool, has_mesh_file: bool) -> Parser:
    """Return the parser of MarkerArray for one layout: releases of ROS 2 added textures and mesh files.

    What follows the points of a marker has to be passed over to reach the next one. Per-vertex colours and textures
    are raw pixels and are never kept.
    """

    def finish(cursor: Cursor) -> None:
        cursor.raw(16 * cursor.count(16))
        if has_texture:
            cursor.string()
            _compressed_image(cursor)
            cursor.raw(8 * cursor.count(8))
        cursor.string()
        cursor.string()
        if has_mesh_file:
            cursor.string()
            cursor.raw(cursor.u32())
        cursor.u8()

    def parse(cursor: Cursor) -> list[MarkerRow]:
        markers = []
        for _ in range(cursor.count(_SMALLEST_MARKER)):
            markers.append(_one_marker(cursor))
            finish(cursor)
        return markers

    return parse


POINT_FIELD_TYPES = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 8: "f8"}
"""sensor_msgs/PointField datatypes; the codes of Foxglove's PackedElementField are others."""


def _cloud(cursor: Cursor) -> list[CloudRow]:
    stamp, frame = cursor.header()
    height, width = cursor.u32(), cursor.u32()
    fields = tuple(_point_field(cursor) for _ in range(cursor.count(_SMALLEST_POINT_FIELD)))
    is_bigendian = bool(cursor.u8())
    point_step, row_step = cursor.u32(), cursor.u32()
    data = cursor.raw(cursor.u32())
    return [CloudRow(stamp, frame, width, height, fields, point_step, row_step, is_bigendian, data)]


def _text(cursor: Cursor) -> list[TextRow]:
    return [TextRow(0, "", cursor.string())]


def _point_field(cursor: Cursor) -> CloudField:
    name, offset, code, length = cursor.string(), cursor.u32(), cursor.u8(), cursor.u32()
    if code not in POINT_FIELD_TYPES:
        raise UndecodableMessageError(f"point field {name!r} has the unknown datatype {code}")
    return CloudField(name, offset, POINT_FIELD_TYPES[code], length)


TYPES: Mapping[str, tuple[Kind, Parser]] = {
    "sensor_msgs/CompressedImage": ("image", _compressed_image),
    "sensor_msgs/Image": ("image", _image),
    "sensor_msgs/CameraInfo": ("camera_info", _camera_info),
    "geometry_msgs/PoseStamped": ("pose", _pose_stamped),
    "geometry_msgs/PoseWithCovarianceStamped": ("pose", _pose_stamped),
    "geometry_msgs/TransformStamped": ("pose", _transform_stamped),
    "nav_msgs/Odometry": ("pose", _odometry),
    "tf2_msgs/TFMessage": ("tf", _tf_message),
    "tf/tfMessage": ("tf", _tf_message),
    "sensor_msgs/Imu": ("imu", _imu),
    "visualization_msgs/Marker": ("mesh", _marker),
    "nav_msgs/Path": ("trajectory", _path),
    "sensor_msgs/PointCloud2": ("point_cloud", _cloud),
    "geometry_msgs/PoseArray": ("poses", _pose_array),
    "std_msgs/String": ("text", _text),
    "*/TrackingState": ("tracking", _tracking_state),
}
"""Decoders by type (package and last part only); `*` stands for any package."""
