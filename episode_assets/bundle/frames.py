"""The picture table of the bundle: every frame of the video, and what it is paired with.

Reading the columns of the blurred video's own table belongs to `footage`, pairing the streams to their own modules.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from episode_assets.footage import FrameTable, bool_column, int_column, read_table, require_columns

PAIRING = ["depth_message_number", "depth_dt_ns", "pose_valid", "pose_dt_ns", "intrinsics_valid"]
"""Columns of the bundle's `frames.parquet` that the table beside a blurred video does not have."""


@dataclass(frozen=True)
class FramePairing:
    """What each of the F pictures is paired with.

    Attributes:
        depth_message_number: (F,) int64, number of the depth message, -1 where there is none.
        depth_dt_ns: (F,) int64, depth stamp minus picture stamp; 0 where there is none.
        pose_valid: (F,) bool.
        pose_dt_ns: (F,) int64, pose stamp minus picture stamp; 0 where there is none.
        intrinsics_valid: (F,) bool.
    """

    depth_message_number: NDArray[np.int64]
    depth_dt_ns: NDArray[np.int64]
    pose_valid: NDArray[np.bool_]
    pose_dt_ns: NDArray[np.int64]
    intrinsics_valid: NDArray[np.bool_]


def write_frame_table(path: Path, frames: FrameTable, pairing: FramePairing) -> None:
    """Write `frames.parquet` of the bundle: identity, timing and pairing of every picture."""
    count = len(frames)
    has_depth = pairing.depth_message_number >= 0
    columns = {
        "recording_id": pa.array([frames.recording_id] * count, pa.string()),
        "message_number": pa.array(frames.message_number),
        "frame_index": pa.array(np.arange(count, dtype=np.int64)),
        "stamp_ns": pa.array(frames.stamp_ns),
        "log_time_ns": pa.array(frames.log_time_ns),
        "pts_us": pa.array(frames.pts_us),
        "is_key": pa.array(frames.is_key),
        "gap_before": pa.array(frames.gap_before),
        "width": pa.array(np.full(count, frames.width, np.int32)),
        "height": pa.array(np.full(count, frames.height, np.int32)),
        "depth_message_number": pa.array(pairing.depth_message_number, mask=~has_depth),
        "depth_dt_ns": pa.array(pairing.depth_dt_ns, mask=~has_depth),
        "pose_valid": pa.array(pairing.pose_valid),
        "pose_dt_ns": pa.array(pairing.pose_dt_ns, mask=~pairing.pose_valid),
        "intrinsics_valid": pa.array(pairing.intrinsics_valid),
    }
    pq.write_table(pa.table(columns), path, compression="zstd", row_group_size=65536)


def read_pairing(path: Path, *, remedy: str) -> FramePairing:
    """Read what the pictures of a bundle are paired with from its `frames.parquet`.

    Raises:
        ArtifactDamaged: The table is unreadable or lacks columns.
    """
    table = read_table(path, PAIRING, remedy=remedy)
    require_columns(table, PAIRING, where=path.name, remedy=remedy)
    has_depth = table["depth_message_number"].is_valid().to_numpy()
    has_pose = bool_column(table, "pose_valid")
    return FramePairing(
        depth_message_number=int_column(table, "depth_message_number"),
        depth_dt_ns=np.where(has_depth, int_column(table, "depth_dt_ns"), 0),
        pose_valid=has_pose,
        pose_dt_ns=np.where(has_pose, int_column(table, "pose_dt_ns"), 0),
        intrinsics_valid=bool_column(table, "intrinsics_valid"),
    )
