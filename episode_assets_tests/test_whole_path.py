"""From one recording to a dataset through Dagster: what is made, what is reused, and what never depends on workers."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import av
import dagster as dg
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from episode_assets import models
from episode_assets.cli import main
from episode_assets.definitions import build_defs
from episode_assets.defs.launch import RunResult, pack, process
from episode_assets.defs.resources import PipelineResource
from episode_assets.instance import STORE_VARIABLE
from episode_assets.pipeline import STEPS, standing_of
from episode_assets.pipeline.settings import Settings, load_settings
from episode_assets.storage import ArtifactKey, Store
from episode_assets_tests.conftest import Demo, Workplace, make_workplace

CHUNKED = "hand_poses: {chunk_frames: 25}\n"
PER_RECORDING = [*(step.asset for step in STEPS), "lerobot_episode/default"]


def settings_from(folder: Path, text: str) -> Settings:
    path = folder / "settings.yaml"
    path.write_text(text)
    return load_settings(path)


def run_graph(
    place: Workplace, demo: Demo, *, workers: int, settings: Settings
) -> tuple[RunResult, RunResult]:
    pipeline = PipelineResource(store_uri=str(place.store_path), workers=workers)
    defs = build_defs(pipeline=pipeline, settings=settings, inbox=str(place.inbox))
    entry = place.store.recordings.register(str(demo.path), task="sort the objects")
    with dg.DagsterInstance.from_config(str(place.home)) as instance:
        return process(defs, instance, entry.recording_id), pack(defs, instance)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory, small_demo: Demo) -> tuple[Workplace, Settings, RunResult]:
    place = make_workplace(tmp_path_factory.mktemp("whole"))
    settings = settings_from(place.folder, CHUNKED)
    result, packed = run_graph(place, small_demo, workers=2, settings=settings)
    assert [item.failure for item in (*result.failures, *packed.failures)] == []
    return place, settings, result


def digests(store: Store) -> dict[str, str]:
    found = {}
    for asset in [*PER_RECORDING, "lerobot_dataset/default"]:
        for key in store.keys(asset):
            found[asset] = store.latest(key).content_digest
    return found


def test_every_asset_of_a_recording_is_published_with_its_frames(done, small_demo: Demo) -> None:
    place, _, result = done
    recording_id = place.store.recordings.ids()[0]

    assert [item.asset for item in result.assets] == PER_RECORDING or {
        item.asset for item in result.assets
    } == set(PER_RECORDING)
    bundle = place.store.latest(ArtifactKey("episode_bundle", recording_id))
    with av.open(str(bundle.path("rgb.mp4"))) as video:
        packets = [packet for packet in video.demux(video=0) if packet.size]
    frames = pq.read_table(bundle.path("frames.parquet"))
    assert len(packets) == frames.num_rows == len(small_demo.truth.stamp_ns)
    assert frames["message_number"].to_pylist() == small_demo.truth.message_number.tolist()
    assert frames["stamp_ns"].to_pylist() == small_demo.truth.stamp_ns.tolist()


def test_the_dataset_holds_rows_that_lead_back_to_their_messages(done, small_demo: Demo) -> None:
    place, _, _ = done
    dataset = place.store.latest(ArtifactKey("lerobot_dataset/default", None)).directory()
    info = json.loads((dataset / "meta" / "info.json").read_text())
    rows = pq.read_table(sorted((dataset / "data").rglob("*.parquet"))[0])
    stamps = dict(zip(small_demo.truth.message_number, small_demo.truth.stamp_ns, strict=True))

    assert info["codebase_version"] == "v3.0"
    assert info["total_frames"] == rows.num_rows > 0
    for message, stamp in zip(rows["source.message_number"], rows["source.timestamp_ns"], strict=True):
        assert stamps[message.as_py()] == stamp.as_py()


def test_a_second_run_reuses_every_artifact_and_decodes_nothing(done, small_demo: Demo) -> None:
    place, settings, _ = done
    before = digests(place.store)

    result, packed = run_graph(place, small_demo, workers=1, settings=settings)

    cached = {item.asset: item.metadata["cache"] for item in (*result.assets, *packed.assets)}
    assert cached == dict.fromkeys([*PER_RECORDING, "lerobot_dataset/default"], "hit")
    assert digests(place.store) == before
    assert max(item.metadata["wall_s"] for item in result.assets) < 5


def test_one_and_two_workers_give_the_same_content(done, small_demo: Demo, tmp_path: Path) -> None:
    place, settings, _ = done
    other = make_workplace(tmp_path)

    run_graph(other, small_demo, workers=1, settings=settings)

    assert digests(other.store) == digests(place.store)
    assert set(digests(other.store)) == {*PER_RECORDING, "lerobot_dataset/default"}


def test_a_store_on_s3_holds_the_same_content(
    done, small_demo: Demo, s3_bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, settings, _ = done
    monkeypatch.setenv("EPISODE_ASSETS_MODELS", str(models.find("centerface").parent))
    monkeypatch.setenv("EPISODE_ASSETS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("EPISODE_ASSETS_SCRATCH", str(tmp_path / "scratch"))
    other = make_workplace(tmp_path)
    remote = Store.open(f"{s3_bucket}/whole path")
    entry = remote.recordings.register(str(small_demo.path), task="sort the objects")
    defs = build_defs(pipeline=PipelineResource(store_uri=remote.uri, workers=1), settings=settings)

    with dg.DagsterInstance.from_config(str(other.home)) as instance:
        results = (process(defs, instance, entry.recording_id), pack(defs, instance))

    assert [item.failure for result in results for item in result.failures] == []
    assert digests(remote) == digests(place.store)
    assert not list((tmp_path / "scratch").rglob("*.mp4"))


def test_a_truncated_recording_is_used_up_to_the_cut_and_says_so_in_every_artifact(
    small_demo: Demo, tmp_path: Path
) -> None:
    place = make_workplace(tmp_path)
    cut = tmp_path / "cut.mcap"
    data = small_demo.path.read_bytes()
    cut.write_bytes(data[: len(data) * 7 // 10])

    results = run_graph(
        place, Demo(cut, small_demo.truth, small_demo.config), workers=1, settings=load_settings()
    )

    assert [item.failure for result in results for item in result.failures] == []
    frames = set()
    for asset in [*PER_RECORDING, "lerobot_dataset/default"]:
        (key,) = place.store.keys(asset)
        artifact = place.store.latest(key)
        assert "truncated" in {note.code for note in artifact.manifest.warnings}, asset
        if asset in {"blurred_rgb", "hand_poses", "episode_bundle"}:
            frames.add(artifact.manifest.summary["frames"])
    assert len(frames) == 1
    assert 30 < frames.pop() < 45
    assert place.store.recordings.list()[0].state == "truncated"


def test_the_instance_shows_data_versions_and_passed_checks(done) -> None:
    place, _, _ = done
    recording_id = place.store.recordings.ids()[0]
    with dg.DagsterInstance.from_config(str(place.home)) as instance:
        for asset in PER_RECORDING:
            key = dg.AssetKey(asset.split("/"))
            records = instance.fetch_materializations(
                dg.AssetRecordsFilter(key, asset_partitions=[recording_id]), limit=1
            ).records
            tags = records[0].asset_materialization.tags
            digest = place.store.latest(ArtifactKey(asset, recording_id)).content_digest
            assert tags["dagster/data_version"] == digest


def test_everything_is_current_until_a_setting_changes_and_then_says_so(done) -> None:
    place, settings, _ = done
    entry = place.store.recordings.list()[0]
    changed = settings_from(place.folder, "blurred_rgb: {box_scale: 1.6}\nhand_poses: {chunk_frames: 25}\n")

    now = {s.asset: s.state for s in standing_of(place.store, entry, settings)}
    then = {s.asset: (s.state, s.reason) for s in standing_of(place.store, entry, changed)}

    assert set(now.values()) == {"current"}
    assert then["blurred_rgb"] == ("outdated", "config")
    assert then["hand_poses"] == ("current", "")
    assert then["episode_bundle"] == ("blocked", "after blurred_rgb, scene_mesh")


def test_the_bundle_holds_the_mesh_of_the_scene_coloured_and_byte_for_byte(done) -> None:
    place, _, _ = done
    recording_id = place.store.recordings.ids()[0]
    scene, bundle = (
        place.store.latest(ArtifactKey(asset, recording_id)) for asset in ("scene_mesh", "episode_bundle")
    )

    assert bundle.path("mesh.ply").read_bytes() == scene.path("mesh.ply").read_bytes()
    assert bundle.manifest.inputs["scene_mesh"] == scene.content_digest
    assert {scene.manifest.privacy["colours"], bundle.manifest.privacy["colours"]} == {"recoloured"}


def test_published_files_are_read_only_and_an_export_is_not(done, tmp_path: Path) -> None:
    place, _, _ = done
    key = ArtifactKey("episode_bundle", place.store.recordings.ids()[0])
    published = place.store.latest(key).path("annotation.hdf5")
    copy = place.store.export(key, tmp_path / "copy") / "annotation.hdf5"

    assert published.stat().st_mode & 0o777 == 0o444
    assert copy.stat().st_mode & 0o200


@pytest.fixture
def store_copy(done, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store with the same artifacts, which commands use and a test may change."""
    place, _, _ = done
    copy = tmp_path / "store"
    shutil.copytree(place.store_path, copy, symlinks=True)
    for name, value in {**place.environment, STORE_VARIABLE: str(copy)}.items():
        monkeypatch.setenv(name, value)
    return copy


