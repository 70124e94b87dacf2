"""Checks of constant offsets between streams, told from the motion that both have seen."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from episode_assets.qc.checks import Check, Status, absent
from episode_assets.qc.config import QualityConfig
from episode_assets.qc.evidence import Evidence
from episode_assets.qc.offsets import (
    Course,
    Displacements,
    Offset,
    course_of_imu,
    course_of_pictures,
    course_of_poses,
    displacements_of_pictures,
    displacements_of_poses,
    estimate_offset,
)

Floats = NDArray[np.float64]

_THIRDS = 3
_AGREEING = 0.2
_SIGMAS = 2.0
"""Standard errors by which an offset must lie beyond its threshold."""
_CLEARLY = 0.1
"""By how much a peak of the correlation must stand above every other one."""


def sync_checks(e: Evidence, config: QualityConfig) -> list[Check]:
    """Return the checks of offsets and of their drift."""
    pictures = displacements_of_pictures(e.stamps_ns, _agreed_shift(e))
    gyro = None if e.imu is None else course_of_imu(e.imu)
    poses = None if e.pose is None else displacements_of_poses(e.pose)
    turned = None if e.pose is None else course_of_poses(e.pose)
    pairs = (
        ("sync_pose_imu", "poses", "gyro", poses, gyro),
        ("sync_rgb_imu", "pictures", "gyro", pictures, gyro),
        ("sync_rgb_pose", "pictures", "poses", pictures, turned),
    )
    checks = []
    for id_, first, second, moved, course in pairs:
        if moved is None or course is None:
            checks.append(absent(id_, "sync", f"needs {first} and {second}"))
        else:
            checks.append(_offset_check(id_, (first, second), estimate_offset(moved, course), config))
    return [*checks, _depth_offset(e, config), _drift(pictures, gyro, config)]


def _agreed_shift(e: Evidence) -> Floats:
    """Return the shifts of pictures, (F, 2) px; NaN where too few points agree to tell the motion of the camera."""
    agreed = np.nan_to_num(e.signals.shift_agreement) >= _AGREEING
    return np.where(agreed[:, None], e.signals.shift_px, np.nan)


def _depth_offset(e: Evidence, config: QualityConfig) -> Check:
    """Compare the motion of depth images with that of pictures; both are in pixels, and a pixel is enough."""
    id_ = "sync_rgb_depth"
    if e.depth is None:
        return absent(id_, "sync", "needs depth")
    has = e.depth.has & (e.depth.stamp_ns >= 0)
    stamps, place = np.unique(e.depth.stamp_ns[has], return_index=True)
    moved = displacements_of_pictures(stamps, e.depth.shift_px[has][place])
    course = course_of_pictures(e.stamps_ns, _agreed_shift(e))
    # The course is in pixels: what it tells of motion in rad/s is the gyro's or the poses' business.
    scale = _rad_per_pixel(e)
    seen = Course(course.stamp_ns, course.at * scale)
    return _offset_check(id_, ("depth", "pictures"), estimate_offset(moved, seen), config)


def _rad_per_pixel(e: Evidence) -> float:
    """Return the angle of one pixel at the width of the shifts; a phone's where nothing is known."""
    usable = None if e.K is None else e.K[np.isfinite(e.K[:, 0, 0]), 0, 0]
    if usable is None or len(usable) == 0 or np.median(usable) <= 0:
        return 1 / (0.755 * e.signals.width_px)
    return float(e.picture_size[0] / np.median(usable) / e.signals.width_px)


def _doubt(found: Offset | None, names: Sequence[str], config: QualityConfig) -> str:
    """Return why an estimate is not to be trusted; empty where it is."""
    first, second = names
    if found is None:
        return f"{first} and {second} overlap for less than 3 s"
    if found.spread < config.sync_min_motion_rad_s:
        return f"too little motion to compare {first} with {second} ({found.spread:.2f} rad/s)"
    if found.correlation < max(config.sync_min_correlation, found.elsewhere + _CLEARLY):
        return f"motion of {first} and {second} does not agree (correlation {found.correlation:.2f})"
    if found.error_ms > config.sync_error_max_ms:
        return f"the offset of {first} and {second} is not certain ({found.error_ms:.0f} ms)"
    return ""


def _offset_check(id_: str, names: tuple[str, str], found: Offset | None, config: QualityConfig) -> Check:
    doubt = _doubt(found, names, config)
    if found is None or doubt:
        return absent(id_, "sync", doubt)
    # An offset that may as well be a tolerable one is no finding.
    size = abs(found.offset_ms) - _SIGMAS * found.error_ms
    status: Status = "pass"
    if size > config.sync_offset_warn_ms:
        status = "fail" if size > config.sync_offset_fail_ms else "warn"
    first, second = names
    return Check(
        id_,
        "sync",
        status,
        f"stamps of {second} lie {found.offset_ms:+.0f} ms after those of {first} "
        f"(correlation {found.correlation:.2f}, to {found.error_ms:.1f} ms)",
        round(found.offset_ms, 2),
        "ms",
        config.sync_offset_warn_ms,
    )


def _drift(pictures: Displacements, gyro: Course | None, config: QualityConfig) -> Check:
    """Compare the offsets of the first, middle and last third: clocks that run apart do so in one direction."""
    id_ = "sync_drift"
    if gyro is None:
        return absent(id_, "sync", "needs an IMU")
    thirds = [estimate_offset(pictures.part(i, _THIRDS), gyro) for i in range(_THIRDS)]
    known = [item for item in thirds if item is not None and not _doubt(item, ("pictures", "gyro"), config)]
    if len(known) < _THIRDS:
        return absent(id_, "sync", "too little motion to tell offsets in all thirds of the recording")
    offsets = [item.offset_ms for item in known]
    drift = max(offsets) - min(offsets)
    is_steady = offsets in (sorted(offsets), sorted(offsets, reverse=True))
    certain = drift - _SIGMAS * float(np.hypot(known[0].error_ms, known[-1].error_ms))
    status: Status = "warn" if is_steady and certain > config.sync_drift_max_ms else "pass"
    told = ", ".join(f"{offset:+.0f}" for offset in offsets)
    detail = f"offsets of pictures and gyro by thirds: {told} ms"
    return Check(id_, "sync", status, detail, round(drift, 2), "ms", config.sync_drift_max_ms)
