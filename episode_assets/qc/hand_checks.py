"""Checks of hands without ground truth: are they there, could they be hands, and whose.

What joints say about themselves is measured in `hand_figures`, which side is which in `hand_sides`; here the numbers
meet their thresholds. A single odd frame is the noise of an estimate: a check objects when odd frames come in a row or
make up more than a share of all.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from episode_assets.qc.checks import Check, Status, absent, counted, from_ranges, with_peak
from episode_assets.qc.config import QualityConfig
from episode_assets.qc.evidence import Evidence
from episode_assets.qc.hand_figures import HandFigures
from episode_assets.qc.hand_motion import joint_speed, wrist_acceleration, wrist_speed, wrist_tremble
from episode_assets.qc.hand_sides import side_votes, swapped, wrist_places
from episode_assets.qc.ranges import Flags, runs

Floats = NDArray[np.float64]

HAND_ERRORS = ("hand_bones", "hand_angles", "hand_speed", "hand_swap", "hand_chirality", "hand_other_person")
"""Checks whose frames cost points: what they find is no hand of the wearer as it was."""

_ALL = (
    "hand_presence",
    "hand_bones",
    "hand_size",
    "hand_angles",
    "hand_speed",
    "hand_jitter",
    "hand_swap",
    "hand_chirality",
    "hand_same_side",
    "hand_other_person",
    "hand_reprojection",
    "hand_depth",
    "hand_confidence",
    "hand_dropouts",
    "hand_hidden",
)
_USUAL_POINTING = 0.3
_OPPOSITE = -0.5
_FAR_SIDE = 0.15
"""Hands that point the other way, by 120 degrees, and whose wrist lies beyond the middle, by 15 % of the height."""

_SLOWEST_STEP_NS = 120_000_000
"""Trembling is told from motion at 10 pictures per second and more, and as many as jitter of their clock makes it."""
_FEWEST_TREMBLES = 10


def hand_checks(e: Evidence, config: QualityConfig) -> list[Check]:
    """Return all checks of hands."""
    if e.hands is None:
        return [Check(id_, "hands", "not_run", "hands were not looked for") for id_ in _ALL]
    if not (e.left.valid.any() or e.right.valid.any()):
        none = "no hand of the wearer is seen"
        presence = _presence(e, config)
        return [presence, *(absent(id_, "hands", none) for id_ in _ALL if id_ != presence.id)]
    is_swapped = swapped(
        e,
        wrist_places(e, least_m=config.hand_swap_least_m, least_width_share=config.hand_swap_least_width),
        ratio=config.hand_swap_ratio,
    )
    wrong_side = _wrong_side(e, config, is_swapped)
    return [
        _presence(e, config),
        _bones(e, config),
        _size(e, config),
        _angles(e, config, is_swapped | wrong_side.flags),
        _speed(e, config, is_swapped),
        _jitter(e, config),
        _swap(e, is_swapped),
        _judged(
            "hand_chirality", e, config, wrong_side, note="with a hand whose fingers bend to the wrong side"
        ),
        _same_side(e),
        _other_person(e, config),
        _reprojection(e, config),
        _depth(e, config),
        _confidence(e, config),
        _dropouts(e, config),
        _hidden(e, config),
    ]


@dataclass(frozen=True)
class _Odd:
    """Frames (F,) that are odd, the numbers (F,) that say so, and their unit and threshold."""

    flags: Flags
    values: Floats
    unit: str = ""
    threshold: float | None = None


def _judged(id_: str, e: Evidence, config: QualityConfig, odd: _Odd, *, note: str) -> Check:
    """Let a check object to odd frames that are too many, or too many in a row, to be noise."""
    ranges = with_peak(runs(odd.flags, breaks=e.gap_before), odd.values)
    with_hand = int((e.left.valid | e.right.valid).sum())
    share = int(odd.flags.sum()) / max(with_hand, 1)
    longest = max((len(item) for item in ranges), default=0)
    is_noise = share <= config.hand_odd_share_max and longest < config.hand_odd_frames_min
    return from_ranges(
        id_,
        "hands",
        ranges,
        found="pass" if is_noise else "warn",
        seconds=e.seconds,
        note=note,
        threshold=odd.threshold,
        peak_unit=odd.unit,
    )


def _over(left: Floats, right: Floats, limit: float, unit: str) -> _Odd:
    """Return the frames in which the number (F,) of either hand is above a limit."""
    worst = np.fmax(left, right)
    return _Odd(np.nan_to_num(worst, nan=-np.inf) > limit, worst, unit, limit)


def _presence(e: Evidence, config: QualityConfig) -> Check:
    any_hand = e.left.valid | e.right.valid
    percent = 100 * float(any_hand.mean()) if len(e) else 0.0
    good, ok = config.hand_any_thresholds
    detail = f"a hand of the wearer is seen in {percent:.0f} % of the frames"
    status: Status = "pass" if percent >= ok else "warn"
    # A recording without any hand may be just that; a recording with few is worth a look.
    if not any_hand.any():
        return Check("hand_presence", "hands", "pass", "no hand of the wearer is seen", 0.0, "%", good)
    return Check(
        "hand_presence",
        "hands",
        status,
        f"{detail}; longest absence {longest_absence_s(e):.1f} s",
        round(percent, 2),
        "%",
        good,
    )


def longest_absence_s(e: Evidence) -> float:
    """Return the longest time without any hand of the wearer, in seconds, gaps not counted."""
    absences = runs(~(e.left.valid | e.right.valid), breaks=e.gap_before)
    return max((float(e.seconds[item.first : item.last + 1].sum()) for item in absences), default=0.0)


def _bones(e: Evidence, config: QualityConfig) -> Check:
    if not any(np.isfinite(hand.bone_deviation).any() for hand in (e.left, e.right)):
        return absent("hand_bones", "hands", "no hand in metres")
    shape = _over(e.left.bone_deviation, e.right.bone_deviation, config.hand_bone_deviation_max, "")
    off = [np.abs(hand.bone_scale - 1) for hand in (e.left, e.right)]
    size = _over(off[0], off[1], config.hand_scale_deviation_max, "")
    both = _Odd(shape.flags | size.flags, np.fmax(shape.values, size.values), "", shape.threshold)
    return _judged("hand_bones", e, config, both, note="with a hand of another size or shape")


def _size(e: Evidence, config: QualityConfig) -> Check:
    """Judge the usual size of each hand; frames in which it differs from the usual are those of `hand_bones`."""
    limits = (
        ("from wrist to middle knuckle", config.hand_length_min_m, config.hand_length_max_m),
        ("across the knuckles", config.palm_width_min_m, config.palm_width_max_m),
    )
    odd, sizes = [], []
    for name, hand in (("left", e.left), ("right", e.right)):
        for value, (words, least, most) in zip(hand.usual_palm_m, limits, strict=True):
            if np.isfinite(value):
                sizes.append(float(value))
                if not least <= value <= most:
                    odd.append(f"the {name} hand is {100 * value:.1f} cm {words}")
    if not sizes:
        return absent("hand_size", "hands", "no hand in metres")
    status: Status = "warn" if odd else "pass"
    detail = "; ".join(odd) or "hands have the size of hands"
    return Check("hand_size", "hands", status, detail, round(max(sizes), 4), "m", config.hand_length_max_m)


def _angles(e: Evidence, config: QualityConfig, is_other_side: Flags) -> Check:
    """Find fingers that bend or cross as none do; of hands with the wrong side nothing can be said."""
    flags, worst = np.zeros(len(e), np.bool_), np.full(len(e), np.nan)
    for hand in (e.left, e.right):
        least, most = hand.flexion_deg.T
        crossed = hand.finger_order_m < -config.hand_crossing_m
        bent = (least < -config.hand_bent_back_max_deg) | (most > config.hand_bent_max_deg)
        flags |= (bent | crossed) & hand.is_measured
        worst = np.fmax(worst, np.fmax(-least, most))
    if not np.isfinite(worst).any():
        return absent("hand_angles", "hands", "no hand in metres")
    odd = _Odd(flags & ~is_other_side, worst, "deg", config.hand_bent_max_deg)
    return _judged("hand_angles", e, config, odd, note="with fingers that bend or cross as none do")


def _speed(e: Evidence, config: QualityConfig, is_swapped: Flags) -> Check:
    """Find impossible speeds; that a wrist jumps to the other one where sides are exchanged is told there."""
    is_edge = np.zeros(len(e), np.bool_)
    is_edge[1:] = is_swapped[1:] != is_swapped[:-1]
    flags, fastest = np.zeros(len(e), np.bool_), np.full(len(e), np.nan)
    for hand in (e.left, e.right):
        wrist, joint = wrist_speed(e, hand), joint_speed(e, hand)
        too_fast = (wrist > config.hand_speed_max_m_s) | (joint > config.hand_joint_speed_max_m_s)
        explained = too_fast | is_edge
        # A jump accelerates on both sides of it, and is one finding.
        explained |= np.append(explained[1:], False)
        jerked = wrist_acceleration(e, hand) > config.hand_acceleration_max_m_s2
        flags |= (too_fast & ~is_edge) | (jerked & ~explained)
        fastest = np.fmax(fastest, wrist)
    if not np.isfinite(fastest).any():
        return absent("hand_speed", "hands", "no hand in world coordinates in neighbouring frames")
    odd = _Odd(flags, fastest, "m/s", config.hand_speed_max_m_s)
    return _judged("hand_speed", e, config, odd, note="with a hand that moves impossibly fast")


def _jitter(e: Evidence, config: QualityConfig) -> Check:
    if e.median_step_ns > _SLOWEST_STEP_NS:
        return absent("hand_jitter", "hands", "hands move on their own between pictures that far apart")
    quiet = e.gyro_rad_s < config.hand_quiet_rad_s
    trembles = np.concatenate([wrist_tremble(e, hand)[quiet] for hand in (e.left, e.right)])
    trembles = trembles[np.isfinite(trembles)]
    if len(trembles) < _FEWEST_TREMBLES:
        return absent("hand_jitter", "hands", "too few hands in world coordinates while the camera is quiet")
    median_mm = 1000 * float(np.median(trembles))
    status: Status = "warn" if median_mm > config.hand_jitter_max_mm else "pass"
    detail = f"wrists tremble by {median_mm:.1f} mm while the camera is quiet"
    return Check("hand_jitter", "hands", status, detail, round(median_mm, 3), "mm", config.hand_jitter_max_mm)


def _swap(e: Evidence, is_swapped: Flags) -> Check:
    """Object to a single frame: an estimate is off by centimetres, sides are right or wrong."""
    ranges = runs(is_swapped, breaks=e.gap_before)
    return from_ranges(
        "hand_swap",
        "hands",
        ranges,
        found="warn",
        seconds=e.seconds,
        note="in which left and right are exchanged",
    )


def _wrong_side(e: Evidence, config: QualityConfig, is_swapped: Flags) -> _Odd:
    """Find hands whose fingers contradict their side for longer than an estimate errs."""
    at_least = max(1, round(config.hand_other_s * 1e9 / e.median_step_ns)) if e.median_step_ns else 1
    flags, worst = np.zeros(len(e), np.bool_), np.zeros(len(e))
    for hand, is_right in ((e.left, False), (e.right, True)):
        votes = side_votes(hand, is_right=is_right)
        for item in runs((votes < 0) & ~is_swapped, breaks=e.gap_before, at_least=at_least):
            flags[item.first : item.last + 1] = True
        worst = np.maximum(worst, -votes)
    return _Odd(flags, worst)


def _same_side(e: Evidence) -> Check:
    assert e.hands is not None
    ranges = runs(e.hands.same_side, breaks=e.gap_before)
    return from_ranges(
        "hand_same_side",
        "hands",
        ranges,
        found="warn" if len(ranges) > 0 else "pass",
        seconds=e.seconds,
        note="with two hands of one side",
    )


def _other_person(e: Evidence, config: QualityConfig) -> Check:
    """Find hands of the wearer that are out of reach, or come from the other side of the picture."""
    flags, farthest = np.zeros(len(e), np.bool_), np.full(len(e), np.nan)
    at_least = max(1, round(config.hand_other_s * 1e9 / e.median_step_ns)) if e.median_step_ns else 1
    for hand in (e.left, e.right):
        reach = np.linalg.norm(hand.wrist_cam.astype(np.float64), axis=1)
        far = np.nan_to_num(reach) > config.hand_reach_max_m
        for item in runs(far | _comes_from_beyond(e, hand), breaks=e.gap_before, at_least=at_least):
            flags[item.first : item.last + 1] = True
        farthest = np.fmax(farthest, reach)
    assert e.hands is not None
    odd = _Odd(flags, farthest, "m", config.hand_reach_max_m)
    return _judged("hand_other_person", e, config, odd, note="with a hand that seems to be somebody else's")


def _comes_from_beyond(e: Evidence, hand: HandFigures) -> Flags:
    """Return (F,) whether the hand points against the wearer's hands, with its wrist in the part they point to."""
    ways = np.concatenate([e.left.pointing, e.right.pointing])
    known = ways[np.isfinite(ways).all(axis=1)]
    if len(known) == 0:
        return np.zeros(len(e), np.bool_)
    usual = known.mean(axis=0)
    size = float(np.linalg.norm(usual))
    if not size > _USUAL_POINTING:
        return np.zeros(len(e), np.bool_)
    middle = np.array(e.picture_size) / 2
    beyond = (hand.wrist_px - middle) @ (usual / size)
    against = hand.pointing @ (usual / size)
    return np.asarray((against < _OPPOSITE) & (beyond > _FAR_SIDE * min(e.picture_size)))


