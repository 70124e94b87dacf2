"""Joined datasets: what LeRobot's rules demand, with exact statistics, and nothing written where they do not fit."""

import json
import shutil

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from episode_assets.errors import ArtifactDamaged, BadConfig, BadVideo
from episode_assets.lerobot import Recipe, pack_dataset, verify_dataset
from episode_assets.lerobot.existing import EpisodeRows, episode_rows, open_dataset
from episode_assets.lerobot.merging import merge_datasets
from episode_assets.lerobot.picture_counts import read_picture_counts
from episode_assets.video import decode_frames
from episode_assets_tests.lerobot.archive import read_number
from episode_assets_tests.lerobot.damage import CAMERA, camera_fact, document, encoded, feature, info
from episode_assets_tests.lerobot.plain import plain_dataset

VERSIONS = ("v3.0", "v2.1", "v2.0")


@pytest.fixture(scope="module")
def parts(archive, tmp_path_factory):
    """By version: the first recording as a dataset, the other two, and all three packed at once."""
    found = {}
    for version in VERSIONS:
        recipe = Recipe.from_mapping({"packing": {"version": version}})
        roots = []
        for fragments in (archive.fragments[:1], archive.fragments[1:], archive.fragments):
            roots.append(tmp_path_factory.mktemp("part"))
            pack_dataset(fragments, roots[-1], recipe=recipe)
        found[version] = roots
    return found


def rows_of(root):
    return [rows for rows in episode_rows(open_dataset(root)) if isinstance(rows, EpisodeRows)]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_merge_holds_what_packing_everything_at_once_holds(parts, tmp_path, version):
    first, others, whole = parts[version]

    merged = merge_datasets([first, others], tmp_path / "out")

    assert verify_dataset(tmp_path / "out") == []
    assert (merged.episodes, merged.frames, merged.tasks) == (6, 174, 2)
    for found, expected in zip(rows_of(tmp_path / "out"), rows_of(whole), strict=True):
        assert found.table.equals(expected.table)
        assert found.episode.tasks == expected.episode.tasks
        assert found.episode.videos == expected.episode.videos


@pytest.mark.parametrize("version", ["v3.0", "v2.0"])
def test_statistics_of_a_merge_are_those_of_all_rows(parts, tmp_path, version):
    first, others, whole = parts[version]

    merge_datasets([first, others], tmp_path / "out")

    found, expected = (
        json.loads((root / "meta/stats.json").read_text()) for root in (tmp_path / "out", whole)
    )
    assert set(found) == set(expected)
    for key in set(found) - {CAMERA}:
        assert found[key] == expected[key]


@pytest.mark.parametrize("version", ["v3.0", "v2.1"])
def test_every_row_of_a_merge_shows_its_own_frame(parts, tmp_path, version):
    first, others, _ = parts[version]

    merge_datasets([others, first], tmp_path / "out")

    dataset = open_dataset(tmp_path / "out")
    for rows in rows_of(tmp_path / "out"):
        part = rows.episode.videos[CAMERA]
        start = round(part.start_s * dataset.fps)
        frames = decode_frames(dataset.root / part.path, range(start, start + len(rows)))
        marks = [read_number(picture) for _, picture in frames]
        assert marks == rows.values("source.message_number").tolist()


def test_colours_of_a_merge_are_counted_and_not_averaged(parts, tmp_path):
    first, others, _ = parts["v3.0"]

    merge_datasets([first, others], tmp_path / "once")
    merge_datasets([others, first], tmp_path / "again")

    once, again = (json.loads((tmp_path / n / "meta/stats.json").read_text()) for n in ("once", "again"))
    assert once[CAMERA] == again[CAMERA]
    stored = read_picture_counts(tmp_path / "once")[CAMERA].counts.reshape(3, 256)
    mean = (stored * np.arange(256)).sum(axis=1) / stored.sum(axis=1) / 255
    np.testing.assert_allclose(mean, np.ravel(once[CAMERA]["mean"]))


def test_a_merge_can_be_merged_again(parts, tmp_path, archive):
    first = parts["v3.0"][0]
    second, third = tmp_path / "second", tmp_path / "third"
    for root, fragment in ((second, archive.fragments[1]), (third, archive.fragments[2])):
        root.mkdir()
        pack_dataset([fragment], root, recipe=Recipe())

    merge_datasets([second, third], tmp_path / "both")
    merge_datasets([first, tmp_path / "both"], tmp_path / "all")

    assert verify_dataset(tmp_path / "all") == []
    recordings = pq.read_table(tmp_path / "all/meta/episodes/chunk-000/file-000.parquet")["recording_id"]
    assert recordings.to_pylist() == [f"scene{i // 2}-00000000" for i in range(6)]


def test_datasets_of_others_are_joined_by_the_same_rules(tmp_path):
    roots = [plain_dataset(tmp_path / name, lengths) for name, lengths in (("a", [30, 40]), ("b", [50]))]

    merge_datasets(roots, tmp_path / "out")

    assert verify_dataset(tmp_path / "out") == []
    assert [len(rows) for rows in rows_of(tmp_path / "out")] == [30, 40, 50]
    assert not (tmp_path / "out/meta/episode_assets.json").exists()


