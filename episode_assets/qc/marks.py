"""Which findings a page shows, and where they appear on its charts.

A finding keeps the number of its place in the judgement, so the mark on a chart and the row of the table meet at one
address.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from episode_assets.qc.document import Judgement
from episode_assets.qc.findings import Finding
from episode_assets.qc.svg import Mark, clock

MOST_SHOWN = 100
"""Findings with a row of their own."""

SECTION_OF_STREAM: Mapping[str, str] = {
    "rgb": "video",
    "depth": "depth",
    "pose": "trajectory",
    "tracking": "trajectory",
    "imu": "imu",
    "sync": "sync",
    "hands": "hands",
    "mesh": "map",
}
"""Section whose charts show a stream; findings of other streams are on the timeline."""


def shown_findings(judgement: Judgement) -> Sequence[Finding]:
    """Return the findings that the page lists, in the order of the judgement; no kind crowds out another."""
    if len(judgement.findings) <= MOST_SHOWN:
        return judgement.findings
    seen: Counter[str] = Counter()
    ranked = []
    for place, finding in enumerate(judgement.findings):
        ranked.append((seen[finding.kind], place))
        seen[finding.kind] += 1
    return [judgement.findings[place] for place in sorted(place for _, place in sorted(ranked)[:MOST_SHOWN])]


def css_of(finding: Finding) -> str:
    """Return the colour class of a finding."""
    return "bad" if finding.severity == "hard" or finding.status == "fail" else "warn"


def section_of(finding: Finding) -> str:
    """Return the id of the section whose charts show a finding best."""
    return SECTION_OF_STREAM.get(finding.stream, "timeline")


def marks_in(judgement: Judgement, section: str, *, end: float) -> list[Mark]:
    """Return the marks of the findings that belong to a section, clipped to the seconds 0 to `end`."""
    return [
        mark_of(number, finding, end=end)
        for number, finding in enumerate(shown_findings(judgement))
        if section_of(finding) == section and finding.has_place
    ]


def mark_of(number: int, finding: Finding, *, end: float) -> Mark:
    """Return the mark of a finding that has a place."""
    start, stop = _clipped(finding.t_start, end), _clipped(finding.t_end, end)
    name, frames = finding.kind.replace("_", " "), f"frames {finding.first} to {finding.last}"
    return Mark(number, start, stop, css_of(finding), f"{name}: {clock(start)} to {clock(stop)}, {frames}")


def _clipped(seconds: float | None, end: float) -> float:
    return min(max(seconds or 0.0, 0.0), end)
