"""Builds the payload of each message type of the phone app.

One function per type, taking the values that change and filling in what the app always writes. The field lists stand in
`schemas`, the encoding in `cdr`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from episode_assets.demo.cdr import CdrWriter

Vector = NDArray[np.float64]


class StampedPose(NamedTuple):
    """A pose of the camera link in the world: stamp, translation (3,) in metres, quaternion (4,) x, y, z, w."""

    stamp_ns: int
    translation: Vector
    quaternion_xyzw: Vector


class Transform(NamedTuple):
    """One edge of the frame tree: `translation` and `quaternion_xyzw` place the child in the parent."""

    parent: str
    child: str
    translation: Vector
    quaternion_xyzw: Vector


_STATES = {0: "not_available", 1: "limited", 2: "normal"}
_REASONS = {
    0: "none",
    1: "initializing",
    2: "excessive_motion",
    3: "insufficient_features",
    4: "relocalizing",
}


def pose_stamped(pose: StampedPose) -> bytes:
    """geometry_msgs/PoseStamped in the world frame."""
    return _pose(CdrWriter(), pose).finish()


def path(stamp_ns: int, poses: Sequence[StampedPose]) -> bytes:
    """nav_msgs/Path in the world frame."""
    writer = CdrWriter().header(stamp_ns, "world").pack("I", len(poses))
    for pose in poses:
        _pose(writer, pose)
    return writer.finish()


def tf(stamp_ns: int, transforms: Sequence[Transform]) -> bytes:
    """tf2_msgs/TFMessage."""
    writer = CdrWriter().pack("I", len(transforms))
    for edge in transforms:
        writer.header(stamp_ns, edge.parent).text(edge.child).array(edge.translation).array(
            edge.quaternion_xyzw
        )
    return writer.finish()


def imu(
    stamp_ns: int,
    frame_id: str,
    *,
    orientation_xyzw: Vector,
    angular_velocity: Vector,
    linear_acceleration: Vector | None,
    orientation_variance: float,
    angular_variance: float,
) -> bytes:
    """sensor_msgs/Imu; without acceleration its covariance starts with -1 and the values are 0."""
    acceleration_covariance = np.diag([1e-4] * 3).ravel()
    if linear_acceleration is None:
        acceleration_covariance = np.array([-1.0] + [0.0] * 8)
        linear_acceleration = np.zeros(3)
    values = [
        orientation_xyzw,
        np.diag([orientation_variance] * 3).ravel(),
        angular_velocity,
        np.diag([angular_variance] * 3).ravel(),
        linear_acceleration,
        acceleration_covariance,
    ]
    return CdrWriter().header(stamp_ns, frame_id).array(np.concatenate(values)).finish()


def compressed_image(stamp_ns: int, jpeg: bytes) -> bytes:
    """sensor_msgs/CompressedImage holding a JPEG."""
    return CdrWriter().header(stamp_ns, "camera_optical_frame").text("jpeg").blob(jpeg).finish()


def depth_image(stamp_ns: int, depth_mm: NDArray[np.uint16]) -> bytes:
    """sensor_msgs/Image with encoding 16UC1, millimetres, 0 = no value."""
    height, width = depth_mm.shape
    writer = CdrWriter().header(stamp_ns, "camera_optical_frame").pack("I", height, width).text("16UC1")
    return writer.pack("B", 0).pack("I", 2 * width).blob(depth_mm.astype("<u2").tobytes()).finish()


def camera_info(stamp_ns: int, *, width: int, height: int, K: Vector) -> bytes:
    """sensor_msgs/CameraInfo: no distortion, no rectification."""
    P = np.hstack([K, np.zeros((3, 1))])
    writer = CdrWriter().header(stamp_ns, "camera_optical_frame").pack("I", height, width).text("plumb_bob")
    writer.pack("I", 0).array(np.concatenate([K.ravel(), np.eye(3).ravel(), P.ravel()]))
    return writer.pack("I", 0, 0, 0, 0, 0, 0).pack("?", False).finish()


def point_cloud(stamp_ns: int, points: Vector) -> bytes:
    """sensor_msgs/PointCloud2 of (N,3) world points with confidence 1."""
    cells = np.ones((len(points), 4), dtype="<f4")
    cells[:, :3] = points
    writer = CdrWriter().header(stamp_ns, "world").pack("I", 1, len(points), 4)
    for position, name in enumerate(("x", "y", "z", "confidence")):
        writer.text(name).pack("I", 4 * position).pack("B", 7).pack("I", 1)
    writer.pack("?", False).pack("I", 16, 16 * len(points)).blob(cells.tobytes())
    return writer.pack("?", True).finish()


def mesh_marker(stamp_ns: int, corners: Vector, *, colour: tuple[int, int, int] | None) -> bytes:
    """visualization_msgs/Marker of type TRIANGLE_LIST: three (3N,3) world corners per triangle.

    Args:
        stamp_ns: Header stamp.
        corners: Corners in metres, three rows for each triangle.
        colour: Colour of every corner, or None for an empty colour list as the app writes it.
    """
    writer = CdrWriter().header(stamp_ns, "world").text("").pack("i", 0, 11, 0)
    writer.array(np.array([0, 0, 0, 0, 0, 0, 1, 1, 1, 1], dtype=np.float64)).pack("f", 1, 1, 1, 1)
    writer.pack("i", 0).pack("I", 0).pack("?", False).pack("I", len(corners)).array(corners)
    if colour is None:
        writer.pack("I", 0)
    else:
        rgba = np.array([*(value / 255 for value in colour), 1.0], dtype=np.float32)
        writer.pack("I", len(corners)).array(np.tile(rgba, (len(corners), 1)))
    return writer.text("").text("").pack("?", False).finish()


def tracking_state(stamp_ns: int, *, state: int, reason: int) -> bytes:
    """TrackingState of the AR session; see the tables above for the numbers."""
    writer = CdrWriter().header(stamp_ns, "camera_link").pack("B", state, reason)
    return writer.text(_STATES[state]).text(_REASONS[reason]).finish()


def device_metrics(stamp_ns: int, *, battery: float) -> bytes:
    """DeviceMetrics with a slowly emptying battery."""
    writer = CdrWriter().header(stamp_ns, "device").pack("f", battery).pack("B", 1).text("unplugged")
    writer.pack("f", 43.0).pack("d", 612.0, 2048.0).pack("B", 1)
    return writer.text("fair").text("demo phone").finish()


def imu_intrinsics(stamp_ns: int, frame_id: str, *, rate_hz: int) -> bytes:
    """ImuIntrinsics with a data sheet's figures and no bias."""
    writer = CdrWriter().header(stamp_ns, frame_id).pack("d", 1e-3, 1e-4, 1e-4, 1e-5, *[0.0] * 6)
    return writer.pack("I", rate_hz).text("datasheet").finish()


def _pose(writer: CdrWriter, pose: StampedPose) -> CdrWriter:
    writer.header(pose.stamp_ns, "world").array(pose.translation)
    return writer.array(pose.quaternion_xyzw)
