import json
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest

from episode_assets.lerobot import Recipe, pack_dataset, verify_dataset
from episode_assets.lerobot.admission import admit
from episode_assets.lerobot.long_episodes import parts_within_limit
from episode_assets.lerobot.plan import plan_dataset
from episode_assets_tests.lerobot.archive import make_scene, stamps, write_artifacts
from episode_assets_tests.lerobot.groot_reader import GrootDataset

VIDEO = "observation.images.ego"
QUATERNIONS = {"rotation": "quaternion"}


def recipe_of(version, **layout):
    return Recipe.from_mapping({"packing": {"version": version}, "layout": layout})


def packed(root, recipe, *, count=2, frames=30):
    fragments = []
    for number in range(count):
        scene = make_scene(stamp_ns=stamps(frames) + number * 10**12, first_message=1000 * number)
        artifacts = write_artifacts(root / f"r{number}", scene, recording_id=f"r{number}-00000000")
        fragments.append(artifacts.fragment(root / f"f{number}", recipe=recipe, task=f"task {number}")[0])
    (root / "dataset").mkdir()
    pack_dataset(fragments, root / "dataset", recipe=recipe)
    return root / "dataset", fragments


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.parametrize("version", ["v2.1", "v2.0"])
def test_an_older_version_has_a_file_per_episode_and_passes_verification(version, tmp_path):
    dataset, _ = packed(tmp_path, recipe_of(version))

    info = json.loads((dataset / "meta/info.json").read_text())
    assert verify_dataset(dataset) == []
    assert (info["codebase_version"], info["total_videos"], info["total_chunks"]) == (version, 2, 1)
    assert lines(dataset / "meta/episodes.jsonl")[1] == {
        "episode_index": 1,
        "tasks": ["task 1"],
        "length": 29,
    }
    assert lines(dataset / "meta/tasks.jsonl")[1] == {"task_index": 1, "task": "task 1"}
    rows = pq.read_table(dataset / "data/chunk-000/episode_000001.parquet")
    assert rows["index"].to_pylist() == list(range(29, 58))
    assert (dataset / f"videos/chunk-000/{VIDEO}/episode_000001.mp4").is_file()


def test_statistics_of_version_2_1_are_those_of_every_episode(tmp_path):
    dataset, _ = packed(tmp_path, recipe_of("v2.1"))

    for number, line in enumerate(lines(dataset / "meta/episodes_stats.jsonl")):
        rows = pq.read_table(dataset / f"data/chunk-000/episode_{number:06d}.parquet")
        assert line["stats"]["index"]["mean"] == [np.mean(rows["index"].to_pylist())]
        assert np.shape(line["stats"][VIDEO]["max"]) == (3, 1, 1)
        assert set(line["stats"]["action"]) == {"min", "max", "mean", "std", "count"}
    assert not (dataset / "meta/stats.json").exists()


def test_groot_reads_our_rotations_back_as_they_were(tmp_path):
    """The same hands as quaternions here and as two rows of the matrix there give the same matrices."""
    as_quaternions, _ = packed(tmp_path / "q", recipe_of("v2.0", **QUATERNIONS))
    as_rows, _ = packed(tmp_path / "r", recipe_of("v2.0"))

    one, other = GrootDataset(as_quaternions), GrootDataset(as_rows)
    for modality in ("state", "action"):
        for name in ("left_rotation", "right_rotation"):
            np.testing.assert_allclose(
                one.rotations(modality, name, 1), other.rotations(modality, name, 1), atol=1e-6
            )
    assert one.annotation("human.action.task_description", 1, 3) == "task 1"
    assert set(one.statistics("state", "left_position")) >= {"min", "max", "mean", "std", "q01", "q99"}
    assert (
        json.loads((as_quaternions / "meta/info.json").read_text())["features"]["action"]["names"][3]
        == "left_qw"
    )


def test_steps_are_padded_with_zeros_and_targets_with_the_last_row(tmp_path):
    absolute = json.loads((packed(tmp_path / "t", recipe_of("v2.0"))[0] / "meta/modality.json").read_text())
    steps = json.loads(
        (packed(tmp_path / "d", recipe_of("v2.0", action="delta"))[0] / "meta/modality.json").read_text()
    )

    assert absolute["action"]["left_position"]["absolute"] is True
    assert steps["action"]["left_position"]["absolute"] is False
    assert steps["state"]["left_position"]["absolute"] is True


def test_an_episode_too_long_for_old_readers_is_divided_on_key_frames(tmp_path):
    recipe = recipe_of("v2.1")
    _, fragments = packed(tmp_path, recipe, count=1, frames=60)
    reader = admit(fragments, recipe=recipe, previous=()).readers[0]
    whole = plan_dataset([reader]).episodes[0].part

    parts = parts_within_limit(whole, seconds=1)

    assert [part.length for part in parts] == [15, 15, 15, 14], "15 Hz, and a key frame on every fifth frame"
    assert parts_within_limit(replace(whole, stop=14), seconds=1)[0].length == 14
    assert [part.span(VIDEO).first_frame for part in parts] == [0, 15, 30, 45]


def test_the_card_says_what_each_policy_stumbles_over(tmp_path):
    wide, _ = packed(tmp_path / "wide", Recipe(state="joints"))
    narrow, _ = packed(tmp_path / "narrow", Recipe())

    assert "- smolvla: observation.state has 126 elements; at most 32 fit" in (wide / "README.md").read_text()
    text = (narrow / "README.md").read_text()
    assert "nothing to remark for act" in text
    assert "- `action` [18]: " in text and "valid by `valid.action`" in text
