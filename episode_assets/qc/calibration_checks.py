"""Checks of the calibration of the colour camera and of how the pictures stand."""

from __future__ import annotations

import numpy as np

from episode_assets.qc.checks import Check, Status, absent
from episode_assets.qc.config import QualityConfig
from episode_assets.qc.evidence import Evidence
from episode_assets.recording.streams import ASPECT_TOLERANCE

_FOCAL_RATIO_TOLERANCE = 0.02
_PRINCIPAL_TOLERANCE = 0.10
_FOV_DEG = (30.0, 150.0)
_FOCAL_RANGE_RATIO = 0.10


def calibration_checks(e: Evidence, config: QualityConfig) -> list[Check]:
    """Return both checks."""
    return [_intrinsics(e), _orientation(e, config)]


def _intrinsics(e: Evidence) -> Check:
    usable = None if e.K is None else e.K[np.isfinite(e.K).all(axis=(1, 2))]
    if usable is None or len(usable) == 0:
        return _unusable(e)
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
    focal = usable[:, 0, 0]
    if focal.max() > (1 + _FOCAL_RANGE_RATIO) * focal.min():
        problems.append(f"fx goes from {focal.min():.0f} to {focal.max():.0f} px")
    detail = "; ".join(problems) or f"fx {fx:.1f}, fy {fy:.1f} px, field of view {fov:.0f} deg"
    return Check("intrinsics", "rgb", "warn" if problems else "pass", detail, round(fov, 2), "deg")


def _unusable(e: Evidence) -> Check:
    """Return why there are no intrinsics: nothing was sent, or something that does not fit the pictures."""
    sent = e.calibration
    if sent is None:
        return absent("intrinsics", "rgb", "no calibration of the pictures")
    width, height = sent.size
    picture_width, picture_height = e.picture_size
    detail = f"the calibration is for {width}x{height} and holds no usable focal length"
    if width and height and abs(width / height * picture_height / picture_width - 1) > ASPECT_TOLERANCE:
        detail = f"the calibration is for {width}x{height}, the pictures are {picture_width}x{picture_height}"
    return Check("intrinsics", "rgb", "warn", detail)


def _orientation(e: Evidence, config: QualityConfig) -> Check:
    """Tell whether the scene stands upright in the pictures for most of the time."""
    known = e.roll_rad[np.isfinite(e.roll_rad)]
    if len(known) == 0:
        return absent("orientation", "rgb", "nothing tells which way is up")
    turned = float((np.abs(known) > np.pi / 4).mean())
    status: Status = "warn" if turned > config.rolled_max_ratio else "pass"
    roll = float(np.degrees(np.angle(np.exp(1j * known).mean())))
    detail = f"the scene is rolled by {roll:.0f} deg in the pictures, clockwise"
    limit = round(100 * config.rolled_max_ratio, 2)
    return Check("orientation", "rgb", status, detail, round(100 * turned, 2), "%", limit)
