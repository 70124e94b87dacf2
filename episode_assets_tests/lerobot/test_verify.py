"""Every kind of damage has its own code, and is told with its episode and frame where there is one."""

import json
import shutil
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from episode_assets.lerobot import Recipe, examine_dataset, pack_dataset, verify_dataset
from episode_assets.lerobot.problems import CODES
from episode_assets_tests.lerobot.damage import (
    CAMERA,
    DATA,
    EPISODES,
    TASKS,
    V2_DATA,
    V2_VIDEO,
    VIDEO,
    Damage,
    added_column,
    camera_fact,
    column,
    cut,
    document,
    encoded,
    feature,
    info,
    line,
    muxed,
    one_row_group,
    overwritten_packet,
    put,
    removed,
    second_record_file,
    statistic,
    with_sound,
    written,
)
from episode_assets_tests.lerobot.plain import plain_dataset

STATE = "observation.state"
FIRST, SECOND, ROWS = 32, 26, 116
"""Rows of the first two episodes, and of all four."""


@pytest.fixture(scope="module")
def packed(archive, tmp_path_factory):
    """The same two recordings in every version of the format."""
    roots = {}
    for version in ("v3.0", "v2.1", "v2.0"):
        roots[version] = tmp_path_factory.mktemp(version)
        recipe = Recipe.from_mapping({"packing": {"version": version}})
        pack_dataset(archive.fragments[:2], roots[version], recipe=recipe)
    return roots


@dataclass(frozen=True)
class Case:
    code: str
    damage: Damage
    version: str = "v3.0"
    episode: int | None = None
    frame: int | None = None


v2 = partial(Case, version="v2.1")
groot = partial(Case, version="v2.0")


def shifted(seconds: float, rows: slice = slice(0, FIRST)) -> Any:
    def change(values):
        found = np.array(values, dtype=np.float32)
        found[rows] += np.float32(seconds)
        return pa.array(found)

    return change


def clock(values):
    rng = np.random.default_rng(5)
    return pa.array(np.array(values, dtype=np.float32) + rng.normal(0, 0.003, len(values)).astype(np.float32))


def swap_texts(values):
    return values[::-1]


def language(entry: dict[str, Any]) -> Damage:
    kind = pa.list_(pa.struct([(name, pa.string()) for name in ("role", "content", "style", "camera")]))
    return added_column("language_events", "language", lambda row: [entry] if row == 3 else [], kind)


def mask_of_nothing(found):
    found["masks"][STATE][0]["column"] = "valid.nobody"


def first_range(found):
    found["state"]["left_position"]["end"] = 99


def lost_column(found):
    found["annotation"]["human.action.task_description"] = {"original_key": "nowhere"}


