"""Which recordings a dataset holds when some of what it is packed from is damaged."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest

from episode_assets.errors import NothingToExport
from episode_assets.lerobot import Recipe, read_ledger, verify_dataset
from episode_assets.outcome import Json, Outcome
from episode_assets.pipeline import bring_dataset_up_to_date
from episode_assets.storage import Artifact, ArtifactKey, Store, digest_of_redactions
from episode_assets_tests.lerobot.archive import PRIVACY, make_scene, stamps, write_artifacts

RECIPE = Recipe()
NAMES = ("first-00000000", "second-00000000", "third-00000000")


def publish(
    store: Store, asset: str, name: str, folder: Path, inputs: dict[str, str], **config: Json
) -> Artifact:
    with store.draft(
        ArtifactKey(asset, name),
        fingerprint=hashlib.sha256(repr((asset, name, inputs, config)).encode()).hexdigest(),
        code_version="1",
        config=config,
        inputs=inputs,
    ) as draft:
        shutil.copytree(folder, draft.directory, dirs_exist_ok=True)
        files = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
        return draft.publish(Outcome(core=tuple(files), summary={"episodes": 1}, privacy=PRIVACY))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store.open(str(tmp_path / "store"))
    for number, name in enumerate(NAMES):
        scene = make_scene(stamp_ns=stamps(30) + number * 10**12, first_message=1000 * number)
        artifacts = write_artifacts(tmp_path / name, scene, recording_id=name)
        bundle = publish(store, "episode_bundle", name, artifacts.bundle, {})
        artifacts.fragment(tmp_path / name / "fragment", recipe=RECIPE)
        publish(
            store,
            "lerobot_episode/default",
            name,
            tmp_path / name / "fragment",
            {"episode_bundle": bundle.content_digest},
        )
    return store


def damage(store: Store, asset: str, name: str) -> None:
    path = store.latest(ArtifactKey(asset, name)).path("rgb.mp4" if "bundle" in asset else "rows.parquet")
    path.chmod(0o600)
    path.write_bytes(b"cut short")


@pytest.mark.parametrize("asset", ["lerobot_episode/default", "episode_bundle"])
def test_a_damaged_contribution_is_left_out_and_named_and_blocks_no_other(store: Store, asset: str) -> None:
    whole = bring_dataset_up_to_date(store, RECIPE).artifact
    damage(store, asset, NAMES[1])

    produced = bring_dataset_up_to_date(store, RECIPE)

    assert whole.manifest.summary["recordings"] == 3
    assert produced.artifact.manifest.summary["recordings"] == 2
    assert [(item.name, item.code) for item in produced.artifact.manifest.skipped] == [(NAMES[1], "damaged")]
    assert store.uri not in produced.artifact.path("README.md").read_text()
    assert read_ledger(produced.artifact.directory()) == NAMES, "its repair must renumber nothing"
    assert verify_dataset(produced.artifact.directory()) == []
    assert bring_dataset_up_to_date(store, RECIPE).was_cached


def test_nothing_but_damaged_contributions_is_said_in_one_error(store: Store) -> None:
    for name in NAMES:
        damage(store, "lerobot_episode/default", name)

    with pytest.raises(NothingToExport, match="none of 3 recordings"):
        bring_dataset_up_to_date(store, RECIPE)


def test_a_contribution_from_before_a_redaction_waits_for_its_new_video(store: Store, tmp_path: Path) -> None:
    recording, video = tmp_path / "kitchen.mcap", tmp_path / "video"
    recording.write_bytes(b"bytes of a recording")
    video.mkdir()
    entry = store.recordings.register(str(recording))
    name = entry.recording_id
    artifacts = write_artifacts(tmp_path / name, make_scene(stamp_ns=stamps(30)), recording_id=name)
    artifacts.fragment(tmp_path / name / "fragment", recipe=RECIPE)
    bundle = publish(store, "episode_bundle", name, artifacts.bundle, {})

    def contribute(showing: str, **config: Json) -> None:
        (video / "rgb.mp4").write_text(showing)
        inputs = {"blurred_rgb": publish(store, "blurred_rgb", name, video, {}, **config).content_digest}
        inputs["episode_bundle"] = bundle.content_digest
        publish(store, "lerobot_episode/default", name, tmp_path / name / "fragment", inputs)

    def packed() -> list[tuple[int, list[str]]]:
        manifest = bring_dataset_up_to_date(store, RECIPE).artifact.manifest
        return [(manifest.summary["recordings"], [item.code for item in manifest.skipped])]

    contribute("everything")
    assert packed() == [(4, [])]

    store.recordings.change_redactions(name, lambda _: b"redactions: of a screen")
    assert packed() == [(3, ["redactions_pending"])]

    hidden = digest_of_redactions(store.recordings.redactions(entry))
    (video / "rgb.mp4").chmod(0o600)
    (video / "rgb.mp4").write_text("no screen")
    publish(store, "blurred_rgb", name, video, {}, redactions=hidden)
    assert packed() == [(3, ["redactions_pending"])], "the contribution still shows the old video"

    contribute("no screen", redactions=hidden)
    assert packed() == [(4, [])]
