"""Tasks that people wrote beside a recording or into it: found, part of the fingerprint, and only where asked for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from episode_assets.errors import BadConfig
from episode_assets.lerobot import Recipe
from episode_assets.pipeline import Produced, bring_up_to_date
from episode_assets.pipeline.steps import RAW_MCAP, fragment_step
from episode_assets.recording import RecordingConfig
from episode_assets.storage import RecordingEntry, Store
from episode_assets_tests.lerobot.archive import START_NS, make_scene, write_artifacts
from episode_assets_tests.pipeline.test_dataset import publish
from episode_assets_tests.recording.rig import Rig, T, compressed_image, jpeg

CUT = {"min_episode_s": 0.3}


@pytest.fixture
def kitchen(tmp_path: Path) -> tuple[Store, RecordingEntry]:
    """Return a recording with two spoken tasks, and artifacts of a scene of 4 s at 15 Hz under its name."""
    rig = Rig(tmp_path / "kitchen.mcap")
    for frame in (0, 30, 59):
        stamp = START_NS + round(frame * 1e9 / 15)
        rig.add("/camera/color/image_raw/compressed", compressed_image(stamp, jpeg(frame)), log_time_ns=stamp)
    for frame, words in ((0, "pour tea"), (30, "drink")):
        rig.add("/task", T.String(data=words), log_time_ns=START_NS + round(frame * 1e9 / 15))
    store = Store.open(str(tmp_path / "store"))
    entry = store.recordings.register(str(rig.close()), task="a visit")
    name = entry.recording_id
    bring_up_to_date(store, RAW_MCAP, name, RecordingConfig())
    artifacts = write_artifacts(tmp_path / "made", make_scene(60), recording_id=name)
    for asset, folder in (
        ("episode_bundle", artifacts.bundle),
        ("hand_poses", artifacts.hands),
        ("qc_report", artifacts.qc),
        ("blurred_rgb", artifacts.blurred),
    ):
        publish(store, asset, name, folder, {})
    return store, entry


def made(kitchen: tuple[Store, RecordingEntry], **choices: Any) -> Produced:
    store, entry = kitchen
    recipe = Recipe.from_mapping({**CUT, **choices})
    return bring_up_to_date(store, fragment_step("default"), entry.recording_id, recipe)


def tasks(produced: Produced) -> list[tuple[int, str]]:
    document = json.loads(produced.artifact.path("episodes.json").read_text())
    return [(episode["frame_start"], episode["task"]) for episode in document["episodes"]]


def write_tasks(folder: Path, *entries: tuple[float, float, str]) -> None:
    keys = ("start_s", "end_s", "task")
    content = [dict(zip(keys, entry, strict=True)) for entry in entries]
    (folder / "kitchen.tasks.json").write_text(json.dumps(content))


def test_a_file_of_tasks_beside_the_recording_cuts_it(
    kitchen: tuple[Store, RecordingEntry], tmp_path: Path
) -> None:
    whole = made(kitchen)
    write_tasks(tmp_path, (0, 1, "reach"), (1, 4, "pour"))
    cut, again = made(kitchen), made(kitchen)
    write_tasks(tmp_path, (0, 2, "reach"), (2, 4, "pour"))
    moved = made(kitchen)

    assert tasks(whole) == [(0, "a visit")]
    assert tasks(cut) == [(0, "reach"), (15, "pour")]
    assert [cut.was_cached, again.was_cached, moved.was_cached] == [False, True, False]
    assert tasks(moved) == [(0, "reach"), (30, "pour")]


def test_a_recipe_may_ignore_the_file(kitchen: tuple[Store, RecordingEntry], tmp_path: Path) -> None:
    before = made(kitchen, segments={"source": "task"})
    write_tasks(tmp_path, (0, 1, "reach"))

    after = made(kitchen, segments={"source": "task"})

    assert after.was_cached and after.fingerprint == before.fingerprint


def test_a_wrong_file_names_its_entry(kitchen: tuple[Store, RecordingEntry], tmp_path: Path) -> None:
    write_tasks(tmp_path, (2, 1, "reach"))

    with pytest.raises(BadConfig, match=r"entry 1 .*kitchen\.tasks\.json"):
        made(kitchen)


def test_texts_of_the_recording_are_taken_only_where_a_recipe_asks(
    kitchen: tuple[Store, RecordingEntry],
) -> None:
    asked, silent = made(kitchen, segments={"source": "annotations"}), made(kitchen)

    assert tasks(asked) == [(0, "pour tea"), (30, "drink")]
    for path in silent.artifact.directory().iterdir():
        assert b"pour tea" not in path.read_bytes()


def test_a_dataset_that_is_packed_otherwise_needs_no_contribution_again(
    kitchen: tuple[Store, RecordingEntry],
) -> None:
    first = made(kitchen)
    packed_otherwise = made(kitchen, packing={"version": "v2.1"}, licence="cc-by-4.0", video_file_mib=50)
    another_picture = made(kitchen, camera_view={"encode": "always"})

    assert packed_otherwise.was_cached and not another_picture.was_cached
    assert packed_otherwise.artifact.content_digest == first.artifact.content_digest