CASES = [
    Case("unreadable", cut(DATA, -50)),
    Case("version", info(codebase_version="v1.6")),
    Case("fps", info(fps=15.0)),
    Case("whole_number", info(total_frames=float(ROWS))),
    Case("info_key", document("meta/info.json", lambda found: found.pop("robot_type"))),
    Case("total_episodes", info(total_episodes=7)),
    Case("total_frames", info(total_frames=7)),
    Case("total_tasks", info(total_tasks=9)),
    v2("total_videos", info(total_videos=2)),
    v2("total_chunks", info(total_chunks=0)),
    Case("splits", info(splits={"train": "0:100"})),
    Case("chunks_size", info(chunks_size=1001)),
    v2("path_pattern", info(data_path="data/chunk-{episode_chunk:03d}/episode_{episode_index:07d}.parquet")),
    Case("feature", feature("timestamp", dtype="float64")),
    Case("feature_key", added_column("source.image_number", "int64", int, pa.int64())),
    Case("feature_shape", feature(STATE, names=["same"] * 18)),
    Case("columns", document("meta/info.json", lambda found: found["features"].pop("hand.confidence"))),
    Case("dtype", column(DATA, "timestamp", lambda values: pa.array(values, pa.float64()))),
    Case("schema_differs", second_record_file),
    Case(
        "task_note",
        lambda root: pq.write_table(pq.read_table(root / TASKS).replace_schema_metadata(None), root / TASKS),
    ),
    Case("task_table", column(TASKS, "task_index", swap_texts)),
    Case("task_table", column(TASKS, "task", lambda values: ["", *values[1:]])),
    v2(
        "task_unused",
        lambda root: (root / "meta/tasks.jsonl").open("a").write('{"task_index": 2, "task": "valid"}\n'),
    ),
    Case("task_index", column(DATA, "task_index", put(FIRST + 3, 9)), episode=1, frame=3),
    Case("episode_tasks", column(TASKS, "task", swap_texts), episode=0),
    Case("episode_index", column(EPISODES, "episode_index", put(2, 5)), episode=2),
    Case("dataset_index", column(EPISODES, "dataset_from_index", put(1, 5)), episode=1),
    Case("episode_place", column(EPISODES, "meta/episodes/file_index", put(2, 4)), episode=2),
    v2("partial", removed(V2_DATA, V2_VIDEO)),
    v2("data_missing", removed(V2_DATA), episode=1),
    Case("row_count", column(EPISODES, "length", put(1, 5)), episode=1),
    Case("row_groups", one_row_group(DATA), episode=0),
    Case("row_episode", column(DATA, "episode_index", put(FIRST + 4, 0)), episode=1, frame=4),
    Case("frame_index", column(DATA, "frame_index", put(FIRST + 4, 0)), episode=1, frame=4),
    Case("index", column(DATA, "index", put(FIRST + 4, 0)), episode=1, frame=4),
    Case("timestamp", column(DATA, "timestamp", put(FIRST + 3, 9.0)), episode=1, frame=3),
    Case("timestamp_start", column(DATA, "timestamp", shifted(0.05)), episode=0, frame=0),
    Case("timestamp_clock", column(DATA, "timestamp", clock), episode=3),
    Case("null", column(DATA, "camera.pose", put(FIRST + 7, None)), episode=1, frame=7),
    Case("not_finite", column(DATA, STATE, put(FIRST + 2, [float("nan")] * 18)), episode=1, frame=2),
    Case("mask", document("meta/episode_assets.json", mask_of_nothing)),
    Case("language", language({"role": "user", "content": "x", "style": "vqa"}), episode=0, frame=3),
    Case(
        "language", language({"role": "user", "style": "interjection", "camera": CAMERA}), episode=0, frame=3
    ),
    Case("language", language({"role": "user", "style": "subtask"}), episode=0, frame=3),
    Case("statistics_missing", document("meta/stats.json", lambda found: found.pop(STATE))),
    v2(
        "statistics_missing",
        line("meta/episodes_stats.jsonl", 3, lambda found: found["stats"].pop(STATE)),
        episode=3,
    ),
    Case("statistics_quantile", statistic(STATE, "q99", None)),
    Case("statistics_quantile", statistic(CAMERA, "q01", None)),
    Case("statistics_quantile", statistic(CAMERA, "q50", [[[0.0]]] * 3)),
    Case("statistics_shape", statistic(STATE, "mean", [0.0])),
    Case("statistics", statistic(STATE, "mean", [0.0] * 18)),
    Case("statistics", column(DATA, "valid.left", lambda values: [False] * len(values))),
    v2(
        "episode_statistics",
        line("meta/episodes_stats.jsonl", 2, lambda found: found["stats"][STATE].update(std=[9.0] * 18)),
        episode=2,
    ),
    Case("image_statistics", statistic(CAMERA, "mean", [0.5, 0.5, 0.5])),
    Case("image_statistics", statistic(CAMERA, "max", [[[255.0]]] * 3)),
    groot("no_episode_statistics", info()),
    Case(
        "constant",
        document("meta/stats.json", lambda found: found["action"].update(q01=found["action"]["q99"])),
    ),
    v2(
        "camera_without_video",
        document(
            "meta/info.json",
            lambda found: found["features"].update({"observation.images.other": found["features"][CAMERA]}),
        ),
    ),
    Case("video_missing", removed(VIDEO), episode=0),
    v2("video_missing", removed(V2_VIDEO), episode=1),
    Case("video_unreadable", cut(VIDEO, 200), episode=0),
    v2("frame_count", encoded(V2_VIDEO, SECOND - 1), episode=1),
    v2("frame_count", cut(V2_VIDEO, -1200), episode=1),
    v2("video_start", muxed(V2_VIDEO, lambda i: i + 1), episode=1, frame=0),
    Case("video_stamps", muxed(VIDEO, lambda i: i + 0.25 * (i == FIRST + 6)), episode=1, frame=6),
    v2("video_rate", muxed(V2_VIDEO, float, last=30.0), episode=1),
    v2("reordered_frames", encoded(V2_VIDEO, SECOND, bf="2", b_strategy="0"), episode=1),
    v2("sound", with_sound(V2_VIDEO), episode=1),
    Case("key_frame", encoded(VIDEO, ROWS, g="30"), episode=1, frame=0),
    Case("key_gap", encoded(VIDEO, ROWS, g="250"), episode=0),
    Case("video_offset", column(EPISODES, f"videos/{CAMERA}/from_timestamp", put(1, 2.14)), episode=1),
    Case("camera_info", feature(CAMERA, names=["height", "width", "rgb"])),
    Case("camera_info", document("meta/info.json", lambda found: found["features"][CAMERA].pop("info"))),
    Case("codec", camera_fact(video__codec="av1"), episode=0),
    Case("codec", camera_fact(video__pix_fmt="yuv444p"), episode=0),
    Case("video_size", camera_fact(video__height=480), episode=0),
    Case("video_size", feature(CAMERA, shape=[480, 640, 3]), episode=0),
    Case("video_fps", camera_fact(video__fps=30)),
    Case("depth", camera_fact(is_depth_map=True)),
    Case("stray_file", written("data/chunk-000/notes.txt")),
    Case("stray_file", written(f"videos/{CAMERA}/chunk-000/file-009.mp4")),
    Case("left_over", written(f"images/{CAMERA}/episode-000000/frame-000000.png")),
    Case("left_over", written("meta/info.json.tmp")),
    groot("modality", document("meta/modality.json", lost_column)),
    groot("modality_slice", document("meta/modality.json", first_range)),
    groot("modality_statistics", statistic("action", "q99", None)),
    Case("source_stamps", column(DATA, "source.dt_ns", put(FIRST + 2, 1)), episode=1, frame=2),
    Case("source_stamps", column(DATA, "source.message_number", put(FIRST + 2, 0)), episode=1, frame=2),
    Case("provenance", document("meta/episode_assets.json", lambda found: found["episodes"].pop())),
    Case(
        "provenance",
        document("meta/episode_assets.json", lambda found: found["privacy"].update(audit="unknown")),
    ),
]

