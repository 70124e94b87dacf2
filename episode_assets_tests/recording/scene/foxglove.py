"""The scene in the words of the Foxglove schemas, which protobuf, JSON and the SDK share.

A stream without a function here has no Foxglove schema; `NO_SCHEMA` says why.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from episode_assets_tests.recording.scene.scene import (
    DISTORTION,
    LINK,
    LINK_FROM_OPTICAL_XYZW,
    OPTICAL,
    WORLD,
    Scene,
)
from episode_assets_tests.recording.scene.trees import Choice, Message, Stamp

NO_SCHEMA = {
    "imu": "Foxglove has no schema of an inertial sample",
    "tracking": "Foxglove has no schema of a tracking state",
    "trajectory": "Foxglove's PosesInFrame has one stamp for all its poses",
}
"""Why streams of the scene are not in a file of Foxglove schemas."""

FLOAT32 = Choice("PackedElementFieldNumericType", "Float32", 7)
INFO = Choice("LogLevel", "Info", 2)


def _xyz(kind: str, values: Any) -> Message:
    return Message(kind, dict(zip("xyz", map(float, values), strict=True)))


def _xyzw(values: Any) -> Message:
    return Message("Quaternion", dict(zip("xyzw", map(float, values), strict=True)))


def _pose(translation: Any, quaternion_xyzw: Any = (0, 0, 0, 1)) -> Message:
    return Message("Pose", {"position": _xyz("Vector3", translation), "orientation": _xyzw(quaternion_xyzw)})


def _stamped(kind: str, stamp_ns: int, frame_id: str, **fields: Any) -> Message:
    return Message(kind, {"timestamp": Stamp(stamp_ns), "frame_id": frame_id, **fields})


def _edge(stamp_ns: int, parent: str, child: str, translation: Any, quaternion_xyzw: Any) -> Message:
    return Message(
        "FrameTransform",
        {
            "timestamp": Stamp(stamp_ns),
            "parent_frame_id": parent,
            "child_frame_id": child,
            "translation": _xyz("Vector3", translation),
            "rotation": _xyzw(quaternion_xyzw),
        },
    )


def _rgb(scene: Scene, index: int, stamp_ns: int) -> Message:
    return _stamped("CompressedImage", stamp_ns, OPTICAL, data=scene.jpegs[index], format="jpeg")


def _depth(scene: Scene, index: int, stamp_ns: int) -> Message:
    depth = scene.depth_mm[index]
    height, width = depth.shape
    fields = {"width": width, "height": height, "encoding": "16UC1", "step": 2 * width}
    return _stamped("RawImage", stamp_ns, OPTICAL, data=depth.astype("<u2").tobytes(), **fields)


def _calibration(stamp_ns: int, size: tuple[int, int], K: np.ndarray, D: tuple[float, ...]) -> Message:
    P = np.hstack([K, np.zeros((3, 1))])
    matrices = {"D": np.array(D), "K": K, "R": np.eye(3), "P": P}
    return _stamped(
        "CameraCalibration",
        stamp_ns,
        OPTICAL,
        width=size[0],
        height=size[1],
        distortion_model="plumb_bob",
        **{name: matrix.ravel().tolist() for name, matrix in matrices.items()},
    )


def _camera_info(scene: Scene, index: int, stamp_ns: int) -> Message:
    return _calibration(stamp_ns, scene.capture_size, scene.K[index], DISTORTION)


def _depth_camera_info(scene: Scene, index: int, stamp_ns: int) -> Message:
    height, width = scene.depth_mm[index].shape
    return _calibration(stamp_ns, (width, height), scene.depth_intrinsics, (0.0,) * 5)


def _pose_in_frame(scene: Scene, index: int, stamp_ns: int) -> Message:
    pose = _pose(scene.translation[index], scene.quaternion_xyzw[index])
    return _stamped("PoseInFrame", stamp_ns, WORLD, pose=pose)


def _tf(scene: Scene, index: int, stamp_ns: int) -> Message:
    edges = [
        _edge(stamp_ns, WORLD, LINK, scene.translation[index], scene.quaternion_xyzw[index]),
        _edge(stamp_ns, LINK, OPTICAL, np.zeros(3), LINK_FROM_OPTICAL_XYZW),
    ]
    return Message("FrameTransforms", {"transforms": edges})


def _point_cloud(scene: Scene, index: int, stamp_ns: int) -> Message:
    fields = [
        Message("PackedElementField", {"name": name, "offset": 4 * i, "type": FLOAT32})
        for i, name in enumerate(("x", "y", "z", "confidence"))
    ]
    data = scene.clouds[index].astype("<f4").tobytes()
    return _stamped(
        "PointCloud", stamp_ns, WORLD, pose=_pose(np.zeros(3)), point_stride=16, fields=fields, data=data
    )


def _mesh(scene: Scene, index: int, stamp_ns: int) -> Message:
    corners = [_xyz("Point3", corner) for corner in scene.mesh_corners]
    triangles = Message("TriangleListPrimitive", {"pose": _pose(np.zeros(3)), "points": corners})
    entity = _stamped("SceneEntity", stamp_ns, WORLD, id=f"mesh {index}", triangles=[triangles])
    return Message("SceneUpdate", {"entities": [entity]})


def _hands(scene: Scene, index: int, stamp_ns: int) -> Message:
    poses = [_pose(joint) for joint in scene.hand_joints[index]]
    return _stamped("PosesInFrame", stamp_ns, OPTICAL, poses=poses)


def _annotation(scene: Scene, index: int, stamp_ns: int) -> Message:
    return Message("Log", {"timestamp": Stamp(stamp_ns), "level": INFO, "message": scene.texts[index][1]})


MESSAGES: Mapping[str, Callable[[Scene, int, int], Message]] = {
    "rgb": _rgb,
    "depth": _depth,
    "camera_info": _camera_info,
    "depth_camera_info": _depth_camera_info,
    "pose": _pose_in_frame,
    "tf": _tf,
    "point_cloud": _point_cloud,
    "mesh": _mesh,
    "hands": _hands,
    "annotations": _annotation,
}
"""Stream to the message at a position with its stamp."""
