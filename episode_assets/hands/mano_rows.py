"""The rows of `mano.parquet`: what networks of the MANO family say of each hand that was read, beside its joints."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from episode_assets.hands.camera import intrinsics_of
from episode_assets.hands.config import HandPoseConfig
from episode_assets.hands.findings import Hands, Seen
from episode_assets.hands.mano import (
    COLUMNS,
    full_camera,
    full_translation,
    mirrored_camera,
    mirrored_rotations,
)
from episode_assets.hands.rows import track_numbers
from episode_assets.hands.tables import MANO_SCHEMA, fixed_lists, table_of
from episode_assets.hands.turning import turn_directions
from episode_assets.recording import RecordingView

Floats = NDArray[np.float64]


def mano_table(view: RecordingView, seen: Seen, hands: Hands, *, config: HandPoseConfig) -> pa.Table:
    """Return one row for each hand that was read, in the order of `hands.parquet`."""
    is_right, wearer = hands.owners.is_right, hands.owners.is_wearer
    order = np.lexsort((hands.sightings.track, is_right, ~wearer, hands.sightings.position))
    rows, is_right = hands.sightings.take(order), is_right[order]
    position, region = rows.position, rows.region.astype(np.float64)
    stamps_ns, sizes = view.rgb.stamp_ns[position], seen.sizes[position]
    K, _ = intrinsics_of(view.camera_info, stamps_ns, sizes)
    camera = full_camera(K, sizes)
    # How the picture showed it, which in a mirrored one is not whose side it is.
    seen_right = (rows.right >= 0.5) ^ config.mirrored_input
    pred_cam = _turned_camera(mirrored_camera(_part(rows.mano, "pred_cam"), seen_right), seen.turns)
    global_orient = mirrored_rotations(_rotations(rows.mano, "global_orient"), seen_right)
    columns = {
        "recording_id": pa.array([view.recording_id] * len(rows), pa.string()),
        "message_number": view.rgb.message_number[position],
        "frame_index": seen.frame_index[position],
        "stamp_ns": stamps_ns,
        "side": np.where(is_right, "right", "left"),
        "wearer": wearer[order],
        "track": track_numbers(hands)[order],
        "box_x": region[:, 0],
        "box_y": region[:, 1],
        "box_side": region[:, 2],
        "pred_cam": _lists(pred_cam),
        "cam_t": _lists(full_translation(pred_cam, region, camera)),
        "focal_px": _lists(camera.focal_px),
        "principal_px": _lists(camera.principal_px),
        "global_orient": _lists(_turned_rotations(global_orient, seen.turns)),
        "hand_pose": _lists(mirrored_rotations(_rotations(rows.mano, "hand_pose"), seen_right)),
        "betas": _lists(_part(rows.mano, "betas")),
        "backend": pa.array([config.backend] * len(rows), pa.string()),
    }
    return table_of(columns, MANO_SCHEMA)


def _part(mano: NDArray[np.float32], name: str) -> Floats:
    return mano[:, COLUMNS[name]].astype(np.float64)


def _rotations(mano: NDArray[np.float32], name: str) -> Floats:
    return _part(mano, name).reshape(len(mano), -1, 3, 3)


def _turned_camera(pred_cam: Floats, turns: int) -> Floats:
    """Turn the shifts of (N, 3) cameras (s, tx, ty) from the upright picture into the recorded one."""
    return np.concatenate([pred_cam[:, :1], turn_directions(pred_cam[:, 1:], turns)], axis=1)


def _turned_rotations(rotations: Floats, turns: int) -> Floats:
    """Turn (N, ..., 3, 3) rotations into the recorded camera: each column is a direction."""
    return np.swapaxes(turn_directions(np.swapaxes(rotations, -1, -2), turns), -1, -2)


def _lists(values: Floats) -> pa.Array:
    return fixed_lists(values.astype(np.float32))
