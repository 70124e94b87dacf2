"""From given hands to the rows of `hands.parquet`: nothing is filled, and what is not known stays masked."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from episode_assets.hands.findings import Seen
from episode_assets.hands.given import GivenHands
from episode_assets.hands.rows import dense_numbers
from episode_assets.hands.samples import known_joints
from episode_assets.hands.tables import GIVEN, HANDS_SCHEMA, MEASURED, PIXEL_ONLY, fixed_lists, table_of
from episode_assets.recording import RecordingView

UNKNOWN_CONFIDENCE = 1.0
"""Stands where the source states none; the manifest says so."""

Floats = NDArray[np.float64]


def given_table(view: RecordingView, seen: Seen, given: GivenHands, *, backend: str) -> pa.Table:
    """Return the rows of `hands.parquet`."""
    position, count = given.position, len(given.position)
    has_metres = np.asarray(known_joints(given.joints_cam).any(axis=1))
    in_world = np.asarray(known_joints(given.joints_world).any(axis=1))
    confidence = np.where(np.isnan(given.confidence), UNKNOWN_CONFIDENCE, given.confidence)
    region = _squares(given.joints_px)
    columns = {
        "recording_id": pa.array([view.recording_id] * count, pa.string()),
        "message_number": view.rgb.message_number[position],
        "frame_index": seen.frame_index[position],
        "stamp_ns": view.rgb.stamp_ns[position],
        "side": np.where(given.is_right, "right", "left"),
        "wearer": np.ones(count, bool),
        "track": dense_numbers(2 * seen.run[position] + given.is_right),
        "kind": np.full(count, MEASURED, np.int8),
        "confidence": confidence.astype(np.float32),
        "handedness": pa.nulls(count, pa.float32()),
        "roi_x": region[:, 0],
        "roi_y": region[:, 1],
        "roi_side": region[:, 2],
        "roi_rotation": np.zeros(count),
        "joints_px": fixed_lists(given.joints_px.astype(np.float32)),
        "joints_cam": fixed_lists(given.joints_cam.astype(np.float32), ~has_metres),
        "joints_world": fixed_lists(given.joints_world.astype(np.float32), ~in_world),
        "joint_valid": fixed_lists(_valid(given, seen.sizes[position])),
        "anchor": np.where(has_metres, GIVEN, PIXEL_ONLY),
        "depth_dt_ns": pa.nulls(count, pa.int64()),
        "scale": pa.nulls(count, pa.float32()),
        "uncertainty_px": pa.nulls(count, HANDS_SCHEMA.field("uncertainty_px").type),
        "uncertainty_m": pa.nulls(count, HANDS_SCHEMA.field("uncertainty_m").type),
        "smoothed": np.zeros(count, bool),
        "backend": pa.array([backend] * count, pa.string()),
    }
    return table_of(columns, HANDS_SCHEMA)


def _valid(given: GivenHands, sizes: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Say which joints are known and lie in the picture, as far as their pixel is known."""
    px = given.joints_px
    has_pixel = known_joints(px)
    with np.errstate(invalid="ignore"):
        inside = ((px > -0.5) & (px < sizes[:, None] - 0.5)).all(axis=2)
    return np.where(has_pixel, inside, _without_pixel(given))


def _without_pixel(given: GivenHands) -> NDArray[np.bool_]:
    """Say which joints are known in space; those at or behind the camera are not in the picture."""
    in_camera = known_joints(given.joints_cam)
    in_world = known_joints(given.joints_world)
    return np.where(in_camera, given.joints_cam[..., 2] > 0, in_world)


def _squares(joints_px: Floats) -> Floats:
    """Return (N, 3) centre and side of the smallest upright square around the known pixels; NaN without any."""
    known = known_joints(joints_px)[..., None]
    low = np.where(known, joints_px, np.inf).min(axis=1, initial=np.inf)
    high = np.where(known, joints_px, -np.inf).max(axis=1, initial=-np.inf)
    has_any = np.asarray(known.any(axis=(1, 2)))[:, None]
    low, high = np.where(has_any, low, np.nan), np.where(has_any, high, np.nan)
    return np.concatenate([(low + high) / 2, (high - low).max(axis=1, keepdims=True)], axis=1)
