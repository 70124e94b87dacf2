"""The asset `qc_report`: score, verdict, reasons and kept intervals of an episode, and a page to read."""

from __future__ import annotations

from typing import Any

import dagster as dg

from episode_assets.defs.recording_asset import Check, recording_asset
from episode_assets.pipeline.settings import Settings
from episode_assets.pipeline.steps import QC_REPORT
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
            Check("quality_verdict", "The verdict is pass, without anything to review.", _verdict_is_pass),
        ),
        describe=_report_link,
    )


def _verdict_is_pass(artifact: Artifact) -> tuple[bool, dict[str, Any]]:
    summary = artifact.manifest.summary
    return summary.get("verdict") == "pass", {
        "verdict": summary.get("verdict"),
        "score": summary.get("score"),
    }


def _report_link(artifact: Artifact) -> dict[str, Any]:
    return {"report": dg.MetadataValue.path(artifact.uri("report.html"))}
