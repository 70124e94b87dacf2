"""The picture table of the bundle: every frame of the video, and what it is paired with.

Reading the columns of the blurred video's own table belongs to `footage`, pairing the streams to their own modules.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from episode_assets.footage import FrameTable, bool_column, int_column, read_table, require_columns
from episode_assets.long_tables import Rows, write_rows

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
    has_depth = pairing.depth_message_number >= 0
    columns = {
        "message_number": (frames.message_number, None),
        "frame_index": (np.arange(len(frames), dtype=np.int64), None),
        "stamp_ns": (frames.stamp_ns, None),
        "log_time_ns": (frames.log_time_ns, None),
        "pts_us": (frames.pts_us, None),
        "is_key": (frames.is_key, None),
        "gap_before": (frames.gap_before, None),
        "width": (np.broadcast_to(np.int32(frames.width), len(frames)), None),
        "height": (np.broadcast_to(np.int32(frames.height), len(frames)), None),
        "depth_message_number": (pairing.depth_message_number, has_depth),
        "depth_dt_ns": (pairing.depth_dt_ns, has_depth),
        "pose_valid": (pairing.pose_valid, None),
        "pose_dt_ns": (pairing.pose_dt_ns, pairing.pose_valid),
        "intrinsics_valid": (pairing.intrinsics_valid, None),
    }

    def part(rows: slice) -> dict[str, pa.Array]:
        count = len(frames.stamp_ns[rows])
        named = {"recording_id": pa.array([frames.recording_id] * count, pa.string())}
        return named | {
            name: pa.array(values[rows].copy(), mask=None if known is None else ~known[rows])
            for name, (values, known) in columns.items()
        }

    write_rows(path, Rows(len(frames), part))


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
