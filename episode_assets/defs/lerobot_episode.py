"""The assets `lerobot_episode/<recipe>`: what one recording contributes to the datasets of a recipe."""

from __future__ import annotations

import dagster as dg

from episode_assets.defs.recording_asset import recording_asset
from episode_assets.lerobot.recipe import Recipe
from episode_assets.pipeline.steps import fragment_step


def lerobot_episode(recipe: Recipe) -> dg.AssetsDefinition:
    """Return the asset of one recipe."""
    return recording_asset(
        fragment_step(recipe.name),
        description=(
            f"Rows on the time grid of recipe {recipe.name!r}, masks, cut points and statistics of one recording; "
            "video by reference to its bundle."
        ),
        kinds={"parquet", "lerobot"},
        defaults=recipe,
        is_fixed=True,
    )
