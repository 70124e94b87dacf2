"""The metric blocks of the report, by the names, formulas and units of Stera's `Evaluate`, with our additions.

A block is None where its stream is absent. `path` and `filename` are null on purpose: the file's name stays in the
registry. Where Stera's formula is known to mislead, its number keeps its name and ours stands beside it, with one
exception: `motion_duration_s` and `still_duration_s` of an IMU whose acceleration comes without gravity. Stera's limit,
a tenth above the mean acceleration, would call all of it motion; ours is 0.5 m/s^2, and `gravity_mode` tells which.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime

import cv2
import numpy as np
from numpy.typing import NDArray

from episode_assets.geometry import quaternion_to_matrix
from episode_assets.qc.activity import activity_block
from episode_assets.qc.blocks import are_finite, in_blocks, lengths
from episode_assets.qc.config import QualityConfig
from episode_assets.qc.evidence import Evidence, SentCalibration
from episode_assets.qc.hand_metrics import hand_metrics
from episode_assets.qc.imu_checks import HIGH_ROTATION_RAD_S, JOLT_M_S2, STANDARD_GRAVITY
from episode_assets.qc.map_figures import cloud_block, mesh_block
from episode_assets.qc.numbers import Block, number
from episode_assets.qc.ranges import Stamps, runs
from episode_assets.qc.tracking_checks import REASON_WORDS, STATE_WORDS
from episode_assets.recording.timeline import median_step_ns, nearest

Floats = NDArray[np.float64]

REFERENCE_TOPICS = (
    "/camera/camera_info",
    "/camera/depth",
    "/camera/pose",
    "/camera/rgb/compressed",
    "/camera/tracking_state",
    "/device/imu",
    "/map/mesh",
    "/map/mesh_cloud",
    "/map/point_cloud",
    "/tf",
    "/trajectory",
)
DEPTH_BIN_NAMES = ("<1m", "1-2m", "2-5m", ">5m")
STATIONARY_M_S = 0.05
_SHORTEST_STEP_S = 1e-6
_MOST_TOPICS = 60
_LONGEST_NAME = 240


def metric_blocks(e: Evidence, config: QualityConfig) -> dict[str, Block | None]:
    """Return all metric blocks."""
    return {
        "recording": _recording(e),
        "rgb": _rgb(e),
        "depth": _depth(e),
        "trajectory": _trajectory(e),
        "imu": _imu(e),
        "tracking_state": _tracking(e),
        "tf": _tf(e),
        "trajectory_topic": _trajectory_topic(e),
        "mesh": mesh_block(e.mesh),
        "scene_mesh": _scene_mesh(e),
        "point_cloud": cloud_block(e.cloud),
        "sync": _sync(e),
        "hands": _hands(e, config),
        "activity": activity_block(e),
    }


def _hands(e: Evidence, config: QualityConfig) -> Block | None:
    block = hand_metrics(e, config, duration_s=file_duration_s(e))
    if block is None:
        return None
    # Hands with MANO over frames with any hand, as Stera has it: two hands in a frame make 200 %.
    frames = block_number({"hands": block}, "hands", "frames_with_any_hand")
    return block | {"mano_frames_pct": number(100 * e.hands_with_mano / frames) if frames else None}


def file_duration_s(e: Evidence) -> float:
    """Return Stera's T: last minus first log time over all topics."""
    first, last = e.inventory.first_ns, e.inventory.last_ns
    return 0.0 if first is None or last is None else (last - first) / 1e9


def stera_gap_count(stamps_ns: Stamps) -> int:
    """Count steps longer than twice the median, Stera's definition (ours is 2.5); 0 if the median is 0."""
    steps = np.diff(stamps_ns)
    median = float(np.median(steps)) if len(steps) else 0.0
    return int((steps > 2 * median).sum()) if median > 0 else 0


def nearest_distance_ms(of: Stamps, to: Stamps) -> Floats:
    """Return the distance of each stamp to the nearest of another stream in ms, signed (other minus this)."""
    return np.asarray((to[nearest(to, of)] - of) / 1e6, dtype=np.float64)


def bounded_name(name: str) -> str:
    """Return a name out of a recording, cut where it is absurdly long; a digest keeps cut names apart."""
    if len(name) <= _LONGEST_NAME:
        return name
    return f"{name[:_LONGEST_NAME]}~{hashlib.sha256(name.encode('utf-8', 'replace')).hexdigest()[:8]}"


