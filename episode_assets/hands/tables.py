"""The Parquet files of hand poses: their columns, and how they are written.

What the values mean is decided elsewhere; a column added here is part of the artifact's contract.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

HANDS_FILE = "hands.parquet"
FRAMES_FILE = "frames.parquet"
MANO_FILE = "mano.parquet"
UPPER_BODY_FILE = "upper_body.parquet"

JOINT_NAMES = (
    "wrist",
    *(f"{finger}_{joint}" for finger in ("thumb",) for joint in ("cmc", "mcp", "ip", "tip")),
    *(
        f"{finger}_{joint}"
        for finger in ("index", "middle", "ring", "pinky")
        for joint in ("mcp", "pip", "dip", "tip")
    ),
)
"""Order of the 21 joints in every array."""

MEASURED, INTERPOLATED, HELD = 1, 2, 3
"""Values of `kind`: read in this frame; between two read frames; read in this frame at a neighbour's distance."""

ANCHORED, AT_NEIGHBOURS, GIVEN, PIXEL_ONLY = "anchored", "held", "given", "pixel_only"
"""Values of `anchor`: placed by depth of the own frame; at the distance of neighbouring frames; the place in space came
with the hand; it is not known."""

HANDS_SCHEMA = pa.schema(
    [
        pa.field("recording_id", pa.string(), nullable=False),
        pa.field("message_number", pa.int64(), nullable=False),
        pa.field("frame_index", pa.int64(), nullable=False),
        pa.field("stamp_ns", pa.int64(), nullable=False),
        pa.field("side", pa.string(), nullable=False),
        pa.field("wearer", pa.bool_(), nullable=False),
        pa.field("track", pa.int64(), nullable=False),
        pa.field("kind", pa.int8(), nullable=False),
        pa.field("confidence", pa.float32(), nullable=False),
        pa.field("handedness", pa.float32()),
        pa.field("roi_x", pa.float32(), nullable=False),
        pa.field("roi_y", pa.float32(), nullable=False),
        pa.field("roi_side", pa.float32(), nullable=False),
        pa.field("roi_rotation", pa.float32(), nullable=False),
        pa.field("joints_px", pa.list_(pa.float32(), 42), nullable=False),
        pa.field("joints_cam", pa.list_(pa.float32(), 63)),
        pa.field("joints_world", pa.list_(pa.float32(), 63)),
        pa.field("joint_valid", pa.list_(pa.bool_(), 21), nullable=False),
        pa.field("anchor", pa.string(), nullable=False),
        pa.field("depth_dt_ns", pa.int64()),
        pa.field("scale", pa.float32()),
        pa.field("uncertainty_px", pa.list_(pa.float32(), 21)),
        pa.field("uncertainty_m", pa.list_(pa.float32(), 21)),
        pa.field("smoothed", pa.bool_()),
        pa.field("backend", pa.string(), nullable=False),
    ],
    metadata={"joint_names": ",".join(JOINT_NAMES), "frame": "camera_optical_frame"},
)
"""One row per hand and frame, ordered by frame, then wearer first, then left before right.

confidence is the presence of the landmark network, or the score of a box (0 in interpolated rows), handedness the raw
right-hand value (null there). joints_px are pixels of the recorded picture, whole numbers are pixel centres; joints_cam
are metres, x right, y down, z forward; joints_world are metres in the frame of the pose stream. joint_valid is true for
joints that were read in this frame and lie in the picture, those of held rows too: only their distance is not their
own. anchor is anchored, held or pixel_only. depth_dt_ns is the stamp of the depth frame minus that of the picture.
uncertainty_px and uncertainty_m say how far each joint may be off in the picture and in space (see `uncertainty`); null
in interpolated rows, in metres where there is no place, and for every backend but mediapipe, whose errors alone were
measured. smoothed says that joints of a measured row were moved towards those of its neighbours, each by no more than
its uncertainty.

Rows of the backend `precomputed` bring their place in space: anchor is given (or pixel_only), joints that are not known
are NaN and not valid, their uncertainty is null, confidence is 1 where the source states none, and the region is the
square around the joints.
"""

MANO_SCHEMA = pa.schema(
    [
        pa.field("recording_id", pa.string(), nullable=False),
        pa.field("message_number", pa.int64(), nullable=False),
        pa.field("frame_index", pa.int64(), nullable=False),
        pa.field("stamp_ns", pa.int64(), nullable=False),
        pa.field("side", pa.string(), nullable=False),
        pa.field("wearer", pa.bool_(), nullable=False),
        pa.field("track", pa.int64(), nullable=False),
        pa.field("box_x", pa.float32(), nullable=False),
        pa.field("box_y", pa.float32(), nullable=False),
        pa.field("box_side", pa.float32(), nullable=False),
        pa.field("pred_cam", pa.list_(pa.float32(), 3), nullable=False),
        pa.field("cam_t", pa.list_(pa.float32(), 3), nullable=False),
        pa.field("focal_px", pa.list_(pa.float32(), 2), nullable=False),
        pa.field("principal_px", pa.list_(pa.float32(), 2), nullable=False),
        pa.field("global_orient", pa.list_(pa.float32(), 9), nullable=False),
        pa.field("hand_pose", pa.list_(pa.float32(), 135), nullable=False),
        pa.field("betas", pa.list_(pa.float32(), 10), nullable=False),
        pa.field("backend", pa.string(), nullable=False),
    ],
    metadata={"rotations": "row-major matrices", "space": "of the true side; left hands mirrored back"},
)
"""One row per hand that a network of the MANO family read; keys are those of `hands.parquet`.

pred_cam is (s, tx, ty) in the square box; cam_t is metres from the camera with focal_px and principal_px to the hand's
origin, which like the hand's size is a guess of the network and no measurement. Rotations are matrices in the order of
MANO's joints (index, middle, pinky, ring, thumb), in the space of the true side: those of left hands are mirrored back.
"""

