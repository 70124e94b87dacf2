"""`qc.json`: everything the report knows, as strict JSON with stable keys and a bounded size.

Frame ranges are inclusive and given as positions and as message numbers. No path, no file name and no date of making
is in it, so equal inputs give equal bytes. The kept intervals are what datasets are cut from and are never shortened:
where they are many, the lists for readers (findings, reasons) give way.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from episode_assets import __version__
from episode_assets.outcome import Json
from episode_assets.qc.checks import Check
from episode_assets.qc.config import QualityConfig
from episode_assets.qc.evidence import Evidence
from episode_assets.qc.finding_totals import shortened, totals_as_json
from episode_assets.qc.findings import Finding, as_json
from episode_assets.qc.intervals import KeptInterval
from episode_assets.qc.numbers import Block, number
from episode_assets.qc.ranges import FrameRange
from episode_assets.qc.scoring import Deduction, Verdict

SCHEMA = "episode_assets.qc"
SCHEMA_VERSION = 2
MOST_RANGES = 24
MOST_REASONS = 150
MOST_FINDINGS = 200

_LISTS_BYTES = 225_000
"""Room for intervals, findings and reasons together; the rest of the document takes up to 70 kB."""
_FULL_LISTS_BYTES = 150_000
_SMALLEST_PART = 0.05


@dataclass(frozen=True)
class Judgement:
    """What was decided about an episode.

    Attributes:
        verdict: pass, review or fail.
        doubts: Why it is not pass, in words.
        score: 0 to 100.
        deductions: What the score lost.
        score_stera: Stera's score of the same inputs.
        checks: All checks.
        kept: The kept intervals in order.
        unverified: Names of pictures whose privacy nobody verified.
        findings: Everything that was found, with its points; hard ones first.
    """

    verdict: Verdict
    doubts: tuple[str, ...]
    score: float
    deductions: tuple[Deduction, ...]
    score_stera: float
    checks: tuple[Check, ...]
    kept: tuple[KeptInterval, ...]
    unverified: tuple[str, ...]
    findings: tuple[Finding, ...] = ()

    @property
    def publishable(self) -> bool:
        """Whether this may go into a dataset: audit passed (else there is no report), verified, not failed."""
        return self.verdict != "fail" and not self.unverified


def document(
    e: Evidence,
    judgement: Judgement,
    blocks: Mapping[str, Block | None],
    privacy: Mapping[str, Json],
    config: QualityConfig,
    *,
    signals_sha256: str,
) -> dict[str, Any]:
    """Return the content of `qc.json`."""
    settings = json.loads(json.dumps(asdict(config)))
    kept = intervals(e, judgement.kept)
    part = _part_shown(kept)
    return {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "episode_id": e.recording_id,
        "source_sha256": e.inventory.sha256,
        "code_version": __version__,
        "config": settings,
        "config_hash": hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest(),
        "frames": len(e),
        "first_stamp_ns": int(e.stamps_ns[0]),
        "last_stamp_ns": int(e.stamps_ns[-1]),
        "verdict": judgement.verdict,
        "verdict_reasons": list(judgement.doubts),
        "publishable": judgement.publishable,
        "score": judgement.score,
        "score_parts": [
            {"reason": item.reason, "deduction": item.points, "text": item.text}
            for item in judgement.deductions
        ],
        "score_stera": number(judgement.score_stera),
        "checks": [_check(e, check) for check in judgement.checks],
        **_reasons(e, judgement.checks, most=round(part * MOST_REASONS)),
        "findings": [as_json(item) for item in shortened(judgement.findings, round(part * MOST_FINDINGS))],
        "findings_by_kind": totals_as_json(judgement.findings),
        "findings_total": len(judgement.findings),
        "intervals": kept,
        "kept": kept_summary(e, judgement.kept),
        "metrics": dict(blocks),
        "signals": {"sha256": signals_sha256},
        "privacy": dict(privacy),
    }


def _part_shown(kept: list[dict[str, Json]]) -> float:
    """Return which part of the findings and reasons is listed beside this many kept intervals, above 0 to 1."""
    left = _LISTS_BYTES - sum(len(_dense(item)) for item in kept)
    return min(max(left / _FULL_LISTS_BYTES, _SMALLEST_PART), 1.0)


def dumps(content: Mapping[str, Any]) -> str:
    """Return strict JSON with sorted keys: one line per key, rows of lists on lines of their own.

    Indented in full, the numbers of the ranges alone would take half of the space.
    """
    lines = [f" {_dense(key)}: {_rows(value)}" for key, value in sorted(content.items())]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _rows(value: object) -> str:
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return "[\n" + ",\n".join(f"  {_dense(item)}" for item in value) + "\n ]"
    return _dense(value)


def _dense(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), sort_keys=True, allow_nan=False, ensure_ascii=False)


def _check(e: Evidence, check: Check) -> dict[str, Json]:
    return {
        "id": check.id,
        "stream": check.stream,
        "status": check.status,
        "severity": "hard" if check.is_cut else "soft",
        "value": number(check.value),
        "unit": check.unit,
        "threshold": number(check.threshold),
        "detail": check.detail,
        "ranges": [_short_range(e, item) for item in check.ranges[:MOST_RANGES]],
        "ranges_total": len(check.ranges),
    }


def _short_range(e: Evidence, item: FrameRange) -> list[Json]:
    first, last = e.stamps_ns[item.first], e.stamps_ns[item.last]
    return [item.first, item.last, e.t(first), e.t(last), number(item.peak)]


def _reasons(e: Evidence, checks: Sequence[Check], *, most: int) -> dict[str, Json]:
    found = [(check, item) for check in checks if check.status in ("warn", "fail") for item in check.ranges]
    # The hard ones come first where not all fit; within the file they are in order of time.
    found.sort(key=lambda pair: not pair[0].is_cut)
    shown = sorted(found[:most], key=lambda pair: (pair[1].first, pair[0].id))
    return {"reasons": [reason(e, check, item) for check, item in shown], "reasons_total": len(found)}


def reason(e: Evidence, check: Check, item: FrameRange) -> dict[str, Json]:
    """Return one finding with its place, by position, message number and time."""
    first, last = e.stamps_ns[item.first], e.stamps_ns[item.last]
    return {
        "id": check.id,
        "severity": "hard" if check.is_cut else "soft",
        "stream": check.stream,
        "frame_start": item.first,
        "frame_end": item.last,
        "message_start": int(e.message_number[item.first]),
        "message_end": int(e.message_number[item.last]),
        "start_ns": int(first),
        "end_ns": int(last),
        "t_start": e.t(first),
        "t_end": e.t(last),
        "value": number(item.peak),
        "text": item.note or check.note or check.detail,
    }


def intervals(e: Evidence, kept: Sequence[KeptInterval]) -> list[dict[str, Json]]:
    """Return the kept intervals as they are read by whoever cuts datasets; both ends are included."""
    total = sum(_seconds(e, item) for item in kept)
    return [
        {
            "frame_start": item.first,
            "frame_end": item.last,
            "message_start": int(e.message_number[item.first]),
            "message_end": int(e.message_number[item.last]),
            "start_ns": int(e.stamps_ns[item.first]),
            "end_ns": int(e.stamps_ns[item.last]),
            "t_start": e.t(e.stamps_ns[item.first]),
            "t_end": e.t(e.stamps_ns[item.last]),
            "share": number(_seconds(e, item) / total if total > 0 else 0.0),
            "reason_before": item.reason_before,
            "reason_after": item.reason_after,
        }
        for item in kept
    ]


def _seconds(e: Evidence, item: KeptInterval) -> float:
    return float(e.seconds[item.first : item.last + 1].sum())


def kept_summary(e: Evidence, kept: Sequence[KeptInterval]) -> dict[str, Json]:
    """Return how much is kept, and how much of it shows hands."""
    flags = np.zeros(len(e), np.bool_)
    for item in kept:
        flags[item.first : item.last + 1] = True
    one, two = e.left.valid | e.right.valid, e.left.valid & e.right.valid
    return {
        "intervals": len(kept),
        "frames": int(flags.sum()),
        "seconds": number(float(e.seconds[flags].sum())),
        "share": number(float(e.seconds[flags].sum()) / max(float(e.seconds.sum()), 1e-9)),
        "one_hand_seconds": number(float(e.seconds[flags & one].sum())),
        "two_hands_seconds": number(float(e.seconds[flags & two].sum())),
    }
