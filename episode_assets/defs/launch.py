"""Runs the graph for given recordings in this process, into the same instance that the UI shows.

One interpreter for many recordings: starting a process costs more than most cache hits. The command line is the
caller; what it prints is its own business.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import dagster as dg

from episode_assets.defs.jobs import PACK_DATASETS, PROCESS_RECORDING, REPORT_ARCHIVE
from episode_assets.defs.partitions import add_recordings
from episode_assets.defs.watching import console
from episode_assets.progress import Progress, silent

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
"""The event log goes to the instance; on a terminal it would drown the progress bars."""

INTERRUPTIONS = frozenset({"KeyboardInterrupt", "DagsterExecutionInterruptedError"})
"""Names of the exceptions that Ctrl-C becomes inside a step."""


@dataclass(frozen=True)
class AssetResult:
    """One asset of a finished run: its key as text, its metadata values, and why it failed if it did."""

    asset: str
    metadata: Mapping[str, Any]
    failure: str | None = None


@dataclass(frozen=True)
class RunResult:
    """A finished run: its id and its assets in the order in which they ran."""

    run_id: str
    assets: tuple[AssetResult, ...]

    @property
    def failures(self) -> tuple[AssetResult, ...]:
        """The assets that failed."""
        return tuple(result for result in self.assets if result.failure)


def process(
    defs: dg.Definitions, instance: dg.DagsterInstance, recording_id: str, *, progress: Progress = silent
) -> RunResult:
    """Bring every asset of one registered recording up to date.

    Raises:
        KeyboardInterrupt: The user stopped the run.
    """
    add_recordings(instance, [recording_id])
    return _execute(defs, instance, PROCESS_RECORDING, recording_id, progress)


def pack(defs: dg.Definitions, instance: dg.DagsterInstance, *, progress: Progress = silent) -> RunResult:
    """Bring every dataset up to date."""
    return _execute(defs, instance, PACK_DATASETS, None, progress)


def report(defs: dg.Definitions, instance: dg.DagsterInstance, *, progress: Progress = silent) -> RunResult:
    """Bring the page over all recordings up to date."""
    return _execute(defs, instance, REPORT_ARCHIVE, None, progress)


def _execute(
    defs: dg.Definitions, instance: dg.DagsterInstance, job: str, partition: str | None, progress: Progress
) -> RunResult:
    token = console.set(progress)
    try:
        result = defs.resolve_job_def(job).execute_in_process(
            instance=instance, partition_key=partition, run_config=QUIET, raise_on_error=False
        )
    finally:
        console.reset(token)
    made = [_materialized(event) for event in result.get_asset_materialization_events()]
    failures = result.get_step_failure_events()
    if any(_is_interruption(event) for event in failures):
        # Dagster makes a failed step of it; whoever loops over recordings has to stop, and not go on with the next.
        raise KeyboardInterrupt
    failed = [_failed(event) for event in failures]
    return RunResult(result.run_id, (*made, *failed))


def _materialized(event: dg.DagsterEvent) -> AssetResult:
    data = event.step_materialization_data.materialization
    values = {name: getattr(value, "value", None) for name, value in data.metadata.items()}
    return AssetResult(data.asset_key.to_user_string(), values)


def _is_interruption(event: dg.DagsterEvent) -> bool:
    error = event.step_failure_data.error
    while error is not None:
        if error.cls_name in INTERRUPTIONS:
            return True
        error = error.cause
    return False


def _failed(event: dg.DagsterEvent) -> AssetResult:
    data = event.step_failure_data
    own = data.user_failure_data
    error = data.error
    while error is not None and error.cause is not None:
        error = error.cause
    text = own.description if own and own.description else (error.message if error else "failed")
    return AssetResult((event.step_key or "").replace("__", "/"), {}, " ".join((text or "failed").split()))