BODY_JOINT_NAMES = (
    "head",
    "neck",
    "spine",
    "left_shoulder",
    "left_elbow",
    "left_wrist",
    "right_shoulder",
    "right_elbow",
    "right_wrist",
    "mount_cam",
)
"""Order of the 10 joints of the upper body in every array."""

BODY_EDGES = ((1, 3), (3, 4), (4, 5), (1, 6), (6, 7), (7, 8), (3, 2), (6, 2), (1, 9))
"""Pairs of joints to draw as bones."""

BODY_UNKNOWN, BODY_MEASURED, BODY_ESTIMATED = 0, 1, 2
"""Values of `joint_source`: no place; read in this frame; a guess from the proportions of a body."""

UPPER_BODY_SCHEMA = pa.schema(
    [
        pa.field("recording_id", pa.string(), nullable=False),
        pa.field("message_number", pa.int64(), nullable=False),
        pa.field("frame_index", pa.int64(), nullable=False),
        pa.field("stamp_ns", pa.int64(), nullable=False),
        pa.field("joints_world", pa.list_(pa.float32(), 30), nullable=False),
        pa.field("joint_source", pa.list_(pa.int8(), 10), nullable=False),
        pa.field("heading_held", pa.bool_(), nullable=False),
    ],
    metadata={
        "joint_names": ",".join(BODY_JOINT_NAMES),
        "edges": ",".join(f"{first}-{second}" for first, second in BODY_EDGES),
        "frame": "world of the pose stream",
        "source": "geometric",
        "joint_source": "0 unknown, 1 measured, 2 estimated",
    },
)
"""One row per picture that decodes, in their order; written only where the estimate was asked for.

joints_world are metres in the frame of the pose stream, (10, 3) in the order of `BODY_JOINT_NAMES`, NaN where
joint_source is 0. Measured are the camera (mount_cam), where two recorded poses lie around a frame also between them,
and a wrist that was read, lies in the picture and has its own depth in this frame. Everything else is an estimate from
the camera's pose and the wearer's wrists for a camera on the head of a person of fixed size, never a measurement: head,
neck, spine, shoulders, elbows, and wrists whose hand was interpolated, held, given or read outside the picture. Without
its wrist an arm has a shoulder only; where nothing tells which way is up, there are camera and wrists only.
heading_held says that the camera looks straight up or down, so that the body keeps the heading of a frame near by.
"""

FRAMES_SCHEMA = pa.schema(
    [
        pa.field("recording_id", pa.string(), nullable=False),
        pa.field("message_number", pa.int64(), nullable=False),
        pa.field("frame_index", pa.int64()),
        pa.field("stamp_ns", pa.int64(), nullable=False),
        pa.field("decodable", pa.bool_(), nullable=False),
        pa.field("key_detection", pa.bool_(), nullable=False),
    ]
)
"""One row per picture message; frame_index counts the decodable ones and is null for the others."""

_ROW_GROUP_ROWS = 16_384


def write_table(path: Path, table: pa.Table) -> None:
    """Write a table with fixed row groups, so that equal rows give equal bytes."""
    pq.write_table(
        table, path, compression="zstd", row_group_size=_ROW_GROUP_ROWS, write_statistics=True, version="2.6"
    )


def table_of(columns: Mapping[str, Any], schema: pa.Schema) -> pa.Table:
    """Return the columns as a table of this schema; every field of it must be there."""
    arrays = [pa.array(columns[field.name]).cast(field.type) for field in schema]
    return pa.Table.from_arrays(arrays, schema=schema)


def fixed_lists(
    values: NDArray[np.float32] | NDArray[np.bool_] | NDArray[np.int8],
    missing: NDArray[np.bool_] | None = None,
) -> pa.Array:
    """Return (N, …) values as one list per row, null where `missing`; numbers in null rows are zeros, not NaN."""
    width = int(np.prod(values.shape[1:]))
    flat = np.ascontiguousarray(values).reshape(len(values), width)
    if missing is None:
        return pa.FixedSizeListArray.from_arrays(pa.array(flat.ravel()), width)
    clean = np.where(missing[:, None], 0, flat).astype(values.dtype)
    return pa.FixedSizeListArray.from_arrays(pa.array(clean.ravel()), width, mask=pa.array(missing))


def list_values(table: pa.Table, name: str) -> NDArray[np.float64]:
    """Return a column of equal-length lists as (N, width) float64, NaN in rows that are null."""
    column = table[name].combine_chunks()
    width = column.type.list_size
    values = np.full((len(column), width), np.nan)
    values[column.is_valid().to_numpy(zero_copy_only=False)] = (
        column.drop_null().flatten().cast(pa.float64()).to_numpy(zero_copy_only=False).reshape(-1, width)
    )
    return values