def _reprojection(e: Evidence, config: QualityConfig) -> Check:
    shares = [hand.reprojection_px / e.picture_size[0] for hand in (e.left, e.right)]
    if not any(np.isfinite(share).any() for share in shares):
        return absent("hand_reprojection", "hands", "needs hands in metres and in pixels, and a calibration")
    odd = _over(shares[0], shares[1], config.hand_reprojection_max, "of the width")
    return _judged(
        "hand_reprojection", e, config, odd, note="whose joints in metres and in pixels do not fit"
    )


def _depth(e: Evidence, config: QualityConfig) -> Check:
    behind = () if e.depth is None else (e.depth.left_hand_m, e.depth.right_hand_m)
    offsets = [np.abs(offset) for offset in behind]
    if not any(np.isfinite(offset).any() for offset in offsets):
        return absent("hand_depth", "hands", "needs hands in metres and depth")
    odd = _over(offsets[0], offsets[1], config.hand_depth_offset_max_m, "m")
    return _judged("hand_depth", e, config, odd, note="with a hand off the depth that was measured")


def _confidence(e: Evidence, config: QualityConfig) -> Check:
    values = np.concatenate([hand.confidence[hand.is_measured] for hand in (e.left, e.right)])
    if len(values) == 0:
        return absent("hand_confidence", "hands", "no hand was read in its picture")
    p10, p50 = np.percentile(values, (10, 50))
    share = float((values < config.hand_confidence_low).mean())
    status: Status = "warn" if share > config.hand_low_share_max else "pass"
    detail = f"confidence {p50:.2f} in the middle, {p10:.2f} or less in a tenth; {100 * share:.0f} % below "
    return Check(
        "hand_confidence",
        "hands",
        status,
        f"{detail}{config.hand_confidence_low:g}",
        round(100 * share, 2),
        "%",
        100 * config.hand_low_share_max,
    )


