import json
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from episode_assets.lerobot import examine_dataset, verify_dataset
from episode_assets.video import VideoSpan, retime_copy

VIDEO = "videos/observation.images.ego/chunk-000/file-000.mp4"
DATA = "data/chunk-000/file-000.parquet"
EPISODES = "meta/episodes/chunk-000/file-000.parquet"


@pytest.fixture
def dataset(archive, tmp_path):
    return shutil.copytree(archive.dataset, tmp_path / "dataset")


def codes(dataset):
    return {problem.code for problem in verify_dataset(dataset)}


def change_json(path, change):
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


def change_table(path, column, change):
    """Rewrite one column, keeping the row groups."""
    groups = [
        pq.read_metadata(path).row_group(i).num_rows for i in range(pq.read_metadata(path).num_row_groups)
    ]
    table = pq.read_table(path)
    position = table.column_names.index(column)
    changed = change(table[column].to_pylist())
    kind = table.schema.field(column).type if not isinstance(changed, pa.Array) else changed.type
    table = table.set_column(position, pa.field(column, kind), pa.array(changed, kind))
    with pq.ParquetWriter(path, table.schema) as writer:
        start = 0
        for rows in groups:
            writer.write_table(table.slice(start, rows), row_group_size=rows)
            start += rows


def put(position, value):
    def change(values):
        values[position] = value
        return values

    return change


def shift(values):
    return [value + 1 for value in values]


INFO_DAMAGE = [
    ("fps", 15.0, "fps"),
    ("total_frames", 7, "total_frames"),
    ("total_episodes", 7, "total_episodes"),
    ("total_tasks", 9, "total_tasks"),
    ("codebase_version", "v1.6", "version"),
    ("splits", {"train": "0:3"}, "splits"),
]


@pytest.mark.parametrize(("key", "value", "code"), INFO_DAMAGE)
def test_a_lie_in_info_is_found(dataset, key, value, code):
    change_json(dataset / "meta/info.json", lambda info: info.update({key: value}))

    assert code in codes(dataset)


TABLE_DAMAGE = [
    (DATA, "timestamp", put(3, 0.21), "timestamp"),
    (DATA, "timestamp", lambda v: pa.array(v, pa.float64()), "dtype"),
    (DATA, "frame_index", put(40, 0), "frame_index"),
    (DATA, "index", shift, "index"),
    (DATA, "task_index", lambda v: [1 - x for x in v], "episode_tasks"),
    (DATA, "observation.state", put(2, [float("nan")] * 18), "not_finite"),
    (DATA, "observation.state", put(2, [5.0] * 18), "statistics"),
    (DATA, "valid.left", lambda v: [False] * len(v), "statistics"),
    (EPISODES, "length", put(1, 5), "row_count"),
    (EPISODES, "dataset_from_index", put(1, 5), "dataset_index"),
    (EPISODES, "episode_index", put(2, 5), "episode_index"),
    (EPISODES, "videos/observation.images.ego/from_timestamp", put(1, 2.14), "video_offset"),
    (EPISODES, "data/file_index", put(0, 1), "data_missing"),
]


@pytest.mark.parametrize(("path", "column", "change", "code"), TABLE_DAMAGE)
def test_a_wrong_value_in_a_table_is_found(dataset, path, column, change, code):
    change_table(dataset / path, column, change)

    assert code in codes(dataset)


def test_a_column_that_info_does_not_know_is_found(dataset):
    table = pq.read_table(dataset / DATA)
    pq.write_table(table.append_column("extra", pa.array(np.zeros(table.num_rows))), dataset / DATA)

    verdict = examine_dataset(dataset)

    assert [problem.code for problem in verdict.problems] == ["columns"]
    assert [warning.code for warning in verdict.warnings] == ["row_groups"]


def test_tasks_without_their_index_note_are_found(dataset):
    path = dataset / "meta/tasks.parquet"
    pq.write_table(pq.read_table(path).replace_schema_metadata(None), path)

    assert codes(dataset) == {"task_note"}


@pytest.mark.parametrize("entry", ["observation.state", "observation.images.ego"])
def test_a_missing_quantile_is_found(dataset, entry):
    change_json(dataset / "meta/stats.json", lambda stats: stats[entry].pop("q99"))

    assert codes(dataset) == {"statistics_quantile"}


def test_a_picture_statistic_of_another_shape_is_found(dataset):
    change_json(
        dataset / "meta/stats.json", lambda s: s["observation.images.ego"].update(mean=[0.5, 0.5, 0.5])
    )

    assert codes(dataset) == {"image_statistics"}


def test_a_codec_lie_is_found(dataset):
    def lie(info):
        info["features"]["observation.images.ego"]["info"]["video.codec"] = "av1"

    change_json(dataset / "meta/info.json", lie)

    assert codes(dataset) == {"codec"}


def test_a_dropped_frame_is_found(archive, dataset):
    retime_copy([VideoSpan(archive.dataset / VIDEO, 0, 173)], dataset / VIDEO, fps=15)

    assert codes(dataset) == {"frame_count"}


def test_real_clock_stamps_in_a_video_are_found(archive, dataset):
    shutil.copy(archive.fragments[0].bundle_video, dataset / VIDEO)

    assert "video_stamps" in codes(dataset)


def test_a_missing_a_cut_and_a_stray_file_are_found(dataset):
    (dataset / "data/chunk-000/notes.txt").write_text("x")
    assert codes(dataset) == {"stray_file"}
    (dataset / "data/chunk-000/notes.txt").unlink()

    whole = (dataset / VIDEO).read_bytes()
    (dataset / VIDEO).write_bytes(whole[:200])
    assert codes(dataset) == {"video_unreadable"}
    (dataset / VIDEO).unlink()
    assert codes(dataset) == {"video_missing"}


def test_a_cut_table_and_a_missing_info_are_problems_and_no_exceptions(dataset):
    (dataset / DATA).write_bytes((dataset / DATA).read_bytes()[:-50])
    assert "unreadable" in codes(dataset)

    (dataset / "meta/info.json").unlink()
    assert codes(dataset) == {"unreadable"}


def test_a_not_a_number_token_in_json_is_found(dataset):
    path = dataset / "meta/stats.json"
    path.write_text(path.read_text().replace('"count": [', '"count": [NaN, ', 1))

    assert "unreadable" in codes(dataset)


def test_a_problem_reads_as_one_line(dataset):
    change_table(dataset / DATA, "timestamp", put(35, 9.0))

    lines = [str(problem) for problem in verify_dataset(dataset)]

    assert any(line.startswith("timestamp, episode 1, frame 3: timestamp is 9.0") for line in lines)
