"""Packs the datasets of a recipe from what the recordings contribute, as one immutable version per publication.

A dataset takes every published contribution and waits for none; one that is damaged is left out and named. The order
of episodes is a ledger that the previous version hands on, so that a new recording never renumbers an old one.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

from episode_assets.errors import ArtifactDamaged, ArtifactMissing, BadConfig, NothingToExport
from episode_assets.lerobot import Fragment, pack_dataset, read_ledger
from episode_assets.lerobot.admission import RecordingLeftOut, with_places_kept
from episode_assets.lerobot.ledger import continue_ledger
from episode_assets.lerobot.recipe import Recipe
from episode_assets.outcome import Json, Note, Outcome
from episode_assets.pipeline.hiding import hides_what_it_should
from episode_assets.pipeline.step import HANDED_ON, Produced
from episode_assets.progress import Progress, silent
from episode_assets.storage import Artifact, ArtifactKey, Store, fingerprint
from episode_assets.storage.canonical import plain_config

DATASET_CODE_VERSION = "1"


def bring_dataset_up_to_date(
    store: Store, recipe: Recipe, *, progress: Progress = silent, force: bool = False
) -> Produced:
    """Return the dataset of a recipe over all published contributions, packed anew if anything changed.

    Raises:
        NothingToExport: No recording has contributed yet.
    """
    began = time.monotonic()
    key = ArtifactKey(f"lerobot_dataset/{recipe.name}", None)
    contributions, damaged = _contributions(store, recipe)
    ledger = _order(store, key, contributions, damaged)
    inputs = {artifact.key.recording_id or "": artifact.content_digest for artifact in contributions}
    config: dict[str, Json] = {**plain_config(recipe), "ledger": list(ledger)}
    if damaged:
        config["left_out"] = [[item.recording_id, item.detail] for item in damaged]
    value = fingerprint(
        asset=key.asset, code_version=DATASET_CODE_VERSION, config=config, models={}, inputs=inputs
    )
    known = None if force else store.reuse(key, value)
    if known is not None:
        return Produced(known, True, time.monotonic() - began, value)
    fragments = [_fragment(store, artifact) for artifact in contributions]
    with store.draft(
        key, fingerprint=value, code_version=DATASET_CODE_VERSION, config=config, inputs=inputs
    ) as draft:
        outcome = pack_dataset(
            fragments, draft.directory, recipe=recipe, ledger=ledger, left_out=damaged, progress=progress
        )
        artifact = draft.publish(_with_cut_recordings(outcome, contributions))
    return Produced(artifact, False, time.monotonic() - began, value)


def check_dataset(artifact: Artifact) -> Sequence[str]:
    """Read a packed dataset back and return what is wrong with it, in words."""
    from episode_assets.lerobot import verify_dataset

    return [str(problem) for problem in verify_dataset(artifact.directory())]


def _contributions(store: Store, recipe: Recipe) -> tuple[list[Artifact], list[RecordingLeftOut]]:
    """Return the contributions that are whole, with the bundles they refer to, and those that are not."""
    found: list[Artifact] = []
    damaged: list[RecordingLeftOut] = []
    for key in store.keys(f"lerobot_episode/{recipe.name}"):
        try:
            artifact = store.latest(key)
            _referred_bundle(store, artifact)
            if hides_what_it_should(store, key):
                found.append(artifact)
            else:
                reason = "what is to be hidden has changed, and its video has not been made again"
                damaged.append(RecordingLeftOut(key.recording_id or "", "redactions_pending", reason))
        except BadConfig as error:
            damaged.append(RecordingLeftOut(key.recording_id or "", "redactions_broken", error.what))
        except (ArtifactDamaged, ArtifactMissing) as error:
            # Without the place, which would tell every user of the dataset where the store lies.
            damaged.append(RecordingLeftOut(key.recording_id or "", "damaged", error.what))
    if not found and not damaged:
        raise NothingToExport(
            f"no recording has contributed to recipe {recipe.name!r} yet",
            remedy="run `episode-assets run FILE` on a recording first",
        )
    return found, damaged


def _order(
    store: Store,
    key: ArtifactKey,
    contributions: Sequence[Artifact],
    damaged: Sequence[RecordingLeftOut],
) -> tuple[str, ...]:
    # The order that results is part of the fingerprint, and it has to be the same when nothing is new.
    starts = {
        artifact.key.recording_id: int(artifact.read_json("episodes.json")["first_stamp_ns"])
        for artifact in contributions
        if artifact.key.recording_id and artifact.manifest.summary.get("episodes")
    }
    try:
        previous = read_ledger(store.latest(key).directory())
    except ArtifactMissing:
        previous = ()
    return continue_ledger(previous, with_places_kept(starts, damaged, previous))


def _with_cut_recordings(outcome: Outcome, contributions: Sequence[Artifact]) -> Outcome:
    cut = [
        artifact.key.recording_id or ""
        for artifact in contributions
        if any(note.code in HANDED_ON for note in artifact.manifest.warnings)
    ]
    if not cut:
        return outcome
    note = Note("truncated", f"these recordings end early: {', '.join(cut)}", count=len(cut))
    return replace(outcome, warnings=(*outcome.warnings, note))


def _fragment(store: Store, artifact: Artifact) -> Fragment:
    assert artifact.key.recording_id is not None
    bundle = _referred_bundle(store, artifact)
    return Fragment(
        recording_id=artifact.key.recording_id,
        directory=artifact.directory(),
        digest=artifact.content_digest,
        bundle_video=bundle.path("rgb.mp4"),
    )


def _referred_bundle(store: Store, artifact: Artifact) -> Artifact:
    # A fragment names the very version of the bundle whose frames it cut; a newer one may hold other frames.
    digest = artifact.manifest.inputs["episode_bundle"]
    return store.version(ArtifactKey("episode_bundle", artifact.key.recording_id), digest[:16])
