"""Checks of the IMU: whether it measures, gravity, saturation, dead axes, jolts, how long the head turns fast."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from episode_assets.qc.blocks import are_finite, lengths
from episode_assets.qc.checks import Check, Status, absent, counted
from episode_assets.qc.config import QualityConfig
from episode_assets.qc.evidence import Evidence
from episode_assets.qc.ranges import FrameRange, Stamps, flags_of, runs
from episode_assets.recording import ImuSamples
from episode_assets.recording.timeline import nearest

STANDARD_GRAVITY = 9.81
JOLT_M_S2 = 20.0
HIGH_ROTATION_RAD_S = 2.0

_IDS = (
    "imu_validity",
    "imu_gravity",
    "gravity_direction",
    "imu_saturated",
    "imu_dead_axis",
    "imu_jolts",
    "head_motion",
)
_AXES = ("x", "y", "z")
_QUIET_RAD_S = 0.1
_FEWEST_QUIET = 10
_SATURATED_SAMPLES = 3
_SATURATED_FROM = {"acceleration": 15.0, "rotation": 4.0}
_DEAD_NS = 1_000_000_000

Floats = NDArray[np.float64]


def imu_checks(e: Evidence, config: QualityConfig) -> list[Check]:
    """Return all checks of the IMU."""
    if e.imu is None or len(e.imu) == 0:
        return [absent(id_, "imu", "no IMU samples") for id_ in _IDS]
    return [
        _validity(e.imu),
        _gravity(e.imu, config),
        _gravity_direction(e, e.imu, config),
        _saturated(e, e.imu),
        _dead_axis(e, e.imu),
        _jolts(e, e.imu, config),
        _head_motion(e, e.imu, config),
    ]


def _validity(imu: ImuSamples) -> Check:
    """Count samples that are no numbers; an IMU that measures one of both quantities alone is half an IMU."""
    wrong = {name: int((~are_finite(axes)).sum()) for name, axes in _both(imu)}
    count = len(imu)
    share = 100 * sum(wrong.values()) / (2 * count)
    if share == 0:
        return Check("imu_validity", "imu", "pass", f"all {count} samples are finite", 0.0, "%", 0.0)
    words = [f"{number} of {count} samples have no finite {name}" for name, number in wrong.items() if number]
    return Check("imu_validity", "imu", "warn", "; ".join(words), round(share, 2), "%", 0.0)


def _gravity(imu: ImuSamples, config: QualityConfig) -> Check:
    if imu.gravity != "included":
        return absent("imu_gravity", "imu", f"gravity is {imu.gravity} in the acceleration")
    with np.errstate(invalid="ignore"):
        size = float(np.linalg.norm([np.nanmean(axis) for axis in imu.acceleration_axes()]))
    deviation = abs(size - STANDARD_GRAVITY)
    status: Status = "pass" if deviation < config.imu_gravity_max_dev else "warn"
    detail = f"mean acceleration {size:.2f} m/s2, {deviation:.2f} from gravity"
    return Check(
        "imu_gravity", "imu", status, detail, round(deviation, 3), "m/s2", config.imu_gravity_max_dev
    )


def _gravity_direction(e: Evidence, imu: ImuSamples, config: QualityConfig) -> Check:
    """Compare up as the resting accelerometer feels it, through extrinsics and poses, with the world's nearest axis.

    Worlds of camera poses are aligned with gravity, by one of their axes.
    """
    id_ = "gravity_direction"
    if imu.gravity != "included" or e.optical_from_imu is None:
        why = "needs gravity in the acceleration, and to know how the IMU sits against the camera"
        return absent(id_, "imu", why)
    place = nearest(imu.stamp_ns, e.stamps_ns, tolerance_ns=max(e.median_step_ns, 1))
    quiet = (lengths(axis[place] for axis in imu.rotation_axes()) < _QUIET_RAD_S) & (place >= 0)
    felt_m_s2 = np.stack([axis[place] for axis in imu.acceleration_axes()], axis=1)
    in_optical = felt_m_s2 @ e.optical_from_imu.T
    in_world = np.einsum("nij,nj->ni", e.camera_rotation, in_optical)
    usable = quiet & np.isfinite(in_world).all(axis=1)
    if np.count_nonzero(usable) < _FEWEST_QUIET:
        return absent(id_, "imu", "no pose at rest")
    felt = np.median(in_world[usable], axis=0)
    angle = float(np.degrees(np.arccos(np.clip(np.abs(felt).max() / np.linalg.norm(felt), 0, 1))))
    status: Status = "pass" if angle < config.gravity_angle_max_deg else "warn"
    detail = f"gravity as felt lies {angle:.1f} deg from the axis of the world that is upright"
    return Check(id_, "imu", status, detail, round(angle, 2), "deg", config.gravity_angle_max_deg)


def _saturated(e: Evidence, imu: ImuSamples) -> Check:
    """Find runs at the largest value of an axis: a sensor that meets its range repeats it."""
    found: list[FrameRange] = []
    stamps = imu.stamp_ns
    for name, word, axis in _each_axis(imu):
        size = np.abs(axis)
        largest = float(np.max(size, where=np.isfinite(size), initial=0.0))
        if largest > _SATURATED_FROM[name]:
            limited = runs(size == largest, at_least=_SATURATED_SAMPLES)
            found += _frames_of(e, stamps, limited, largest, f"{name} {word} at its limit")
    return _listed("imu_saturated", found, "no axis meets its range", "the IMU meets its range")


def _dead_axis(e: Evidence, imu: ImuSamples) -> Check:
    found: list[FrameRange] = []
    stamps = imu.stamp_ns
    for name, word, axis in _each_axis(imu):
        same = np.zeros(len(axis), np.bool_)
        with np.errstate(invalid="ignore"):  # infinite less infinite
            same[1:] = np.diff(axis) == 0
        dead = [item for item in runs(same) if stamps[item.last] - stamps[item.first] > _DEAD_NS]
        found += _frames_of(e, stamps, dead, float(axis[0]), f"{name} {word} stands still")
    return _listed("imu_dead_axis", found, "every axis changes", "an axis of the IMU stands still")


def _both(imu: ImuSamples) -> tuple[tuple[str, Iterator[Floats]], ...]:
    """Return the axes of what is measured; memory holds one of them at a time."""
    return ("acceleration", imu.acceleration_axes()), ("rotation", imu.rotation_axes())


def _each_axis(imu: ImuSamples) -> Iterator[tuple[str, str, Floats]]:
    """Yield each axis of each quantity, with the names of both."""
    for name, axes in _both(imu):
        for word, axis in zip(_AXES, axes, strict=True):
            yield name, word, axis


def _frames_of(
    e: Evidence, stamps_ns: Stamps, samples: list[FrameRange], peak: float, note: str
) -> list[FrameRange]:
    """Return the frames shown during runs of samples; what lies before or after all frames is left out."""
    ranges = []
    for item in samples:
        first = int(np.searchsorted(e.stamps_ns, stamps_ns[item.first], side="right")) - 1
        last = int(np.searchsorted(e.stamps_ns, stamps_ns[item.last], side="right")) - 1
        if last >= 0 and first < len(e):
            ranges.append(FrameRange(max(first, 0), last, round(peak, 4), note))
    return ranges


def _listed(id_: str, found: list[FrameRange], good: str, bad: str) -> Check:
    if not found:
        return Check(id_, "imu", "pass", good, 0.0, "stretches", 0.0)
    ranges = tuple(sorted(found, key=lambda item: item.first))
    detail = f"{bad} in {counted(len(ranges), 'stretch', 'stretches')}: {ranges[0].note}"
    return Check(id_, "imu", "warn", detail, float(len(ranges)), "stretches", 0.0, ranges, note=bad)


def _jolts(e: Evidence, imu: ImuSamples, config: QualityConfig) -> Check:
    with np.errstate(invalid="ignore"):
        hard = lengths(imu.acceleration_axes()) > JOLT_M_S2
    events = runs(hard)
    stamps = imu.stamp_ns
    minutes = max(float(stamps[-1] - stamps[0]) / 60e9, 1e-3)
    rate = len(events) / minutes
    is_many = rate > config.jolts_per_min_max and len(events) > 1
    status: Status = "warn" if is_many else "pass"
    ranges = tuple(_frames_of(e, stamps, events, JOLT_M_S2, "a jolt")) if is_many else ()
    detail = f"{counted(len(events), 'jolt')} above {JOLT_M_S2:g} m/s2, {rate:.1f} a minute"
    return Check(
        "imu_jolts",
        "imu",
        status,
        detail,
        round(rate, 2),
        "per min",
        config.jolts_per_min_max,
        ranges,
        peak_unit="m/s2",
        peak_threshold=JOLT_M_S2,
        note="a jolt",
    )


def _head_motion(e: Evidence, imu: ImuSamples, config: QualityConfig) -> Check:
    """Tell how much of the time the head turns so fast that pictures are of little use for learning."""
    with np.errstate(invalid="ignore"):
        fast = lengths(imu.rotation_axes()) > HIGH_ROTATION_RAD_S
    share = float(fast.mean())
    is_much = share > config.head_motion_max_ratio
    frames = np.nan_to_num(e.gyro_rad_s) > HIGH_ROTATION_RAD_S
    ranges = tuple(runs(frames)) if is_much else ()
    detail = f"the head turns faster than {HIGH_ROTATION_RAD_S:g} rad/s for {100 * share:.1f} % of the time"
    return Check(
        "head_motion",
        "imu",
        "warn" if is_much else "pass",
        detail,
        round(100 * share, 2),
        "%",
        100 * config.head_motion_max_ratio,
        ranges,
        note="the head turns fast",
        affected_s=float(e.seconds[flags_of(list(ranges), len(e))].sum()),
    )
