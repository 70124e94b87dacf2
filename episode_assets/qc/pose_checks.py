"""Checks of the poses: validity, jumps, poses that stand still or turn otherwise than the gyro, and the map."""

from __future__ import annotations

import numpy as np

from episode_assets.qc.blocks import lengths
from episode_assets.qc.checks import Check, Status, absent, counted
from episode_assets.qc.config import QualityConfig
from episode_assets.qc.evidence import Evidence
from episode_assets.qc.offsets import course_of_imu, course_of_poses, turns_of
from episode_assets.qc.ranges import FrameRange, Stamps, runs
from episode_assets.qc.tracking_checks import TRACKING_NORMAL
from episode_assets.recording import PoseStream
from episode_assets.recording.timeline import GAP_FACTOR, median_step_ns

NORM_TOLERANCE = 1e-3
_WINDOW_NS = 1_000_000_000
_WINDOW_STEP_NS = 500_000_000
_STUCK_NS = 500_000_000
_MESH_MARGIN_M = 1.0
_DEGENERATE_RATIO = 0.05


def pose_checks(e: Evidence, config: QualityConfig, *, imu_late_ms: float = 0.0) -> list[Check]:
    """Return all checks of poses; `imu_late_ms` is how much later the stamps of the IMU are, where that is known."""
    return [
        _validity(e, config),
        _jump(e, config),
        _against_gyro(e, config, imu_late_ms),
        _stuck(e, config),
        _mesh(e, config),
    ]


def _validity(e: Evidence, config: QualityConfig) -> Check:
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


def _jump(e: Evidence, config: QualityConfig) -> Check:
    """Find impossible speeds between neighbouring pose samples and the frames they lie between.

    What happens wholly before the first picture or after the last one concerns none.
    """
    if e.pose is None or len(e.pose.stamp_ns) < 2:
        return absent("pose_jump", "pose", "fewer than two poses")
    pose = e.pose
    steps_s = np.diff(pose.stamp_ns) / 1e9
    with np.errstate(divide="ignore", invalid="ignore"):
        speed = np.linalg.norm(np.diff(pose.translation, axis=0), axis=1) / steps_s
        turn = np.degrees(np.linalg.norm(turns_of(pose.quaternion_xyzw), axis=1)) / steps_s
    is_judged = (steps_s > 0) & (steps_s <= config.pose_step_max_s)
    fast = speed > config.pose_speed_max_m_s
    is_shown = (pose.stamp_ns[1:] > e.stamps_ns[0]) & (pose.stamp_ns[:-1] < e.stamps_ns[-1])
    is_fast = fast | (turn > config.pose_rotation_max_deg_s)
    jumps = np.flatnonzero(is_judged & is_shown & is_fast)
    ranges = [_around(e, pose.stamp_ns, int(i), round(float(speed[i]), 2)) for i in jumps]
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


def _around(e: Evidence, stamps_ns: Stamps, step: int, peak: float) -> FrameRange:
    """Return the frames on either side of a step between two samples."""
    first = max(int(np.searchsorted(e.stamps_ns, stamps_ns[step], side="right")) - 1, 0)
    last = min(int(np.searchsorted(e.stamps_ns, stamps_ns[step + 1])), len(e) - 1)
    return FrameRange(min(first, last), last, peak)


def _against_gyro(e: Evidence, config: QualityConfig, imu_late_ms: float) -> Check:
    """Compare how far poses and gyro turn within a second; the axes of both may differ, the length does not."""
    id_ = "pose_gyro"
    if e.pose is None or e.imu is None or len(e.pose.stamp_ns) < 2 or len(e.imu) < 2:
        return absent(id_, "pose", "needs poses and an IMU")
    late_ns = round(1e6 * imu_late_ms)
    posed, felt = course_of_poses(e.pose), course_of_imu(e.imu)
    if len(felt.stamp_ns) < 2:
        return absent(id_, "pose", "no usable gyro")
    start = max(int(posed.stamp_ns[0]), int(felt.stamp_ns[0]) - late_ns)
    stop = min(int(posed.stamp_ns[-1]), int(felt.stamp_ns[-1]) - late_ns)
    starts, ends = _windows(posed.stamp_ns, start, stop)
    is_whole = _is_whole(e, e.pose, starts, ends)
    starts, ends = starts[is_whole], ends[is_whole]
    if len(starts) == 0:
        return absent(id_, "pose", "no second with poses, gyro and normal tracking")
    angles = [
        np.linalg.norm(course.between(starts + shift, ends + shift), axis=1)
        for course, shift in ((posed, 0), (felt, late_ns))
    ]
    apart = np.degrees(np.abs(angles[0] - angles[1]))
    odd = np.flatnonzero(apart > config.pose_gyro_max_deg)
    ranges = _joined(e, [(int(starts[i]), int(ends[i]), float(apart[i])) for i in odd])
    status: Status = "warn" if ranges else "pass"
    detail = f"poses and gyro differ by {apart.max():.1f} deg in a second at most"
    return Check(
        id_,
        "pose",
        status,
        detail,
        round(float(apart.max()), 2),
        "deg",
        config.pose_gyro_max_deg,
        tuple(ranges),
        peak_unit="deg",
        peak_threshold=config.pose_gyro_max_deg,
        note="poses turn otherwise than the gyro",
    )


