"""ROS 2 messages in CDR (XCDR1), parsed by hand for the types that have a role.

A generic decoder builds a Python object for each point of a mesh and costs ten times as much per IMU sample, so these
types are read field by field. The layouts are those of the ROS 2 common interfaces and of the phone app. Other types
go through `generic`.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from episode_assets.recording.rows import (
    CameraInfoRow,
    CloudField,
    CloudRow,
    ImageRow,
    ImuRow,
    Kind,
    MarkerRow,
    PoseRow,
    Quadruple,
    Row,
    TrackingRow,
    TransformRow,
    Triple,
    UndecodableMessageError,
)

NS_PER_S = 1_000_000_000
_ORIGIN = 4
_COVARIANCE = 9
_SMALLEST_MARKER = 150


class Cursor:
    """A reading position in one CDR payload; alignment counts from byte 4, behind the encapsulation header."""

    def __init__(self, payload: memoryview) -> None:
        if len(payload) < _ORIGIN:
            raise UndecodableMessageError(f"payload of {len(payload)} bytes is shorter than a CDR header")
        if payload[0] != 0 or payload[1] not in {0, 1}:
            raise UndecodableMessageError(f"encapsulation {payload[0]:02x} {payload[1]:02x} is not plain CDR")
        self.payload = payload
        self.order = "<" if payload[1] == 1 else ">"
        self.at = _ORIGIN
        self._structs = _STRUCTS[self.order]

    def align(self, size: int) -> None:
        """Move to the next multiple of `size`."""
        self.at += -(self.at - _ORIGIN) % size

    def u8(self) -> int:
        """Return one unsigned byte."""
        value = self.payload[self.at]
        self.at += 1
        return value

    def i32(self) -> int:
        """Return a signed 32-bit integer."""
        return int(self._one("i", 4))

    def u32(self) -> int:
        """Return an unsigned 32-bit integer."""
        return int(self._one("I", 4))

    def _one(self, code: str, size: int) -> int:
        self.align(size)
        (value,) = self._structs[code].unpack_from(self.payload, self.at)
        self.at += size
        return int(value)

    def doubles(self, count: int) -> tuple[float, ...]:
        """Return `count` 8-byte floats."""
        self.align(8)
        values = struct.unpack_from(f"{self.order}{count}d", self.payload, self.at)
        self.at += 8 * count
        return values

    def triple(self) -> Triple:
        """Return three 8-byte floats."""
        self.align(8)
        x, y, z = self._structs["3d"].unpack_from(self.payload, self.at)
        self.at += 24
        return x, y, z

    def quadruple(self) -> Quadruple:
        """Return four 8-byte floats."""
        self.align(8)
        x, y, z, w = self._structs["4d"].unpack_from(self.payload, self.at)
        self.at += 32
        return x, y, z, w

    def string(self) -> str:
        """Return a text; its stated length includes the closing NUL."""
        length = self.u32()
        raw = self.raw(length)
        return str(raw[:-1] if length and raw[-1] == 0 else raw, "utf-8")

    def raw(self, length: int) -> memoryview:
        """Return the next `length` bytes as a view."""
        if length > len(self.payload) - self.at:
            raise UndecodableMessageError(
                f"a field of {length} bytes in a payload with {len(self.payload) - self.at} left"
            )
        view = self.payload[self.at : self.at + length]
        self.at += length
        return view

    def count(self, item_bytes: int) -> int:
        """Return the length of a sequence; refuses one that cannot fit, before memory is taken for it."""
        count = self.u32()
        if count * item_bytes > len(self.payload) - self.at:
            raise UndecodableMessageError(
                f"a sequence of {count} items in a payload with {len(self.payload) - self.at} bytes left"
            )
        return count

    def skip(self, length: int) -> None:
        """Move on by `length` bytes, which must be there."""
        self.raw(length)

    def header(self) -> tuple[int, str]:
        """Return stamp and frame of a std_msgs/Header."""
        seconds, nanoseconds = self.i32(), self.u32()
        return seconds * NS_PER_S + nanoseconds, self.string()

    def points(self) -> NDArray[np.float64]:
        """Return a geometry_msgs/Point[] as (N, 3) in one step."""
        count = self.count(24)
        if count == 0:
            return np.empty((0, 3))
        self.align(8)
        flat = np.frombuffer(self.raw(24 * count), dtype=f"{self.order}f8")
        return flat.reshape(-1, 3).astype(np.float64)


_STRUCTS = {order: {code: struct.Struct(order + code) for code in ("i", "I", "3d", "4d")} for order in "<>"}


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


def _pose_stamped(cursor: Cursor) -> list[PoseRow]:
    stamp, frame = cursor.header()
    return [PoseRow(stamp, frame, "", cursor.triple(), cursor.quadruple())]


def _odometry(cursor: Cursor) -> list[PoseRow]:
    stamp, frame = cursor.header()
    child = cursor.string()
    return [PoseRow(stamp, frame, child, cursor.triple(), cursor.quadruple())]


def _transform(cursor: Cursor) -> TransformRow:
    stamp, parent = cursor.header()
    child = cursor.string()
    return TransformRow(stamp, parent, child, cursor.triple(), cursor.quadruple())


def _transform_stamped(cursor: Cursor) -> list[PoseRow]:
    return [PoseRow(*_transform(cursor))]


def _tf_message(cursor: Cursor) -> list[TransformRow]:
    return [_transform(cursor) for _ in range(cursor.count(8))]


def _imu(cursor: Cursor) -> list[ImuRow]:
    stamp, frame = cursor.header()
    orientation, orientation_covariance = cursor.quadruple(), cursor.doubles(_COVARIANCE)
    gyro, gyro_covariance = cursor.triple(), cursor.doubles(_COVARIANCE)
    acceleration, acceleration_covariance = cursor.triple(), cursor.doubles(_COVARIANCE)
    # sensor_msgs/Imu: a first covariance element of -1 means that the sender does not provide the part.
    return [
        ImuRow(
            stamp,
            frame,
            None if orientation_covariance[0] == -1 or not any(orientation) else orientation,
            None if gyro_covariance[0] == -1 else gyro,
            None if acceleration_covariance[0] == -1 else acceleration,
        )
    ]


def _tracking_state(cursor: Cursor) -> list[TrackingRow]:
    stamp, frame = cursor.header()
    return [TrackingRow(stamp, frame, cursor.u8(), cursor.u8())]


def _one_marker(cursor: Cursor) -> MarkerRow:
    stamp, frame = cursor.header()
    namespace = cursor.string()
    number, kind, action = cursor.i32(), cursor.i32(), cursor.i32()
    translation, quaternion, scale = cursor.triple(), cursor.quadruple(), cursor.triple()
    cursor.align(4)
    cursor.skip(16 + 8)  # one colour and the lifetime
    cursor.u8()  # frame_locked
    points = cursor.points()
    return MarkerRow(stamp, frame, namespace, number, kind, action, translation, quaternion, scale, points)


def _marker(cursor: Cursor) -> list[MarkerRow]:
    return [_one_marker(cursor)]


def marker_array_parser(schema_text: str) -> Callable[[Cursor], Sequence[Row]]:
    """Return the parser of MarkerArray for the layout in the schema: releases added textures and mesh files.

    What follows the points of a marker has to be passed over to reach the next one. Per-vertex colours and textures
    are raw pixels and are never kept.
    """
    has_texture, has_mesh_file = "texture_resource" in schema_text, "mesh_file" in schema_text

    def finish(cursor: Cursor) -> None:
        cursor.skip(16 * cursor.count(16))
        if has_texture:
            cursor.string()
            _compressed_image(cursor)
            cursor.skip(8 * cursor.count(8))
        cursor.string()
        cursor.string()
        if has_mesh_file:
            cursor.string()
            cursor.skip(cursor.u32())
        cursor.u8()

    def parse(cursor: Cursor) -> list[MarkerRow]:
        markers = []
        for _ in range(cursor.count(_SMALLEST_MARKER)):
            markers.append(_one_marker(cursor))
            finish(cursor)
        return markers

    return parse


def _path(cursor: Cursor) -> list[PoseRow]:
    cursor.header()
    return [_pose_stamped(cursor)[0] for _ in range(cursor.count(64))]


POINT_FIELD_TYPES = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 8: "f8"}
"""sensor_msgs/PointField datatypes; the codes of Foxglove's PackedElementField are others."""
_SMALLEST_POINT_FIELD = 13


def _cloud(cursor: Cursor) -> list[CloudRow]:
    stamp, frame = cursor.header()
    height, width = cursor.u32(), cursor.u32()
    fields = tuple(_point_field(cursor) for _ in range(cursor.count(_SMALLEST_POINT_FIELD)))
    is_bigendian = bool(cursor.u8())
    point_step, row_step = cursor.u32(), cursor.u32()
    data = cursor.raw(cursor.u32())
    return [CloudRow(stamp, frame, width, height, fields, point_step, row_step, is_bigendian, data)]


def _point_field(cursor: Cursor) -> CloudField:
    name, offset, code, length = cursor.string(), cursor.u32(), cursor.u8(), cursor.u32()
    if code not in POINT_FIELD_TYPES:
        raise UndecodableMessageError(f"point field {name!r} has the unknown datatype {code}")
    return CloudField(name, offset, POINT_FIELD_TYPES[code], length)


TYPES: Mapping[str, tuple[Kind, Callable[[Cursor], Sequence[Row]]]] = {
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
    "*/TrackingState": ("tracking", _tracking_state),
}
"""Decoders by type (package and last part only); `*` stands for any package."""
