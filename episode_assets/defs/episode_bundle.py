"""The asset `episode_bundle`: the self-contained episode directory that scripts for the Stera layout read."""

from __future__ import annotations

from typing import Any

import dagster as dg

from episode_assets.defs.pictures import thumbnail
from episode_assets.defs.recording_asset import recording_asset
from episode_assets.pipeline.settings import Settings
from episode_assets.pipeline.steps import EPISODE_BUNDLE
from episode_assets.storage import Artifact

THUMBNAIL = "thumbnail.jpg"


def episode_bundle(settings: Settings) -> dg.AssetsDefinition:
    """Return the asset."""
    return recording_asset(
        EPISODE_BUNDLE,
        description=(
            "Episode directory in the Stera layout and beyond it: blurred video, depth, poses, IMU, hands, "
            "calibrations, mesh, with a manifest of what was saved and skipped and why."
        ),
        kinds={"hdf5", "video"},
        defaults=settings.config(EPISODE_BUNDLE.asset),
        describe=_preview,
    )


def _preview(artifact: Artifact) -> dict[str, Any]:
    if any(file.path == THUMBNAIL for file in artifact.manifest.files):
        return {"preview": thumbnail(artifact, THUMBNAIL)}
    return {}
