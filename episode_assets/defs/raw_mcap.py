"""The asset `raw_mcap`: what is in a recording, found in one pass over the file."""

from __future__ import annotations

from typing import Any

import dagster as dg

from episode_assets.defs.recording_asset import Check, recording_asset
from episode_assets.pipeline.settings import Settings
from episode_assets.pipeline.steps import RAW_MCAP
from episode_assets.storage import Artifact


def raw_mcap(settings: Settings) -> dg.AssetsDefinition:
    """Return the asset."""
    return recording_asset(
        RAW_MCAP,
        description=(
            "Inventory, damage report, message offsets, small streams as Parquet and SHA-256 of one MCAP recording. "
            "The recording itself stays where it is."
        ),
        kinds={"mcap", "parquet"},
        defaults=settings.config(RAW_MCAP.asset),
        checks=(
            Check(
                "complete",
                "The file was read to its end; a truncated one is used up to the cut.",
                _is_complete,
            ),
        ),
    )


def _is_complete(artifact: Artifact) -> tuple[bool, dict[str, Any]]:
    damage = [note.detail for note in artifact.manifest.warnings if note.code == "truncated"]
    return not damage, {"damage": damage[0]} if damage else {}
