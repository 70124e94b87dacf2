"""From evidence to judgement: the comparison score, our score with its reasons, and the verdict.

Thresholds come from the configuration; nothing is measured here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from episode_assets.outcome import Json
from episode_assets.qc.checks import Check
from episode_assets.qc.clock import recorded_s, share_of_time
from episode_assets.qc.config import QualityConfig
from episode_assets.qc.evidence import Evidence
from episode_assets.qc.hand_checks import HAND_ERRORS
from episode_assets.qc.intervals import KeptInterval
from episode_assets.qc.metrics import block_number
from episode_assets.qc.numbers import Block
from episode_assets.qc.ranges import Flags, flags_of

Verdict = Literal["pass", "review", "fail"]

_SYNC_STREAMS: Mapping[str, tuple[str, ...]] = {
    "sync_pose_imu": ("pose", "imu"),
    "sync_rgb_imu": ("imu",),
    "sync_rgb_pose": ("pose",),
    "sync_rgb_depth": ("depth",),
    "sync_drift": ("imu",),
}
"""The streams beside the pictures that each check of offsets judges."""
_OF_STREAM: Mapping[str, str] = {
    **dict.fromkeys(("depth_missing", "depth_gap", "depth_valid"), "depth"),
    **dict.fromkeys(("pose_missing", "pose_gap", "pose_validity", "pose_jump", "tracking_lost"), "pose"),
    **dict.fromkeys(("imu_missing", "imu_gap", "imu_validity"), "imu"),
    **dict.fromkeys(("hands_missing", "hands"), "hands"),
}
"""The stream that each deduction speaks about: together they cost no more than its absence."""


@dataclass(frozen=True)
class Deduction:
    """Points that were lost for one reason.

    Attributes:
        reason: Id of a check, of a group of checks or of an absent stream.
        points: Points lost.
        text: Why, in words.
        checks: Ids of the checks whose findings share the points; empty means the one called like the reason.
        stream: The stream concerned where no check objects.
    """

    reason: str
    points: float
    text: str
    checks: tuple[str, ...] = ()
    stream: str = ""

    @property
    def kinds(self) -> tuple[str, ...]:
        """Kinds of the findings that share the points."""
        return self.checks or (self.reason,)


def stera_score(
    blocks: Mapping[str, Block | None], config: QualityConfig, *, has_pose: bool
) -> tuple[float, list[Deduction]]:
    """Return Stera's score with its own formula on the same inputs, for comparison only."""
    lost = [
        Deduction(
            "rgb_gaps", min(config.rgb_gap_max_penalty, _of(blocks, "rgb", "gap_count") or 0.0), "RGB gaps"
        )
    ]
    if blocks.get("depth") is not None:
        points = _under(
            config.depth_valid_target, _of(blocks, "depth", "valid_pct_mean"), config.depth_valid_weight
        )
        lost.append(Deduction("depth_valid", points, "valid depth"))
    elif config.depth_required:
        lost.append(Deduction("depth_missing", config.depth_missing_penalty, "no depth"))
    if not has_pose:
        lost.append(Deduction("pose_missing", config.pose_missing_penalty, "no poses"))
    if blocks.get("imu") is None and config.imu_required:
        lost.append(Deduction("imu_missing", config.imu_missing_penalty, "no IMU"))
    sync = blocks.get("sync") or {}
    for pair in ("rgb_vs_depth", "rgb_vs_pose"):
        figures = sync.get(pair)
        if isinstance(figures, Mapping):
            share = figures.get("within_50ms_pct")
            points = _under(config.sync_target, _as_float(share), config.sync_weight)
            lost.append(Deduction(f"sync_{pair}", points, f"sync {pair}"))
    lost.extend(_stera_hands(blocks, config))
    lost = [item for item in lost if item.points > 0]
    return float(np.clip(100 - sum(item.points for item in lost), 0, 100)), lost


def _stera_hands(blocks: Mapping[str, Block | None], config: QualityConfig) -> list[Deduction]:
    if blocks.get("hands") is None:
        return [Deduction("hands_missing", config.hand_missing_penalty, "hands not run")]
    return [
        Deduction("hands_any", _under(target, _of(blocks, "hands", key), weight), text)
        for key, target, weight, text in (
            ("frames_with_any_hand_pct", config.hand_any_target, config.hand_any_weight, "any hand"),
            ("frames_with_1plus_hand_pct", config.hand_1plus_target, config.hand_1plus_weight, "one hand"),
            ("frames_with_2_hands_pct", config.hand_2_target, config.hand_2_weight, "two hands"),
        )
    ]


def _under(target: float, value: float | None, weight: float) -> float:
    return 0.0 if value is None or weight <= 0 else max(0.0, target - value) * weight


def _of(blocks: Mapping[str, Block | None], block: str, key: str) -> float | None:
    return block_number(blocks, block, key)


