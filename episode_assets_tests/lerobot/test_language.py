"""Subtasks in the language column of v3.0."""

import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from episode_assets.lerobot import Recipe, pack_dataset, verify_dataset
from episode_assets.lerobot.existing import open_dataset
from episode_assets.lerobot.language import ENTRIES_PER_ROW, LANGUAGE, with_language
from episode_assets.lerobot.recipe_packing import Packing
from episode_assets.lerobot.recipe_segments import SegmentChoice
from episode_assets_tests.lerobot.archive import make_scene, stamps, write_artifacts
from episode_assets_tests.lerobot.test_segment_plan import tasks_file

RECIPE = Recipe(min_episode_s=0.3, segments=SegmentChoice(use="subtasks", language=True))
SPOKEN = tasks_file((0, 1, "reach"), (1, 2, "pour"), (3, 4, "drink"))


def pack(tmp_path, recipe, givens):
    """Write a dataset of one recording per entry, with the tasks that are written beside it."""
    fragments = []
    for number, given in enumerate(givens):
        scene = make_scene(stamp_ns=stamps(60) + number * 10**12, first_message=1000 * number)
        artifacts = write_artifacts(tmp_path / f"in{number}", scene, recording_id=f"scene{number}-00000000")
        beside = {} if given is None else {"tasks_beside": given}
        directory = tmp_path / f"fragment{number}"
        fragments.append(artifacts.fragment(directory, recipe=recipe, task="visit", **beside)[0])
    (tmp_path / "out").mkdir()
    pack_dataset(fragments, tmp_path / "out", recipe=recipe)
    return tmp_path / "out"


def active(entries, timestamp):
    """Return the text that LeRobot's reader takes for a time: the last entry that began."""
    begun = [entry for entry in entries if entry["timestamp"] <= timestamp]
    return begun[-1]["content"] if begun else None


def test_every_row_tells_the_subtask_that_is_being_done(tmp_path):
    root = pack(tmp_path, RECIPE, [SPOKEN, None])

    table = pq.read_table(root / "data/chunk-000/file-000.parquet")
    rows = table.select(["episode_index", "timestamp", LANGUAGE]).to_pylist()
    told = [active(row[LANGUAGE], row["timestamp"]) for row in rows if row["episode_index"] == 0]
    assert [entry["content"] for entry in rows[0][LANGUAGE]] == ["reach", "pour", None, "drink"]
    assert told == ["reach"] * 15 + ["pour"] * 15 + [None] * 15 + ["drink"] * 14
    assert all(row[LANGUAGE] == [] for row in rows if row["episode_index"] == 1)
    info = json.loads((root / "meta/info.json").read_text())
    assert info["features"][LANGUAGE] == {"dtype": "language", "shape": [1], "names": None}
    assert [str(problem) for problem in verify_dataset(root)] == []


def test_a_dataset_says_where_its_words_come_from(tmp_path):
    root = pack(tmp_path, RECIPE, [SPOKEN, None])

    recordings = json.loads((root / "meta/episode_assets.json").read_text())["recordings"]
    assert [one["tasks_from"] for one in recordings] == [
        {"origin": "sidecar", "caption": None},
        {"origin": "task", "caption": None},
    ]


def test_entries_have_the_styles_and_fields_of_the_format(tmp_path):
    root = pack(tmp_path, RECIPE, [SPOKEN])

    entry = pq.read_table(root / "data/chunk-000/file-000.parquet")[LANGUAGE][0].as_py()[0]
    assert entry == {
        "role": "assistant",
        "content": "reach",
        "style": "subtask",
        "timestamp": 0.0,
        "camera": None,
        "tool_calls": None,
    }


@pytest.mark.parametrize("version", ["v3.0", "v2.1", "v2.0"])
def test_every_row_has_the_task_that_is_being_done(tmp_path, version):
    recipe = replace(RECIPE, segments=SegmentChoice(use="tasks"), packing=Packing(version=version))

    root = pack(tmp_path, recipe, [SPOKEN, None])

    texts = dict(open_dataset(root).tasks)
    rows = pa.concat_tables(pq.read_table(path) for path in sorted((root / "data").rglob("*.parquet")))
    told = [texts[index] for index in rows["task_index"].to_pylist()]
    assert told == ["reach"] * 15 + ["pour"] * 15 + ["visit"] * 15 + ["drink"] * 14 + ["visit"] * 59
    assert [str(problem) for problem in verify_dataset(root)] == []


@pytest.mark.parametrize(
    "recipe",
    [
        replace(RECIPE, segments=SegmentChoice(use="subtasks")),
        replace(RECIPE, packing=Packing(version="v2.1")),
        replace(RECIPE, packing=Packing(version="v2.0")),
    ],
    ids=["not asked for", "v2.1", "v2.0"],
)
def test_elsewhere_there_is_no_such_column(tmp_path, recipe):
    root = pack(tmp_path, recipe, [SPOKEN])

    info = json.loads((root / "meta/info.json").read_text())
    (path,) = (root / "data").rglob("*.parquet")
    assert LANGUAGE not in info["features"] and LANGUAGE not in pq.read_schema(path).names


def test_a_long_episode_lists_what_is_near(tmp_path):
    """An hour of subtasks in every row of an hour would be a table that grows with its square."""
    subtasks = [{"start_row": i, "stop_row": i + 1, "text": f"part {i}"} for i in range(2000)]
    table = pa.table({"frame_index": np.arange(2000)})

    told = with_language(table, subtasks, length=2000, fps=15)[LANGUAGE].to_pylist()

    assert {len(entries) for entries in told} == {ENTRIES_PER_ROW}
    for row in (0, 1, 999, 1999):
        assert active(told[row], np.float32(row / 15)) == f"part {row}"
