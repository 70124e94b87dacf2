"""What one step of the graph is, and how its artifact is brought up to date.

A step names an asset, what it takes, and the one library function that computes it. `bring_up_to_date` is the only
way an artifact comes into being: it asks the store first, computes into a draft otherwise, and publishes. Nothing
here knows Dagster, a file format, or what any step does; the steps themselves are listed in `steps`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Generic, TypeVar

from episode_assets.errors import ArtifactDamaged, ArtifactMissing, UnauditedArtifact
from episode_assets.outcome import Json, ModelUse, Outcome
from episode_assets.progress import Progress, silent
from episode_assets.recording import RecordingView
from episode_assets.storage import (
    Artifact,
    ArtifactKey,
    FileBeside,
    RecordingEntry,
    RedactionText,
    Registry,
    Store,
    digest_of_redactions,
    fingerprint,
)
from episode_assets.storage.canonical import plain_config

Config = TypeVar("Config")

HANDED_ON = frozenset({"truncated"})
"""Codes of notes that go on to everything made from an artifact: it is only a part of what was recorded."""

BESIDE = "beside"
"""Name under which the digest of a file beside the recording stands among the settings of a step that takes one."""

REDACTIONS = "redactions"
"""Name under which the digest of the documents stands among the settings of a step that takes them."""


def _takes_nothing_beside(_config: object) -> str | None:
    return None


def _all_of_it(config: object) -> object:
    return config


def _watch_nothing(_registry: Registry, _recording_id: str) -> AbstractContextManager[None]:
    return nullcontext()


def _note_nothing(_registry: Registry, _artifact: Artifact) -> None:
    return


@dataclass(frozen=True)
class StepInputs:
    """What a step's computation is given.

    Attributes:
        recording: The registry entry of the recording.
        source: Address of the recording file, for steps that read payloads from it.
        artifacts: The latest upstream artifacts by asset name.
        redactions: What people have written down that must not be seen, for steps that take it.
        beside: The file beside the recording, for steps that take one, or None where there is none.
        earlier: What the same code last made of this recording, for a step that takes measurements over from it; None
            where there is none, or where everything is to be computed anew.
        workers: Processes that may work on chunks; never changes the result.
        progress: Who watches.
    """

    recording: RecordingEntry
    source: str
    artifacts: Mapping[str, Artifact]
    redactions: Sequence[RedactionText] = ()
    beside: FileBeside | None = None
    earlier: Artifact | None = None
    workers: int = 1
    progress: Progress = silent

    @cached_property
    def view(self) -> RecordingView:
        """The recording through its `raw_mcap` artifact."""
        return RecordingView.open(self.artifacts["raw_mcap"].directory(), self.source)

    def directory(self, asset: str) -> Path:
        """Return the local directory of an upstream artifact."""
        return self.artifacts[asset].directory()

    def privacy(self, asset: str) -> Mapping[str, Json]:
        """Return the privacy block of an upstream manifest; empty where there is none."""
        return self.artifacts[asset].manifest.privacy or {}


@dataclass(frozen=True)
class Step(Generic[Config]):
    """One asset of the graph, per recording.

    Attributes:
        asset: Asset name, which is also its folder in the store.
        code_version: Raised whenever the same inputs would give other bytes.
        inputs: Upstream assets; none means that the recording file itself is the input.
        config_type: Frozen dataclass of every setting that affects the output.
        weights: The model files that a configuration uses.
        compute: The one library function, adapted to `StepInputs`.
        takes_task: Whether the task text of the recording is written into the artifact.
        takes_redactions: Whether documents of redactions are an input.
        takes_beside: Ending of the file beside the recording that is an input under a configuration, or None.
        takes_earlier: Whether the computation may take measurements over from the latest artifact of the same code.
            What it writes never depends on that.
        relevant: The part of a configuration that the output depends on, where other steps share it.
        watch: Around the computation; tells the registry of a failure that says something about the file.
        note: After publication; tells the registry what the artifact has shown about the file.
    """

    asset: str
    code_version: str
    inputs: tuple[str, ...]
    config_type: type[Config]
    weights: Callable[[Config], tuple[ModelUse, ...]]
    compute: Callable[[StepInputs, Path, Config], Outcome]
    takes_task: bool = False
    takes_redactions: bool = False
    takes_beside: Callable[[Config], str | None] = _takes_nothing_beside
    takes_earlier: bool = False
    relevant: Callable[[Config], object] = _all_of_it
    watch: Callable[[Registry, str], AbstractContextManager[None]] = _watch_nothing
    note: Callable[[Registry, Artifact], None] = _note_nothing

    def key(self, recording_id: str) -> ArtifactKey:
        """Return where this step's artifact of a recording lies."""
        return ArtifactKey(self.asset, recording_id)


@dataclass(frozen=True)
class Produced:
    """An artifact that is up to date, and how it came about.

    Attributes:
        artifact: The published artifact.
        was_cached: Whether the store had it already and nothing was computed.
        seconds: Wall time of asking or computing.
        fingerprint: The fingerprint that was asked for.
    """

    artifact: Artifact
    was_cached: bool
    seconds: float
    fingerprint: str


@dataclass(frozen=True)
class Expectation:
    """The fingerprint that an up-to-date artifact would carry, and what it is made of.

    Attributes:
        fingerprint: 64 hex digits.
        inputs: Content digest of each input by asset name.
        config: Every setting that affects the output.
        models: SHA-256 of each weight file by its name.
    """

    fingerprint: str
    inputs: Mapping[str, str]
    config: Mapping[str, Json]
    models: Mapping[str, str]


