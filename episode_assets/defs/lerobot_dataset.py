"""The assets `lerobot_dataset/<recipe>`: a dataset of all recordings that have something to contribute.

It is not partitioned and never waits for a recording: what has been published is packed, the rest is named.
"""

import dagster as dg

from episode_assets.defs.failures import as_dagster_failures
from episode_assets.defs.options import is_forced, only_force
from episode_assets.defs.recording_asset import common_metadata
from episode_assets.defs.resources import PipelineResource
from episode_assets.defs.watching import RunLogProgress
from episode_assets.lerobot.recipe import Recipe
from episode_assets.pipeline import bring_dataset_up_to_date, check_dataset
from episode_assets.pipeline.dataset import DATASET_CODE_VERSION


def lerobot_dataset(recipe: Recipe) -> dg.AssetsDefinition:
    """Return the asset of one recipe."""
    key = dg.AssetKey(["lerobot_dataset", recipe.name])
    options_type = only_force()
    verified = dg.AssetCheckSpec(
        "verified",
        asset=key,
        description="The packed dataset was read back and every rule of the format holds.",
    )

    @dg.asset(
        key=key,
        deps=[dg.AssetKey(["lerobot_episode", recipe.name])],
        code_version=DATASET_CODE_VERSION,
        description=f"LeRobot dataset of recipe {recipe.name!r}: one immutable version per publication.",
        kinds={"lerobot", "parquet", "video"},
        group_name="datasets",
        check_specs=[verified],
    )
    def asset(
        context: dg.AssetExecutionContext,
        config: options_type,  # type: ignore[valid-type]
        pipeline: PipelineResource,
    ) -> dg.MaterializeResult:  # type: ignore[type-arg]  # Dagster reads the bare class
        with as_dagster_failures(context):
            produced = bring_dataset_up_to_date(
                pipeline.store(), recipe, progress=RunLogProgress(context), force=is_forced(config)
            )
            problems = check_dataset(produced.artifact)
        return dg.MaterializeResult(
            data_version=dg.DataVersion(produced.artifact.content_digest),
            metadata=common_metadata(produced),
            check_results=[
                dg.AssetCheckResult(
                    passed=not problems,
                    asset_key=key,
                    check_name=verified.name,
                    metadata={
                        "problems": dg.MetadataValue.md("\n".join(f"- {p}" for p in problems) or "none")
                    },
                )
            ],
        )

    return asset