def test_encoder_settings_that_differ_become_unknown_and_all_else_must_be_equal(parts, tmp_path):
    first, others = (shutil.copytree(root, tmp_path / f"{i}") for i, root in enumerate(parts["v3.0"][:2]))
    camera_fact(video__crf=18, video__g=15)(first)
    camera_fact(video__crf=23, video__g=15)(others)

    merge_datasets([first, others], tmp_path / "out")

    found = json.loads((tmp_path / "out/meta/info.json").read_text())["features"][CAMERA]["info"]
    assert (found["video.crf"], found["video.g"]) == (None, 15)


def rename(found):
    found["features"]["valid.lefts"] = found["features"].pop("valid.left")


DIFFERENCES = [
    (info(fps=30), "fps is 30, not 15"),
    (info(robot_type="so100"), "robot_type is 'so100', not 'human_hands'"),
    (document("meta/info.json", rename), "feature valid.left is in only one"),
    (feature("action", names=[f"a{i}" for i in range(18)]), "names of action"),
    (camera_fact(video__codec="hevc"), f"video.codec of {CAMERA} is 'hevc', not 'h264'"),
    (feature(CAMERA, shape=[96, 64, 3]), f"shape of {CAMERA} is [96, 64, 3], not [48, 64, 3]"),
    (document("meta/episode_assets.json", lambda found: found["masks"].pop("action")), "the masks"),
    (document("meta/episode_assets.json", lambda found: found["privacy"].pop("audit")), "the audit"),
]


@pytest.mark.parametrize(("change", "words"), DIFFERENCES)
def test_datasets_that_do_not_fit_are_refused_before_anything_is_written(parts, tmp_path, change, words):
    others = shutil.copytree(parts["v3.0"][1], tmp_path / "others")
    change(others)

    with pytest.raises(BadConfig) as error:
        merge_datasets([parts["v3.0"][0], others], tmp_path / "out", force=True)

    assert words in str(error.value)
    assert {path.name for path in tmp_path.iterdir()} == {"others"}


def test_a_recording_does_not_enter_twice(parts, tmp_path):
    with pytest.raises(BadConfig, match="recording scene0-00000000 is in 2 of the datasets"):
        merge_datasets([parts["v3.0"][0], parts["v3.0"][2]], tmp_path / "out")


def test_versions_are_not_mixed(parts, tmp_path):
    with pytest.raises(BadConfig, match="codebase_version is 'v2"):
        merge_datasets([parts["v3.0"][0], parts["v2.1"][1]], tmp_path / "out")


def test_a_damaged_dataset_is_refused_unless_forced(parts, tmp_path):
    others = shutil.copytree(parts["v3.0"][1], tmp_path / "others")
    info(splits={"train": "0:100"})(others)

    with pytest.raises(ArtifactDamaged, match="splits"):
        merge_datasets([parts["v3.0"][0], others], tmp_path / "out")

    merge_datasets([parts["v3.0"][0], others], tmp_path / "out", force=True)
    assert verify_dataset(tmp_path / "out") == []


def test_frames_that_cannot_be_copied_are_told_before_anything_is_written(parts, tmp_path):
    others = shutil.copytree(parts["v3.0"][1], tmp_path / "others")
    encoded(f"videos/{CAMERA}/chunk-000/file-000.mp4", 116, g="30")(others)

    with pytest.raises(BadVideo, match="dataset reencode"):
        merge_datasets([parts["v3.0"][0], others], tmp_path / "out", force=True)

    assert {path.name for path in tmp_path.iterdir()} == {"others"}


def test_a_merge_that_breaks_off_leaves_nothing(parts, tmp_path):
    def stop(stage, done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        merge_datasets(parts["v3.0"][:2], tmp_path / "out", progress=stop)

    assert list(tmp_path.iterdir()) == []


def test_pictures_in_rows_are_counted_by_decoding_them(tmp_path):
    key = "observation.images.ego"
    entry = {"dtype": "image", "shape": [2, 3, 3], "names": ["height", "width", "channels"]}
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    roots = []
    for name, blue in (("a", 0), ("b", 255)):
        png = cv2.imencode(".png", np.full((2, 3, 3), (blue, 51, 102), np.uint8))[1].tobytes()
        rows = pa.array([{"bytes": png, "path": "x.png"}] * 4, kind)
        roots.append(plain_dataset(tmp_path / name, [4], columns={key: rows}, features={key: entry}))
        level = {"min": 0.0, "q01": 0.1, "q10": 0.1, "q50": 0.2, "q90": 0.2, "q99": 0.4, "max": 1.0}
        made_up = {name: [[[value]]] * 3 for name, value in (level | {"mean": 0.2, "std": 0.1}).items()}
        change = {key: made_up | {"count": [4]}}
        document("meta/stats.json", lambda found, change=change: found.update(change))(roots[-1])

    merge_datasets(roots, tmp_path / "out", force=True)

    found = json.loads((tmp_path / "out/meta/stats.json").read_text())[key]
    np.testing.assert_allclose(np.ravel(found["mean"]), [0.4, 0.2, 0.5])
    np.testing.assert_allclose(np.ravel(found["std"]), [0.0, 0.0, 0.5], atol=1e-12)
    assert found["count"] == [8]
