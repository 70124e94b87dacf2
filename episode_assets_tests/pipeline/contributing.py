"""Publishes what recordings contribute to datasets, without running the steps before: bundles and fragments."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from episode_assets.lerobot import Recipe
from episode_assets.outcome import Json, Outcome
from episode_assets.storage import Artifact, ArtifactKey, Store
from episode_assets_tests.lerobot.archive import (
    PRIVACY,
    Artifacts,
    Scene,
    make_scene,
    stamps,
    write_artifacts,
)


def name_of(number: int) -> str:
    """Return the recording id of the n-th synthetic recording."""
    return f"take{number:02d}-00000000"


def scene_of(number: int, *, frames: int = 30, **changes: Any) -> Scene:
    """Return the n-th recording: each starts later than the one before and has message numbers of its own."""
    at = stamps(frames) + number * 10**12
    return make_scene(stamp_ns=at, first_message=500 * number, **changes)


def publish(
    store: Store, asset: str, name: str, folder: Path, inputs: dict[str, str], **config: Json
) -> Artifact:
    """Publish a folder as an artifact of a recording."""
    with store.draft(
        ArtifactKey(asset, name),
        fingerprint=hashlib.sha256(repr((asset, name, inputs, config, str(folder))).encode()).hexdigest(),
        code_version="1",
        config=config,
        inputs=inputs,
    ) as draft:
        shutil.copytree(folder, draft.directory, dirs_exist_ok=True)
        privacy: dict[str, Any] = dict(PRIVACY)
        files = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
        return draft.publish(Outcome(core=tuple(files), summary={"episodes": 1}, privacy=privacy))


def contribute(
    store: Store,
    place: Path,
    number: int,
    *,
    recipes: Sequence[Recipe] = (Recipe(),),
    name: str | None = None,
    **changes: Any,
) -> str:
    """Publish bundle and fragments of the n-th recording and return its id.

    Args:
        store: Where to.
        place: Directory for files that are published; may be used again.
        number: Which recording.
        recipes: One fragment for each.
        name: Recording id, where it is not the usual one.
        changes: For the scene.
    """
    name = name or name_of(number)
    folder = place / f"{name} {sorted(changes.items())}"
    artifacts: Artifacts = write_artifacts(folder, scene_of(number, **changes), recording_id=name)
    bundle = publish(store, "episode_bundle", name, artifacts.bundle, {})
    for recipe in recipes:
        fragment = folder / f"fragment {recipe.name}"
        artifacts.fragment(fragment, recipe=recipe, task=f"task {number % 3}")
        inputs = {"episode_bundle": bundle.content_digest}
        publish(store, f"lerobot_episode/{recipe.name}", name, fragment, inputs)
    return name
