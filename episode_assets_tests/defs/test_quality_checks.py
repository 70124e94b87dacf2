"""What the UI shows of a quality report: one asset check per group of checks, with its numbers, and pictures."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import dagster as dg
import pytest

from episode_assets.defs.partitions import add_recordings
from episode_assets.defs.qc_report import qc_report
from episode_assets.defs.resources import PipelineResource
from episode_assets.outcome import Outcome
from episode_assets.pipeline.settings import load_settings
from episode_assets.pipeline.steps import QC_REPORT
from episode_assets.qc.check_groups import GROUPS
from episode_assets.storage import ArtifactKey, Store, fingerprint
from episode_assets_tests.conftest import make_workplace
from episode_assets_tests.qc.episodes import PASSED, make_episode

PLACES = {"raw_mcap": "raw", "blurred_rgb": "blurred", "hand_poses": "hands", "episode_bundle": "bundle"}


def publish(store: Store, recording_id: str, asset: str, directory: Path) -> None:
    key = ArtifactKey(asset, recording_id)
    value = fingerprint(asset=asset, code_version="1", config={}, models={}, inputs={})
    with store.draft(key, fingerprint=value, code_version="1", config={}, inputs={}) as draft:
        shutil.copytree(directory, draft.directory, dirs_exist_ok=True)
        files = [path.relative_to(directory).as_posix() for path in directory.rglob("*") if path.is_file()]
        draft.publish(Outcome(core=tuple(sorted(files)), privacy=PASSED))


@pytest.fixture(scope="module")
def materialized(tmp_path_factory: pytest.TempPathFactory) -> dg.ExecuteInProcessResult:
    place = make_workplace(tmp_path_factory.mktemp("checks"))
    episode = make_episode(place.folder / "episode", seconds=6.0, lost_interval_s=(2.5, 3.7), with_imu=False)
    entry = place.store.recordings.register(str(episode.recording))
    for asset, name in PLACES.items():
        publish(place.store, entry.recording_id, asset, episode.base / name)
    with dg.DagsterInstance.from_config(str(place.home)) as instance:
        add_recordings(instance, [entry.recording_id])
        return dg.materialize(
            [qc_report(load_settings())],
            instance=instance,
            partition_key=entry.recording_id,
            resources={"pipeline": PipelineResource(store_uri=str(place.store_path))},
        )


def checks_of(result: dg.ExecuteInProcessResult) -> dict[str, dg.AssetCheckEvaluation]:
    return {found.check_name: found for found in result.get_asset_check_evaluations()}


def test_there_is_one_check_per_group_and_one_for_the_verdict(materialized):
    found = checks_of(materialized)

    assert set(found) == {"quality_verdict", *(f"quality_{group}" for group in GROUPS)}
    assert not found["quality_verdict"].passed
    assert found["quality_verdict"].severity is dg.AssetCheckSeverity.WARN
    assert found["quality_privacy"].passed


def test_a_group_that_does_not_pass_shows_values_thresholds_and_ranges(materialized):
    streams = checks_of(materialized)["quality_streams"]

    assert not streams.passed
    rows = {record.data["check"]: record.data for record in streams.metadata["to_look_at"].records}
    assert rows["rgb_gap"]["answer"] in ("warn", "fail")
    assert float(rows["rgb_gap"]["value"]) == pytest.approx(1.2, abs=0.15)
    assert rows["rgb_gap"]["unit"] == "s"
    first, _, last = rows["rgb_gap"]["frames"].partition(" to ")
    assert int(last) == int(first) + 1


def test_the_answers_are_those_of_the_report(materialized):
    (event,) = materialized.asset_materializations_for_node(QC_REPORT.asset)
    path = Path(event.metadata["place"].value) / "qc.json"
    content = json.loads(path.read_text())
    judged = [check for check in content["checks"] if check["status"] in ("pass", "warn", "fail", "not_run")]

    counted = sum(
        found.metadata[f"checks_{word}"].value
        for name, found in checks_of(materialized).items()
        if name != "quality_verdict"
        for word in ("pass", "warn", "fail", "not_run")
    )

    assert counted == len(judged)


def test_the_metadata_tell_verdict_score_kept_seconds_and_pictures(materialized):
    (event,) = materialized.asset_materializations_for_node(QC_REPORT.asset)

    assert event.metadata["verdict"].value == "review"
    assert 0 < event.metadata["score"].value < 100
    assert event.metadata["publishable"].value is True
    assert event.metadata["kept_s"].value > 2
    pictures = event.metadata["pictures"].value
    assert pictures.count("data:image/jpeg;base64,") >= 2
    assert len(pictures) < 20_000
