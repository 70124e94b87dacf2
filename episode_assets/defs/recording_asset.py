"""Makes the Dagster asset of a step: one partition per recording, up to date or computed, with its metadata.

What all per-recording assets share is here, once. What is special about one (its words, its checks, its numbers)
is in its own file. Nothing here decides how an artifact is made; the step does.
"""

import resource
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg

from episode_assets.defs.failures import as_dagster_failures
from episode_assets.defs.options import chosen_config, is_forced, only_force, options_for
from episode_assets.defs.partitions import RECORDING
from episode_assets.defs.refusals import refusal_metadata
from episode_assets.defs.resources import PipelineResource
from episode_assets.defs.watching import RunLogProgress
from episode_assets.pipeline import Produced, Step, bring_up_to_date
from episode_assets.storage import Artifact

Metadata = Mapping[str, Any]

MAX_LISTED = 50
"""Rows of a metadata table; each event stays in the event database for ever."""


@dataclass(frozen=True)
class Check:
    """A verdict of the manifest, repeated as an asset check.

    The check is no gate: it speaks for the runs in which it is evaluated. What must never pass is refused by the
    computation and by the store.

    Attributes:
        name: Check name in the UI.
        description: What a pass means.
        judge: Returns whether it passed, and numbers to show.
        is_error: Failing is an error that blocks the rest of the run, else a warning.
        is_severe: Whether a failure that blocks nothing is shown as an error all the same.
    """

    name: str
    description: str
    judge: Callable[[Artifact], tuple[bool, Metadata]]
    is_error: bool = False
    is_severe: Callable[[Artifact], bool] = lambda _artifact: False


def recording_asset(
    step: Step[Any],
    *,
    description: str,
    kinds: set[str],
    defaults: object,
    is_fixed: bool = False,
    checks: Sequence[Check] = (),
    describe: Callable[[Artifact], Metadata] = lambda _artifact: {},
) -> dg.AssetsDefinition:
    """Return the asset of a step.

    Args:
        step: What is computed.
        description: One sentence for the UI.
        kinds: Labels in the asset graph.
        defaults: The configuration that the launchpad starts from.
        is_fixed: The configuration comes from a file and is not offered in the launchpad.
        checks: Verdicts of the manifest that the UI shows.
        describe: Metadata beyond what every artifact has.
    """
    key = dg.AssetKey(step.asset.split("/"))
    options_type = only_force() if is_fixed else options_for(step.config_type, defaults)

    @dg.asset(
        key=key,
        partitions_def=RECORDING,
        deps=[dg.AssetKey(name) for name in step.inputs],
        code_version=step.code_version,
        description=description,
        kinds=kinds,
        group_name="recordings",
        check_specs=[_spec(check, key) for check in checks],
    )
    def asset(
        context: dg.AssetExecutionContext,
        config: options_type,  # type: ignore[valid-type]
        pipeline: PipelineResource,
    ) -> dg.MaterializeResult:  # type: ignore[type-arg]  # Dagster reads the bare class
        recording_key = step.key(context.partition_key)
        with as_dagster_failures(
            context, show_refusal=lambda: refusal_metadata(pipeline.store(), recording_key)
        ):
            settings = defaults if is_fixed else chosen_config(config, step.config_type)
            produced = bring_up_to_date(
                pipeline.store(),
                step,
                context.partition_key,
                settings,
                workers=pipeline.workers,
                progress=RunLogProgress(context),
                force=is_forced(config),
            )
        return dg.MaterializeResult(
            data_version=dg.DataVersion(produced.artifact.content_digest),
            metadata={**common_metadata(produced), **describe(produced.artifact)},
            check_results=[_result(check, key, produced.artifact) for check in checks],
        )

    return asset


def common_metadata(produced: Produced) -> dict[str, Any]:
    """Return what the UI shows of every artifact: where it lies, how it came about, and what it lacks."""
    manifest = produced.artifact.manifest
    metadata: dict[str, Any] = {
        "cache": "hit" if produced.was_cached else "miss",
        "wall_s": round(produced.seconds, 3),
        "fingerprint": produced.fingerprint[:16],
        "version": produced.artifact.version,
        "stored_bytes": sum(file.bytes for file in manifest.files),
        "peak_rss_mb": _peak_rss_mb(),
        "place": dg.MetadataValue.path(produced.artifact.uri()),
        "files": dg.MetadataValue.md(_file_table(produced.artifact)),
    }
    metadata |= {
        name: value for name, value in manifest.summary.items() if isinstance(value, str | int | float)
    }
    if manifest.skipped:
        metadata["skipped"] = dg.MetadataValue.md(
            _bullets(f"`{s.name}`: {s.detail}" for s in manifest.skipped)
        )
    if manifest.warnings:
        lines = (f"{w.code} ({w.count}): {w.detail}" for w in manifest.warnings)
        metadata["warnings"] = dg.MetadataValue.md(_bullets(lines))
    return metadata


def _spec(check: Check, key: dg.AssetKey) -> dg.AssetCheckSpec:
    with warnings.catch_warnings():
        # Partitioned checks are a preview in Dagster 1.13; the version range in pyproject.toml is the answer to that.
        warnings.simplefilter("ignore", dg.PreviewWarning)
        return dg.AssetCheckSpec(
            check.name,
            asset=key,
            description=check.description,
            blocking=check.is_error,
            partitions_def=RECORDING,
        )


def _result(check: Check, key: dg.AssetKey, artifact: Artifact) -> dg.AssetCheckResult:
    passed, numbers = check.judge(artifact)
    is_error = check.is_error or check.is_severe(artifact)
    severity = dg.AssetCheckSeverity.ERROR if is_error else dg.AssetCheckSeverity.WARN
    return dg.AssetCheckResult(
        passed=passed, asset_key=key, check_name=check.name, severity=severity, metadata=dict(numbers)
    )


def _file_table(artifact: Artifact) -> str:
    rows = [
        f"| `{file.path}` | {file.role} | {file.bytes:,} | `{file.sha256[:12]}` |"
        for file in artifact.manifest.files[:MAX_LISTED]
    ]
    return "\n".join(["| file | role | bytes | sha256 |", "|---|---|---:|---|", *rows])


def _bullets(lines: Any) -> str:
    return "\n".join(f"- {line}" for line in list(lines)[:MAX_LISTED])


def _peak_rss_mb() -> float:
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)
