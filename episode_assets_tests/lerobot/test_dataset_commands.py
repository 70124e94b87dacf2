"""`episode-assets dataset ...` as a shell script sees it: exit codes, one line per failure, JSON where asked for."""

import json
import shutil

import pytest
from click.testing import CliRunner

from episode_assets.cli import main
from episode_assets.lerobot import Recipe, pack_dataset, verify_dataset
from episode_assets_tests.lerobot.archive import make_scene, write_artifacts
from episode_assets_tests.lerobot.damage import (
    DATA,
    EPISODES,
    VIDEO,
    column,
    cut,
    info,
    overwritten_packet,
    put,
    removed,
)
from episode_assets_tests.pipeline.test_dataset import publish


def call(*arguments):
    return CliRunner().invoke(main, ["dataset", *map(str, arguments)], catch_exceptions=False)


def error_of(result):
    lines = [line for line in result.stderr.splitlines() if line.startswith("error:")]
    assert len(lines) == 1
    return lines[0]


@pytest.fixture
def damaged(archive, tmp_path):
    root = shutil.copytree(archive.dataset, tmp_path / "damaged")
    column(DATA, "timestamp", put(35, 9.0))(root)
    return root


def test_verify_says_passed_or_names_every_problem_and_fails(archive, damaged):
    passed = call("verify", archive.dataset)
    assert (passed.exit_code, passed.stdout) == (0, "passed, 0 warnings\n")

    failed = call("verify", damaged)
    assert failed.exit_code == 1
    assert failed.stdout.startswith("statistics") or failed.stdout.startswith("episode_statistics")
    assert "timestamp, episode 1, frame 3: timestamp is 9.0" in failed.stdout
    assert failed.stdout.splitlines()[-1].startswith("failed: ")


def test_problems_come_as_json_with_code_episode_and_frame(damaged):
    document = json.loads(call("verify", damaged, "--json").stdout)

    assert document["passed"] is False
    found = next(problem for problem in document["problems"] if problem["code"] == "timestamp")
    assert (found["episode"], found["frame"]) == (1, 3)


def test_a_long_list_of_problems_is_cut_unless_all_are_wanted(archive, tmp_path):
    root = shutil.copytree(archive.dataset, tmp_path / "dataset")
    for number in range(70):
        (root / f"data/chunk-000/stray-{number}.txt").write_text("x")

    assert "and 20 more (--all shows them)" in call("verify", root).stdout
    assert len(call("verify", root, "--all").stdout.splitlines()) == 71


def test_pictures_are_decoded_where_that_is_asked_for(archive, tmp_path):
    root = shutil.copytree(archive.dataset, tmp_path / "dataset")
    overwritten_packet(VIDEO, 20)(root)

    assert call("verify", root).exit_code == 0
    assert "video_unreadable" in call("verify", root, "--decode").stdout


def test_info_names_what_policies_see_and_what_does_not_suit_them(archive):
    text = call("info", archive.dataset).stdout

    assert "v3.0, robot human_hands, 6 episodes, 174 rows at 15 Hz" in text
    assert "observation.images.ego  VISUAL  64 x 48 x 3" in text
    assert "pictures must be square" in text.partition("tdmpc:")[2]
    assert json.loads(call("info", archive.dataset, "--json").stdout)["state"] == {"observation.state": 18}


def test_splits_are_looked_at_one_by_one(archive, tmp_path):
    recipe = Recipe.from_mapping({"packing": {"splits": {"train": 0.5, "val": 0.5}, "split_key": "a"}})
    pack_dataset(archive.fragments, tmp_path, recipe=recipe)
    names = sorted(path.name for path in tmp_path.iterdir() if path.is_dir())
    column(DATA, "timestamp", put(3, 9.0))(tmp_path / names[-1])

    result = call("verify", tmp_path)

    assert result.exit_code == 1
    assert [line for line in result.stdout.splitlines() if line.endswith(":")] == [
        f"{name}:" for name in names
    ]
    assert set(json.loads(call("info", tmp_path, "--json").stdout)) == set(names)


def test_merge_export_and_reencode_write_new_folders(archive, tmp_path):
    parts = [tmp_path / "a", tmp_path / "b"]
    for root, fragments in zip(parts, (archive.fragments[:2], archive.fragments[2:]), strict=True):
        root.mkdir()
        pack_dataset(fragments, root, recipe=Recipe())

    assert call("merge", *parts, tmp_path / "merged").stdout.endswith(
        "merged: 6 episodes, 174 rows, 2 tasks\n"
    )
    assert call("export", parts[0], "--copy", tmp_path / "copy").exit_code == 0
    assert "without source.message_number" in call("export", parts[0], "--public", tmp_path / "public").stdout
    flags = ("--rgb_encoder.crf", "30", "--rgb_encoder.g", "8")
    assert "58 frames" in call("reencode", parts[1], tmp_path / "small", *flags).stdout

    for name in ("merged", "copy", "public", "small"):
        assert verify_dataset(tmp_path / name) == []
    facts = json.loads((tmp_path / "small/meta/info.json").read_text())["features"]["observation.images.ego"][
        "info"
    ]
    assert (facts["video.crf"], facts["video.g"]) == (30, 8)