def dropouts(e: Evidence, hand: HandFigures, most: int) -> Flags:
    """Return (F,) frames in which a hand is missing that is there just before and after, for up to `most` frames."""
    flags = np.zeros(len(e), np.bool_)
    for item in runs(~hand.valid, breaks=e.gap_before):
        is_inside = item.first > 0 and item.last + 1 < len(e)
        if is_inside and len(item) <= most and not e.gap_before[item.first : item.last + 2].any():
            flags[item.first : item.last + 1] = True
    return flags


def _dropouts(e: Evidence, config: QualityConfig) -> Check:
    flags = [dropouts(e, hand, config.hand_dropout_frames) for hand in (e.left, e.right)]
    lost = sum(int(side.sum()) for side in flags)
    share = lost / max(int(e.left.valid.sum() + e.right.valid.sum()) + lost, 1)
    ranges = tuple(runs(flags[0] | flags[1], breaks=e.gap_before))
    status: Status = "warn" if share > config.hand_dropout_share_max else "pass"
    return Check(
        "hand_dropouts",
        "hands",
        status,
        f"{counted(lost, 'hand')} lost for up to {counted(config.hand_dropout_frames, 'frame')} at a time "
        f"({100 * share:.1f} %)",
        round(100 * share, 2),
        "%",
        100 * config.hand_dropout_share_max,
        ranges,
        note="a hand is lost for a moment",
    )


def _hidden(e: Evidence, config: QualityConfig) -> Check:
    odd = _over(e.left.hidden_share, e.right.hidden_share, config.hand_hidden_ratio_min, "of the joints")
    return _judged("hand_hidden", e, config, odd, note="with a hand under a blurred rectangle")
