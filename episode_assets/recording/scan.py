"""The computation of `raw_mcap`: one pass over the file that digests it, takes stock of it and keeps its small streams.

What is written: `inventory.json`, `offsets.parquet` (where each picture and cloud lies), `chunks.parquet` (compressed
chunks that hold them) and `streams/*.parquet`. The recording itself stays where it is.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from episode_assets.errors import NothingToExport
from episode_assets.outcome import Note, Outcome, Skipped
from episode_assets.progress import Progress, silent
from episode_assets.recording.collect import CAMERA_WIDTH, IMU_WIDTH, POSE_WIDTH, TopicLog
from episode_assets.recording.config import RecordingConfig
from episode_assets.recording.container import IN_FILE, Container, Walk
from episode_assets.recording.inventory import Inventory
from episode_assets.recording.source import Source
from episode_assets.recording.survey import Logs, logs_by_role, require_readable, survey, tf_stream
from episode_assets.recording.tables import (
    IMU_COLUMNS,
    K_COLUMNS,
    POINT_COLUMNS,
    POSE_COLUMNS,
    split,
    write_table,
)

logger = logging.getLogger(__name__)

INVENTORY = "inventory.json"
OFFSETS = "offsets.parquet"
CHUNKS = "chunks.parquet"
IDENTITY = "recording.json"
STREAMS = "streams"

MIB = 1 << 20
_PLACED_ROLES = ("rgb", "depth", "point_cloud")
_DEFAULT = RecordingConfig()


def scan_recording(
    uri: str,
    directory: Path,
    *,
    recording_id: str,
    config: RecordingConfig = _DEFAULT,
    workers: int = 1,
    progress: Progress = silent,
) -> Outcome:
    """Read a recording once and write what `RecordingView` needs into `directory`.

    Damage never stops the scan: what is readable is kept, the rest is noted with its place.

    Args:
        uri: Path or address of the recording.
        directory: Empty directory to write into.
        recording_id: Identity of the recording, stored beside its streams.
        config: How to read.
        workers: Ignored; one pass is bound by reading.
        progress: Told the bytes that are done.

    Raises:
        BadRecording: The file is no MCAP recording, or nothing of it can be read.
        NothingToExport: The file is whole and holds no message.
        MissingStream: A configured topic is missing or of the wrong type.
    """
    del workers
    with Source(uri) as source:
        walk = Walk(source, max_chunk_bytes=config.max_chunk_mib * MIB, progress=progress)
        logs = Logs(walk.container)
        for message in walk.messages():
            logs.add(message)
        sha256 = walk.sha256()
        size = source.size
    require_readable(logs, walk.container, size_bytes=size, where=uri)
    if not logs.messages:
        raise NothingToExport("the recording is valid and holds 0 messages: nothing to export", where=uri)
    inventory = survey(
        logs, walk.container, config=config, basis="scan", size_bytes=size, sha256=sha256, where=uri
    )
    chosen = logs_by_role(logs.all(), inventory.roles)
    (directory / INVENTORY).write_text(inventory.dumps(), encoding="utf-8")
    identity = json.dumps({"recording_id": recording_id}, indent=2, sort_keys=True) + "\n"
    (directory / IDENTITY).write_text(identity, encoding="utf-8")
    _write_places(directory, chosen, walk.container)
    written = _write_streams(directory, chosen)
    logger.info("scanned %s: %d messages in %d bytes", recording_id, logs.messages, size)
    return _outcome(inventory, written)


def sorted_once(log: TopicLog) -> NDArray[np.int64]:
    """Return the rows of a topic in the order of their stamps (stable), repeated stamps once."""
    stamps = np.array(log.stamp, dtype=np.int64)
    order = np.argsort(stamps, kind="stable")
    ordered = stamps[order]
    keep = np.ones(len(order), dtype=np.bool_)
    keep[1:] = ordered[1:] != ordered[:-1]
    return order[keep]


def _write_places(directory: Path, chosen: Mapping[str, Sequence[TopicLog]], container: Container) -> None:
    """Write where every picture and cloud lies, repeated stamps included, in file order per topic."""
    placed = [(role, log) for role in _PLACED_ROLES for log in chosen[role]]
    columns: dict[str, Any] = {
        "role": pa.array([role for role, log in placed for _ in range(len(log.stamp))], pa.string()),
        "topic": pa.array([log.topic for _, log in placed for _ in range(len(log.stamp))], pa.string()),
    }
    for name, attribute in (
        ("message_number", "number"),
        ("stamp_ns", "stamp"),
        ("log_time_ns", "log"),
        ("chunk", "chunk"),
        ("offset", "offset"),
        ("length", "length"),
    ):
        parts = [np.array(getattr(log, attribute), dtype=np.int64) for _, log in placed]
        columns[name] = np.concatenate(parts) if parts else np.empty(0, np.int64)
    write_table(directory / OFFSETS, columns)
    used = set(np.unique(columns["chunk"]).tolist()) - {IN_FILE}
    packed = [chunk for chunk in container.packed if chunk.number in used]
    write_table(
        directory / CHUNKS,
        {
            "chunk": pa.array([chunk.number for chunk in packed], pa.int64()),
            "offset": pa.array([chunk.offset for chunk in packed], pa.int64()),
            "packed_bytes": pa.array([chunk.packed_bytes for chunk in packed], pa.int64()),
            "unpacked_bytes": pa.array([chunk.unpacked_bytes for chunk in packed], pa.int64()),
            "compression": pa.array([chunk.compression for chunk in packed], pa.string()),
        },
    )


def _write_streams(directory: Path, chosen: Mapping[str, Sequence[TopicLog]]) -> dict[str, int]:
    """Write the small streams that have rows; returns the rows of each by role."""
    rows: dict[str, int] = {}
    for role, columns_of in _WRITERS.items():
        members = [log for log in chosen[role] if len(log.stamp)]
        if members:
            columns = columns_of(members, chosen)
            rows[role] = len(next(iter(columns.values())))
            write_table(directory / STREAMS / f"{role}.parquet", columns)
    return rows


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


def _outcome(inventory: Inventory, written: Mapping[str, int]) -> Outcome:
    files = (INVENTORY, IDENTITY, OFFSETS, CHUNKS, *(f"{STREAMS}/{role}.parquet" for role in sorted(written)))
    filled = [role for role, choice in inventory.roles.items() if choice.topics]
    skipped = [
        Skipped(role, f"no_{role}", choice.reason)
        for role, choice in inventory.roles.items()
        if not choice.topics
    ]
    return Outcome(
        core=files,
        saved=tuple(filled),
        skipped=tuple(skipped),
        warnings=tuple(notes_of(inventory)),
        summary=_summary(inventory),
    )


def notes_of(inventory: Inventory) -> list[Note]:
    """Return what a user of the recording should know, from its inventory."""
    notes = []
    if inventory.truncated:
        lost = inventory.size_bytes - (inventory.cut_offset or 0)
        notes.append(
            Note(
                "truncated",
                f"cut at byte {inventory.cut_offset} of {inventory.size_bytes}: {inventory.messages} messages in "
                f"{inventory.chunks} whole chunks kept, {lost} bytes lost",
            )
        )
    notes += [
        Note(item.kind, f"at byte {item.offset}, {item.length} bytes: {item.detail}")
        for item in inventory.damage
        if item.kind != "cut"
    ]
    for info in inventory.topics:
        notes += _topic_notes(info)
    notes += [
        Note("ambiguous_role", choice.reason, stream=role)
        for role, choice in inventory.roles.items()
        if choice.reason.startswith("ambiguous")
    ]
    link = inventory.link_from_optical
    if link is not None and link.source != "tf" and inventory.role("pose"):
        notes.append(Note("camera_frame_" + link.source, link.detail, stream="tf"))
    return notes


def _topic_notes(info: Any) -> list[Note]:
    notes = []
    if info.undecodable:
        notes.append(
            Note("undecodable_messages", info.first_error or "", stream=info.topic, count=info.undecodable)
        )
    if info.cannot_decode and info.count:
        notes.append(Note("cannot_decode", info.cannot_decode, stream=info.topic, count=info.count))
    if info.role and info.repeated_stamps:
        detail = f"{info.repeated_stamps} messages repeat a stamp and are left out"
        notes.append(Note("repeated_stamps", detail, stream=info.topic, count=info.repeated_stamps))
    return notes


def _summary(inventory: Inventory) -> dict[str, Any]:
    rgb = inventory.role("rgb")
    return {
        "messages": inventory.messages,
        "bytes": inventory.size_bytes,
        "truncated": inventory.truncated,
        "damage": inventory.damage_total,
        "clock": inventory.clock,
        "gravity": inventory.gravity,
        "rgb_messages": rgb.count if rgb else 0,
        "rgb_rate_hz": round(rgb.rate_hz, 3) if rgb and rgb.rate_hz else None,
        "rgb_span_s": round((rgb.last_ns - rgb.first_ns) / 1e9, 3)
        if rgb and rgb.first_ns is not None and rgb.last_ns is not None
        else None,
        "rgb_gaps": len(rgb.gaps) if rgb else 0,
        "roles": {role: list(choice.topics) for role, choice in inventory.roles.items() if choice.topics},
    }