def test_verify_hashes_every_asset_and_names_the_file_that_changed(store_copy: Path) -> None:
    assert CliRunner().invoke(main, ["verify"]).exit_code == 0
    for asset in ("episode_bundle", "lerobot_episode/default", "lerobot_dataset/default"):
        (key,) = Store.open(str(store_copy)).keys(asset)
        changed = next(
            file for file in Store.open(str(store_copy)).latest(key).directory().rglob("*.parquet")
        )
        data = bytearray(changed.read_bytes())
        data[len(data) // 2] ^= 1
        changed.chmod(0o600)
        changed.write_bytes(data)

        result = CliRunner().invoke(main, ["verify"])

        assert result.exit_code == 1
        assert f"{key}: " in result.stdout
        assert changed.name in result.stdout


def test_names_of_people_and_places_stay_out_of_what_is_published(done, small_demo: Demo) -> None:
    place, _, _ = done
    recording_id = place.store.recordings.ids()[0]
    for asset in [*PER_RECORDING[1:], "lerobot_dataset/default"]:
        key = ArtifactKey(asset, None if asset.startswith("lerobot_dataset") else recording_id)
        for path in place.store.latest(key).directory().rglob("*"):
            if path.is_file():
                data = path.read_bytes()
                assert str(small_demo.path.parent).encode() not in data, path
                assert small_demo.path.name.encode() not in data, path


def test_a_dataset_of_another_recipe_is_built_from_what_is_there(store_copy: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "small.yaml"
    recipe.write_text("name: small\npacking: {version: v2.1}\n")
    command = ["dataset", "build", "--recipe", str(recipe), "--rgb_encoder.crf", "33"]

    first = CliRunner().invoke(main, command)
    again = CliRunner().invoke(main, command)

    assert first.exit_code == 0, first.output
    assert first.stdout.startswith("small: packed, ")
    assert again.stdout.startswith("small: is up to date, ")
    root = Store.open(str(store_copy)).latest(ArtifactKey("lerobot_dataset/small", None)).directory()
    info = json.loads((root / "meta" / "info.json").read_text())
    assert info["codebase_version"] == "v2.1"
    assert info["features"]["observation.images.ego"]["info"]["video.crf"] == 33
    verified = CliRunner().invoke(main, ["dataset", "verify", "small"])
    assert (verified.exit_code, verified.stdout) == (0, "passed, 0 warnings\n")
