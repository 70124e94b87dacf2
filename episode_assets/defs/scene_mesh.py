"""The asset `scene_mesh`: the surroundings as triangles, coloured from blurred pictures."""

from __future__ import annotations

import dagster as dg

from episode_assets.defs.recording_asset import recording_asset
from episode_assets.pipeline.settings import Settings
from episode_assets.pipeline.steps import SCENE_MESH


def scene_mesh(settings: Settings) -> dg.AssetsDefinition:
    """Return the asset."""
    return recording_asset(
        SCENE_MESH,
        description=(
            "The surroundings as a triangle mesh: the recorder's own, or fused from depth and camera poses; cleaned, "
            "and coloured from blurred pictures only."
        ),
        kinds={"ply"},
        defaults=settings.config(SCENE_MESH.asset),
    )