def _as_float(value: Json) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def score(e: Evidence, checks: Sequence[Check], config: QualityConfig) -> tuple[float, list[Deduction]]:
    """Return our score from 0 to 100 and what was deducted: weight times affected share of time, by reason."""
    by_id = {check.id: check for check in checks}
    if len(e) == 0:
        return 0.0, [Deduction("rgb_missing", 100.0, "no picture was decoded", stream="rgb")]
    of_streams = _capped(
        [*_stream_deductions(e, by_id, config), *_absence_deductions(e, config)], _absence_points(config)
    )
    lost = [
        *_picture_deductions(e, by_id, config),
        *of_streams,
        _sync_deduction(by_id, of_streams, config),
    ]
    lost = [replace(item, points=round(item.points, 2)) for item in lost if item.points >= 0.005]
    total = float(np.clip(100 - sum(item.points for item in lost), 0, 100))
    not_run = [check.id for check in checks if check.status == "not_run"]
    if not_run and total > config.not_run_cap and not _is_precomputed(e):
        lost.append(
            Deduction("not_run", round(total - config.not_run_cap, 2), f"not run: {', '.join(not_run)}")
        )
        total = config.not_run_cap
    return round(total, 2), lost


def _is_precomputed(e: Evidence) -> bool:
    """Return whether hands were handed in: then no network was left out, and what cannot be judged is only named."""
    return e.hands is not None and "precomputed" in e.hands.backend.split(",")


def _frames_of(e: Evidence, by_id: Mapping[str, Check], *ids: str) -> Flags:
    flags = np.zeros(len(e), np.bool_)
    for id_ in ids:
        check = by_id.get(id_)
        if check is not None and check.status in ("warn", "fail"):
            flags |= flags_of(list(check.ranges), len(e))
    return flags


def _picture_deductions(e: Evidence, by_id: Mapping[str, Check], config: QualityConfig) -> list[Deduction]:
    rows = (
        ("black", config.weight_bad_picture, ("black",)),
        ("covered_lens", config.weight_bad_picture, ("covered_lens",)),
        ("frozen", config.weight_bad_picture, ("frozen",)),
        ("blurred", config.weight_blur, ("blurred",)),
        ("exposure", config.weight_exposure, ("overexposed", "underexposed")),
    )
    found = []
    for reason, weight, ids in rows:
        share = share_of_time(e, _frames_of(e, by_id, *ids))
        found.append(
            Deduction(
                reason,
                weight * share,
                f"{reason.replace('_', ' ')}: {100 * share:.1f} % of the time",
                ids,
                "rgb",
            )
        )
    undecodable = len(e.dropped) / (len(e) + len(e.dropped))
    text = f"{len(e.dropped)} pictures are not in the video"
    return [*found, Deduction("undecodable", config.weight_gap * undecodable, text, stream="rgb")]


def _stream_deductions(e: Evidence, by_id: Mapping[str, Check], config: QualityConfig) -> list[Deduction]:
    span = max(recorded_s(e), 1e-9)
    gap, tracking = (min(by_id[id_].affected_s / span, 1.0) for id_ in ("rgb_gap", "tracking_lost"))
    found = [
        Deduction("rgb_gap", config.weight_gap * gap, f"{100 * gap:.1f} % of the time is missing"),
        Deduction(
            "tracking_lost", config.weight_tracking * tracking, f"no tracking for {100 * tracking:.1f} %"
        ),
        *_pauses(by_id, span, config),
        *_damage(e, by_id, config),
    ]
    jumps = by_id["pose_jump"].value or 0.0
    points = min(config.penalty_pose_jump * jumps, config.penalty_pose_jump_max)
    found.append(Deduction("pose_jump", points, f"{jumps:.0f} pose jumps"))
    if e.depth is not None and e.depth.has.any():
        valid = float(np.nanmean(e.depth.valid_ratio))
        points = config.weight_depth * max(0.0, 1 - valid / 0.8)
        found.append(
            Deduction("depth_valid", points, f"{100 * valid:.0f} % of depth is valid", stream="depth")
        )
    hands = share_of_time(e, _frames_of(e, by_id, *HAND_ERRORS))
    found.append(
        Deduction(
            "hands",
            config.weight_hands * hands,
            f"odd hands: {100 * hands:.1f} % of the time",
            HAND_ERRORS,
            "hands",
        )
    )
    return found


def _pauses(by_id: Mapping[str, Check], span_s: float, config: QualityConfig) -> list[Deduction]:
    """Return what streams lose that pause, begin late or end early: the same share of what their absence costs."""
    absence, found = _absence_points(config), []
    for name in ("depth", "pose", "imu"):
        check = by_id[f"{name}_gap"]
        share = min(check.affected_s / span_s, 1.0) if check.status == "warn" else 0.0
        text = f"no {name} for {100 * share:.1f} % of the time"
        found.append(Deduction(check.id, share * absence[name] * _is_wanted(name, config), text, stream=name))
    return found