ELSEWHERE = {"episode_too_long", "video_length", "image", "list_size", "counter_statistics"}
"""Codes that the tests below find in datasets of their own."""


ALONE = {
    "fps",
    "total_tasks",
    "splits",
    "codec",
    "episode_place",
    "task_note",
    "left_over",
    "mask",
    "total_videos",
}
"""Damage on which nothing else depends, so that it gives its own code and no other."""


def all_findings(root):
    verdict = examine_dataset(root)
    return [*verdict.problems, *verdict.warnings]


@pytest.mark.parametrize("case", CASES, ids=[f"{i}-{case.code}" for i, case in enumerate(CASES)])
def test_damage_is_found_by_its_code_and_place(case, packed, tmp_path):
    root = shutil.copytree(packed[case.version], tmp_path / "dataset")

    case.damage(root)

    found = [problem for problem in all_findings(root) if problem.code == case.code]
    assert found, [str(problem) for problem in all_findings(root)]
    if case.code in ALONE:
        assert {problem.code for problem in verify_dataset(root)} == {case.code}
    places = {(problem.episode, problem.frame) for problem in found}
    assert case.episode is None or case.episode in {episode for episode, _ in places}
    assert case.frame is None or (case.episode, case.frame) in places


def test_every_code_is_found_in_some_damaged_dataset():
    assert {case.code for case in CASES} | ELSEWHERE == set(CODES)


@pytest.mark.parametrize("version", ["v3.0", "v2.1", "v2.0"])
def test_what_we_pack_passes_in_every_version(packed, version):
    assert [str(problem) for problem in verify_dataset(packed[version])] == []


def test_an_overwritten_packet_is_found_by_decoding_and_only_so(packed, tmp_path):
    root = shutil.copytree(packed["v3.0"], tmp_path / "dataset")

    overwritten_packet(VIDEO, FIRST + 4)(root)

    assert verify_dataset(root) == []
    found = examine_dataset(root, decode=True).problems
    assert {problem.code for problem in found} == {"video_unreadable"}


def test_what_readers_survive_is_a_warning_and_no_problem(packed, tmp_path):
    root = shutil.copytree(packed["v3.0"], tmp_path / "dataset")

    one_row_group(DATA)(root)

    verdict = examine_dataset(root)
    assert verdict.passed
    assert [warning.code for warning in verdict.warnings] == ["row_groups"]


def test_a_plain_dataset_of_others_passes(tmp_path):
    assert verify_dataset(plain_dataset(tmp_path / "v3", [30, 40])) == []
    assert verify_dataset(plain_dataset(tmp_path / "v2", [30, 40], version="v2.1")) == []


def test_traces_of_an_edit_by_others_are_warnings(tmp_path):
    """LeRobot's own merge and delete leave both behind, and its readers load the result."""
    vectors = pa.array([[0.0, float(row)] for row in range(70)], pa.list_(pa.float32()))
    entry = {"dtype": "float32", "shape": [2], "names": ["x", "y"]}
    root = plain_dataset(
        tmp_path / "v3", [30, 40], columns={"camera.spot": vectors}, features={"camera.spot": entry}
    )
    x_and_y = {name: [0.0, 1.0] for name in ("min", "max", "mean", "std", "q01", "q10", "q50", "q90", "q99")}
    document("meta/stats.json", lambda found: found.update({"camera.spot": x_and_y | {"count": [70]}}))(root)
    statistic("index", "mean", [3.0])(root)

    warnings = {warning.code for warning in examine_dataset(root).warnings}

    assert {"list_size", "counter_statistics"} <= warnings


