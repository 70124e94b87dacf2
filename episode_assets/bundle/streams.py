"""The small streams of the annotation file: poses, IMU, tracking state, tf, trajectory.

Streams arrive sorted by stamp and are written whole, inertial samples piece by piece; float64 seconds stand beside
int64 nanoseconds. Decoding them belongs to `recording`, pairing them with pictures to `poses` and `depth`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from episode_assets.bundle.annotation import AnnotationFile
from episode_assets.geometry import quaternion_to_matrix
from episode_assets.recording import ImuSamples, PoseStream, TfStream, TrackingStream


def write_stamps(file: AnnotationFile, group: str, stamp_ns: NDArray[np.int64]) -> None:
    """Write `timestamps` (float64 s) and `timestamps_ns` (int64) of a group."""
    file.put(f"/{group}/timestamps", stamp_ns / 1e9, units="s")
    file.put(f"/{group}/timestamps_ns", np.asarray(stamp_ns, dtype=np.int64), units="ns")


def write_poses(file: AnnotationFile, pose: PoseStream, *, source: str) -> None:
    """Write `/cam-pose`: the camera link in the world, every sample of the stream; interpolated ones are marked."""
    write_stamps(file, "cam-pose", pose.stamp_ns)
    file.put("/cam-pose/translations", pose.translation.astype(np.float32), units="m")
    file.put("/cam-pose/rotations", quaternion_to_matrix(pose.quaternion_xyzw).astype(np.float32))
    file.put("/cam-pose/quaternions_xyzw", pose.quaternion_xyzw)
    if pose.is_interpolated is not None:
        file.put("/cam-pose/is_interpolated", pose.is_interpolated.astype(np.bool_))
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
    file.put("/trajectory/translations", trajectory.translation.astype(np.float32), units="m")
    file.put("/trajectory/quaternions_xyzw", trajectory.quaternion_xyzw)
    file.describe(
        "/trajectory", {"frame_id": trajectory.frame_id, "child_frame_id": trajectory.child_frame_id}
    )


def write_imu(file: AnnotationFile, imu: ImuSamples, optical_from_imu: NDArray[np.float64] | None) -> None:
    """Write `/imu`; attribute `gravity` says whether the acceleration holds it: included, removed or unknown.

    `optical_from_imu` (4, 4) is there where the recording tells how the sensor sits: p_optical = T p_imu, metres.
    """
    count = len(imu)
    seconds = file.rows("/imu/timestamps", (count,), np.float64, units="s")
    stamps = file.rows("/imu/timestamps_ns", (count,), np.int64, units="ns")
    accelerations = file.rows("/imu/linear_acceleration", (count, 3), np.float32, units="m/s2")
    turn_rates = file.rows("/imu/angular_velocity", (count, 3), np.float32, units="rad/s")
    orientations = file.rows("/imu/orientation_xyzw", (count, 4), np.float32)
    start = 0
    for piece in imu.pieces():
        seconds.write(start, piece.stamp_ns / 1e9)
        stamps.write(start, piece.stamp_ns)
        accelerations.write(start, piece.linear_acceleration.astype(np.float32))
        turn_rates.write(start, piece.angular_velocity.astype(np.float32))
        orientations.write(start, piece.orientation_xyzw.astype(np.float32))
        start += len(piece)
    if optical_from_imu is not None:
        file.put("/imu/optical_from_imu", optical_from_imu, units="m")
    file.describe("/imu", {"gravity": imu.gravity, "frame_id": imu.frame_id})


def write_tracking(file: AnnotationFile, tracking: TrackingStream) -> None:
    """Write `/tracking`: state 0 not available, 1 limited, 2 normal, and the recorder's reason code."""
    write_stamps(file, "tracking", tracking.stamp_ns)
    file.put("/tracking/state", tracking.state.astype(np.uint8))
    file.put("/tracking/reason", tracking.reason.astype(np.uint8))


def write_tf(file: AnnotationFile, tf: TfStream) -> None:
    """Write `/tf`: every transform, p_parent = R p_child + t, frame names as fixed-length UTF-8."""
    write_stamps(file, "tf", tf.stamp_ns)
    file.put("/tf/parent", _encoded(tf.parent))
    file.put("/tf/child", _encoded(tf.child))
    file.put("/tf/translations", tf.translation, units="m")
    file.put("/tf/quaternions_xyzw", tf.quaternion_xyzw)
    file.put("/tf/is_static", tf.is_static.astype(np.bool_))


def _encoded(names: Sequence[str]) -> NDArray[np.bytes_]:
    """Return names (N,) as fixed-length UTF-8; a tree has few, and says them again for each of its edges."""
    distinct = sorted(set(names))
    codes = {name: code for code, name in enumerate(distinct)}
    row = np.fromiter(map(codes.__getitem__, names), np.intp, len(names))
    return np.char.encode(np.asarray(distinct, dtype=np.str_), "utf-8")[row]
