"""The small streams of a scan as Parquet: one writer per role, rows sorted by stamp.

To keep the stream of a new role, add its rows to `_WRITERS`; its reader belongs to `view`. Streams that may be long
are read and written a row group at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from episode_assets.freed_memory import return_freed_memory
from episode_assets.long_tables import Rows, write_rows
from episode_assets.recording.collect import CAMERA_WIDTH, IMU_WIDTH, POSE_WIDTH, TopicLog
from episode_assets.recording.frame_tree import tf_stream
from episode_assets.recording.pose_from_tf import PoseFromTf
from episode_assets.recording.tables import (
    IMU_COLUMNS,
    K_COLUMNS,
    POINT_COLUMNS,
    POSE_COLUMNS,
    split,
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

    def write(name: str, rows: Rows) -> None:
        path = directory / STREAMS / f"{name}.parquet"
        path.parent.mkdir(mode=0o700, exist_ok=True)
        write_rows(path, rows)
        written.append(name)

    # One table after the other: together those of an hour take more memory than everything else.
    for role, rows_of in _WRITERS.items():
        return_freed_memory()
        members = [log for log in chosen[role] if len(log.stamp)]
        untimed = [log for log in members if role == "trajectory" and log.kind == "poses"]
        timed = [log for log in members if log not in untimed]
        if timed:
            write(role, rows_of(timed, chosen))
        if untimed:
            write(UNTIMED_TRAJECTORY, _pose_set_rows(untimed, chosen))
    if pose is not None:
        write("pose", Rows.of(_derived_pose_columns(pose)))
    return tuple(sorted(written))


def sorted_once(log: TopicLog) -> NDArray[np.int64]:
    """Return the rows of a topic in the order of their stamps (stable), repeated stamps once."""
    stamps = log.stamp.all()
    if (stamps[1:] > stamps[:-1]).all():
        return np.arange(len(stamps))
    order = np.argsort(stamps, kind="stable")
    ordered = stamps[order]
    keep = np.ones(len(order), dtype=np.bool_)
    keep[1:] = ordered[1:] != ordered[:-1]
    return order[keep]


def _stamped_rows(log: TopicLog, columns_of: Callable[[NDArray[np.int64]], Mapping[str, Any]]) -> Rows:
    """Return the rows of a topic whose stamps stand once, with what `columns_of` gives for some of them."""
    order = sorted_once(log)

    def part(rows: slice) -> dict[str, Any]:
        chosen = order[rows]
        stamped = {
            "message_number": log.number.take(chosen)[:, 0],
            "stamp_ns": log.stamp.take(chosen)[:, 0],
            "log_time_ns": log.log.take(chosen)[:, 0],
        }
        return stamped | dict(columns_of(chosen))

    return Rows(len(order), part)


def _imu_rows(members: Sequence[TopicLog], chosen: Mapping[str, Sequence[TopicLog]]) -> Rows:
    del chosen
    log = members[0]
    return _stamped_rows(log, lambda rows: split(IMU_COLUMNS, log.floats.take(rows, IMU_WIDTH)))


def _pose_rows(members: Sequence[TopicLog], chosen: Mapping[str, Sequence[TopicLog]]) -> Rows:
    del chosen
    log = members[0]
    return _stamped_rows(
        log,
        lambda rows: {
            "is_interpolated": np.zeros(len(rows), dtype=np.bool_),
            **split(POSE_COLUMNS, log.floats.take(rows, POSE_WIDTH)),
        },
    )


def _derived_pose_columns(pose: PoseFromTf) -> dict[str, Any]:
    return {
        "message_number": pose.message_number,
        "stamp_ns": pose.stamp_ns,
        "log_time_ns": pose.log_time_ns,
        "is_interpolated": pose.is_interpolated,
    } | split(POSE_COLUMNS, pose.values)


def _pose_set_rows(members: Sequence[TopicLog], chosen: Mapping[str, Sequence[TopicLog]]) -> Rows:
    del chosen
    sizes = [log.sizes.all() for log in members]
    stamps = _joined([np.repeat(log.stamp.all(), n) for log, n in zip(members, sizes, strict=True)])
    numbers = _joined([np.repeat(log.number.all(), n) for log, n in zip(members, sizes, strict=True)])
    places = _joined([np.arange(size) for n in sizes for size in n.tolist()])
    member = np.repeat(np.arange(len(members)), [int(n.sum()) for n in sizes])
    order = np.lexsort((places, numbers, member, stamps))
    values = np.concatenate([log.numbers(POSE_WIDTH) for log in members])

    def posed(rows: NDArray[np.int64]) -> dict[str, Any]:
        frames = _names([log.frame_id for log in members], member[rows])
        return {"frame_id": frames, "pose_index": places[rows]} | split(POSE_COLUMNS, values[rows])

    return _rows_of_topics(members, member, stamps, numbers, order, posed)


def _text_rows(members: Sequence[TopicLog], chosen: Mapping[str, Sequence[TopicLog]]) -> Rows:
    del chosen
    stamps = _joined([log.stamp.all() for log in members])
    numbers = _joined([log.number.all() for log in members])
    member = np.repeat(np.arange(len(members)), [len(log.stamp) for log in members])
    texts = [str(text) for log in members for (text,) in log.texts]
    order = np.lexsort((numbers, member, stamps))

    def said(rows: NDArray[np.int64]) -> dict[str, Any]:
        return {"text": pa.array([texts[row] for row in rows.tolist()], pa.string())}

    return _rows_of_topics(members, member, stamps, numbers, order, said)


def _rows_of_topics(
    members: Sequence[TopicLog],
    member: NDArray[np.int64],
    stamps: NDArray[np.int64],
    numbers: NDArray[np.int64],
    order: NDArray[np.int64],
    columns_of: Callable[[NDArray[np.int64]], Mapping[str, Any]],
) -> Rows:
    """Return the rows of several topics in an order, each with its message, and what `columns_of` gives for some."""

    def part(rows: slice) -> dict[str, Any]:
        mine = order[rows]
        named = {
            "stamp_ns": stamps[mine],
            "message_number": numbers[mine],
            "topic": _names([log.topic for log in members], member[mine]),
        }
        return named | dict(columns_of(mine))

    return Rows(len(order), part)


def _names(names: Sequence[str], index: NDArray[np.int64]) -> Any:
    return pa.array([names[place] for place in index.tolist()], pa.string())


def _joined(parts: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    return np.concatenate(parts) if parts else np.empty(0, np.int64)


def _trajectory_rows(members: Sequence[TopicLog], chosen: Mapping[str, Sequence[TopicLog]]) -> Rows:
    """Unite all path messages by stamp; where the pose topic knows a stamp, its pose wins."""
    stamps = _joined([log.stamp.all() for log in members])
    values = np.concatenate([log.numbers(POSE_WIDTH) for log in members])
    # Of several poses at one stamp the last counts, so it has to come first.
    known, place = np.unique(stamps[::-1], return_index=True)
    values = values[::-1][place]
    for log in chosen["pose"]:
        said, poses = log.stamp.all(), log.numbers(POSE_WIDTH)
        near = np.minimum(np.searchsorted(known, said), len(known) - 1)
        is_known = known[near] == said
        values[near[is_known]] = poses[is_known]
    return Rows(len(known), lambda rows: {"stamp_ns": known[rows], **split(POSE_COLUMNS, values[rows])})


def _tf_rows(members: Sequence[TopicLog], chosen: Mapping[str, Sequence[TopicLog]]) -> Rows:
    del chosen
    tf = tf_stream(members)

    def part(rows: slice) -> dict[str, Any]:
        return {
            "stamp_ns": tf.stamp_ns[rows],
            "parent": pa.array(tf.parent[rows], pa.string()),
            "child": pa.array(tf.child[rows], pa.string()),
            "is_static": pa.array(tf.is_static[rows], pa.bool_()),
        } | split(POSE_COLUMNS, np.hstack([tf.translation[rows], tf.quaternion_xyzw[rows]]))

    return Rows(len(tf.stamp_ns), part)


def _tracking_rows(members: Sequence[TopicLog], chosen: Mapping[str, Sequence[TopicLog]]) -> Rows:
    del chosen
    log = members[0]

    def said(rows: NDArray[np.int64]) -> dict[str, Any]:
        state, reason = np.array([log.texts[row] for row in rows.tolist()], np.uint8).reshape(-1, 2).T
        return {"state": np.ascontiguousarray(state), "reason": np.ascontiguousarray(reason)}

    return _stamped_rows(log, said)


def _camera_info_rows(members: Sequence[TopicLog], chosen: Mapping[str, Sequence[TopicLog]]) -> Rows:
    del chosen
    log = members[0]

    def said(rows: NDArray[np.int64]) -> dict[str, Any]:
        widths, heights, models, coefficients = zip(*[log.texts[row] for row in rows.tolist()], strict=True)
        return {
            "width": pa.array(widths, pa.int64()),
            "height": pa.array(heights, pa.int64()),
            "distortion_model": pa.array(models, pa.string()),
            "d": pa.array([list(d) for d in coefficients], pa.list_(pa.float64())),
            **split(K_COLUMNS, log.floats.take(rows, CAMERA_WIDTH)),
        }

    return _stamped_rows(log, said)


def _mesh_rows(members: Sequence[TopicLog], chosen: Mapping[str, Sequence[TopicLog]]) -> Rows:
    del chosen
    return Rows.of(split(POINT_COLUMNS, members[0].mesh.vertices()))


_WRITERS = {
    "imu": _imu_rows,
    "pose": _pose_rows,
    "tf": _tf_rows,
    "tracking": _tracking_rows,
    "camera_info": _camera_info_rows,
    "depth_camera_info": _camera_info_rows,
    "trajectory": _trajectory_rows,
    "mesh": _mesh_rows,
    "hands": _pose_set_rows,
    "annotations": _text_rows,
}
