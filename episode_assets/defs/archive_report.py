"""The asset `archive_report`: one page over all recordings, with what is missing and why.

It is not partitioned and never waits for a recording: what has a report is shown, the rest is named.
"""

import dagster as dg

from episode_assets.defs.failures import as_dagster_failures
from episode_assets.defs.options import is_forced, only_force
from episode_assets.defs.recording_asset import common_metadata
from episode_assets.defs.resources import PipelineResource
from episode_assets.defs.watching import RunLogProgress
from episode_assets.pipeline import bring_archive_up_to_date
from episode_assets.pipeline.archive import ARCHIVE_CODE_VERSION, ARCHIVE_REPORT
from episode_assets.qc.archive import ARCHIVE_PAGE


def archive_report() -> dg.AssetsDefinition:
    """Return the asset."""
    key = dg.AssetKey(ARCHIVE_REPORT)
    options_type = only_force()
    every_one = dg.AssetCheckSpec(
        "every_recording_has_a_report",
        asset=key,
        description="No recording is quarantined, failed, damaged or unfinished.",
    )

    @dg.asset(
        key=key,
        deps=[dg.AssetKey("qc_report")],
        code_version=ARCHIVE_CODE_VERSION,
        description=(
            "All recordings in one sortable page: scores, findings, hours of valid data, totals over time, "
            "near-duplicates, and which recordings have no report and why."
        ),
        kinds={"html", "json"},
        group_name="archive",
        check_specs=[every_one],
    )
    def asset(
        context: dg.AssetExecutionContext,
        config: options_type,  # type: ignore[valid-type]
        pipeline: PipelineResource,
    ) -> dg.MaterializeResult:  # type: ignore[type-arg]  # Dagster reads the bare class
        with as_dagster_failures(context):
            produced = bring_archive_up_to_date(
                pipeline.store(), progress=RunLogProgress(context), force=is_forced(config)
            )
        skipped = produced.artifact.manifest.skipped
        return dg.MaterializeResult(
            data_version=dg.DataVersion(produced.artifact.content_digest),
            metadata={
                **common_metadata(produced),
                "report": dg.MetadataValue.path(produced.artifact.uri(ARCHIVE_PAGE)),
            },
            check_results=[
                dg.AssetCheckResult(
                    passed=not skipped,
                    asset_key=key,
                    check_name=every_one.name,
                    severity=dg.AssetCheckSeverity.WARN,
                    metadata={"without_report": len(skipped)},
                )
            ],
        )

    return asset
