"""Findings in a document of bounded size: the first ones in full, the rest as one line per kind, and exact totals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from episode_assets.outcome import Json
from episode_assets.qc.findings import Finding

_POINT_DIGITS = 4


@dataclass(frozen=True)
class KindTotal:
    """All findings of a kind in one stream.

    Attributes:
        kind: Id of the check, or of the deduction where no check objects.
        stream: The stream concerned.
        count: How many there are.
        points_lost: Points that they cost together.
    """

    kind: str
    stream: str
    count: int
    points_lost: float


def totals_by_kind(findings: Sequence[Finding]) -> tuple[KindTotal, ...]:
    """Return the totals of every kind, in order of its name."""
    groups: dict[tuple[str, str], list[Finding]] = {}
    for item in findings:
        groups.setdefault((item.kind, item.stream), []).append(item)
    return tuple(_total(kind, stream, found) for (kind, stream), found in sorted(groups.items()))


def shortened(findings: Sequence[Finding], most: int) -> list[Finding]:
    """Return the first `most` findings, then one without a place for the rest of every kind.

    The points of what is returned add up to those of all findings.
    """
    samples = {(item.kind, item.stream): item for item in findings[most:]}
    rest = [_remainder(samples[total.kind, total.stream], total) for total in totals_by_kind(findings[most:])]
    return [*findings[:most], *rest]


def totals_as_json(findings: Sequence[Finding]) -> list[dict[str, Json]]:
    """Return the totals as they go into strict JSON."""
    return [
        {"kind": item.kind, "stream": item.stream, "count": item.count, "points_lost": item.points_lost}
        for item in totals_by_kind(findings)
    ]


def _total(kind: str, stream: str, found: Sequence[Finding]) -> KindTotal:
    points = round(sum(item.points_lost for item in found), _POINT_DIGITS)
    return KindTotal(kind, stream, len(found), points)


def _remainder(sample: Finding, total: KindTotal) -> Finding:
    if total.count == 1 and not sample.has_place:
        return sample
    return Finding(
        kind=sample.kind,
        severity=sample.severity,
        status=sample.status,
        stream=sample.stream,
        unit=sample.unit,
        threshold=sample.threshold,
        text=f"{total.count:,} more of this kind, not listed one by one",
        advice=sample.advice,
        points_lost=total.points_lost,
    )
