"""Checks of the depth images: how much is measured and where, whether they change, and whether their size is right."""

from __future__ import annotations

import numpy as np

from episode_assets.qc.checks import Check, Status, absent, from_ranges, with_peak
from episode_assets.qc.config import QualityConfig
from episode_assets.qc.depth_figures import DepthNumbers
from episode_assets.qc.evidence import Evidence
from episode_assets.qc.motion_evidence import moves
from episode_assets.qc.ranges import FrameRange, runs
from episode_assets.recording.streams import ASPECT_TOLERANCE

_IDS = ("depth_valid", "depth_centre", "depth_saturated", "depth_constant", "depth_frozen", "depth_size")


def depth_checks(e: Evidence, config: QualityConfig) -> list[Check]:
    """Return all checks of depth."""
    if e.depth is None:
        return [absent(id_, "depth", "no depth") for id_ in _IDS]
    return [
        _valid(e, e.depth, config),
        _centre(e.depth, config),
        _saturated(e.depth, config),
        _constant(e, e.depth),
        _frozen(e, e.depth, config),
        _size(e, e.depth),
    ]


def _valid(e: Evidence, depth: DepthNumbers, config: QualityConfig) -> Check:
    ratio = depth.valid_ratio
    mean = float(np.nanmean(ratio)) if depth.has.any() else 0.0
    poor = np.nan_to_num(ratio, nan=1.0) < config.depth_low_ratio
    ranges = with_peak(runs(poor, at_least=config.depth_frames_min), ratio, lowest=True)
    found = from_ranges(
        "depth_valid", "depth", ranges, found="warn", seconds=e.seconds, note="poor in depth (valid share)"
    )
    # Below what is good points are lost, and what costs points is told.
    good, _ = config.depth_valid_thresholds
    status: Status = "warn" if 100 * mean < good else found.status
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


def _centre(depth: DepthNumbers, config: QualityConfig) -> Check:
    known = depth.centre_valid_ratio[np.isfinite(depth.centre_valid_ratio)]
    if len(known) == 0:
        return absent("depth_centre", "depth", "no depth image")
    mean = float(known.mean())
    status: Status = "warn" if mean < config.depth_centre_min_ratio else "pass"
    detail = f"{100 * mean:.0f} % of the middle of the depth images is measured"
    limit = 100 * config.depth_centre_min_ratio
    return Check("depth_centre", "depth", status, detail, round(100 * mean, 2), "%", limit)


def _saturated(depth: DepthNumbers, config: QualityConfig) -> Check:
    known = depth.saturated_ratio[np.isfinite(depth.saturated_ratio)]
    mean = float(known.mean()) if len(known) else 0.0
    status: Status = "warn" if mean > config.depth_saturated_max_ratio else "pass"
    detail = f"{100 * mean:.1f} % of depth pixels hold the largest number there is (65,535)"
    limit = 100 * config.depth_saturated_max_ratio
    return Check("depth_saturated", "depth", status, detail, round(100 * mean, 2), "%", limit)


def _constant(e: Evidence, depth: DepthNumbers) -> Check:
    return from_ranges(
        "depth_constant",
        "depth",
        runs(depth.is_constant),
        found="warn",
        seconds=e.seconds,
        note="whose depth is one and the same everywhere",
    )


def _frozen(e: Evidence, depth: DepthNumbers, config: QualityConfig) -> Check:
    """Find depth that is repeated while the camera moves; before a tripod it may well stay the same."""
    same = runs(depth.is_repeated, breaks=e.gap_before)
    frozen = [
        item
        for item in same
        if _messages(depth, item) >= config.frozen_frames_min
        and moves(e, config, FrameRange(max(item.first - 1, 0), item.last))
    ]
    note = "whose depth is frozen while the camera moves"
    return from_ranges("depth_frozen", "depth", frozen, found="warn", seconds=e.seconds, note=note)


def _messages(depth: DepthNumbers, item: FrameRange) -> int:
    """Return how many images a range holds; where the pictures are faster, several frames share one."""
    return len(np.unique(depth.message_number[item.first : item.last + 1]))


def _size(e: Evidence, depth: DepthNumbers) -> Check:
    """Compare the size of the images with that of their calibration and their shape with that of the pictures."""
    (width, height), (picture_width, picture_height) = depth.size, e.picture_size
    stretch = (width / height) / (picture_width / picture_height)
    problems = []
    if abs(stretch - 1) > ASPECT_TOLERANCE:
        problems.append(f"depth of {width}x{height} has another shape than pictures of {e.picture_size}")
    if e.depth_calibration is not None and e.depth_calibration.size != depth.size:
        stated = "x".join(str(side) for side in e.depth_calibration.size)
        problems.append(f"the calibration is for {stated}, the images are {width}x{height}")
    status: Status = "warn" if problems else "pass"
    return Check("depth_size", "depth", status, "; ".join(problems) or f"{width}x{height}, as calibrated")