def with_handed_on_notes(outcome: Outcome, inputs: Iterable[Artifact]) -> Outcome:
    """Return an outcome that says what every artifact of a recording has to say, whatever computed it."""
    said = {note.code for note in outcome.warnings}
    found = {note.code: note for item in inputs for note in item.manifest.warnings if note.code in HANDED_ON}
    added = tuple(note for code, note in sorted(found.items()) if code not in said)
    return replace(outcome, warnings=(*outcome.warnings, *added))


def with_upstream_models(outcome: Outcome, inputs: Iterable[Artifact]) -> Outcome:
    """Return an outcome that names the weight files behind its inputs, their own inputs included."""
    manifests = [item.manifest for item in inputs]
    found = {use for manifest in manifests for use in (*manifest.models, *manifest.upstream_models)}
    return replace(outcome, upstream_models=tuple(sorted(found, key=lambda use: (use.name, use.sha256))))


def redactions_for(
    step: Step[Config], registry: Registry, recording: RecordingEntry
) -> tuple[RedactionText, ...]:
    """Return the documents of redactions that a step takes; none for one that takes none."""
    return registry.redactions(recording) if step.takes_redactions else ()


def file_beside(
    step: Step[Config], registry: Registry, recording: RecordingEntry, config: Config
) -> FileBeside | None:
    """Return the file beside the recording that a step takes; None for one that takes none, and where there is none."""
    suffix = step.takes_beside(config)
    return None if suffix is None else registry.beside(recording, suffix)


def expect(
    step: Step[Config],
    recording: RecordingEntry,
    artifacts: Mapping[str, Artifact],
    config: Config,
    redactions: Sequence[RedactionText],
    beside: FileBeside | None = None,
) -> Expectation:
    """Work out the fingerprint of a step from its inputs, without computing anything."""
    inputs = {name: artifacts[name].content_digest for name in step.inputs}
    if not inputs:
        inputs = {"source": source_identity(recording)}
    settings = plain_config(step.relevant(config))
    if step.takes_task:
        # It belongs to the recording and not to a configuration, yet it changes the bytes like one.
        settings["task"] = recording.task
    digest = digest_of_redactions(redactions)
    if digest is not None:
        settings[REDACTIONS] = digest
    if beside is not None:
        settings[BESIDE] = beside.sha256
    models = {weight.name: weight.sha256 for weight in step.weights(config)}
    value = fingerprint(
        asset=step.asset, code_version=step.code_version, config=settings, models=models, inputs=inputs
    )
    return Expectation(value, inputs, settings, models)


def source_identity(recording: RecordingEntry) -> str:
    """Return what identifies the bytes of a recording before its SHA-256 is known: size and quick digest."""
    return f"{recording.size_bytes}-{recording.quick_digest}"


def bring_up_to_date(
    store: Store,
    step: Step[Config],
    recording_id: str,
    config: Config,
    *,
    workers: int = 1,
    progress: Progress = silent,
    force: bool = False,
) -> Produced:
    """Return the artifact of a step, from the store if its fingerprint is known, else computed and published.

    Args:
        store: Where artifacts live.
        step: Which asset.
        recording_id: Which recording; it must be registered.
        config: Settings that affect the output.
        workers: Processes for chunk work.
        progress: Who watches.
        force: Compute even if the store has it.

    Raises:
        ArtifactMissing: An upstream artifact has not been published.
        UnauditedArtifact: An upstream artifact has no passed audit.
        EpisodeAssetsError: Whatever the computation itself raises.
    """
    began = time.monotonic()
    recording = store.recordings.get(recording_id)
    artifacts = {name: store.latest(ArtifactKey(name, recording_id)) for name in step.inputs}
    # Read once, so that what is computed is what the fingerprint names, whoever writes meanwhile.
    redactions = redactions_for(step, store.recordings, recording)
    beside = file_beside(step, store.recordings, recording, config)
    expected = expect(step, recording, artifacts, config, redactions, beside)
    key = step.key(recording_id)
    known = None if force else store.reuse(key, expected.fingerprint)
    if known is not None:
        # Said again, because a run may have been killed between publishing and telling the registry.
        step.note(store.recordings, known)
        return Produced(known, True, time.monotonic() - began, expected.fingerprint)
    source = store.recordings.check_unchanged(recording)
    earlier = None if force else _earlier(store, step, key)
    inputs = StepInputs(recording, source, artifacts, redactions, beside, earlier, workers, progress)
    with (
        step.watch(store.recordings, recording_id),
        store.draft(
            key,
            fingerprint=expected.fingerprint,
            code_version=step.code_version,
            config=expected.config,
            inputs=expected.inputs,
        ) as draft,
    ):
        outcome = step.compute(inputs, draft.directory, config)
        outcome = with_upstream_models(outcome, artifacts.values())
        artifact = draft.publish(with_handed_on_notes(outcome, artifacts.values()))
    step.note(store.recordings, artifact)
    return Produced(artifact, False, time.monotonic() - began, expected.fingerprint)


def _earlier(store: Store, step: Step[Config], key: ArtifactKey) -> Artifact | None:
    if not step.takes_earlier:
        return None
    try:
        record = store.current(key)
        is_ours = record is not None and record.code_version == step.code_version
        return store.latest(key) if is_ours else None
    except (ArtifactMissing, ArtifactDamaged, UnauditedArtifact):
        return None  # it would save time, and that is all
