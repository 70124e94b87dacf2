"""Datasets grow, shrink and are changed: a new version shares what it can, and every row keeps its picture."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from episode_assets.lerobot import Recipe, verify_dataset
from episode_assets.pipeline import bring_dataset_up_to_date
from episode_assets.storage import Artifact, ArtifactKey, Store
from episode_assets_tests.lerobot.reading import assert_every_row_has_its_picture, episodes_of
from episode_assets_tests.pipeline.contributing import contribute, name_of

SMALL = {"video_file_mib": 1, "data_file_mib": 1}
FRAMES = 500
"""Rows of 500 frames take 0.4 MiB, so that two recordings fill a data file of 1 MiB."""


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(str(tmp_path / "store"))


def recipe_of(version: str = "v3.0", **changes: Any) -> Recipe:
    return Recipe.from_mapping(SMALL | {"packing": {"version": version}} | changes)


def packed(store: Store, recipe: Recipe, **options: Any) -> Artifact:
    artifact = bring_dataset_up_to_date(store, recipe, **options).artifact
    assert verify_dataset(artifact.directory()) == []
    assert_every_row_has_its_picture(artifact.directory())
    return artifact


def inodes(artifact: Artifact) -> dict[str, int]:
    root = artifact.directory()
    return {entry.path: (root / entry.path).stat().st_ino for entry in artifact.manifest.files}


def shared(old: Artifact, new: Artifact) -> set[str]:
    """Return the files of the new version that share their bytes on disk with the old one, by path."""
    before, after = inodes(old), inodes(new)
    return {path for path, number in after.items() if before.get(path) == number}


def is_metadata(path: str) -> bool:
    return path == "README.md" or (path.startswith("meta/") and not path.startswith("meta/episodes/"))


def test_an_append_writes_the_last_file_of_each_family_and_metadata_only(
    store: Store, tmp_path: Path
) -> None:
    recipe = recipe_of()
    for number in range(3):
        # Other parameter sets begin a new video file.
        contribute(store, tmp_path, number, recipes=[recipe], frames=FRAMES, crf=18 + number)
    old = packed(store, recipe)

    contribute(store, tmp_path, 3, recipes=[recipe], frames=FRAMES, crf=21)
    new = packed(store, recipe)

    data = [path for path in inodes(old) if path.startswith("data/")]
    videos = [path for path in inodes(old) if path.startswith("videos/")]
    assert len(data) == 2 and len(videos) == 3
    written = set(inodes(new)) - shared(old, new)
    assert {path for path in written if not is_metadata(path)} == {
        data[-1],
        "meta/episodes/chunk-000/file-000.parquet",
        videos[-1].replace("file-002", "file-003"),
    }
    assert [e["recording_id"] for e in episodes_of(new.directory())] == [name_of(i) for i in range(4)]


def test_what_grew_step_by_step_has_the_bytes_of_what_was_packed_at_once(
    store: Store, tmp_path: Path
) -> None:
    recipe = recipe_of()
    for number in range(3):
        contribute(store, tmp_path, number, recipes=[recipe])
        grown = packed(store, recipe)

    at_once = packed(store, recipe, force=True)

    assert grown.content_digest == at_once.content_digest


@pytest.mark.parametrize("version", ["v3.0", "v2.1", "v2.0"])
def test_a_removal_rewrites_from_the_affected_file_on(store: Store, tmp_path: Path, version: str) -> None:
    for number in range(3):
        contribute(store, tmp_path, number, crf=18 + number)
    old = packed(store, recipe_of(version))

    new = packed(store, recipe_of(version, selection={"without_recording_ids": [name_of(1)]}))

    kept = {path for path in shared(old, new) if path.endswith(".mp4")}
    assert [Path(path).stem[-3:] for path in kept] == ["000"]
    assert len([path for path in inodes(new) if path.endswith(".mp4")]) == 2
    assert {item.name for item in new.manifest.skipped} == {name_of(1)}
    third = next(path for path in inodes(old) if path.endswith("002.mp4"))
    assert inodes(new)[third.replace("002.mp4", "001.mp4")] == inodes(old)[third], "moved up, not copied"


def test_a_replaced_recording_keeps_its_place(store: Store, tmp_path: Path) -> None:
    for number in range(3):
        contribute(store, tmp_path, number)
    old = packed(store, recipe_of())

    contribute(store, tmp_path, 1, frames=50)
    new = packed(store, recipe_of())

    def lengths(artifact: Artifact) -> list[tuple[str, int]]:
        return [(e["recording_id"], e["length"]) for e in episodes_of(artifact.directory())]

    assert lengths(old) == [(name_of(0), 29), (name_of(1), 29), (name_of(2), 29)]
    assert lengths(new) == [(name_of(0), 29), (name_of(1), 49), (name_of(2), 29)]


@pytest.mark.parametrize("version", ["v3.0", "v2.1"])
def test_a_recording_that_is_cut_anew_shows_its_new_frames(
    store: Store, tmp_path: Path, version: str
) -> None:
    """The video that the frames come from is still the same."""
    contribute(store, tmp_path, 0)
    packed(store, recipe_of(version))

    contribute(store, tmp_path, 0, kept=((10, 29),))
    new = packed(store, recipe_of(version))

    assert [episode["length"] for episode in episodes_of(new.directory())] == [19]
    assert new.manifest.summary["files_taken_over"] == 0


def test_only_a_repack_sorts_by_time_again(store: Store, tmp_path: Path) -> None:
    for number in (2, 0, 1):
        contribute(store, tmp_path, number)
        grown = packed(store, recipe_of())

    again = packed(store, recipe_of(), repack=True)

    def order(artifact: Artifact) -> list[str]:
        return [episode["recording_id"] for episode in episodes_of(artifact.directory())]

    assert order(grown) == [name_of(2), name_of(0), name_of(1)]
    assert order(again) == [name_of(0), name_of(1), name_of(2)]
    assert order(packed(store, recipe_of())) == order(again), "the order is handed on from there"


def test_the_old_version_stays_as_it_was(store: Store, tmp_path: Path) -> None:
    contribute(store, tmp_path, 0)
    old = packed(store, recipe_of())
    before = {path: (old.directory() / path).read_bytes() for path in inodes(old)}

    contribute(store, tmp_path, 1)
    packed(store, recipe_of())

    assert {path: (old.directory() / path).read_bytes() for path in inodes(old)} == before
    assert store.version(old.key, old.version).content_digest == old.content_digest


def test_two_datasets_of_one_archive_share_the_bytes_of_their_videos(store: Store, tmp_path: Path) -> None:
    recipes = [recipe_of(name="hands"), recipe_of(name="joints", state="joints")]
    for number in range(2):
        contribute(store, tmp_path, number, recipes=recipes)

    one, other = (packed(store, recipe) for recipe in recipes)

    videos = [path for path in inodes(one) if path.endswith(".mp4")]
    assert videos and {inodes(one)[path] for path in videos} == {inodes(other)[path] for path in videos}
    assert other.manifest.summary["files_taken_over"] == len(videos)


def test_a_damaged_last_version_lends_nothing_and_is_repaired(store: Store, tmp_path: Path) -> None:
    contribute(store, tmp_path, 0)
    contribute(store, tmp_path, 2)
    old = packed(store, recipe_of("v2.1"))
    video = next((old.directory() / "videos").rglob("*.mp4"))
    video.chmod(0o644)
    video.write_bytes(b"cut short")

    contribute(store, tmp_path, 1)
    new = packed(store, recipe_of("v2.1"))

    assert new.manifest.summary["files_taken_over"] == 0
    order = json.loads(new.path("meta/episode_assets.json").read_text())["ledger"]
    assert order == [name_of(0), name_of(2), name_of(1)], "the order survives"


def test_provenance_names_the_key_of_every_large_file(store: Store, tmp_path: Path) -> None:
    contribute(store, tmp_path, 0)
    artifact = packed(store, recipe_of())

    files = json.loads(artifact.path("meta/episode_assets.json").read_text())["files"]

    assert set(files) == {path for path in inodes(artifact) if not is_metadata(path)}
    assert ArtifactKey("lerobot_dataset/default") == artifact.key


def test_an_object_store_copies_by_itself_what_has_not_changed(
    s3_bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a machine that has never seen the archive, an append fetches no video but the new one."""
    monkeypatch.setenv("EPISODE_ASSETS_SCRATCH", str(tmp_path / "scratch"))
    monkeypatch.setenv("EPISODE_ASSETS_CACHE", str(tmp_path / "cache"))
    store, recipe = Store.open(f"{s3_bucket}/{tmp_path.name}"), recipe_of("v2.1")
    for number in range(2):
        contribute(store, tmp_path, number)
    old = packed(store, recipe)
    contribute(store, tmp_path, 2)

    monkeypatch.setenv("EPISODE_ASSETS_CACHE", str(tmp_path / "another machine"))
    new = bring_dataset_up_to_date(store, recipe).artifact

    fetched = [
        path for path in (tmp_path / "another machine").rglob("*.mp4") if "episode_bundle" in path.parts
    ]
    assert [path.parts[-3] for path in fetched] == [name_of(2)]
    assert new.manifest.summary["files_taken_over"] == 4
    assert store.verify(new.key) == []
    before = {entry.path: entry.sha256 for entry in old.manifest.files if not is_metadata(entry.path)}
    after = {entry.path: entry.sha256 for entry in new.manifest.files}
    assert before.items() <= after.items()
    videos = [
        path for path in (tmp_path / "another machine").rglob("*.mp4") if "lerobot_dataset" in path.parts
    ]
    assert [path.name for path in videos] == ["episode_000002.mp4"]
    assert_every_row_has_its_picture(new.directory())
