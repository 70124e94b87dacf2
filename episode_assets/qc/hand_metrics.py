"""The metric block of hands: how often, how sure, how large, how fast."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from episode_assets.qc.config import QualityConfig
from episode_assets.qc.evidence import Evidence
from episode_assets.qc.hand_checks import dropouts, longest_absence_s
from episode_assets.qc.hand_figures import HandFigures
from episode_assets.qc.hand_motion import wrist_speed
from episode_assets.qc.numbers import Block, number

Floats = NDArray[np.float64]

_MOVING_RAD_S = 0.2
"""Who turns the head faster than this is doing something, and hands are expected."""
_FEWEST, _LEAST_SPREAD = 10, 1e-6


def hand_metrics(e: Evidence, config: QualityConfig, *, duration_s: float) -> Block | None:
    """Return the block of hands, None where hands were not looked for; the duration is that of the whole file."""
    if e.hands is None or len(e) == 0:
        return None
    F, counts = len(e), e.hands.per_frame
    any_hand = int((counts >= 1).sum())
    sides = {"left": e.left, "right": e.right}
    return {
        "backend": e.hands.backend,
        "frames_total": F,
        "frames_with_any_hand": any_hand,
        "frames_with_any_hand_pct": _percent(any_hand, F),
        "frames_with_1plus_hand": any_hand,
        "frames_with_1plus_hand_pct": _percent(any_hand, F),
        "frames_with_2_hands": int((counts == 2).sum()),
        "frames_with_2_hands_pct": _percent(int((counts == 2).sum()), F),
        "frames_with_more_hands": int((counts > 2).sum()),
        "frames_with_more_hands_pct": _percent(int((counts > 2).sum()), F),
        "left_detection_pct": _percent(int(e.left.valid.sum()), F),
        "right_detection_pct": _percent(int(e.right.valid.sum()), F),
        "both_hands_pct": _percent(int((e.left.valid & e.right.valid).sum()), F),
        "wearer_any_hand_pct": _percent(int((e.left.valid | e.right.valid).sum()), F),
        "not_wearer_rows": e.hands.not_wearer,
        "has_3d": bool(e.left.has_metres.any() or e.right.has_metres.any()),
        "kpts_in_frame_pct": number(_in_frame_percent(e)),
        "palm_width_mean_m": number(_mean_over([hand.palm_width_m for hand in sides.values()])),
        "grip_closure_mean_m": number(_mean_over([hand.tip_m.ravel() for hand in sides.values()])),
        **{
            key: value
            for name, hand in sides.items()
            for key, value in _side(e, name, hand, duration_s).items()
        },
        **_of_wearer(e, config),
        "any_hand_s": number(float(e.seconds[e.left.valid | e.right.valid].sum())),
        "both_hands_s": number(float(e.seconds[e.left.valid & e.right.valid].sum())),
    }


def _of_wearer(e: Evidence, config: QualityConfig) -> Block:
    """Return what is known of the wearer's hands beyond how often they are seen."""
    any_hand = e.left.valid | e.right.valid
    moving = np.nan_to_num(e.gyro_rad_s) > _MOVING_RAD_S
    lost = sum(int(dropouts(e, hand, config.hand_dropout_frames).sum()) for hand in (e.left, e.right))
    return {
        "longest_absence_s": number(longest_absence_s(e)),
        "wearer_any_hand_moving_pct": _percent(int((any_hand & moving).sum()), int(moving.sum())),
        "dropout_frames": lost,
        "confidence_vs_bone_error": number(_confidence_against_error(e)),
    }


def _confidence_against_error(e: Evidence) -> float | None:
    """Return the correlation of confidence and bone error; None where either hardly changes. Negative is good."""
    confidence, error = [], []
    for hand in (e.left, e.right):
        deviation = hand.bone_deviation
        known = np.isfinite(deviation) & hand.valid
        confidence.append(hand.confidence[known].astype(np.float64))
        error.append(deviation[known])
    x, y = np.concatenate(confidence), np.concatenate(error)
    if len(x) < _FEWEST or min(float(np.std(x)), float(np.std(y))) < _LEAST_SPREAD:
        return None
    return float(np.corrcoef(x, y)[0, 1])


def _wrist_track(hand: HandFigures, pictures: int, duration_s: float) -> Block:
    """Return way and speed of the wrist in the camera's frame as Stera has them.

    From one detection to the next whatever lies between, at the mean rate of the recording; `wrist_speed` is the true
    one.
    """
    wrist = hand.wrist_cam.astype(np.float64)
    wrist = wrist[np.isfinite(wrist).all(axis=1)]
    if len(wrist) < 2:
        return {"length_m": None, "speed_mean_mps": None, "speed_max_mps": None}
    steps = np.linalg.norm(np.diff(wrist, axis=0), axis=1)
    rate_hz = max(pictures / duration_s if duration_s > 0 else 30.0, 1.0)
    return {
        "length_m": number(steps.sum()),
        "speed_mean_mps": number(steps.mean() * rate_hz),
        "speed_max_mps": number(steps.max() * rate_hz),
    }


def _percent(part: int, whole: int) -> float | None:
    return number(100 * part / whole) if whole > 0 else 0.0


def _side(e: Evidence, name: str, hand: HandFigures, duration_s: float) -> Block:
    confidence = hand.confidence[hand.is_measured]
    speed = wrist_speed(e, hand)
    speed = speed[np.isfinite(speed)]
    depth = hand.wrist_cam[:, 2]
    return {
        f"{name}_conf_mean": number(confidence.mean()) if len(confidence) else None,
        **{
            f"{name}_conf_p{p}": number(np.percentile(confidence, p)) if len(confidence) else None
            for p in (10, 50, 90)
        },
        f"{name}_wrist_track": _wrist_track(hand, len(e.rgb_stamps_ns), duration_s),
        f"{name}_wrist_depth_mean_m": number(np.nanmean(depth)) if np.isfinite(depth).any() else None,
        f"{name}_wrist_speed_mean_mps": number(speed.mean()) if len(speed) else None,
        f"{name}_wrist_speed_max_mps": number(speed.max()) if len(speed) else None,
    }


def _in_frame_percent(e: Evidence) -> float | None:
    known = sum(int(hand.joints_seen.sum(dtype=np.int64)) for hand in (e.left, e.right))
    inside = sum(int(hand.joints_inside.sum(dtype=np.int64)) for hand in (e.left, e.right))
    return 100 * inside / known if known else None


def _mean_over(parts: list[NDArray[np.float32]]) -> float | None:
    values = np.concatenate(parts)
    values = values[np.isfinite(values)].astype(np.float64)
    return float(values.mean()) if len(values) else None
