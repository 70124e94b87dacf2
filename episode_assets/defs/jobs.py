"""Named selections of assets: what is run for one recording, and what is run for an archive."""

from __future__ import annotations

import dagster as dg

PROCESS_RECORDING = "process_recording"
PACK_DATASETS = "pack_datasets"
REPORT_ARCHIVE = "report_archive"

process_recording = dg.define_asset_job(
    PROCESS_RECORDING,
    selection=dg.AssetSelection.groups("recordings"),
    description="Everything for one recording, from the raw file to what it contributes to each dataset.",
)

pack_datasets = dg.define_asset_job(
    PACK_DATASETS,
    selection=dg.AssetSelection.groups("datasets"),
    description="Pack every dataset anew from what the recordings contribute now.",
)

report_archive = dg.define_asset_job(
    REPORT_ARCHIVE,
    selection=dg.AssetSelection.groups("archive"),
    description="Bring the page over all recordings up to date; only changed reports are opened.",
)

report_archive_hourly = dg.ScheduleDefinition(
    name="report_archive_hourly",
    job=report_archive,
    cron_schedule="0 * * * *",
    description="Keeps the page over all recordings up to date; a run that finds nothing new makes nothing.",
)
