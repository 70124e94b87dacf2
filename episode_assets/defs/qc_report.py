"""The asset `qc_report`: score, verdict, reasons and kept intervals of an episode, and a page to read.

Its asset checks repeat what `qc.json` says, one for every group of checks and one for the verdict.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from functools import partial
from typing import Any

import dagster as dg

from episode_assets.defs.pictures import inline_picture
from episode_assets.defs.quality_answers import answer_of
from episode_assets.defs.recording_asset import MAX_LISTED, Check, recording_asset
from episode_assets.pipeline.settings import Settings
from episode_assets.pipeline.steps import QC_REPORT
from episode_assets.qc.check_groups import GROUPS, Group, answers_in
from episode_assets.storage import Artifact


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
        f"Every check was run and none warns or fails, and no stream is absent that costs points: {words}.",
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
    return answer_of(group, _content(artifact))


def _some_fail(group: Group, artifact: Artifact) -> bool:
    return any(check["status"] == "fail" for check in answers_in(group, _content(artifact)["checks"]))


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
