"""Packs the datasets of a recipe from what the recordings contribute, as one immutable version per publication.

A dataset takes every published contribution and waits for none; one that is damaged is left out and named. The order
of episodes is a ledger that the previous version hands on, so that a new recording never renumbers an old one.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from episode_assets.errors import ArtifactDamaged, ArtifactMissing, BadConfig, NothingToExport
from episode_assets.lerobot import Fragment, pack_dataset
from episode_assets.lerobot.admission import RecordingLeftOut, with_places_kept
from episode_assets.lerobot.labels import LABELS_SUFFIX, NOTHING_SAID, BadLabels, Labels, read_labels
from episode_assets.lerobot.ledger import continue_ledger
from episode_assets.lerobot.recipe import Recipe
from episode_assets.lerobot.reuse import nothing_published
from episode_assets.lerobot.selecting import refused
from episode_assets.lerobot.splits import group_of, split_of
from episode_assets.outcome import Json, Note, Outcome
from episode_assets.pipeline.earlier_datasets import DATASETS, earlier_files
from episode_assets.pipeline.hiding import hides_what_it_should
from episode_assets.pipeline.step import HANDED_ON, Produced
from episode_assets.progress import Progress, silent
from episode_assets.storage import Artifact, ArtifactKey, Store, fingerprint
from episode_assets.storage.canonical import plain_config

DATASET_CODE_VERSION = "2"


def bring_dataset_up_to_date(
    store: Store, recipe: Recipe, *, progress: Progress = silent, force: bool = False, repack: bool = False
) -> Produced:
    """Return the dataset of a recipe over all published contributions, packed anew if anything changed.

    Files that an earlier version holds already are taken over from it unread: a link on a file system, a copy inside an
    object store.

    Args:
        store: Where contributions and datasets are published.
        recipe: What the dataset is made of.
        progress: Told after every file.
        force: Pack anew whatever is published, and take nothing over.
        repack: Forget the order in which recordings came, and sort them by their start again.

    Raises:
        NothingToExport: No recording has contributed yet.
    """
    began = time.monotonic()
    key = ArtifactKey(f"{DATASETS}/{recipe.name}", None)
    contributions, left_out = _contributions(store, recipe)
    previous = () if repack else _previous_order(store, key)
    ledger = _order(previous, contributions, left_out)
    inputs = {found.recording_id: found.artifact.content_digest for found in contributions}
    config: dict[str, Json] = {**plain_config(recipe), "ledger": list(ledger)}
    if left_out:
        config["left_out"] = [[item.recording_id, item.detail] for item in left_out]
    if recipe.packing.splits:
        config["divided"] = {found.recording_id: found.split(recipe) for found in contributions}
    value = fingerprint(
        asset=key.asset, code_version=DATASET_CODE_VERSION, config=config, models={}, inputs=inputs
    )
    known = None if force else store.reuse(key, value)
    if known is not None:
        return Produced(known, True, time.monotonic() - began, value)
    fragments = [_fragment(store, found) for found in contributions]
    with store.draft(
        key, fingerprint=value, code_version=DATASET_CODE_VERSION, config=config, inputs=inputs
    ) as draft:
        outcome = pack_dataset(
            fragments,
            draft.directory,
            recipe=recipe,
            ledger=ledger,
            left_out=left_out,
            find=nothing_published if force else earlier_files(store, key, draft),
            progress=progress,
        )
        artifact = draft.publish(_with_cut_recordings(outcome, contributions))
    return Produced(artifact, False, time.monotonic() - began, value)


def check_dataset(artifact: Artifact) -> Sequence[str]:
    """Read a packed dataset back and return what is wrong with it, in words."""
    from episode_assets.lerobot import verify_dataset
    from episode_assets.lerobot.splits import dataset_roots

    return [
        f"{split}: {problem}" if split else str(problem)
        for split, root in dataset_roots(artifact.directory()).items()
        for problem in verify_dataset(root)
    ]


@dataclass(frozen=True)
class _Contribution:
    """What a recording contributes, and what is said of the recording."""

    artifact: Artifact
    labels: Labels

    @property
    def recording_id(self) -> str:
        return self.artifact.key.recording_id or ""

    def split(self, recipe: Recipe) -> str | None:
        return split_of(group_of(self.recording_id, self.labels, recipe.packing), recipe.packing)


def _contributions(store: Store, recipe: Recipe) -> tuple[list[_Contribution], list[RecordingLeftOut]]:
    """Return the contributions that enter, whole and with the bundles they refer to, and those that do not."""
    found: list[_Contribution] = []
    left_out: list[RecordingLeftOut] = []
    for key in store.keys(f"lerobot_episode/{recipe.name}"):
        name = key.recording_id or ""
        try:
            labels = _labels(store, name) if _needs_labels(recipe) else NOTHING_SAID
            reason = refused(recipe.selection, name, labels)
            if reason is not None:
                left_out.append(RecordingLeftOut(name, *reason, keeps_place=False))
                continue
            artifact = store.latest(key)
            _referred_bundle(store, artifact)
            if hides_what_it_should(store, key):
                found.append(_Contribution(artifact, labels))
            else:
                pending = "what is to be hidden has changed, and its video has not been made again"
                left_out.append(RecordingLeftOut(name, "redactions_pending", pending))
        except BadLabels as error:
            left_out.append(RecordingLeftOut(name, "labels_broken", error.what))
        except BadConfig as error:
            left_out.append(RecordingLeftOut(name, "redactions_broken", error.what))
        except (ArtifactDamaged, ArtifactMissing) as error:
            # Without the place, which would tell every user of the dataset where the store lies.
            left_out.append(RecordingLeftOut(name, "damaged", error.what))
    if not found and not left_out:
        raise NothingToExport(
            f"no recording has contributed to recipe {recipe.name!r} yet",
            remedy="run `episode-assets run FILE` on a recording first",
        )
    return found, left_out


def _needs_labels(recipe: Recipe) -> bool:
    chosen = recipe.selection
    divides = bool(recipe.packing.splits) and recipe.packing.group_by != "recording"
    return divides or any((chosen.tags, chosen.without_tags, chosen.consent, chosen.licences))


def _labels(store: Store, recording_id: str) -> Labels:
    try:
        entry = store.recordings.get(recording_id)
    except ArtifactMissing:
        return NOTHING_SAID
    try:
        beside = store.recordings.beside(entry, LABELS_SUFFIX)
    except BadConfig as error:
        raise BadLabels(error.what, where=error.where, remedy=error.remedy) from error
    return NOTHING_SAID if beside is None else read_labels(beside.read(), where=beside.where)


def _previous_order(store: Store, key: ArtifactKey) -> tuple[str, ...]:
    """Return the order of recordings of the last version, as its record tells it even where its files are damaged."""
    record = store.current(key)
    ledger = () if record is None else record.config.get("ledger", ())
    return tuple(str(recording) for recording in ledger) if isinstance(ledger, list | tuple) else ()


def _order(
    previous: tuple[str, ...],
    contributions: Sequence[_Contribution],
    left_out: Sequence[RecordingLeftOut],
) -> tuple[str, ...]:
    # The order that results is part of the fingerprint, and it has to be the same when nothing is new.
    starts = {
        found.recording_id: int(found.artifact.read_json("episodes.json")["first_stamp_ns"])
        for found in contributions
        if found.artifact.manifest.summary.get("episodes")
    }
    return continue_ledger(previous, with_places_kept(starts, left_out, previous))


def _with_cut_recordings(outcome: Outcome, contributions: Sequence[_Contribution]) -> Outcome:
    cut = [
        found.recording_id
        for found in contributions
        if any(note.code in HANDED_ON for note in found.artifact.manifest.warnings)
    ]
    if not cut:
        return outcome
    note = Note("truncated", f"these recordings end early: {', '.join(cut)}", count=len(cut))
    return replace(outcome, warnings=(*outcome.warnings, note))


def _fragment(store: Store, found: _Contribution) -> Fragment:
    bundle = _referred_bundle(store, found.artifact)
    return Fragment(
        recording_id=found.recording_id,
        directory=found.artifact.directory(),
        digest=found.artifact.content_digest,
        bundle_video=partial(bundle.path, "rgb.mp4"),
        labels=found.labels,
    )


def _referred_bundle(store: Store, artifact: Artifact) -> Artifact:
    # A fragment names the very version of the bundle whose frames it cut; a newer one may hold other frames.
    digest = artifact.manifest.inputs["episode_bundle"]
    return store.version(ArtifactKey("episode_bundle", artifact.key.recording_id), digest[:16])
