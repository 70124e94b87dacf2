"""The streams of the scene as named columns: what a file must say, and what a view on a file does say.

Both sides give the same names, so that a comparison is one loop. A stream without an entry is not there.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np

from episode_assets.recording import Cloud, RecordingView, decode_depth
from episode_assets_tests.recording.scene.scene import (
    DISTORTION,
    LATENCY_NS,
    LINK,
    LINK_FROM_OPTICAL_XYZW,
    OPTICAL,
    WORLD,
    Scene,
)

Columns: TypeAlias = Mapping[str, Any]
_IDENTITY = (0.0, 0.0, 0.0, 1.0)


def true_columns(scene: Scene) -> dict[str, Columns]:
    """Return what is true about every stream, by role."""
    frames = len(scene.frame_ns)
    depth_size = scene.depth_mm.shape[2], scene.depth_mm.shape[1]
    edges = {
        (WORLD, LINK): np.hstack([scene.translation, scene.quaternion_xyzw]),
        (LINK, OPTICAL): np.tile([0.0, 0, 0, *LINK_FROM_OPTICAL_XYZW], (frames, 1)),
    }
    return {
        "rgb": {**_pictures(scene), "payload": scene.jpegs},
        "depth": {**_pictures(scene), "mm": scene.depth_mm},
        "camera_info": _calibration(scene.frame_ns, scene.K, scene.capture_size, DISTORTION),
        "depth_camera_info": _calibration(
            scene.frame_ns[:1], scene.depth_intrinsics[None], depth_size, (0.0,) * 5
        ),
        "pose": _poses(scene),
        "tf": {
            "stamp_ns": np.repeat(scene.frame_ns, 2),
            "edge": tuple(edges) * frames,
            "pose": np.stack(list(edges.values()), axis=1).reshape(-1, 7),
        },
        "imu": {"stamp_ns": scene.imu_ns, "sample": scene.imu},
        "tracking": {"stamp_ns": scene.tracking_ns, "state_reason": scene.tracking},
        "trajectory": _poses(scene),
        "mesh": {"corners": scene.mesh_corners, "frame_id": WORLD},
        "point_cloud": {"stamp_ns": scene.frame_ns, "points": scene.clouds, "frame_id": WORLD},
        "hands": _joints(scene),
        "annotations": {
            "stamp_ns": np.array([stamp_ns for stamp_ns, _ in scene.texts]),
            "text": tuple(text for _, text in scene.texts),
        },
    }


def _pictures(scene: Scene) -> Columns:
    return {
        "stamp_ns": scene.frame_ns,
        "log_time_ns": scene.frame_ns + LATENCY_NS,
        "message_number": np.arange(len(scene.frame_ns)),
        "frame_id": OPTICAL,
    }


def _calibration(stamp_ns: np.ndarray, K: np.ndarray, size: tuple[int, int], d: tuple[float, ...]) -> Columns:
    count = len(stamp_ns)
    return {
        "stamp_ns": stamp_ns,
        "K": K,
        "D": np.tile(d, (count, 1)),
        "size": np.tile(size, (count, 1)),
        "model": ("plumb_bob",) * count,
        "frame_id": OPTICAL,
    }


def _poses(scene: Scene) -> Columns:
    return {
        "stamp_ns": scene.frame_ns,
        "translation": scene.translation,
        "quaternion_xyzw": scene.quaternion_xyzw,
        "frame_id": WORLD,
    }


def _joints(scene: Scene) -> Columns:
    frames, joints = scene.hand_joints.shape[:2]
    turned = np.tile(_IDENTITY, (frames * joints, 1))
    return {
        "stamp_ns": np.repeat(scene.frame_ns, joints),
        "pose_index": np.tile(np.arange(joints), frames),
        "pose": np.hstack([scene.hand_joints.reshape(-1, 3), turned]),
        "frame_id": (OPTICAL,) * (frames * joints),
    }


def columns_of(view: RecordingView) -> dict[str, Columns]:
    """Return every stream that a recording has, by role."""
    return {role: _READERS[role](view) for role, choice in view.inventory.roles.items() if choice.topics}


def _read_pictures(stream: Any) -> Columns:
    return {
        "stamp_ns": stream.stamp_ns,
        "log_time_ns": stream.log_time_ns,
        "message_number": stream.message_number,
        "frame_id": stream.frame_id,
    }


def _read_rgb(view: RecordingView) -> Columns:
    payloads = tuple(bytes(message.data) for message in view.rgb.read())
    return {**_read_pictures(view.rgb), "payload": payloads}


def _read_depth(view: RecordingView) -> Columns:
    assert view.depth is not None
    return {
        **_read_pictures(view.depth),
        "mm": np.stack([decode_depth(message) for message in view.depth.read()]),
    }


def _read_calibration(role: str) -> Any:
    def read(view: RecordingView) -> Columns:
        stream = getattr(view, role)
        return {
            "stamp_ns": stream.stamp_ns,
            "K": stream.K,
            "D": np.array(stream.D),
            "size": np.stack([stream.width, stream.height], axis=1),
            "model": stream.distortion_model,
            "frame_id": stream.frame_id,
        }

    return read


def _read_poses(role: str) -> Any:
    def read(view: RecordingView) -> Columns:
        stream = getattr(view, role)
        return {
            "stamp_ns": stream.stamp_ns,
            "translation": stream.translation,
            "quaternion_xyzw": stream.quaternion_xyzw,
            "frame_id": stream.frame_id,
        }

    return read


def _read_tf(view: RecordingView) -> Columns:
    assert view.tf is not None
    return {
        "stamp_ns": view.tf.stamp_ns,
        "edge": tuple(zip(view.tf.parent, view.tf.child, strict=True)),
        "pose": np.hstack([view.tf.translation, view.tf.quaternion_xyzw]),
    }


def _read_imu(view: RecordingView) -> Columns:
    imu = view.imu
    assert imu is not None
    sample = np.hstack([imu.linear_acceleration, imu.angular_velocity, imu.orientation_xyzw])
    return {"stamp_ns": imu.stamp_ns, "sample": sample}


def _read_tracking(view: RecordingView) -> Columns:
    assert view.tracking is not None
    pairs = np.stack([view.tracking.state, view.tracking.reason], axis=1)
    return {"stamp_ns": view.tracking.stamp_ns, "state_reason": pairs}


def _read_mesh(view: RecordingView) -> Columns:
    assert view.mesh is not None
    return {"corners": view.mesh.vertices[view.mesh.triangles.ravel()], "frame_id": view.mesh.frame_id}


def _read_hands(view: RecordingView) -> Columns:
    assert view.hands is not None
    return {
        "stamp_ns": view.hands.stamp_ns,
        "pose_index": view.hands.pose_index,
        "pose": np.hstack([view.hands.translation, view.hands.quaternion_xyzw]),
        "frame_id": view.hands.frame_id,
    }


def _read_annotations(view: RecordingView) -> Columns:
    assert view.annotations is not None
    return {"stamp_ns": view.annotations.stamp_ns, "text": view.annotations.text}


def _read_clouds(view: RecordingView) -> Columns:
    (stream,) = view.point_clouds
    clouds = [cloud for cloud in stream.read() if isinstance(cloud, Cloud)]
    return {
        "stamp_ns": stream.stamp_ns,
        "points": tuple(np.column_stack([cloud.points, cloud.values["confidence"]]) for cloud in clouds),
        "frame_id": stream.frame_id,
    }


_READERS = {
    "rgb": _read_rgb,
    "depth": _read_depth,
    "camera_info": _read_calibration("camera_info"),
    "depth_camera_info": _read_calibration("depth_camera_info"),
    "pose": _read_poses("pose"),
    "tf": _read_tf,
    "imu": _read_imu,
    "tracking": _read_tracking,
    "trajectory": _read_poses("trajectory"),
    "mesh": _read_mesh,
    "point_cloud": _read_clouds,
    "hands": _read_hands,
    "annotations": _read_annotations,
}


def difference(found: Columns, true: Columns) -> float:
    """Return the largest difference of any value: 0 only where all are the same to the last bit.

    Values that are not numbers, other lengths and missing columns count as infinitely different.
    """
    assert set(found) == set(true)
    return max(_difference(found[name], true[name]) for name in true)


def _difference(found: Any, true: Any) -> float:
    if isinstance(true, tuple) and len(true) and isinstance(true[0], np.ndarray):
        if len(found) != len(true):
            return math.inf
        return max(_difference(*pair) for pair in zip(found, true, strict=True))
    one, other = np.asarray(found), np.asarray(true)
    if np.array_equal(one, other):
        return 0.0
    if one.shape != other.shape or not np.issubdtype(one.dtype, np.number):
        return math.inf
    # Stamps of 64 bits do not fit into float64.
    return float(np.abs(one.astype(np.longdouble) - other.astype(np.longdouble)).max())