WRONG_CALLS = [
    (("verify", "nowhere"), "there is no such folder"),
    (("info", "{empty}"), "there is no dataset here"),
    (("export", "{dataset}"), "give one of --copy, --public, --push"),
    (("export", "{dataset}", "--copy", "{empty}"), "this folder exists already"),
    (("merge", "{dataset}", "{empty}/out"), "a merge takes at least two datasets"),
    (("merge", "{dataset}", "{dataset}", "{empty}/out"), "would count twice"),
    (("reencode", "{dataset}", "{empty}/out", "--rgb_encoder.crf", "many"), "crf must be a number"),
    (("reencode", "{dataset}", "{empty}/out", "--rgb_encoder.crf", "99"), "crf"),
    (("reencode", "{dataset}", "{empty}/out", "--rgb_encoder.vcodec", "h265"), "vcodec"),
    (("build", "nobody"), "there is no recipe 'nobody'"),
    (("build", "--recipe", "{empty}/none.yaml"), "the recipe cannot be read"),
]


@pytest.mark.parametrize(("arguments", "words"), WRONG_CALLS)
def test_a_wrong_call_ends_with_2_and_one_line(archive, workplace, tmp_path, arguments, words):
    (tmp_path / "empty").mkdir()
    places = {"dataset": archive.dataset, "empty": tmp_path / "empty"}

    result = call(*(argument.format(**places) for argument in arguments))

    assert result.exit_code == 2, result.stdout + result.stderr
    assert words in error_of(result)
    assert list((tmp_path / "empty").iterdir()) == []


def test_a_merge_of_what_is_damaged_fails_with_1(archive, damaged, tmp_path):
    result = call("merge", archive.dataset, damaged, tmp_path / "out")

    assert result.exit_code == 1
    assert "does not pass verification" in error_of(result)


DAMAGES = [
    (cut(DATA, -50), ("export", "--public", "{out}")),
    (removed(DATA), ("merge", "{other}", "{out}", "--force")),
    (cut("meta/stats.json", 100), ("info",)),
    (cut("meta/info.json", 100), ("reencode", "{out}")),
    (removed(EPISODES), ("export", "--public", "{out}")),
    (removed(VIDEO), ("reencode", "{out}")),
    (info(video_path="../../../{video_key}/{chunk_index}/{file_index}.mp4"), ("reencode", "{out}")),
    (info(data_path="/tmp/{chunk_index}/{file_index}.parquet"), ("export", "--public", "{out}")),
]


@pytest.mark.parametrize(("damage", "arguments"), DAMAGES)
def test_a_dataset_that_cannot_be_read_ends_with_one_line_and_leaves_nothing(
    archive, tmp_path, damage, arguments
):
    root = shutil.copytree(archive.dataset, tmp_path / "dataset")
    damage(root)
    command, *rest = (part.format(out=tmp_path / "out", other=archive.dataset) for part in arguments)

    result = call(command, root, *rest)

    assert result.exit_code in (1, 2)
    assert "Traceback" not in result.stderr
    assert error_of(result)
    assert {path.name for path in tmp_path.iterdir()} == {"dataset"}


def test_a_dataset_is_found_in_the_store_by_the_name_of_its_recipe(workplace):
    result = call("verify", "default")

    assert result.exit_code == 2
    assert "none; run `episode-assets dataset build`" in error_of(result)


def test_building_without_recordings_says_what_to_do(workplace):
    result = call("build")

    assert result.exit_code == 1
    assert "run `episode-assets run FILE`" in error_of(result)


def test_what_has_been_contributed_is_packed_and_found_by_its_name(workplace, tmp_path):
    name, store = "first-00000000", workplace.store
    artifacts = write_artifacts(tmp_path / name, make_scene(30), recording_id=name)
    bundle = publish(store, "episode_bundle", name, artifacts.bundle, {})
    artifacts.fragment(tmp_path / "fragment", recipe=Recipe())
    inputs = {"episode_bundle": bundle.content_digest}
    publish(store, "lerobot_episode/default", name, tmp_path / "fragment", inputs)

    built = call("build")

    assert built.exit_code == 0, built.output
    assert built.stdout.startswith("default: packed, 1 episodes, 29 rows, 1 recordings\n")
    assert call("verify", "default").stdout == "passed, 0 warnings\n"
    assert "datasets there: default" in error_of(call("verify", "nobody"))
    assert call("build").stdout.startswith("default: is up to date, ")


def test_files_outside_of_a_dataset_are_not_followed(archive, tmp_path):
    """The path leads back to the very files, so that nothing but its form is wrong."""
    root = shutil.copytree(archive.dataset, tmp_path / "dataset")
    pattern = "../dataset/videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4"
    info(video_path=pattern)(root)

    for arguments in (("verify", root), ("reencode", root, tmp_path / "out"), ("info", root)):
        result = call(*arguments)
        assert result.exit_code == 1
        assert "leads out of the dataset" in result.output
