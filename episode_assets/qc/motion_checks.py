"""Checks of poses, IMU, depth and calibration."""

from __future__ import annotations

import numpy as np

from episode_assets.geometry import quaternion_to_matrix, rotation_angle
from episode_assets.qc.checks import Check, Status, absent, counted, from_ranges, with_peak
from episode_assets.qc.config import QualityConfig
from episode_assets.qc.evidence import Evidence
from episode_assets.qc.ranges import FrameRange, runs

NORM_TOLERANCE = 1e-3
STANDARD_GRAVITY = 9.81
_FOCAL_RATIO_TOLERANCE = 0.02
_PRINCIPAL_TOLERANCE = 0.10
_FOV_DEG = (30.0, 150.0)


def motion_checks(e: Evidence, config: QualityConfig) -> list[Check]:
    """Return all checks of poses, IMU, depth and intrinsics."""
    return [
        _pose_validity(e, config),
        _pose_jump(e, config),
        _gravity(e, config),
        _depth_valid(e, config),
        _intrinsics(e),
    ]


def _pose_validity(e: Evidence, config: QualityConfig) -> Check:
    if e.pose is None or len(e.pose.stamp_ns) == 0:
        return absent("pose_validity", "pose", "no poses")
    norm = np.linalg.norm(e.pose.quaternion_xyzw, axis=1)
    finite = np.isfinite(e.pose.translation).all(axis=1) & np.isfinite(norm)
    wrong = int((~finite | (np.abs(norm - 1) > NORM_TOLERANCE)).sum())
    both = np.hstack([e.pose.translation, e.pose.quaternion_xyzw])[finite]
    if len(both) > 2 and bool((both == both[0]).all()):
        return _one_pose(e, config, len(both))
    status: Status = "warn" if wrong else "pass"
    detail = f"{wrong} of {len(norm)} poses are not finite or have no unit quaternion"
    return Check("pose_validity", "pose", status, detail, float(wrong), "poses", 0.0)


def _one_pose(e: Evidence, config: QualityConfig, count: int) -> Check:
    """Judge poses that are all equal: on a tripod they should be, and a quiet gyro tells that it is one."""
    gyro = e.gyro_rad_s[np.isfinite(e.gyro_rad_s)]
    is_still = len(gyro) > 0 and float(np.percentile(gyro, 75)) <= config.moving_gyro_rad_s
    detail = f"all {count} poses are equal{', and the gyro is quiet' if is_still else ''}"
    return Check("pose_validity", "pose", "pass" if is_still else "warn", detail, 0.0, "poses")


def _pose_jump(e: Evidence, config: QualityConfig) -> Check:
    """Find impossible speeds between neighbouring pose samples and the frames they lie between."""
    if e.pose is None or len(e.pose.stamp_ns) < 2:
        return absent("pose_jump", "pose", "fewer than two poses")
    pose = e.pose
    steps_s = np.diff(pose.stamp_ns) / 1e9
    R = quaternion_to_matrix(pose.quaternion_xyzw)
    with np.errstate(divide="ignore", invalid="ignore"):
        speed = np.linalg.norm(np.diff(pose.translation, axis=0), axis=1) / steps_s
        turn = np.degrees(rotation_angle(np.swapaxes(R[:-1], -1, -2) @ R[1:])) / steps_s
    is_judged = (steps_s > 0) & (steps_s <= config.pose_step_max_s)
    fast = speed > config.pose_speed_max_m_s
    jumps = np.flatnonzero(is_judged & (fast | (turn > config.pose_rotation_max_deg_s)))
    ranges = []
    for i in jumps:
        first = max(int(np.searchsorted(e.stamps_ns, pose.stamp_ns[i], side="right")) - 1, 0)
        last = min(int(np.searchsorted(e.stamps_ns, pose.stamp_ns[i + 1])), len(e) - 1)
        ranges.append(FrameRange(min(first, last), last, round(float(speed[i]), 2)))
    if not ranges:
        return Check("pose_jump", "pose", "pass", "no impossible motion", 0.0, "jumps", 0.0, is_hard=True)
    return Check(
        "pose_jump",
        "pose",
        "warn",
        f"{counted(len(jumps), 'time')} the camera moves faster than {config.pose_speed_max_m_s:g} m/s or "
        f"{config.pose_rotation_max_deg_s:g} deg/s",
        float(len(jumps)),
        "jumps",
        0.0,
        tuple(ranges),
        peak_unit="m/s",
        peak_threshold=config.pose_speed_max_m_s,
        is_hard=True,
        is_boundary=True,  # positions before and after belong to different maps, however short the stretch is
        note="impossible motion",
    )