def test_an_episode_that_old_readers_refuse_is_named(tmp_path):
    root = plain_dataset(tmp_path / "dataset", [20, 1025], version="v2.1")

    assert [(p.code, p.episode) for p in verify_dataset(root)] == [("episode_too_long", 1)]
    assert verify_dataset(plain_dataset(tmp_path / "v3", [20, 1025])) == []


def test_a_file_in_which_readers_miss_frames_is_named(packed, tmp_path):
    """Times beyond 1024 s of file time are too coarse in float32, unless the file holds one episode only."""
    root = shutil.copytree(packed["v3.0"], tmp_path / "dataset")

    info(fps=1)(root)
    column(EPISODES, "length", lambda _: [400] * 4)(root)

    assert "video_length" in {problem.code for problem in verify_dataset(root)}


def test_pictures_in_rows_are_looked_at(tmp_path):
    import cv2

    png = cv2.imencode(".png", np.zeros((4, 6, 3), np.uint8))[1].tobytes()
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    entry = {"dtype": "image", "shape": [4, 6, 3], "names": ["height", "width", "channels"]}
    key = "observation.images.ego"

    def findings(name, pictures, shape):
        rows = pa.array([{"bytes": picture, "path": "x.png"} for picture in pictures], kind)
        root = plain_dataset(
            tmp_path / name, [3, 3], columns={key: rows}, features={key: entry | {"shape": shape}}
        )
        return [(p.code, p.episode, p.frame) for p in verify_dataset(root) if p.code == "image"]

    assert findings("whole", [png] * 6, [4, 6, 3]) == []
    assert findings("empty", [png] * 4 + [b"", png], [4, 6, 3]) == [("image", 1, 1)]
    assert findings("broken", [png] * 5 + [b"no picture"], [4, 6, 3]) == [("image", 1, 2)]
    assert ("image", 0, 0) in findings("size", [png] * 6, [8, 6, 3])


def test_a_missing_info_and_a_word_that_is_no_json_are_problems_and_no_exceptions(packed, tmp_path):
    root = shutil.copytree(packed["v3.0"], tmp_path / "dataset")
    path = root / "meta/stats.json"
    path.write_text(path.read_text().replace('"count": [', '"count": [NaN, ', 1))
    assert "unreadable" in {problem.code for problem in verify_dataset(root)}

    (root / "meta/info.json").unlink()
    assert [problem.code for problem in verify_dataset(root)] == ["unreadable"]


def test_a_problem_reads_as_one_line(packed, tmp_path):
    root = shutil.copytree(packed["v3.0"], tmp_path / "dataset")
    column(DATA, "timestamp", put(FIRST + 3, 9.0))(root)

    lines = [str(problem) for problem in verify_dataset(root)]

    assert any(line.startswith("timestamp, episode 1, frame 3: timestamp is 9.0") for line in lines)


def test_the_known_defects_of_a_groot_dataset_are_named(shared_data):
    found = all_findings(shared_data / "lerobot-v20/pick_n_place")

    words = {problem.code: problem.detail for problem in found}
    assert "observation.images.egoview" in words["camera_without_video"]
    assert words["total_videos"] == "info.json says 2, expected 10 (5 are there)"
    assert words["total_chunks"] == "info.json says 0, expected 1"
    assert words["splits"] == "info.json says {'train': '0:100'}, expected {'train': '0:5'}"
    assert "frame_index" in " ".join(problem.detail for problem in found if problem.code == "feature")
    assert {(p.episode, p.frame) for p in found if p.code == "timestamp_start"} == {(i, 0) for i in range(5)}
    assert "'valid'" in words["task_unused"]
    assert "no_episode_statistics" in words
    assert "frame_count" not in words
    assert "unreadable" not in words


def test_a_partial_dataset_is_called_that_and_its_whole_episodes_pass(shared_data):
    found = all_findings(shared_data / "lerobot-v21/g1_bottle")

    assert [(problem.code, problem.episode) for problem in found] == [("video_missing", 3), ("partial", None)]
    assert found[1].detail == "97 of 100 episodes have neither rows nor video: 0, 4 to 99"


def test_damage_in_a_foreign_dataset_is_found_as_well(shared_data, tmp_path):
    root = tmp_path / "dataset"
    shutil.copytree(shared_data / "lerobot-v21/g1_bottle", root, copy_function=shutil.copyfile)
    path = root / "meta/episodes_stats.jsonl"
    lines = path.read_text().splitlines()
    found = json.loads(lines[2])
    found["stats"]["action"]["mean"][0] += 0.5
    lines[2] = json.dumps(found)
    path.write_text("\n".join(lines))

    assert ("episode_statistics", 2) in [(p.code, p.episode) for p in verify_dataset(root)]
