"""Checks of hands without ground truth: presence, constant bones, possible speeds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from episode_assets.bundle import HandArrays
from episode_assets.bundle.layout import FINGER_BONES, MEASURED
from episode_assets.qc.checks import Check, Status, absent, from_ranges, with_peak
from episode_assets.qc.config import QualityConfig
from episode_assets.qc.evidence import Evidence
from episode_assets.qc.ranges import Flags, runs

Floats = NDArray[np.float64]

_WRIST, _MIDDLE_MCP = 0, 9
_PLAUSIBLE_M = (0.05, 0.13)


def hand_checks(e: Evidence, config: QualityConfig) -> list[Check]:
    """Return all checks of hands."""
    if e.hands is None:
        why = "hands were not looked for"
        return [Check(id_, "hands", "not_run", why) for id_ in ("hand_presence", "hand_bones", "hand_speed")]
    return [_presence(e, config), _bones(e, config), _speed(e, config)]


def _presence(e: Evidence, config: QualityConfig) -> Check:
    any_hand = e.left.valid | e.right.valid
    percent = 100 * float(any_hand.mean()) if len(e) else 0.0
    good, ok = config.hand_any_thresholds
    detail = f"a hand of the wearer is seen in {percent:.0f} % of the frames"
    absences = runs(~any_hand, breaks=e.gap_before)
    longest = max((float(e.seconds[item.first : item.last + 1].sum()) for item in absences), default=0.0)
    status: Status = "pass" if percent >= ok else "warn"
    # A recording without any hand may be just that; a recording with few is worth a look.
    if not any_hand.any():
        return Check("hand_presence", "hands", "pass", "no hand of the wearer is seen", 0.0, "%", good)
    return Check(
        "hand_presence",
        "hands",
        status,
        f"{detail}; longest absence {longest:.1f} s",
        round(percent, 2),
        "%",
        good,
    )


@dataclass(frozen=True)
class BoneFigures:
    """How far each measured hand is from the recording's own hand; (F,) NaN where not measured."""

    deviation: Floats
    size_m: Floats


def bone_figures(hand: HandArrays) -> BoneFigures:
    """Compare bone lengths of every measured metric hand with their medians over the recording."""
    joints = hand.joints_cam.astype(np.float64)
    parents, children = np.array(FINGER_BONES).T
    lengths = np.linalg.norm(joints[:, children] - joints[:, parents], axis=2)
    is_measured = (hand.kind == MEASURED) & np.isfinite(lengths).any(axis=1)
    deviation, size = np.full(len(joints), np.nan), np.full(len(joints), np.nan)
    known = (
        np.isfinite(lengths[is_measured]).any(axis=0)
        if is_measured.any()
        else np.zeros(len(FINGER_BONES), np.bool_)
    )
    if known.any():
        measured = lengths[is_measured][:, known]
        relative = np.abs(measured / np.nanmedian(measured, axis=0) - 1)
        deviation[is_measured] = _row_medians(relative)
        size[is_measured] = np.linalg.norm(joints[:, _MIDDLE_MCP] - joints[:, _WRIST], axis=1)[is_measured]
    return BoneFigures(deviation, size)


def _row_medians(values: Floats) -> Floats:
    """Return the median of the finite values of each row, NaN where there is none."""
    medians = np.full(len(values), np.nan)
    has_any = np.isfinite(values).any(axis=1)
    medians[has_any] = np.nanmedian(values[has_any], axis=1)
    return medians


def _bones(e: Evidence, config: QualityConfig) -> Check:
    flags = np.zeros(len(e), np.bool_)
    worst = np.zeros(len(e))
    for hand in (e.left, e.right):
        figures = bone_figures(hand)
        deviation, size = np.nan_to_num(figures.deviation), figures.size_m
        with np.errstate(invalid="ignore"):
            odd = (size < _PLAUSIBLE_M[0]) | (size > _PLAUSIBLE_M[1])
        flags |= (deviation > config.hand_bone_deviation_max) | odd
        worst = np.maximum(worst, deviation)
    if not (np.isfinite(e.left.joints_cam).any() or np.isfinite(e.right.joints_cam).any()):
        return absent("hand_bones", "hands", "no hand in metres")
    return _share_check(
        "hand_bones",
        e,
        flags,
        worst,
        note="with a hand of another size or shape",
        threshold=config.hand_bone_deviation_max,
    )


def _speed(e: Evidence, config: QualityConfig) -> Check:
    flags = np.zeros(len(e), np.bool_)
    fastest = np.zeros(len(e))
    is_known = False
    for hand in (e.left, e.right):
        speed = wrist_speed(e, hand)
        is_known |= bool(np.isfinite(speed).any())
        speed = np.nan_to_num(speed)
        flags |= speed > config.hand_speed_max_m_s
        fastest = np.maximum(fastest, speed)
    if not is_known:
        return absent("hand_speed", "hands", "no hand in world coordinates in neighbouring frames")
    return _share_check(
        "hand_speed",
        e,
        flags,
        fastest,
        note="with a wrist that moves impossibly fast",
        threshold=config.hand_speed_max_m_s,
    )


def wrist_speed(e: Evidence, hand: HandArrays) -> Floats:
    """Return the speed of the wrist in the world, (F,) m/s from the frame before; NaN across gaps and unknowns."""
    wrist = hand.joints_world[:, _WRIST].astype(np.float64)
    speed = np.full(len(e), np.nan)
    speed[1:] = np.linalg.norm(np.diff(wrist, axis=0), axis=1) / (np.diff(e.stamps_ns) / 1e9)
    speed[e.gap_before] = np.nan
    return speed


def _share_check(
    id_: str, e: Evidence, flags: Flags, values: Floats, *, note: str, threshold: float
) -> Check:
    """Single odd frames are noise of the estimate; more than 2 % of the frames ask for a look."""
    ranges = with_peak(runs(flags), values)
    share = float(flags.mean()) if len(flags) else 0.0
    status: Status = "warn" if share > 0.02 else "pass"
    return from_ranges(id_, "hands", ranges, found=status, seconds=e.seconds, note=note, threshold=threshold)