def _damage(e: Evidence, by_id: Mapping[str, Check], config: QualityConfig) -> list[Deduction]:
    """Return what streams lose whose samples are no numbers: the same share of what their absence costs."""
    poses = 0 if e.pose is None else len(e.pose.stamp_ns)
    shares = {
        "pose": (by_id["pose_validity"].value or 0.0) / max(poses, 1),
        "imu": (by_id["imu_validity"].value or 0.0) / 100,
    }
    absence = _absence_points(config)
    return [
        Deduction(
            f"{name}_validity",
            share * absence[name] * _is_wanted(name, config),
            f"{100 * share:.1f} % of the samples are not valid",
            stream=name,
        )
        for name, share in shares.items()
    ]


def _is_wanted(stream: str, config: QualityConfig) -> bool:
    """Return whether the absence of a stream costs points."""
    wanted = {"depth": config.depth_required, "pose": True, "imu": config.imu_required}
    return wanted.get(stream, False) or stream in config.required_streams


def _absence_points(config: QualityConfig) -> dict[str, float]:
    return {
        "depth": config.weight_depth,
        "pose": config.penalty_pose_missing,
        "imu": config.penalty_imu_missing,
        "hands": config.weight_hands,
    }


def _capped(found: Sequence[Deduction], most: Mapping[str, float]) -> list[Deduction]:
    """Scale down what is lost to a stream that is there, so that it is never worse than one that is not."""
    lost = _lost_by_stream(found)
    scale = {name: min(1.0, most[name] / points) if points > 0 else 1.0 for name, points in lost.items()}
    return [
        replace(item, points=item.points * scale.get(_OF_STREAM.get(item.reason, ""), 1.0)) for item in found
    ]


def _lost_by_stream(found: Sequence[Deduction]) -> dict[str, float]:
    lost = dict.fromkeys(_OF_STREAM.values(), 0.0)
    for item in found:
        if item.reason in _OF_STREAM:
            lost[_OF_STREAM[item.reason]] += item.points
    return lost


def _sync_deduction(
    by_id: Mapping[str, Check], found: Sequence[Deduction], config: QualityConfig
) -> Deduction:
    """One wrong clock shows in several pairs of streams and costs once, by the worst of them.

    It costs no more than what either stream of the pair has left before it would be better absent.
    """
    penalty = {"warn": config.penalty_sync_warn, "fail": config.penalty_sync_fail}
    most, lost = _absence_points(config), _lost_by_stream(found)
    points = {
        id_: min(
            penalty.get(by_id[id_].status, 0.0), *(max(most[name] - lost[name], 0.0) for name in streams)
        )
        for id_, streams in _SYNC_STREAMS.items()
    }
    worst = max(points, key=lambda id_: points[id_])
    return Deduction("sync", points[worst], by_id[worst].detail, tuple(_SYNC_STREAMS), "sync")


def _absence_deductions(e: Evidence, config: QualityConfig) -> list[Deduction]:
    """An absent stream that is wanted never costs less than the worst one of its kind."""
    points = _absence_points(config)
    return [
        Deduction(f"{name}_missing", points[name], f"no {'IMU' if name == 'imu' else name}", stream=name)
        for name, is_present in _presence(e).items()
        if not is_present and name in points and _is_wanted(name, config)
    ]


def _presence(e: Evidence) -> dict[str, bool]:
    return {
        "rgb": len(e) > 0,
        "depth": e.depth is not None,
        "pose": e.pose is not None,
        "imu": e.imu is not None,
        "hands": e.hands is not None,
    }


def verdict(
    e: Evidence,
    checks: Sequence[Check],
    kept: Sequence[KeptInterval],
    points: float,
    config: QualityConfig,
    *,
    unverified: bool,
) -> tuple[Verdict, list[str]]:
    """Return pass, review or fail, and why it is not pass."""
    present = _presence(e)
    missing = [name for name in config.required_streams if not present[name]]
    fatal = [
        *(["no picture was decoded"] if len(e) == 0 else []),
        *(f"the required stream {name} is absent" for name in missing),
        *(["no interval is worth keeping"] if not kept else []),
        *(["pictures of unverified privacy"] if unverified else []),
    ]
    if fatal:
        return "fail", fatal
    doubts = [
        *(
            f"{name} is absent"
            for name, is_there in present.items()
            if not is_there and _is_wanted(name, config)
        ),
        *(f"{check.id}: {check.detail}" for check in checks if check.status in ("warn", "fail")),
    ]
    if points < config.review_score:
        doubts.append(f"score {points:g} lies below {config.review_score:g}")
    return ("review", doubts) if doubts else ("pass", [])