def _gravity(e: Evidence, config: QualityConfig) -> Check:
    if e.imu is None or len(e.imu.stamp_ns) == 0:
        return absent("imu_gravity", "imu", "no IMU samples")
    if e.imu.gravity != "included":
        return absent("imu_gravity", "imu", f"gravity is {e.imu.gravity} in the acceleration")
    with np.errstate(invalid="ignore"):
        size = float(np.linalg.norm(np.nanmean(e.imu.linear_acceleration, axis=0)))
    deviation = abs(size - STANDARD_GRAVITY)
    status: Status = "pass" if deviation < config.imu_gravity_max_dev else "warn"
    detail = f"mean acceleration {size:.2f} m/s2, {deviation:.2f} from gravity"
    return Check(
        "imu_gravity", "imu", status, detail, round(deviation, 3), "m/s2", config.imu_gravity_max_dev
    )


def _depth_valid(e: Evidence, config: QualityConfig) -> Check:
    if e.depth is None:
        return absent("depth_valid", "depth", "no depth")
    ratio = e.depth.valid_ratio
    mean = float(np.nanmean(ratio)) if e.depth.has.any() else 0.0
    poor = np.nan_to_num(ratio, nan=1.0) < config.depth_low_ratio
    ranges = with_peak(runs(poor, at_least=3), ratio, lowest=True)
    found = from_ranges(
        "depth_valid", "depth", ranges, found="warn", seconds=e.seconds, note="poor in depth (valid share)"
    )
    good, ok = config.depth_valid_thresholds
    status: Status = "warn" if 100 * mean < ok else found.status
    return Check(
        "depth_valid",
        "depth",
        status,
        f"{100 * mean:.0f} % of depth pixels are valid on average; {found.detail}",
        round(100 * mean, 2),
        "%",
        good,
        found.ranges,
        peak_unit="share",
        peak_threshold=config.depth_low_ratio,
        note=found.note,
        affected_s=found.affected_s,
    )


def _intrinsics(e: Evidence) -> Check:
    usable = None if e.K is None else e.K[np.isfinite(e.K).all(axis=(1, 2))]
    if usable is None or len(usable) == 0:
        return absent("intrinsics", "rgb", "no usable calibration of the pictures")
    K = np.median(usable, axis=0)
    width, height = e.picture_size
    fx, fy, cx, cy = K[0, 0], K[1, 1], K[0, 2], K[1, 2]
    if fx <= 0 or fy <= 0:
        return Check("intrinsics", "rgb", "warn", f"focal lengths {fx:.1f} and {fy:.1f} are not positive")
    fov = float(np.degrees(2 * np.arctan(width / (2 * fx))))
    problems = [
        *([f"fx / fy is {fx / fy:.3f}"] if abs(fx / fy - 1) > _FOCAL_RATIO_TOLERANCE else []),
        *([f"field of view {fov:.0f} deg"] if not _FOV_DEG[0] <= fov <= _FOV_DEG[1] else []),
        *(
            [f"principal point ({cx:.0f}, {cy:.0f}) is far from the centre"]
            if abs(cx - width / 2) > _PRINCIPAL_TOLERANCE * width
            or abs(cy - height / 2) > _PRINCIPAL_TOLERANCE * height
            else []
        ),
    ]
    detail = "; ".join(problems) or f"fx {fx:.1f}, fy {fy:.1f} px, field of view {fov:.0f} deg"
    return Check("intrinsics", "rgb", "warn" if problems else "pass", detail, round(fov, 2), "deg")
