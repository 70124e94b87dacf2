"""Datasets whose recordings are chosen and divided by what is said beside them, while the archive grows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from episode_assets.lerobot import Recipe, verify_dataset
from episode_assets.lerobot.splits import dataset_roots
from episode_assets.pipeline import bring_dataset_up_to_date
from episode_assets.storage import Artifact, Store
from episode_assets_tests.lerobot.reading import assert_every_row_has_its_picture, episodes_of
from episode_assets_tests.pipeline.contributing import contribute

APPENDS = 20


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(str(tmp_path / "store"))


def recording(store: Store, place: Path, number: int, **labels: Any) -> str:
    """Register a recording with labels beside it and publish what it contributes."""
    path = place / f"take{number:02d}.mcap"
    path.write_bytes(f"bytes of recording {number}".encode())
    if labels:
        path.with_suffix(".labels.json").write_text(json.dumps(labels))
    entry = store.recordings.register(str(path))
    return contribute(store, place, number, name=entry.recording_id, frames=20)


def recordings_in(root: Path) -> set[str]:
    return {episode["recording_id"] for episode in episodes_of(root)}


def check(artifact: Artifact) -> dict[str | None, Path]:
    roots = dataset_roots(artifact.directory())
    for root in roots.values():
        assert verify_dataset(root) == []
        assert_every_row_has_its_picture(root)
    return roots


def test_no_group_is_in_two_splits_after_many_appends(store: Store, tmp_path: Path) -> None:
    packing = {"splits": {"train": 0.6, "test": 0.4}, "group_by": "person"}
    recipe = Recipe.from_mapping({"packing": packing})
    person: dict[str, str] = {}
    before: dict[str | None, set[str]] = {}
    for number in range(APPENDS):
        name = recording(store, tmp_path, number, person=f"p{number % 7}")
        person[name] = f"p{number % 7}"
        artifact = bring_dataset_up_to_date(store, recipe).artifact
        now = {split: recordings_in(root) for split, root in dataset_roots(artifact.directory()).items()}
        assert all(found <= now[split] for split, found in before.items()), "nobody has moved"
        before = now

    roots = check(artifact)
    sides = {split: {person[name] for name in recordings_in(root)} for split, root in roots.items()}
    assert set(roots) == {"train", "test"}
    assert not sides["train"] & sides["test"]
    assert len(sides["train"] | sides["test"]) == 7
    for root in roots.values():
        info = json.loads((root / "meta/info.json").read_text())
        assert info["splits"] == {"train": f"0:{info['total_episodes']}"}
    assert "p3" not in "".join(path.read_text() for path in artifact.directory().rglob("*.json"))


def test_a_consent_that_is_taken_back_takes_the_recording_out(store: Store, tmp_path: Path) -> None:
    recipe = Recipe.from_mapping({"selection": {"consent": ["research"]}})
    kept = recording(store, tmp_path, 0, consent="research")
    leaving = recording(store, tmp_path, 1, consent="research")
    silent = recording(store, tmp_path, 2)
    first = bring_dataset_up_to_date(store, recipe).artifact
    assert bring_dataset_up_to_date(store, recipe).was_cached

    (tmp_path / "take01.labels.json").write_text(json.dumps({"consent": "withdrawn"}))
    second = bring_dataset_up_to_date(store, recipe).artifact

    assert recordings_in(first.directory()) == {kept, leaving}
    assert recordings_in(second.directory()) == {kept}
    assert {(item.name, item.code) for item in second.manifest.skipped} == {
        (leaving, "consent"),
        (silent, "consent"),
    }
    check(second)


def test_labels_that_cannot_be_read_keep_their_recording_out(store: Store, tmp_path: Path) -> None:
    recipe = Recipe.from_mapping({"selection": {"consent": ["research"]}})
    recording(store, tmp_path, 0, consent="research")
    broken = recording(store, tmp_path, 1, consent="research")
    (tmp_path / "take01.labels.json").write_text('{"consent": ')

    artifact = bring_dataset_up_to_date(store, recipe).artifact

    assert [(item.name, item.code) for item in artifact.manifest.skipped] == [(broken, "labels_broken")]


def test_a_dataset_may_hold_the_recordings_of_some_tasks_only(store: Store, tmp_path: Path) -> None:
    names = [recording(store, tmp_path, number) for number in range(3)]
    recipe = Recipe.from_mapping({"selection": {"tasks": ["task [02]"]}})

    artifact = bring_dataset_up_to_date(store, recipe).artifact

    assert recordings_in(artifact.directory()) == {names[0], names[2]}
    assert [(item.name, item.code) for item in artifact.manifest.skipped] == [(names[1], "tasks")]


def test_a_split_nobody_has_fallen_to_is_named(store: Store, tmp_path: Path) -> None:
    recipe = Recipe.from_mapping({"packing": {"splits": {"train": 0.5, "test": 0.5}}})
    recording(store, tmp_path, 0)

    artifact = bring_dataset_up_to_date(store, recipe).artifact

    assert len(dataset_roots(artifact.directory())) == 1
    assert [item.code for item in artifact.manifest.skipped] == ["empty_split"]
