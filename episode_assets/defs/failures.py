"""Turns the package's errors into Dagster failures, in one place.

A permanent error stops both retry layers: the step's own, and the run's, which listens to a run tag and not to
`allow_retries`. A transient one asks for the step to be tried again. Anything else is a bug and stays raw.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import dagster as dg

from episode_assets.errors import AuditFailed, EpisodeAssetsError

NO_RUN_RETRY_TAG = "dagster/retry_on_asset_or_op_failure"
TRANSIENT_RETRIES = 3
TRANSIENT_WAIT_S = 10.0


@contextmanager
def as_dagster_failures(
    context: dg.AssetExecutionContext, *, show_refusal: Callable[[], Mapping[str, Any]] = dict
) -> Iterator[None]:
    """Raise `Failure` for permanent errors and `RetryRequested` for transient ones.

    Args:
        context: Of the running step.
        show_refusal: Returns metadata that shows why an audit failed.
    """
    try:
        yield
    except EpisodeAssetsError as error:
        if not error.is_permanent:
            context.log.warning(str(error))
            raise dg.RetryRequested(TRANSIENT_RETRIES, TRANSIENT_WAIT_S) from error
        context.instance.add_run_tags(context.run.run_id, {NO_RUN_RETRY_TAG: "false"})
        shown = _shown(context, show_refusal) if isinstance(error, AuditFailed) else {}
        raise dg.Failure(str(error), metadata={**_metadata(error), **shown}, allow_retries=False) from error


def _shown(
    context: dg.AssetExecutionContext, show_refusal: Callable[[], Mapping[str, Any]]
) -> Mapping[str, Any]:
    """Return what shows why an audit failed; no trouble with that may stand in for the refusal itself."""
    try:
        return show_refusal()
    except Exception:
        context.log.exception("what shows why the audit failed cannot be read")
        return {}


def _metadata(error: EpisodeAssetsError) -> dict[str, dg.MetadataValue]:
    parts = {"kind": type(error).__name__, "what": error.what, "where": error.where, "remedy": error.remedy}
    return {name: dg.MetadataValue.text(text) for name, text in parts.items() if text}
