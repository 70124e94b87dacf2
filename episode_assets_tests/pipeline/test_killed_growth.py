"""Appends that are killed at every named write point: readers see the old dataset or the new one, never half of one."""

from __future__ import annotations

import json
import uuid
from pathlib import Path

import pytest

from episode_assets.storage import Store
from episode_assets.storage.write_points import NAMES
from episode_assets_tests.pipeline.contributing import contribute, name_of
from episode_assets_tests.pipeline.killed_packer import RECORDINGS
from episode_assets_tests.pipeline.polling_trainer import KEY
from episode_assets_tests.processes import started

OTHERS = {name for name in NAMES if name.startswith(("quarantine", "registry"))}
ELSEWHERE = {
    "local": OTHERS | {"publish.object_written"},
    "s3": OTHERS | {"replace.temporary_written", "publish.link_written"},
}
MOST = {"pack.file_written": 3, "draft.file_taken_over": 3, "publish.object_written": 3}
MOST["replace.temporary_written"] = 2
"""How often an append reaches a point, at least, where that is more than once."""


def uri_of(place: str, tmp_path: Path, request: pytest.FixtureRequest) -> str:
    if place == "local":
        return str(tmp_path / "store")
    return f"{request.getfixturevalue('s3_bucket')}/{uuid.uuid4().hex[:8]}"


@pytest.mark.parametrize(
    ("place", "kills"),
    [
        ("local", 1),
        pytest.param("local", 3, marks=[pytest.mark.long, pytest.mark.timeout(900)]),
        pytest.param("s3", 3, marks=[pytest.mark.long, pytest.mark.timeout(900)]),
    ],
)
def test_an_append_killed_at_any_write_point_shows_the_old_dataset_or_the_new_one(
    place: str, kills: int, tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EPISODE_ASSETS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("EPISODE_ASSETS_SCRATCH", str(tmp_path / "scratch"))
    uri = uri_of(place, tmp_path, request)
    store = Store.open(uri)
    recordings = [contribute(store, tmp_path, number, frames=20) for number in range(RECORDINGS)]
    names = [name for name in NAMES if name not in ELSEWHERE[place]]
    order = {"uri": uri, "names": names, "kills": kills, "most": MOST}

    with started("pipeline.polling_trainer", uri) as reader, started("pipeline.killed_packer") as packer:
        report, complaints = packer.communicate(json.dumps(order), timeout=800)
        findings, trouble = reader.communicate("", timeout=60)

    expected = [f"{name} {kill} killed" for name in names for kill in range(1, kills + 1)]
    assert report.splitlines() == [*expected, "undisturbed 1 ended 0"], complaints
    assert trouble == ""
    seen = json.loads(findings)
    assert seen["problems"] == []
    assert seen["rounds"] > 5
    assert {tuple(found) for found in seen["seen"]} <= {tuple(recordings), tuple(recordings[:-1])}
    assert store.verify(KEY) == []
    assert [item["recording_id"] for item in provenance_of(store)["recordings"]] == recordings
    assert recordings == [name_of(number) for number in range(RECORDINGS)]
    store.sweep()
    assert store.sweep() == 0


def provenance_of(store: Store) -> dict[str, list[dict[str, str]]]:
    document: dict[str, list[dict[str, str]]] = store.latest(KEY).read_json("meta/episode_assets.json")
    return document
