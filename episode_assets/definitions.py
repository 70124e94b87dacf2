"""The table of contents for Dagster: assets, jobs, sensors and resources, put together in one function.

Production calls `build_defs()` bare; tests pass their own resource or settings. Nothing is opened at import.
"""

from __future__ import annotations

import os
import platform

# The versions of Dagster's own libraries are checked by the lock; its usage reports are off everywhere.
os.environ.setdefault("DAGSTER_DISABLE_TELEMETRY", "yes")

import dagster as dg

from episode_assets.defs.archive_report import archive_report
from episode_assets.defs.blurred_rgb import blurred_rgb
from episode_assets.defs.episode_bundle import episode_bundle
from episode_assets.defs.hand_poses import hand_poses
from episode_assets.defs.inbox_sensor import inbox_sensor
from episode_assets.defs.jobs import (
    pack_datasets,
    process_recording,
    report_archive,
    report_archive_hourly,
)
from episode_assets.defs.lerobot_dataset import lerobot_dataset
from episode_assets.defs.lerobot_episode import lerobot_episode
from episode_assets.defs.qc_report import qc_report
from episode_assets.defs.raw_mcap import raw_mcap
from episode_assets.defs.resources import PipelineResource
from episode_assets.defs.scene_mesh import scene_mesh
from episode_assets.instance import WORKERS_VARIABLE, find_places
from episode_assets.pipeline.settings import Settings, load_settings


def build_defs(
    *, pipeline: PipelineResource | None = None, settings: Settings | None = None, inbox: str | None = None
) -> dg.Definitions:
    """Return the definitions.

    Args:
        pipeline: The store and the workers; by default from the environment or the `.env` file.
        settings: Configuration of the steps and recipes; by default from the settings file, else the rooms' own.
        inbox: Directory that the sensor watches.
    """
    places = find_places()
    chosen = settings or load_settings()
    recipes = chosen.recipes.values()
    return dg.Definitions(
        assets=[
            raw_mcap(chosen),
            blurred_rgb(chosen),
            hand_poses(chosen),
            scene_mesh(chosen),
            episode_bundle(chosen),
            qc_report(chosen),
            *(lerobot_episode(recipe) for recipe in recipes),
            *(lerobot_dataset(recipe) for recipe in recipes),
            archive_report(),
        ],
        jobs=[process_recording, pack_datasets, report_archive],
        schedules=[report_archive_hourly],
        sensors=[inbox_sensor(inbox or places.inbox, recording_ids=chosen.recording_ids)],
        resources={
            "pipeline": pipeline or PipelineResource(store_uri=places.store, workers=default_workers())
        },
        executor=dg.in_process_executor,
    )


def default_workers() -> int:
    """Return the number of chunk workers per run: the variable, else the cores, at most four."""
    named = os.environ.get(WORKERS_VARIABLE, "")
    if named.isdigit() and int(named) > 0:
        return int(named)
    cores = len(os.sched_getaffinity(0)) if platform.system() == "Linux" else os.cpu_count() or 1
    return max(1, min(4, cores))


defs = build_defs()
