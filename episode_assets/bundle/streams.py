"""The small streams of the annotation file: poses, IMU, tracking state, tf, trajectory.

Streams are written whole, sorted by stamp; their float64 seconds stand beside int64 nanoseconds. Decoding them
belongs to `recording`, pairing them with pictures to `poses` and `depth`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from episode_assets.bundle.annotation import AnnotationFile
from episode_assets.geometry import quaternion_to_matrix
from episode_assets.recording import ImuStream, PoseStream, TfStream, TrackingStream


def write_stamps(file: AnnotationFile, group: str, stamp_ns: NDArray[np.int64]) -> None:
    """Write `timestamps` (float64 s) and `timestamps_ns` (int64) of a group."""
    file.put(f"/{group}/timestamps", stamp_ns / 1e9, units="s")
    file.put(f"/{group}/timestamps_ns", np.asarray(stamp_ns, dtype=np.int64), units="ns")


def write_poses(file: AnnotationFile, pose: PoseStream, *, source: str) -> None:
    """Write `/cam-pose`: the camera link in the world, every sample of the stream."""
    order = np.argsort(pose.stamp_ns, kind="stable")
    quaternion = np.asarray(pose.quaternion_xyzw, dtype=np.float64)[order]
    write_stamps(file, "cam-pose", pose.stamp_ns[order])
    file.put("/cam-pose/translations", pose.translation[order].astype(np.float32), units="m")
    file.put("/cam-pose/rotations", quaternion_to_matrix(quaternion).astype(np.float32))
    file.put("/cam-pose/quaternions_xyzw", quaternion)
    file.describe(
        "/cam-pose",
        {
            "source": source,
            "rotation": "world_from_link",
            "frame_id": pose.frame_id,
            "child_frame_id": pose.child_frame_id,
        },
    )


def write_trajectory(file: AnnotationFile, trajectory: PoseStream) -> None:
    """Write `/trajectory`: the union of all path messages."""
    write_stamps(file, "trajectory", trajectory.stamp_ns)
    file.put("/trajectory/translations", np.asarray(trajectory.translation, np.float32), units="m")
    file.put("/trajectory/quaternions_xyzw", np.asarray(trajectory.quaternion_xyzw, np.float64))
    file.describe(
        "/trajectory", {"frame_id": trajectory.frame_id, "child_frame_id": trajectory.child_frame_id}
    )


def write_imu(file: AnnotationFile, imu: ImuStream) -> int:
    """Write `/imu` sorted by stamp, repeated stamps kept and flagged; `gravity` says whether it is included.

    Returns:
        The number of samples that had come after a later one.
    """
    order = np.argsort(imu.stamp_ns, kind="stable")
    stamps = imu.stamp_ns[order]
    columns = {
        "linear_acceleration": (imu.linear_acceleration, "m/s2"),
        "angular_velocity": (imu.angular_velocity, "rad/s"),
        "orientation_xyzw": (imu.orientation_xyzw, None),
    }
    write_stamps(file, "imu", stamps)
    for name, (values, units) in columns.items():
        file.put(f"/imu/{name}", np.asarray(values, dtype=np.float32)[order], units=units)
    file.put("/imu/is_duplicate", np.diff(stamps, prepend=stamps[:1] - 1) == 0)
    file.describe("/imu", {"gravity": imu.gravity, "frame_id": imu.frame_id})
    return int(np.sum(np.diff(imu.stamp_ns) < 0))


def write_tracking(file: AnnotationFile, tracking: TrackingStream) -> None:
    """Write `/tracking`: state 0 not available, 1 limited, 2 normal, and the recorder's reason code."""
    write_stamps(file, "tracking", tracking.stamp_ns)
    file.put("/tracking/state", np.asarray(tracking.state, dtype=np.uint8))
    file.put("/tracking/reason", np.asarray(tracking.reason, dtype=np.uint8))


def write_tf(file: AnnotationFile, tf: TfStream) -> None:
    """Write `/tf`: every transform, p_parent = R p_child + t, frame names as fixed-length UTF-8."""
    write_stamps(file, "tf", tf.stamp_ns)
    file.put("/tf/parent", np.char.encode(np.asarray(tf.parent, dtype=np.str_), "utf-8"))
    file.put("/tf/child", np.char.encode(np.asarray(tf.child, dtype=np.str_), "utf-8"))
    file.put("/tf/translations", np.asarray(tf.translation, dtype=np.float64), units="m")
    file.put("/tf/quaternions_xyzw", np.asarray(tf.quaternion_xyzw, dtype=np.float64))
    file.put("/tf/is_static", np.asarray(tf.is_static, dtype=np.bool_))
