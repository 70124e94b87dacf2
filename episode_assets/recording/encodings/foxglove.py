"""The Foxglove schemas that have a role, from named fields to rows: one mapping for protobuf, JSON and ROS spellings.

To read another schema, add a function and a row to `SCHEMAS`. Models, textures and the colours of meshes and clouds
are raw pixels and are never read. How the fields are stored belongs to `fields`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from episode_assets.recording.encodings.fields import Fields
from episode_assets.recording.encodings.rows import (
    CameraInfoRow,
    CloudField,
    CloudRow,
    ImageRow,
    Kind,
    MarkerRow,
    PoseRow,
    PosesRow,
    Row,
    TextRow,
    TransformRow,
    UndecodableMessageError,
)
from episode_assets.recording.frames import rotated

Mapper: TypeAlias = Callable[[Fields], Sequence[Row]]

PACKED_ELEMENT_TYPES = {1: "u1", 2: "i1", 3: "u2", 4: "i2", 5: "u4", 6: "i4", 7: "f4", 8: "f8"}
"""foxglove.PackedElementField types; the codes of ROS's PointField are others."""

_TRIANGLE_LIST, _ADD, _DELETE, _DELETE_ALL = 11, 0, 2, 3
_MATCHING_ID = 0


def schema_of(name: str) -> str | None:
    """Return the Foxglove schema that a type name spells, or None: foxglove.X, foxglove_msgs/X, foxglove_msgs/msg/X."""
    found = re.fullmatch(r"foxglove(?:\.|_msgs(?:/|::)(?:msg(?:/|::))?)(\w+)", name)
    return found[1] if found and found[1] in SCHEMAS else None


def _head(message: Fields) -> tuple[int, str]:
    return message.stamp(), message.text("frame_id")


def _compressed_picture(message: Fields) -> list[Row]:
    return [
        ImageRow(*_head(message), message.text("format"), message.octets("data"), None, None, None, False)
    ]


def _raw_image(message: Fields) -> list[Row]:
    width, height, step = message.whole("width"), message.whole("height"), message.whole("step")
    encoding, data = message.text("encoding"), message.octets("data")
    return [ImageRow(*_head(message), encoding, data, width, height, step, False)]


def _camera_calibration(message: Fields) -> list[Row]:
    k = message.numbers("K", "k") or (0.0,) * 9  # the schema leaves K empty for a camera without calibration
    if len(k) != 9:
        raise UndecodableMessageError(f"K has {len(k)} numbers and not 9")
    d = message.numbers("D", "d")
    size = message.whole("width"), message.whole("height")
    return [CameraInfoRow(*_head(message), *size, message.text("distortion_model"), k, d)]


def _pose_in_frame(message: Fields) -> list[Row]:
    return [PoseRow(*_head(message), "", *message.pose())]


def _odometry(message: Fields) -> list[Row]:
    return [PoseRow(*_head(message), message.text("body_frame_id"), *message.pose())]


def _poses_in_frame(message: Fields) -> list[Row]:
    poses = [[*pose.triple("position"), *pose.quaternion("orientation")] for pose in message.parts("poses")]
    return [PosesRow(*_head(message), np.array(poses, dtype=np.float64).reshape(-1, 7))]


def _frame_transform(message: Fields) -> list[Row]:
    return [
        TransformRow(
            message.stamp(),
            message.text("parent_frame_id"),
            message.text("child_frame_id"),
            message.triple("translation"),
            message.quaternion("rotation"),
        )
    ]


def _frame_transforms(message: Fields) -> list[Row]:
    return [row for transform in message.parts("transforms") for row in _frame_transform(transform)]


def _point_cloud(message: Fields) -> list[Row]:
    data, stride = message.octets("data"), message.whole("point_stride")
    if stride == 0 and len(data):
        raise UndecodableMessageError(f"{len(data)} bytes of points with a stride of 0")
    count = len(data) // stride if stride else 0
    fields = tuple(_packed_field(field) for field in message.parts("fields"))
    return [CloudRow(*_head(message), count, 1, fields, stride, count * stride, False, data, *message.pose())]


def _packed_field(field: Fields) -> CloudField:
    name, code = field.text("name"), field.whole("type")
    if code not in PACKED_ELEMENT_TYPES:
        raise UndecodableMessageError(f"point field {name!r} has the unknown type {code}")
    return CloudField(name, field.whole("offset"), PACKED_ELEMENT_TYPES[code], 1)


def _scene_update(message: Fields) -> list[Row]:
    return [
        *(_deletion(deletion) for deletion in message.parts("deletions")),
        *(_entity(entity) for entity in message.parts("entities")),
    ]


def _deletion(deletion: Fields) -> MarkerRow:
    action = _DELETE if deletion.whole("type") == _MATCHING_ID else _DELETE_ALL
    return _marker(deletion.stamp(), "", deletion.text("id"), action, np.empty((0, 3)))


def _entity(entity: Fields) -> MarkerRow:
    # An entity replaces all that had its id before, so that its triangles make one marker, even where there are none.
    pieces = [_triangles(piece) for piece in entity.parts("triangles")]
    points = np.concatenate(pieces) if pieces else np.empty((0, 3))
    return _marker(*_head(entity), entity.text("id"), _ADD, points)


def _marker(stamp_ns: int, frame_id: str, name: str, action: int, points: NDArray[np.float64]) -> MarkerRow:
    place = (0.0, 0.0, 0.0), (0.0, 0.0, 0.0, 1.0), (1.0, 1.0, 1.0)
    return MarkerRow(stamp_ns, frame_id, name, 0, _TRIANGLE_LIST, action, *place, points)


def _triangles(piece: Fields) -> NDArray[np.float64]:
    """Return the corners (3M, 3) of a primitive in the frame of its entity."""
    points, indices = piece.table("points", ("x", "y", "z")), piece.indices("indices")
    if len(indices):
        if indices.min() < 0 or indices.max() >= len(points):
            raise UndecodableMessageError(f"a triangle names corner {indices.max()} of {len(points)}")
        points = points[indices]
    translation, quaternion = piece.pose()
    if any(quaternion):  # a zero quaternion is an unset one: no turn
        points = rotated(points, quaternion)
    return np.asarray(points[: len(points) // 3 * 3] + np.array(translation))


def _log(message: Fields) -> list[Row]:
    return [TextRow(message.stamp(), "", message.text("message"))]


SCHEMAS: Mapping[str, tuple[Kind, Mapper]] = {
    "CompressedImage": ("image", _compressed_picture),
    "CompressedVideo": ("image", _compressed_picture),
    "RawImage": ("image", _raw_image),
    "CameraCalibration": ("camera_info", _camera_calibration),
    "PoseInFrame": ("pose", _pose_in_frame),
    "Odometry": ("pose", _odometry),
    "PosesInFrame": ("poses", _poses_in_frame),
    "FrameTransform": ("tf", _frame_transform),
    "FrameTransforms": ("tf", _frame_transforms),
    "PointCloud": ("point_cloud", _point_cloud),
    "SceneUpdate": ("mesh", _scene_update),
    "Log": ("text", _log),
}
"""Schemas by their last name, with the kind of their rows."""
