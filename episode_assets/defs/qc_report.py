"""The asset `qc_report`: score, verdict, reasons and kept intervals of an episode, and a page to read.

Its asset checks repeat what `qc.json` says, one for every group of checks and one for the verdict.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import dagster as dg

from episode_assets.defs.pictures import inline_picture
from episode_assets.defs.recording_asset import MAX_LISTED, Check, recording_asset
from episode_assets.pipeline.settings import Settings
from episode_assets.pipeline.steps import QC_REPORT
from episode_assets.qc.check_groups import GROUPS, Group, answers_in
from episode_assets.storage import Artifact

_ODD = ("fail", "warn", "not_run")
_MOST_RANGES = 5


def qc_report(settings: Settings) -> dg.AssetsDefinition:
    """Return the asset."""
    return recording_asset(
        QC_REPORT,
        description=(
            "Quality of an episode: score from 0 to 100 with reasons, verdict, the intervals worth keeping, and a "
            "self-contained HTML page."
        ),
        kinds={"html", "json"},
        defaults=settings.config(QC_REPORT.asset),
        checks=(
            Check(
                "quality_verdict",
                "The verdict is pass, without anything to review; a verdict of fail is an error.",
                _verdict_is_pass,
                is_severe=lambda artifact: artifact.manifest.summary.get("verdict") == "fail",
            ),
            *(_check_of(group, words) for group, words in GROUPS.items()),
        ),
        describe=_describe,
    )


def _check_of(group: Group, words: str) -> Check:
    return Check(
        f"quality_{group}",
        f"No check warns or fails: {words}.",
        partial(_all_pass, group),
        is_severe=partial(_some_fail, group),
    )


def _verdict_is_pass(artifact: Artifact) -> tuple[bool, dict[str, Any]]:
    summary = artifact.manifest.summary
    reasons = _content(artifact)["verdict_reasons"]
    numbers = {
        name: summary[name] for name in ("verdict", "score", "publishable", "kept_s") if name in summary
    }
    listed = "\n".join(f"- {reason}" for reason in reasons[:MAX_LISTED])
    return summary.get("verdict") == "pass", {**numbers, "reasons": dg.MetadataValue.md(listed or "none")}


def _all_pass(group: Group, artifact: Artifact) -> tuple[bool, dict[str, Any]]:
    found = answers_in(group, _content(artifact)["checks"])
    counts = {word: sum(check["status"] == word for check in found) for word in (*_ODD, "pass")}
    numbers: dict[str, Any] = {f"checks_{word}": count for word, count in counts.items()}
    odd = sorted(
        (check for check in found if check["status"] in _ODD), key=lambda check: _ODD.index(check["status"])
    )
    if odd:
        numbers["to_look_at"] = _table(odd[:MAX_LISTED])
    return counts["fail"] + counts["warn"] == 0, numbers


def _some_fail(group: Group, artifact: Artifact) -> bool:
    return any(check["status"] == "fail" for check in answers_in(group, _content(artifact)["checks"]))


def _table(checks: Sequence[Mapping[str, Any]]) -> dg.TableMetadataValue:
    names = ("check", "answer", "value", "threshold", "unit", "frames", "detail")
    records = [dg.TableRecord(dict(zip(names, _cells(check), strict=True))) for check in checks]
    columns = [dg.TableColumn(name, "string") for name in names]
    return dg.MetadataValue.table(records, dg.TableSchema(columns=columns))


def _cells(check: Mapping[str, Any]) -> tuple[str, ...]:
    ranges = [f"{first} to {last}" for first, last, *_ in check["ranges"][:_MOST_RANGES]]
    more = check["ranges_total"] - len(ranges)
    frames = ", ".join(ranges) + (f" and {more} more" if more > 0 and ranges else "")
    value, threshold = (_shown(check[name]) for name in ("value", "threshold"))
    return (check["id"], check["status"], value, threshold, check["unit"], frames, check["detail"])


def _shown(value: float | None) -> str:
    return "" if value is None else f"{value:g}"


def _describe(artifact: Artifact) -> dict[str, Any]:
    pictures = [
        inline_picture(
            base64.b64decode(item["jpeg_base64"]),
            "qc.json",
            f"face-blurred frame {item['frame']} {item['kind']}",
        )
        for item in _content(artifact)["thumbnails"]
    ]
    shown = {"pictures": dg.MetadataValue.md(" ".join(pictures))} if pictures else {}
    return {"report": dg.MetadataValue.path(artifact.uri("report.html")), **shown}


def _content(artifact: Artifact) -> Mapping[str, Any]:
    content: Mapping[str, Any] = artifact.read_json("qc.json")
    return content