def _recording(e: Evidence) -> Block:
    inventory, T = e.inventory, file_duration_s(e)
    counts = {bounded_name(info.topic): info.count for info in inventory.topics}
    is_epoch = inventory.clock == "epoch"
    seconds = round(T)
    return {
        "path": None,
        "filename": None,
        "size_bytes": inventory.size_bytes,
        "size_mb": number(inventory.size_bytes / 1024**2),
        "duration_s": number(T),
        "duration_hms": f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}",
        "clock": "epoch" if is_epoch else "uptime",
        "start_time": (inventory.first_ns or 0) / 1e9,
        "end_time": (inventory.last_ns or 0) / 1e9,
        **_dates(inventory.first_ns, inventory.last_ns, is_epoch=is_epoch),
        "message_count": inventory.messages,
        "topic_counts": dict(sorted(counts.items())[:_MOST_TOPICS]),
        "topics_present_count": sum(count > 0 for count in counts.values()),
        "missing_reference_topics": [name for name in REFERENCE_TOPICS if not counts.get(name)],
        "truncated": inventory.truncated,
    }


def _dates(first_ns: int | None, last_ns: int | None, *, is_epoch: bool) -> Block:
    """Return dates in UTC; an uptime has none."""
    if not is_epoch or first_ns is None or last_ns is None:
        return {"start_iso": "", "end_iso": "", "weekday": ""}
    start, end = (datetime.fromtimestamp(ns // 10**9, UTC) for ns in (first_ns, last_ns))
    return {
        "start_iso": start.isoformat(timespec="seconds"),
        "end_iso": end.isoformat(timespec="seconds"),
        "weekday": start.strftime("%A"),
    }


def _rate(stamps_ns: Stamps) -> float | None:
    """Return the rate over the stream's own span."""
    if len(stamps_ns) < 2 or stamps_ns[-1] <= stamps_ns[0]:
        return None
    return number((len(stamps_ns) - 1) / ((int(stamps_ns[-1]) - int(stamps_ns[0])) / 1e9))


def _rgb(e: Evidence) -> Block:
    stamps, T = e.rgb_stamps_ns, file_duration_s(e)
    steps_ms = np.diff(stamps) / 1e6
    info = e.inventory.role("rgb")
    count = info.count if info else len(stamps)
    has_steps = len(steps_ms) > 0
    median = float(np.median(steps_ms)) if has_steps else math.nan
    return {
        "frame_count": count,
        "video_frames": len(e),
        "dropped_frames": len(e.dropped),
        "width": e.picture_size[0],
        "height": e.picture_size[1],
        "effective_fps": number(count / T) if T > 0 else None,
        "fps": number(1000 / median) if has_steps and median > 0 else None,
        "span_fps": _rate(stamps),
        "median_dt_ms": number(median),
        "min_dt_ms": number(steps_ms.min()) if has_steps else None,
        "max_dt_ms": number(steps_ms.max()) if has_steps else None,
        "dt_std_ms": number(steps_ms.std()) if has_steps else None,
        "jitter_p95_ms": number(np.percentile(np.abs(steps_ms - median), 95)) if has_steps else None,
        "gap_count": stera_gap_count(stamps),
        "gaps": int(e.gap_before.sum()),
        "intrinsics": _sent_intrinsics(e.calibration),
        "picture_intrinsics": _picture_intrinsics(e),
        "luma_mean": number(np.nanmean(e.signals.mean)),
        "laplacian_variance_median": number(np.nanmedian(e.signals.laplacian_variance)),
    }


def _sent_intrinsics(sent: SentCalibration | None) -> Block | None:
    if sent is None:
        return None
    return _intrinsics(sent.K, sent.size) | {
        "distortion_model": sent.model,
        "distortion": [number(value) for value in sent.D],
    }


def _picture_intrinsics(e: Evidence) -> Block | None:
    """Return the median calibration of the pictures, and the range of fx as it focuses."""
    usable = None if e.K is None else e.K[np.isfinite(e.K).all(axis=(1, 2))]
    if usable is None or len(usable) == 0:
        return None
    focal = usable[:, 0, 0]
    return _intrinsics(np.median(usable, axis=0), e.picture_size) | {
        "fx_min": number(focal.min()),
        "fx_max": number(focal.max()),
    }


def _intrinsics(K: Floats, size: tuple[int, int]) -> Block:
    (width, height), ((fx, _, cx), (_, fy, cy)) = size, K[:2]
    return {
        "width": width,
        "height": height,
        "fx": number(fx),
        "fy": number(fy),
        "cx": number(cx),
        "cy": number(cy),
        "fx_over_fy": number(fx / fy) if fy else None,
        "fov_x_deg": number(math.degrees(2 * math.atan(width / (2 * fx)))) if fx else None,
        "fov_y_deg": number(math.degrees(2 * math.atan(height / (2 * fy)))) if fy else None,
        "aspect_ratio": number(width / height) if height else None,
        "principal_offset_px": [number(cx - width / 2), number(cy - height / 2)],
        "principal_offset_pct": [
            number(100 * (offset - side / 2) / side) if side else None
            for offset, side in ((cx, width), (cy, height))
        ],
    }


def _depth(e: Evidence) -> Block | None:
    if e.depth is None or e.depth_stamps_ns is None:
        return None
    depth, T = e.depth, file_duration_s(e)
    sampled, stera = depth.stera.valid_percent, depth.stera
    percent = 100 * depth.valid_ratio[depth.has]
    step = median_step_ns(e.depth_stamps_ns)
    return {
        "frame_count": len(e.depth_stamps_ns),
        "effective_fps": number(len(e.depth_stamps_ns) / T) if T > 0 else None,
        "span_fps": _rate(e.depth_stamps_ns),
        "median_dt_ms": number(step / 1e6) if step else None,
        "intrinsics": _sent_intrinsics(e.depth_calibration),
        "paired_frames": int(depth.has.sum()),
        "sampled_frames": len(sampled),
        "valid_pct_mean": number(sampled.mean()) if len(sampled) else None,
        "valid_pct_min": number(sampled.min()) if len(sampled) else None,
        "valid_pct_max": number(sampled.max()) if len(sampled) else None,
        "valid_pct_std": number(sampled.std()) if len(sampled) else None,
        "global_min_m": number(stera.min_m),
        "global_max_m": number(stera.max_m),
        "depth_percentiles_m": {f"p{p}": number(value) for p, value in stera.percentiles_m.items()},
        "depth_hist_counts": dict(zip(DEPTH_BIN_NAMES, stera.counts, strict=False)),
        "depth_hist_pct": {
            name: number(100 * count / stera.pixels)
            for name, count in zip(DEPTH_BIN_NAMES, stera.counts, strict=False)
        },
        "empty_frame_count": int((sampled == 0).sum()),
        "all_valid_pct_mean": number(percent.mean()) if len(percent) else None,
        "all_valid_pct_min": number(percent.min()) if len(percent) else None,
        "centre_valid_pct_mean": _mean_percent(depth.centre_valid_ratio),
        "saturated_pct_mean": _mean_percent(depth.saturated_ratio),
        "constant_frames": int(depth.is_constant.sum()),
        "repeated_frames": int(depth.is_repeated.sum()),
    }


def _mean_percent(ratio: Floats) -> float | None:
    known = ratio[np.isfinite(ratio)]
    return number(100 * known.mean()) if len(known) else None


def _trajectory(e: Evidence) -> Block | None:
    if e.pose is None or len(e.pose.stamp_ns) == 0:
        return None
    p, stamps = e.pose.translation, e.pose.stamp_ns
    steps_m = np.linalg.norm(np.diff(p, axis=0), axis=1)
    steps_s = np.maximum(np.diff(stamps) / 1e9, _SHORTEST_STEP_S)
    speed = steps_m / steps_s
    acceleration = np.abs(np.diff(speed)) / steps_s[1:]
    path, net = float(steps_m.sum()), float(np.linalg.norm(p[-1] - p[0]))
    extents = np.ptp(p, axis=0)
    stationary = float(steps_s[speed < STATIONARY_M_S].sum())
    T = file_duration_s(e)
    heading = np.unwrap(np.arctan2(np.diff(p[:, 0]), np.diff(p[:, 2]))) if len(p) > 1 else np.zeros(0)
    turn = np.abs(np.diff(heading))
    return {
        "pose_count": len(p),
        "effective_rate_hz": number(len(p) / T) if T > 0 else None,
        "path_length_m": number(path),
        "net_displacement_m": number(net),
        "tortuosity": number(path / net) if net > 0 else None,
        "bbox_min": [number(v) for v in p.min(axis=0)],
        "bbox_max": [number(v) for v in p.max(axis=0)],
        "bbox_extents": [number(v) for v in extents],
        "bbox_volume_m3": number(extents.prod()),
        "footprint_area_m2": number(_footprint_m2(p)),
        "height_min_m": number(p[:, 1].min()),
        "height_max_m": number(p[:, 1].max()),
        "height_mean_m": number(p[:, 1].mean()),
        "height_std_m": number(p[:, 1].std()),
        **_statistics("speed", "_mps", speed, ("mean", "median", "p95", "max")),
        **_statistics("accel", "_mps2", acceleration, ("mean", "max")),
        **_euler_rates(e, steps_s),
        "cumulative_rotation_deg": number(math.degrees(float(turn.sum()))),
        "turn_count": int((np.degrees(turn) > 45).sum()),
        "stationary_duration_s": number(stationary),
        "stationary_pct": number(100 * stationary / T) if T > 0 else 0.0,
    }


def _statistics(name: str, unit: str, values: Floats, which: tuple[str, ...]) -> Block:
    formulas: dict[str, Callable[[Floats], np.floating]] = {
        "mean": np.mean,
        "median": np.median,
        "max": np.max,
        "std": np.std,
        "min": np.min,
        "p95": _p95,
    }
    finite = values[np.isfinite(values)]
    return {f"{name}_{key}{unit}": number(formulas[key](finite)) if len(finite) else None for key in which}


def _p95(values: Floats) -> np.floating:
    return np.percentile(values, 95)


def _footprint_m2(p: Floats) -> float:
    flat = np.unique((p[:, [0, 2]] - p[:, [0, 2]].mean(axis=0)).astype(np.float32), axis=0)
    if len(flat) < 3:
        return 0.0
    return float(cv2.contourArea(cv2.convexHull(flat)))


def _euler_rates(e: Evidence, steps_s: Floats) -> Block:
    """Return median rates of the unwrapped ZYX Euler angles of the poses."""
    names = ("yaw", "pitch", "roll")
    if e.pose is None or len(steps_s) == 0:
        return {f"{name}_rate_deg_per_s": None for name in names}
    quaternions = e.pose.quaternion_xyzw

    def measure(rows: slice) -> Floats:
        R = quaternion_to_matrix(quaternions[rows])
        is_locked = np.abs(R[:, 2, 0]) > 0.9999
        pitch = np.arcsin(np.clip(-R[:, 2, 0], -1, 1))
        yaw = np.where(is_locked, np.arctan2(-R[:, 0, 1], R[:, 1, 1]), np.arctan2(R[:, 1, 0], R[:, 0, 0]))
        return np.stack([yaw, pitch, np.where(is_locked, 0.0, np.arctan2(R[:, 2, 1], R[:, 2, 2]))], axis=1)

    return {
        f"{name}_rate_deg_per_s": number(
            np.nanmedian(np.degrees(np.abs(np.diff(np.unwrap(np.nan_to_num(angle))))) / steps_s)
        )
        for name, angle in zip(names, in_blocks(len(quaternions), 3, measure).T, strict=True)
    }


def _imu(e: Evidence) -> Block | None:
    if e.imu is None or len(e.imu) == 0:
        return None
    stamps = e.imu.stamp_ns
    steps_s = np.diff(stamps) / 1e9
    D = float(stamps[-1] - stamps[0]) / 1e9 if len(stamps) > 1 else 1e-3
    size_a, size_w = lengths(e.imu.acceleration_axes()), lengths(e.imu.rotation_axes())
    with np.errstate(invalid="ignore"):
        mean_a = np.array(
            [np.nanmean(axis) if np.isfinite(axis).any() else np.nan for axis in e.imu.acceleration_axes()]
        )
    gravity = float(np.linalg.norm(mean_a))
    # Without gravity in the signal a share of its mean says nothing; then motion is any acceleration.
    threshold = 0.5 if e.imu.gravity == "removed" else (1.1 * gravity if gravity else 11.0)
    motion = float(steps_s[np.nan_to_num(size_a[:-1]) > threshold].sum())
    return {
        "sample_count": len(stamps),
        "effective_rate_hz": number(len(stamps) / max(D, 1e-3)),
        "rate_jitter_ms": number(1000 * steps_s.std()) if len(steps_s) else None,
        **_axes("accel", e.imu.acceleration_axes),
        **_axes("gyro", e.imu.rotation_axes),
        **_statistics("accel_mag", "", size_a, ("mean", "std", "p95", "max")),
        **_statistics("gyro_mag", "", size_w, ("mean", "std", "p95", "max")),
        "gravity_vector": [number(v) for v in mean_a],
        "gravity_magnitude": number(gravity),
        "gravity_deviation": number(abs(gravity - STANDARD_GRAVITY)),
        "gravity_mode": e.imu.gravity,
        "jolt_count": int((size_a > JOLT_M_S2).sum()),
        "jolt_events": len(runs(size_a > JOLT_M_S2)),
        "high_rotation_events": int((size_w > HIGH_ROTATION_RAD_S).sum()),
        "high_rotation_runs": len(runs(size_w > HIGH_ROTATION_RAD_S)),
        "high_rotation_pct": number(100 * float((size_w > HIGH_ROTATION_RAD_S).mean())),
        "motion_duration_s": number(motion),
        "still_duration_s": number(max(D - motion, 0.0)),
    }


def _axes(name: str, axes: Callable[[], Iterable[Floats]]) -> Block:
    formulas: dict[str, Callable[[Floats], np.floating]] = {
        "mean": np.mean,
        "std": np.std,
        "min": np.min,
        "max": np.max,
    }
    is_finite = are_finite(axes())
    if not is_finite.any():
        return {f"{name}_axis_{key}": None for key in formulas}
    finite = (axis[is_finite] for axis in axes())
    each = [[number(formula(axis)) for formula in formulas.values()] for axis in finite]
    return {
        f"{name}_axis_{key}": list(values)
        for key, values in zip(formulas, zip(*each, strict=True), strict=True)
    }


def _tracking(e: Evidence) -> Block | None:
    if e.tracking is None or len(e.tracking.stamp_ns) == 0:
        return None
    states, reasons = e.tracking.state, e.tracking.reason
    counts = {word: int((states == code).sum()) for code, word in enumerate(STATE_WORDS)}
    lost = states != len(STATE_WORDS) - 1
    return {
        "message_count": len(states),
        "state_counts": counts,
        "state_pct": {word: number(100 * count / len(states)) for word, count in counts.items()},
        "reason_counts": {
            word: int((reasons[lost] == code).sum()) for code, word in enumerate(REASON_WORDS) if code
        },
    }


def _tf(e: Evidence) -> Block | None:
    """Return the edges of the frame tree that move; static ones come on a topic of their own and are counted beside."""
    if e.tf is None:
        return None
    T = max(file_duration_s(e), 1e-3)
    counts = Counter(e.tf.moving)
    return {
        "message_count": counts.total(),
        "unique_pair_count": len(counts),
        "static_count": e.tf.static,
        "pairs": [
            {
                "parent": bounded_name(parent),
                "child": bounded_name(child),
                "count": count,
                "rate_hz": number(count / T),
            }
            for (parent, child), count in counts.most_common(_MOST_TOPICS)
        ],
    }


def _trajectory_topic(e: Evidence) -> Block | None:
    if e.trajectory is None:
        return None
    return {"pose_count": e.trajectory.poses, "path_length_m": number(e.trajectory.length_m)}


def _scene_mesh(e: Evidence) -> Block | None:
    block = mesh_block(e.scene_mesh)
    if block is None or e.scene_mesh is None:
        return None
    inside = e.scene_mesh.share_inside(e.camera_position_m, margin_m=0.0)
    path = None if inside is None else number(100 * inside)
    return block | {"has_colours": e.scene_mesh_has_colours, "path_inside_pct": path}


def _sync(e: Evidence) -> Block:
    streams = {
        "rgb_vs_depth": e.depth_stamps_ns,
        "rgb_vs_pose": None if e.pose is None else e.pose.stamp_ns,
        "rgb_vs_imu": None if e.imu is None else e.imu.stamp_ns,
    }
    return {name: _sync_pair(e.rgb_stamps_ns, other) for name, other in streams.items()}


def _sync_pair(rgb: Stamps, other: Stamps | None) -> Block | None:
    if other is None or len(other) == 0 or len(rgb) == 0:
        return None
    signed = nearest_distance_ms(rgb, other)
    size = np.abs(signed)
    return {
        "median_ms": number(np.median(size)),
        "p95_ms": number(np.percentile(size, 95)),
        "max_ms": number(size.max()),
        "within_50ms_pct": number(100 * float((size <= 50).mean())),
        "within_100ms_pct": number(100 * float((size <= 100).mean())),
        "signed_median_ms": number(np.median(signed)),
    }


def block_number(blocks: Mapping[str, Block | None], block: str, key: str) -> float | None:
    """Return one number of the blocks, None where the block or the number is missing."""
    found = blocks.get(block)
    value = None if found is None else found.get(key)
    return float(value) if isinstance(value, int | float) else None
