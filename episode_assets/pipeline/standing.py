"""Compares what is published with what would be computed today, and says why they differ.

This is the one place that answers "what is out of date, and why". It reads manifests and never Dagster's database, so
a lost database changes no answer, and it computes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from episode_assets.errors import EpisodeAssetsError
from episode_assets.outcome import Json
from episode_assets.pipeline.settings import Settings
from episode_assets.pipeline.step import (
    BESIDE,
    REDACTIONS,
    Expectation,
    Step,
    expect,
    file_beside,
    redactions_for,
)
from episode_assets.pipeline.steps import STEPS, fragment_step
from episode_assets.storage import Artifact, ArtifactKey, Publication, RecordingEntry, Store

State = Literal["current", "outdated", "missing", "blocked", "quarantined"]

_DOCUMENTS = (REDACTIONS, BESIDE)
"""What stands among the settings of a computation and comes from files of the recording."""


@dataclass(frozen=True)
class Standing:
    """Where one asset of one recording stands.

    Attributes:
        asset: Asset name.
        recording_id: Which recording.
        state: `current`; `outdated` (published, but today's computation has another fingerprint); `missing`;
            `blocked` (it waits for an upstream asset); `quarantined` (the audit refused it).
        reason: Why it is not current: `code`, `config`, `redactions`, `beside` (a file beside the
            recording), `model`, `input`, or words of the failure.
        artifact: What is published, if anything is.
    """

    asset: str
    recording_id: str
    state: State
    reason: str
    artifact: Artifact | None = None


def standing_of(store: Store, recording: RecordingEntry, settings: Settings) -> tuple[Standing, ...]:
    """Return where every per-recording asset of a recording stands, upstream first."""
    steps: Sequence[Step[Any]] = (*STEPS, *(fragment_step(name) for name in settings.recipes))
    settled: dict[str, Artifact] = {}
    standings = []
    for step in steps:
        standing = _standing(store, recording, step, settings, settled)
        if standing.artifact is not None and standing.state == "current":
            settled[step.asset] = standing.artifact
        standings.append(standing)
    return tuple(standings)


def _standing(
    store: Store,
    recording: RecordingEntry,
    step: Step[Any],
    settings: Settings,
    settled: dict[str, Artifact],
) -> Standing:
    key = step.key(recording.recording_id)
    published, trouble = _latest(store, key)
    waiting_for = [name for name in step.inputs if name not in settled]
    if waiting_for:
        reason = f"after {', '.join(waiting_for)}"
        return Standing(step.asset, recording.recording_id, "blocked", reason, published)
    verdict = store.quarantined(key)
    config = settings.config(step.asset)
    try:
        redactions = redactions_for(step, store.recordings, recording)
        beside = file_beside(step, store.recordings, recording, config)
    except EpisodeAssetsError as error:
        state: State = "missing" if published is None else "outdated"
        return Standing(step.asset, recording.recording_id, state, error.what, published)
    expected = expect(step, recording, settled, config, redactions, beside)
    known = store.lookup(key, expected.fingerprint)
    if known is not None:
        return Standing(step.asset, recording.recording_id, "current", "", known)
    if verdict is not None:
        return Standing(
            step.asset, recording.recording_id, "quarantined", "the audit did not pass", published
        )
    if published is None:
        reason = recording.reason if recording.state == "unreadable" else trouble
        return Standing(step.asset, recording.recording_id, "missing", reason or "never computed")
    behind = store.current(key)
    reason = ", ".join(_differences(behind, step, expected)) if behind else "its record is gone"
    return Standing(step.asset, recording.recording_id, "outdated", reason, published)


def _latest(store: Store, key: ArtifactKey) -> tuple[Artifact | None, str]:
    try:
        return store.latest(key), ""
    except EpisodeAssetsError as error:
        return None, error.what


def _differences(behind: Publication, step: Step[Any], expected: Expectation) -> list[str]:
    # Two computations may lead to one version, so the record behind latest.json is asked and not the manifest.
    pairs = {
        "code": (behind.code_version, step.code_version),
        "config": (_settings_of(behind.config), _settings_of(expected.config)),
        **{name: (behind.config.get(name), expected.config.get(name)) for name in _DOCUMENTS},
        "input": (dict(behind.inputs), dict(expected.inputs)),
        "model": (dict(behind.models), dict(expected.models)),
    }
    return [name for name, (before, now) in pairs.items() if before != now] or ["never finished"]


def _settings_of(config: Mapping[str, Json]) -> dict[str, Json]:
    return {name: value for name, value in config.items() if name not in _DOCUMENTS}
