"""The scene in the words of ROS: one function per stream, named types of the standard packages.

Field names are those of ROS 2; a writer of ROS 1 renames the few that differ.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from episode_assets_tests.recording.scene.scene import (
    DISTORTION,
    IMU,
    LINK,
    LINK_FROM_OPTICAL_XYZW,
    OPTICAL,
    WORLD,
    Scene,
)
from episode_assets_tests.recording.scene.trees import Message, Stamp

FLOAT32 = 7


def _header(stamp_ns: int, frame_id: str) -> Message:
    return Message("std_msgs/msg/Header", {"stamp": Stamp(stamp_ns), "frame_id": frame_id})


def _xyz(kind: str, values: Any) -> Message:
    return Message(f"geometry_msgs/msg/{kind}", dict(zip("xyz", map(float, values), strict=True)))


def _xyzw(values: Any) -> Message:
    return Message("geometry_msgs/msg/Quaternion", dict(zip("xyzw", map(float, values), strict=True)))


def _pose(translation: Any, quaternion_xyzw: Any) -> Message:
    return Message(
        "geometry_msgs/msg/Pose",
        {"position": _xyz("Point", translation), "orientation": _xyzw(quaternion_xyzw)},
    )


def _edge(stamp_ns: int, parent: str, child: str, translation: Any, quaternion_xyzw: Any) -> Message:
    transform = {"translation": _xyz("Vector3", translation), "rotation": _xyzw(quaternion_xyzw)}
    return Message(
        "geometry_msgs/msg/TransformStamped",
        {
            "header": _header(stamp_ns, parent),
            "child_frame_id": child,
            "transform": Message("geometry_msgs/msg/Transform", transform),
        },
    )


def _rgb(scene: Scene, index: int, stamp_ns: int) -> Message:
    return Message(
        "sensor_msgs/msg/CompressedImage",
        {"header": _header(stamp_ns, OPTICAL), "format": "jpeg", "data": scene.jpegs[index]},
    )


def _depth(scene: Scene, index: int, stamp_ns: int) -> Message:
    height, width = scene.depth_mm[index].shape
    return Message(
        "sensor_msgs/msg/Image",
        {
            "header": _header(stamp_ns, OPTICAL),
            "height": height,
            "width": width,
            "encoding": "16UC1",
            "is_bigendian": 0,
            "step": 2 * width,
            "data": scene.depth_mm[index].astype("<u2").tobytes(),
        },
    )


def _calibration(stamp_ns: int, size: tuple[int, int], K: np.ndarray, d: tuple[float, ...]) -> Message:
    P = np.hstack([K, np.zeros((3, 1))])
    region = dict.fromkeys(("x_offset", "y_offset", "height", "width"), 0)
    return Message(
        "sensor_msgs/msg/CameraInfo",
        {
            "header": _header(stamp_ns, OPTICAL),
            "height": size[1],
            "width": size[0],
            "distortion_model": "plumb_bob",
            "d": list(d),
            "k": K.ravel().tolist(),
            "r": np.eye(3).ravel().tolist(),
            "p": P.ravel().tolist(),
            "binning_x": 0,
            "binning_y": 0,
            "roi": Message("sensor_msgs/msg/RegionOfInterest", {**region, "do_rectify": False}),
        },
    )


def _camera_info(scene: Scene, index: int, stamp_ns: int) -> Message:
    return _calibration(stamp_ns, scene.capture_size, scene.K[index], DISTORTION)


def _depth_camera_info(scene: Scene, index: int, stamp_ns: int) -> Message:
    height, width = scene.depth_mm[index].shape
    return _calibration(stamp_ns, (width, height), scene.depth_intrinsics, (0.0,) * 5)


def _pose_stamped(scene: Scene, index: int, stamp_ns: int) -> Message:
    pose = _pose(scene.translation[index], scene.quaternion_xyzw[index])
    return Message("geometry_msgs/msg/PoseStamped", {"header": _header(stamp_ns, WORLD), "pose": pose})


def _tf(scene: Scene, index: int, stamp_ns: int) -> Message:
    edges = [
        _edge(stamp_ns, WORLD, LINK, scene.translation[index], scene.quaternion_xyzw[index]),
        _edge(stamp_ns, LINK, OPTICAL, np.zeros(3), LINK_FROM_OPTICAL_XYZW),
    ]
    return Message("tf2_msgs/msg/TFMessage", {"transforms": edges})


def _imu(scene: Scene, index: int, stamp_ns: int) -> Message:
    sample = scene.imu[index]
    small = (np.eye(3).ravel() * 1e-4).tolist()
    return Message(
        "sensor_msgs/msg/Imu",
        {
            "header": _header(stamp_ns, IMU),
            "orientation": _xyzw(sample[6:10]),
            "orientation_covariance": small,
            "angular_velocity": _xyz("Vector3", sample[3:6]),
            "angular_velocity_covariance": small,
            "linear_acceleration": _xyz("Vector3", sample[0:3]),
            "linear_acceleration_covariance": small,
        },
    )


def _tracking(scene: Scene, index: int, stamp_ns: int) -> Message:
    state, reason = scene.tracking[index].tolist()
    return Message(
        "stera/msg/TrackingState",
        {
            "header": _header(stamp_ns, LINK),
            "state": state,
            "reason": reason,
            "state_str": "normal" if state == 2 else "limited",
            "reason_str": "",
        },
    )


def _point_cloud(scene: Scene, index: int, stamp_ns: int) -> Message:
    cells = scene.clouds[index]
    fields = [
        Message(
            "sensor_msgs/msg/PointField", {"name": name, "offset": 4 * i, "datatype": FLOAT32, "count": 1}
        )
        for i, name in enumerate(("x", "y", "z", "confidence"))
    ]
    return Message(
        "sensor_msgs/msg/PointCloud2",
        {
            "header": _header(stamp_ns, WORLD),
            "height": 1,
            "width": len(cells),
            "fields": fields,
            "is_bigendian": False,
            "point_step": 16,
            "row_step": 16 * len(cells),
            "data": cells.astype("<f4").tobytes(),
            "is_dense": True,
        },
    )


def _mesh(scene: Scene, index: int, stamp_ns: int) -> Message:
    return Message(
        "visualization_msgs/msg/Marker",
        {
            "header": _header(stamp_ns, WORLD),
            "ns": "mesh",
            "id": index,
            "type": 11,
            "action": 0,
            "pose": _pose(np.zeros(3), (0, 0, 0, 1)),
            "scale": _xyz("Vector3", (1, 1, 1)),
            "color": Message("std_msgs/msg/ColorRGBA", dict.fromkeys("rgba", 1.0)),
            "lifetime": Message("builtin_interfaces/msg/Duration", {"sec": 0, "nanosec": 0}),
            "frame_locked": False,
            "points": [_xyz("Point", corner) for corner in scene.mesh_corners],
            "colors": [],
            "text": "",
            "mesh_resource": "",
            "mesh_use_embedded_materials": False,
        },
    )


def _path(scene: Scene, index: int, stamp_ns: int) -> Message:
    poses = [_pose_stamped(scene, frame, int(scene.frame_ns[frame])) for frame in scene.paths[index]]
    return Message("nav_msgs/msg/Path", {"header": _header(stamp_ns, WORLD), "poses": poses})


def _hands(scene: Scene, index: int, stamp_ns: int) -> Message:
    poses = [_pose(joint, (0, 0, 0, 1)) for joint in scene.hand_joints[index]]
    return Message("geometry_msgs/msg/PoseArray", {"header": _header(stamp_ns, OPTICAL), "poses": poses})


def _annotation(scene: Scene, index: int, stamp_ns: int) -> Message:
    del stamp_ns
    return Message("std_msgs/msg/String", {"data": scene.texts[index][1]})


MESSAGES: Mapping[str, Callable[[Scene, int, int], Message]] = {
    "rgb": _rgb,
    "depth": _depth,
    "camera_info": _camera_info,
    "depth_camera_info": _depth_camera_info,
    "pose": _pose_stamped,
    "tf": _tf,
    "imu": _imu,
    "tracking": _tracking,
    "point_cloud": _point_cloud,
    "mesh": _mesh,
    "trajectory": _path,
    "hands": _hands,
    "annotations": _annotation,
}
"""Stream to the message at a position with its stamp."""
