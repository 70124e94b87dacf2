"""What one decoded message is, whatever its encoding: the rows that every decoder returns.

A decoder of another encoding (ROS 1, protobuf, JSON) returns these same rows, so that nothing behind it has to know
where a row came from. Columns of many rows belong to `collect`, streams for readers to `streams`.

Stamps are int64 nanoseconds, 0 where the message carries none. Lengths are metres, rotations x, y, z, w.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

Kind: TypeAlias = Literal[
    "image",
    "camera_info",
    "pose",
    "tf",
    "imu",
    "tracking",
    "mesh",
    "trajectory",
    "point_cloud",
    "poses",
    "text",
]
Triple: TypeAlias = tuple[float, float, float]
Quadruple: TypeAlias = tuple[float, float, float, float]


class UndecodableMessageError(ValueError):
    """The payload is not what its schema says; the message is skipped and counted."""


class ImageRow(NamedTuple):
    """A picture as it lies in the message; `data` is a view, width and height are None for compressed formats."""

    stamp_ns: int
    frame_id: str
    format: str
    data: memoryview
    width: int | None
    height: int | None
    step: int | None
    is_bigendian: bool


class CameraInfoRow(NamedTuple):
    """One calibration: K in row order, distortion coefficients as listed."""

    stamp_ns: int
    frame_id: str
    width: int
    height: int
    distortion_model: str
    k: tuple[float, ...]
    d: tuple[float, ...]


class PoseRow(NamedTuple):
    """A pose of `child` (empty where the type does not name it) in `frame_id`."""

    stamp_ns: int
    frame_id: str
    child: str
    translation: Triple
    quaternion_xyzw: Quadruple


class TransformRow(NamedTuple):
    """One edge of the frame tree: `p_parent = R p_child + t`."""

    stamp_ns: int
    parent: str
    child: str
    translation: Triple
    quaternion_xyzw: Quadruple


class ImuRow(NamedTuple):
    """An inertial sample; parts that the sender marks as not provided are None."""

    stamp_ns: int
    frame_id: str
    orientation_xyzw: Quadruple | None
    angular_velocity: Triple | None
    linear_acceleration: Triple | None


class TrackingRow(NamedTuple):
    """State 0 not available, 1 limited, 2 normal; reason 0 none .. 4 relocalising."""

    stamp_ns: int
    frame_id: str
    state: int
    reason: int


class MarkerRow(NamedTuple):
    """A triangle-list marker: `points` (3M, 3) in the marker's own pose. Its colours are raw pixels and not read."""

    stamp_ns: int
    frame_id: str
    namespace: str
    id: int
    type: int
    action: int
    translation: Triple
    quaternion_xyzw: Quadruple
    scale: Triple
    points: NDArray[np.float64]


class CloudField(NamedTuple):
    """One field of a point: `dtype` in numpy's words without byte order (f4, u1, ...), `length` values of it."""

    name: str
    offset: int
    dtype: str
    length: int


class CloudRow(NamedTuple):
    """A point cloud as it lies in the message; `data` is a view, and nothing is taken out of it here.

    Points lie in `height` rows of `width`, `point_step` bytes each, rows `row_step` bytes apart. `translation` and
    `quaternion_xyzw` place the points in `frame_id`.
    """

    stamp_ns: int
    frame_id: str
    width: int
    height: int
    fields: tuple[CloudField, ...]
    point_step: int
    row_step: int
    is_bigendian: bool
    data: memoryview
    translation: Triple = (0.0, 0.0, 0.0)
    quaternion_xyzw: Quadruple = (0.0, 0.0, 0.0, 1.0)


class PosesRow(NamedTuple):
    """Several poses of one moment, joints of a hand for example: `poses` (N, 7) float64, translation and x, y, z, w."""

    stamp_ns: int
    frame_id: str
    poses: NDArray[np.float64]


class TextRow(NamedTuple):
    """A message that is text: a task, an event; JSON messages without a known schema as their JSON text."""

    stamp_ns: int
    frame_id: str
    text: str


Row: TypeAlias = (
    ImageRow
    | CameraInfoRow
    | PoseRow
    | TransformRow
    | ImuRow
    | TrackingRow
    | MarkerRow
    | CloudRow
    | PosesRow
    | TextRow
)
