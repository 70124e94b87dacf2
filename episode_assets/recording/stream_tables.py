"""The small streams of a scan as Parquet: one writer per role, rows sorted by stamp.

To keep the stream of a new role, add its columns to `_WRITERS`; its reader belongs to `view`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from episode_assets.recording.collect import CAMERA_WIDTH, IMU_WIDTH, POSE_WIDTH, TopicLog
from episode_assets.recording.survey import tf_stream
from episode_assets.recording.tables import (
    IMU_COLUMNS,
    K_COLUMNS,
    POINT_COLUMNS,
    POSE_COLUMNS,
    split,
    write_table,
)

STREAMS = "streams"


def write_streams(directory: Path, chosen: Mapping[str, Sequence[TopicLog]]) -> dict[str, int]:
    """Write the small streams that have rows; returns the rows of each by role."""
    rows: dict[str, int] = {}
    for role, columns_of in _WRITERS.items():
        members = [log for log in chosen[role] if len(log.stamp)]
        if members:
            columns = columns_of(members, chosen)
            rows[role] = len(next(iter(columns.values())))
            write_table(directory / STREAMS / f"{role}.parquet", columns)
    return rows


def sorted_once(log: TopicLog) -> NDArray[np.int64]:
    """Return the rows of a topic in the order of their stamps (stable), repeated stamps once."""
    stamps = np.array(log.stamp, dtype=np.int64)
    order = np.argsort(stamps, kind="stable")
    ordered = stamps[order]
    keep = np.ones(len(order), dtype=np.bool_)
    keep[1:] = ordered[1:] != ordered[:-1]
    return order[keep]


def _stamped(log: TopicLog, order: NDArray[np.int64]) -> dict[str, Any]:
    return {
        "message_number": np.array(log.number, dtype=np.int64)[order],
        "stamp_ns": np.array(log.stamp, dtype=np.int64)[order],
        "log_time_ns": np.array(log.log, dtype=np.int64)[order],
    }


def _imu_columns(members: Sequence[TopicLog], chosen: Mapping[str, Sequence[TopicLog]]) -> dict[str, Any]:
    del chosen
    log = members[0]
    order = sorted_once(log)
    return _stamped(log, order) | split(IMU_COLUMNS, log.numbers(IMU_WIDTH)[order])


def _pose_columns(members: Sequence[TopicLog], chosen: Mapping[str, Sequence[TopicLog]]) -> dict[str, Any]:
    del chosen
    log = members[0]
    order = sorted_once(log)
    return _stamped(log, order) | split(POSE_COLUMNS, log.numbers(POSE_WIDTH)[order])


def _trajectory_columns(
    members: Sequence[TopicLog], chosen: Mapping[str, Sequence[TopicLog]]
) -> dict[str, Any]:
    """Unite all path messages by stamp; where the pose topic knows a stamp, its pose wins."""
    poses: dict[int, NDArray[np.float64]] = {}
    for log in members:
        poses.update(zip(log.stamp, log.numbers(POSE_WIDTH), strict=True))
    for log in chosen["pose"]:
        for stamp, pose in zip(log.stamp, log.numbers(POSE_WIDTH), strict=True):
            if stamp in poses:
                poses[stamp] = pose
    stamps = sorted(poses)
    values = np.array([poses[stamp] for stamp in stamps]).reshape(-1, POSE_WIDTH)
    return {"stamp_ns": np.array(stamps, dtype=np.int64)} | split(POSE_COLUMNS, values)


def _tf_columns(members: Sequence[TopicLog], chosen: Mapping[str, Sequence[TopicLog]]) -> dict[str, Any]:
    del chosen
    tf = tf_stream(members)
    columns: dict[str, Any] = {
        "stamp_ns": tf.stamp_ns,
        "parent": pa.array(tf.parent, pa.string()),
        "child": pa.array(tf.child, pa.string()),
        "is_static": pa.array(tf.is_static, pa.bool_()),
    }
    return columns | split(POSE_COLUMNS, np.hstack([tf.translation, tf.quaternion_xyzw]))


def _tracking_columns(
    members: Sequence[TopicLog], chosen: Mapping[str, Sequence[TopicLog]]
) -> dict[str, Any]:
    del chosen
    log = members[0]
    order = sorted_once(log)
    state, reason = np.array(log.texts, dtype=np.uint8).reshape(-1, 2)[order].T
    return _stamped(log, order) | {
        "state": np.ascontiguousarray(state),
        "reason": np.ascontiguousarray(reason),
    }


def _camera_info_columns(
    members: Sequence[TopicLog], chosen: Mapping[str, Sequence[TopicLog]]
) -> dict[str, Any]:
    del chosen
    log = members[0]
    order = sorted_once(log)
    widths, heights, models, coefficients = zip(*[log.texts[row] for row in order], strict=True)
    columns = {
        "width": pa.array(widths, pa.int64()),
        "height": pa.array(heights, pa.int64()),
        "distortion_model": pa.array(models, pa.string()),
        "d": pa.array([list(d) for d in coefficients], pa.list_(pa.float64())),
    }
    return _stamped(log, order) | columns | split(K_COLUMNS, log.numbers(CAMERA_WIDTH)[order])


def _mesh_columns(members: Sequence[TopicLog], chosen: Mapping[str, Sequence[TopicLog]]) -> dict[str, Any]:
    del chosen
    return dict(split(POINT_COLUMNS, members[0].mesh.vertices()))


_WRITERS = {
    "imu": _imu_columns,
    "pose": _pose_columns,
    "tf": _tf_columns,
    "tracking": _tracking_columns,
    "camera_info": _camera_info_columns,
    "depth_camera_info": _camera_info_columns,
    "trajectory": _trajectory_columns,
    "mesh": _mesh_columns,
}
