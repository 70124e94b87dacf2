"""From findings to the rows of the two tables: measured and filled hands in one order, missing values masked."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from episode_assets.geometry import transform_points
from episode_assets.hands.camera import camera_path
from episode_assets.hands.chunkwork import nearest_depth
from episode_assets.hands.config import HandPoseConfig
from episode_assets.hands.filling import Holes
from episode_assets.hands.findings import Hands, Seen
from episode_assets.hands.regions import wrap_angle
from episode_assets.hands.tables import (
    ANCHORED,
    AT_NEIGHBOURS,
    FRAMES_SCHEMA,
    HANDS_SCHEMA,
    HELD,
    INTERPOLATED,
    MEASURED,
    PIXEL_ONLY,
    fixed_lists,
    table_of,
)
from episode_assets.recording import RecordingView


def hands_table(view: RecordingView, seen: Seen, hands: Hands, *, config: HandPoseConfig) -> pa.Table:
    """Return the rows of `hands.parquet`."""
    rows, holes, placed = hands.sightings, hands.holes, hands.placed
    position = np.concatenate([rows.position, holes.position])
    # A filled row takes what belongs to the whole track from the measured row before it.
    origin = np.concatenate([np.arange(len(rows)), holes.before])
    is_filled = np.arange(len(position)) >= len(rows)
    wearer = hands.owners.is_wearer[origin]
    wearer[is_filled] &= hands.owners.is_wearer[holes.after]
    is_right = hands.owners.is_right[origin]
    # What was read comes before what is filled, so that no hand gives way to a line between two others.
    order = np.lexsort((rows.track[origin], is_filled, is_right, ~wearer, position))
    order = order[~_is_second(position[order], wearer[order], is_right[order])]

    joints_px = _with_filled(rows.joints_px, holes)[order]
    joints_cam = _with_filled(placed.joints_m, holes)[order]
    region = _filled_regions(rows.region, holes)[order]
    position, origin, is_filled = position[order], origin[order], is_filled[order]
    is_placed = _is_whole(joints_cam)
    is_held = placed.is_held[origin] & ~is_filled & is_placed
    kind = np.where(is_filled, INTERPOLATED, np.where(is_held, HELD, MEASURED)).astype(np.int8)
    stamps_ns = view.rgb.stamp_ns[position]
    path = camera_path(view.pose, view.link_from_optical[0], stamps_ns, offset_m=view.optical_offset_m)
    joints_world = transform_points((path.R, path.t), joints_cam)
    inside = (joints_px > -0.5) & (joints_px < seen.sizes[position][:, None] - 0.5)
    depth_dt, no_depth = _depth_offsets(view, position, config)
    scale = placed.scale[origin]
    columns = {
        "recording_id": pa.array([view.recording_id] * len(position), pa.string()),
        "message_number": view.rgb.message_number[position],
        "frame_index": seen.frame_index[position],
        "stamp_ns": stamps_ns,
        "side": np.where(is_right[order], "right", "left"),
        "wearer": wearer[order],
        "track": track_numbers(hands)[origin],
        "kind": kind,
        "confidence": np.where(is_filled, 0, rows.presence[origin]).astype(np.float32),
        "handedness": pa.array(rows.right[origin], pa.float32(), mask=is_filled),
        "roi_x": region[:, 0],
        "roi_y": region[:, 1],
        "roi_side": region[:, 2],
        "roi_rotation": region[:, 3],
        "joints_px": fixed_lists(joints_px.astype(np.float32)),
        "joints_cam": fixed_lists(joints_cam.astype(np.float32), ~is_placed),
        "joints_world": fixed_lists(joints_world.astype(np.float32), ~_is_whole(joints_world)),
        "joint_valid": fixed_lists(inside.all(axis=2) & ~is_filled[:, None]),
        "anchor": np.where(is_placed, np.where(is_filled | is_held, AT_NEIGHBOURS, ANCHORED), PIXEL_ONLY),
        "depth_dt_ns": pa.array(depth_dt, pa.int64(), mask=no_depth),
        "scale": pa.array(scale.astype(np.float32), pa.float32(), mask=~np.isfinite(scale)),
        "uncertainty_px": _known_lists(placed.off_px[origin], ~is_filled),
        "uncertainty_m": _known_lists(placed.off_m[origin], ~is_filled & is_placed),
        "smoothed": placed.is_smoothed[origin] & ~is_filled,
        "backend": pa.array([config.backend] * len(position), pa.string()),
    }
    return table_of(columns, HANDS_SCHEMA)


def frames_table(view: RecordingView, seen: Seen) -> pa.Table:
    """Return the rows of `frames.parquet`."""
    count = len(seen.sizes)
    columns = {
        "recording_id": pa.array([view.recording_id] * count, pa.string()),
        "message_number": view.rgb.message_number,
        "frame_index": pa.array(seen.frame_index, pa.int64(), mask=~seen.is_decodable),
        "stamp_ns": view.rgb.stamp_ns,
        "decodable": seen.is_decodable,
        "key_detection": seen.is_key,
    }
    return table_of(columns, FRAMES_SCHEMA)


def _is_second(
    position: NDArray[np.int64], wearer: NDArray[np.bool_], is_right: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Say which ordered rows repeat a wearer's hand of the row before: filled ones, as owners leave one measured."""
    same = np.zeros(len(position), bool)
    same[1:] = (np.diff(position) == 0) & wearer[1:] & wearer[:-1] & (is_right[1:] == is_right[:-1])
    return same


