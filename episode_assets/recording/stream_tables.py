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

from episode_assets.freed_memory import return_freed_memory
from episode_assets.recording.collect import CAMERA_WIDTH, IMU_WIDTH, POSE_WIDTH, TopicLog
from episode_assets.recording.frame_tree import tf_stream
from episode_assets.recording.pose_from_tf import PoseFromTf
from episode_assets.recording.tables import (
    IMU_COLUMNS,
    K_COLUMNS,
    POINT_COLUMNS,
    POSE_COLUMNS,
    split,
    write_table,
)

STREAMS = "streams"
UNTIMED_TRAJECTORY = "trajectory_sets"
"""Table of paths whose poses have no stamps of their own; they are no trajectory over time."""


def write_streams(
    directory: Path, chosen: Mapping[str, Sequence[TopicLog]], pose: PoseFromTf | None = None
) -> tuple[str, ...]:
    """Write the small streams that have rows; returns the names of the tables.

    Args:
        directory: Where the scan goes.
        chosen: Logs by role.
        pose: Poses that were put together from the frame tree, where no topic has them.
    """
    written = []

    def write(name: str, columns: Mapping[str, Any]) -> None:
        write_table(directory / STREAMS / f"{name}.parquet", columns)
        written.append(name)

    # One table after the other: together those of an hour take more memory than everything else.
    for role, columns_of in _WRITERS.items():
        return_freed_memory()
        members = [log for log in chosen[role] if len(log.stamp)]
        untimed = [log for log in members if role == "trajectory" and log.kind == "poses"]
        timed = [log for log in members if log not in untimed]
        if timed:
            write(role, columns_of(timed, chosen))
        if untimed:
            write(UNTIMED_TRAJECTORY, _pose_set_columns(untimed, chosen))
    if pose is not None:
        write("pose", _derived_pose_columns(pose))
    return tuple(sorted(written))


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
        "message_number": np.frombuffer(log.number, dtype=np.int64)[order],
        "stamp_ns": np.frombuffer(log.stamp, dtype=np.int64)[order],
        "log_time_ns": np.frombuffer(log.log, dtype=np.int64)[order],
    }


def _imu_columns(members: Sequence[TopicLog], chosen: Mapping[str, Sequence[TopicLog]]) -> dict[str, Any]:
    del chosen
    log = members[0]
    order = sorted_once(log)
    return _stamped(log, order) | split(IMU_COLUMNS, log.numbers(IMU_WIDTH), order)


def _pose_columns(members: Sequence[TopicLog], chosen: Mapping[str, Sequence[TopicLog]]) -> dict[str, Any]:
    del chosen
    log = members[0]
    order = sorted_once(log)
    columns = _stamped(log, order) | {"is_interpolated": np.zeros(len(order), dtype=np.bool_)}
    return columns | split(POSE_COLUMNS, log.numbers(POSE_WIDTH), order)


def _derived_pose_columns(pose: PoseFromTf) -> dict[str, Any]:
    return {
        "message_number": pose.message_number,
        "stamp_ns": pose.stamp_ns,
        "log_time_ns": pose.log_time_ns,
        "is_interpolated": pose.is_interpolated,
    } | split(POSE_COLUMNS, pose.values)


def _pose_set_columns(
    members: Sequence[TopicLog], chosen: Mapping[str, Sequence[TopicLog]]
) -> dict[str, Any]:
    del chosen
    sizes = [np.array(log.sizes, dtype=np.int64) for log in members]
    stamps = _joined(
        [np.repeat(np.array(log.stamp, np.int64), n) for log, n in zip(members, sizes, strict=True)]
    )
    numbers = _joined(
        [np.repeat(np.array(log.number, np.int64), n) for log, n in zip(members, sizes, strict=True)]
    )
    places = _joined([np.arange(size) for n in sizes for size in n.tolist()])
    member = np.repeat(np.arange(len(members)), [int(n.sum()) for n in sizes])
    order = np.lexsort((places, numbers, member, stamps))
    values = np.concatenate([log.numbers(POSE_WIDTH) for log in members])
    return {
        "stamp_ns": stamps[order],
        "message_number": numbers[order],
        "topic": _names([log.topic for log in members], member[order]),
        "frame_id": _names([log.frame_id for log in members], member[order]),
        "pose_index": places[order],
    } | split(POSE_COLUMNS, values, order)


def _text_columns(members: Sequence[TopicLog], chosen: Mapping[str, Sequence[TopicLog]]) -> dict[str, Any]:
    del chosen
    stamps = _joined([np.array(log.stamp, dtype=np.int64) for log in members])
    numbers = _joined([np.array(log.number, dtype=np.int64) for log in members])
    member = np.repeat(np.arange(len(members)), [len(log.stamp) for log in members])
    texts = [str(text) for log in members for (text,) in log.texts]
    order = np.lexsort((numbers, member, stamps))
    return {
        "stamp_ns": stamps[order],
        "message_number": numbers[order],
        "topic": _names([log.topic for log in members], member[order]),
        "text": pa.array([texts[row] for row in order.tolist()], pa.string()),
    }


def _names(names: Sequence[str], index: NDArray[np.int64]) -> Any:
    return pa.array([names[place] for place in index.tolist()], pa.string())


def _joined(parts: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    return np.concatenate(parts) if parts else np.empty(0, np.int64)


def _trajectory_columns(
    members: Sequence[TopicLog], chosen: Mapping[str, Sequence[TopicLog]]
) -> dict[str, Any]:
    """Unite all path messages by stamp; where the pose topic knows a stamp, its pose wins."""
    stamps = _joined([np.array(log.stamp, dtype=np.int64) for log in members])
    values = np.concatenate([log.numbers(POSE_WIDTH) for log in members])
    # Of several poses at one stamp the last counts, so it has to come first.
    known, place = np.unique(stamps[::-1], return_index=True)
    values = values[::-1][place]
    for log in chosen["pose"]:
        said, poses = np.array(log.stamp, dtype=np.int64), log.numbers(POSE_WIDTH)
        near = np.minimum(np.searchsorted(known, said), len(known) - 1)
        is_known = known[near] == said
        values[near[is_known]] = poses[is_known]
    return {"stamp_ns": known} | split(POSE_COLUMNS, values)


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
    return _stamped(log, order) | columns | split(K_COLUMNS, log.numbers(CAMERA_WIDTH), order)


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
    "hands": _pose_set_columns,
    "annotations": _text_columns,
}
