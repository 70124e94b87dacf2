"""Findings: what was found, where, how bad it is, what to do and how many points it cost.

One finding is one stretch of frames of one check, or, for what has no place, one check as a whole. The points of every
deduction are shared out among the findings that caused it, so that they add up. No verdict is made here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from typing import Literal, TypeAlias

from episode_assets.outcome import Json
from episode_assets.qc.advice import advice_for
from episode_assets.qc.checks import Check
from episode_assets.qc.evidence import Evidence
from episode_assets.qc.numbers import number
from episode_assets.qc.ranges import FrameRange
from episode_assets.qc.scoring import Deduction

Severity: TypeAlias = Literal["hard", "soft"]
FindingStatus: TypeAlias = Literal["warn", "fail"]

_POINT_DIGITS = 4


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One finding. Without a place `first` and all that tells the place are None.

    Attributes:
        kind: Id of the check, or of the deduction where no check objects.
        severity: hard findings are cut out of the kept intervals, soft ones are not.
        status: How the check answers.
        stream: The stream concerned.
        first: Position of the first frame.
        last: Position of the last frame, included.
        message_start: RGB message number of the first frame.
        message_end: RGB message number of the last frame.
        start_ns: Stamp of the first frame.
        end_ns: Stamp of the last frame.
        t_start: Seconds from frame 0 to the first frame.
        t_end: Seconds from frame 0 to the last frame.
        value: The most telling number inside, None where there is none.
        unit: Unit of value and threshold.
        threshold: What the value was compared with.
        text: What it shows, in words.
        advice: What to do about it.
        points_lost: Its share of the points deducted.
    """

    kind: str
    severity: Severity
    status: FindingStatus
    stream: str
    first: int | None = None
    last: int | None = None
    message_start: int | None = None
    message_end: int | None = None
    start_ns: int | None = None
    end_ns: int | None = None
    t_start: float | None = None
    t_end: float | None = None
    value: float | None = None
    unit: str = ""
    threshold: float | None = None
    text: str
    advice: str
    points_lost: float = 0.0

    @property
    def has_place(self) -> bool:
        """Whether it concerns certain frames."""
        return self.first is not None


def findings_of(e: Evidence, checks: Sequence[Check], deductions: Sequence[Deduction]) -> tuple[Finding, ...]:
    """Return all findings, hard ones first, then in order of time; those without a place close either part.

    The `points_lost` of all findings add up to the points of all deductions.
    """
    found = [item for check in checks for item in _of_check(e, check)]
    for deduction in deductions:
        found = _shared_out(e, found, deduction)
    found.sort(key=lambda item: (item.severity != "hard", not item.has_place, item.first or 0, item.kind))
    return tuple(found)


def as_json(finding: Finding) -> dict[str, Json]:
    """Return a finding as it goes into strict JSON."""
    return asdict(finding) | {"value": number(finding.value), "threshold": number(finding.threshold)}


def _of_check(e: Evidence, check: Check) -> list[Finding]:
    if check.status not in ("warn", "fail"):
        return []
    return [_placed(e, check, item) for item in check.ranges] or [_whole(check)]


def _severity(check: Check) -> Severity:
    return "hard" if check.is_cut else "soft"


def _status(check: Check) -> FindingStatus:
    return "fail" if check.status == "fail" else "warn"


def _placed(e: Evidence, check: Check, item: FrameRange) -> Finding:
    start_ns, end_ns = int(e.stamps_ns[item.first]), int(e.stamps_ns[item.last])
    return Finding(
        kind=check.id,
        severity=_severity(check),
        status=_status(check),
        stream=check.stream,
        first=item.first,
        last=item.last,
        message_start=int(e.message_number[item.first]),
        message_end=int(e.message_number[item.last]),
        start_ns=start_ns,
        end_ns=end_ns,
        t_start=e.t(start_ns),
        t_end=e.t(end_ns),
        value=item.peak,
        unit=check.peak_unit,
        threshold=check.peak_threshold,
        text=item.note or check.note or check.detail,
        advice=advice_for(check.id),
    )


def _whole(check: Check) -> Finding:
    return Finding(
        kind=check.id,
        severity=_severity(check),
        status=_status(check),
        stream=check.stream,
        value=check.value,
        unit=check.unit,
        threshold=check.threshold,
        text=check.detail,
        advice=advice_for(check.id),
    )


def _of_deduction(deduction: Deduction) -> Finding:
    return Finding(
        kind=deduction.reason,
        severity="soft",
        status="warn",
        stream=deduction.stream,
        text=deduction.text,
        advice=advice_for(deduction.reason),
        points_lost=deduction.points,
    )


def _shared_out(e: Evidence, found: list[Finding], deduction: Deduction) -> list[Finding]:
    """Add a deduction's points to its findings by their time; where no check objects it is a finding of its own."""
    concerned = [i for i, item in enumerate(found) if item.kind in deduction.kinds]
    if not concerned:
        return [*found, _of_deduction(deduction)]
    shares = _shares([_duration_s(e, found[i]) for i in concerned], deduction.points)
    result = list(found)
    for i, points in zip(concerned, shares, strict=True):
        result[i] = replace(found[i], points_lost=round(found[i].points_lost + points, _POINT_DIGITS))
    return result


def _shares(weights: Sequence[float], points: float) -> list[float]:
    """Split points by weight, evenly without any; rounding never changes the sum."""
    total = sum(weights)
    parts = [weight / total if total > 0 else 1 / len(weights) for weight in weights]
    edges = [0.0]
    for part in parts:
        edges.append(edges[-1] + part)
    exact = [round(points * edge, _POINT_DIGITS) for edge in (*edges[:-1], 1.0)]
    return [after - before for before, after in pairwise(exact)]


def _duration_s(e: Evidence, finding: Finding) -> float:
    """Return how long a finding lasts: its frames as shown, or the time between two frames where nothing is shown."""
    if finding.first is None or finding.last is None:
        return 0.0
    shown = float(e.seconds[finding.first : finding.last + 1].sum())
    return max(shown, float(e.stamps_ns[finding.last] - e.stamps_ns[finding.first]) / 1e9)