def _known_lists(values: NDArray[np.float64], is_stated: NDArray[np.bool_]) -> pa.Array:
    return fixed_lists(values.astype(np.float32), ~(is_stated & np.isfinite(values).all(axis=1)))


def _is_whole(joints: NDArray[np.float64]) -> NDArray[np.bool_]:
    return np.asarray(np.isfinite(joints).all(axis=(1, 2)))


def _with_filled(values: NDArray[np.floating], holes: Holes) -> NDArray[np.float64]:
    exact = values.astype(np.float64)
    return np.concatenate([exact, holes.between(exact)])


def _filled_regions(region: NDArray[np.float32], holes: Holes) -> NDArray[np.float64]:
    filled = _with_filled(region, holes)
    # Angles go the short way round.
    exact = region[:, 3].astype(np.float64)
    turned = wrap_angle(exact[holes.after] - exact[holes.before])
    filled[len(region) :, 3] = wrap_angle(exact[holes.before] + holes.ratio * turned)
    return filled


def _depth_offsets(
    view: RecordingView, position: NDArray[np.int64], config: HandPoseConfig
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return depth stamp minus picture stamp, (N,) ns, and where there is no depth frame."""
    paired = nearest_depth(view, position, config)
    missing = paired < 0
    offsets = np.zeros(len(position), np.int64)
    if view.depth is not None and not missing.all():
        offsets = view.depth.stamp_ns[np.maximum(paired, 0)] - view.rgb.stamp_ns[position]
    return np.where(missing, 0, offsets), missing


def track_numbers(hands: Hands) -> NDArray[np.int64]:
    """Return the number (N,) of each sighting's track, from 0 in the order in which tracks first appear.

    Filled rows do not count, so that tables with and without them call a track by the same number.
    """
    track = hands.sightings.track
    order = np.lexsort((track, hands.owners.is_right, ~hands.owners.is_wearer, hands.sightings.position))
    numbers = np.empty(len(track), np.int64)
    numbers[order] = dense_numbers(track[order])
    return numbers


def dense_numbers(track: NDArray[np.int64]) -> NDArray[np.int64]:
    """Renumber tracks from 0 in the order in which they first appear."""
    _, first, inverse = np.unique(track, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first, kind="stable"), kind="stable")[inverse].astype(np.int64)