def _windows(stamps_ns: Stamps, start_ns: int, stop_ns: int) -> tuple[Stamps, Stamps]:
    """Return where windows of a second begin and end, in steps of half a second from `start_ns` to `stop_ns`.

    Both at the first sample from then on: how a pose turned between two samples can only be guessed, and at 5 Hz the
    guess is 6 deg off in a quick turn.
    """
    inside = stamps_ns[(stamps_ns >= start_ns) & (stamps_ns <= stop_ns)]
    first = np.unique((inside - start_ns) // _WINDOW_STEP_NS, return_index=True)[1]
    last = np.searchsorted(inside, inside[first] + _WINDOW_NS)
    is_inside = last < len(inside)
    return inside[first[is_inside]], inside[last[is_inside]]


def _is_whole(e: Evidence, pose: PoseStream, starts_ns: Stamps, ends_ns: Stamps) -> np.ndarray:
    """Return which windows have poses without a gap, and tracking that is normal."""
    steps = np.diff(pose.stamp_ns)
    holes = np.flatnonzero(steps > max(GAP_FACTOR * median_step_ns(pose.stamp_ns), 1))
    bad = [(int(pose.stamp_ns[i]), int(pose.stamp_ns[i + 1])) for i in holes]
    if e.tracking is not None:
        lost = runs(e.tracking.state != TRACKING_NORMAL)
        bad += [(int(e.tracking.stamp_ns[i.first]), int(e.tracking.stamp_ns[i.last])) for i in lost]
    whole = np.ones(len(starts_ns), np.bool_)
    for first, last in bad:
        whole &= (starts_ns > last) | (ends_ns < first)
    return whole


def _joined(e: Evidence, stretches: list[tuple[int, int, float]]) -> list[FrameRange]:
    """Return frame ranges of overlapping stretches of time as one each, with the largest number inside."""
    ranges: list[FrameRange] = []
    for start_ns, end_ns, value in stretches:
        first = int(np.searchsorted(e.stamps_ns, start_ns))
        last = int(np.searchsorted(e.stamps_ns, end_ns, side="right")) - 1
        if first > last:
            continue
        if ranges and first <= ranges[-1].last + 1:
            before = ranges.pop()
            ranges.append(FrameRange(before.first, last, max(before.peak or 0.0, round(value, 2))))
        else:
            ranges.append(FrameRange(first, last, round(value, 2)))
    return ranges


def _stuck(e: Evidence, config: QualityConfig) -> Check:
    """Find poses that do not change although the gyro turns."""
    id_ = "pose_stuck"
    if e.pose is None or e.imu is None or len(e.pose.stamp_ns) < 2:
        return absent(id_, "pose", "needs poses and an IMU")
    both = np.hstack([e.pose.translation, e.pose.quaternion_xyzw])
    same = np.zeros(len(both), np.bool_)
    same[1:] = (np.diff(both, axis=0) == 0).all(axis=1)
    speed, felt_ns = lengths(e.imu.rotation_axes()), e.imu.stamp_ns
    found = []
    for item in runs(same):
        start, end = int(e.pose.stamp_ns[max(item.first - 1, 0)]), int(e.pose.stamp_ns[item.last])
        inside = speed[np.searchsorted(felt_ns, start) : np.searchsorted(felt_ns, end)]
        if end - start >= _STUCK_NS and len(inside) and np.nanmedian(inside) > config.moving_gyro_rad_s:
            found.append((start, end, float(np.nanmedian(inside))))
    ranges = tuple(_joined(e, found))
    detail = (
        f"poses stand still in {counted(len(found), 'stretch', 'stretches')} while the gyro turns"
        if found
        else "poses move whenever the gyro does"
    )
    return Check(
        id_,
        "pose",
        "warn" if found else "pass",
        detail,
        float(len(found)),
        "stretches",
        0.0,
        ranges,
        peak_unit="rad/s",
        peak_threshold=config.moving_gyro_rad_s,
        note="the pose stands still while the gyro turns",
    )


def _mesh(e: Evidence, config: QualityConfig) -> Check:
    if e.mesh is None:
        return absent("mesh", "mesh", "no mesh")
    mesh = e.mesh
    inside = mesh.share_inside(e.camera_position_m, margin_m=_MESH_MARGIN_M)
    problems = []
    if mesh.far:
        problems.append(f"{counted(mesh.far, 'vertex', 'vertices')} more than 100 m away")
    if mesh.degenerate > _DEGENERATE_RATIO * mesh.faces:
        problems.append(f"{mesh.degenerate} of {mesh.faces} faces have no area")
    if inside is not None and inside < config.mesh_path_min_ratio:
        problems.append(f"only {100 * inside:.0f} % of the camera's path lies within it")
    status: Status = "warn" if problems else "pass"
    detail = "; ".join(problems) or f"{mesh.faces:,} faces around the camera's path"
    value = None if inside is None else round(100 * inside, 2)
    return Check("mesh", "mesh", status, detail, value, "%", 100 * config.mesh_path_min_ratio)
