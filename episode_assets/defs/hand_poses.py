"""The asset `hand_poses`: 21 joints of each hand, in pixels, in the camera frame and in the world."""

from __future__ import annotations

from typing import Any

import dagster as dg

from episode_assets.defs.recording_asset import Check, recording_asset
from episode_assets.pipeline.settings import Settings
from episode_assets.pipeline.steps import HAND_POSES
from episode_assets.storage import Artifact


def hand_poses(settings: Settings) -> dg.AssetsDefinition:
    """Return the asset."""
    return recording_asset(
        HAND_POSES,
        description=(
            "Hands found and tracked in every frame: 21 joints in pixels, anchored by depth in metres in the camera "
            "frame, and in the world by the camera pose; with masks."
        ),
        kinds={"tensorflow", "parquet"},
        defaults=settings.config(HAND_POSES.asset),
        checks=(Check("hands_found", "At least one hand was measured in the recording.", _hands_found),),
    )


def _hands_found(artifact: Artifact) -> tuple[bool, dict[str, Any]]:
    frames = artifact.manifest.summary.get("frames_with_hand", 0)
    return bool(frames), {"frames_with_hand": frames}
