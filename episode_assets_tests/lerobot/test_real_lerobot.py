"""The real LeRobot reads, edits, trains on and converts datasets whose every picture carries its message number.

Needs the environment of `make verify-lerobot`.
"""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from episode_assets.lerobot import Recipe, pack_dataset, read_ledger
from episode_assets.lerobot.recipe_packing import Packing
from episode_assets_tests.conftest import make_workplace
from episode_assets_tests.lerobot.archive import make_scene, stamps, write_artifacts
from episode_assets_tests.lerobot.lerobots_environment import run_there
from episode_assets_tests.lerobot.test_own_pictures import with_depth
from episode_assets_tests.test_whole_path import CHUNKED, run_graph, settings_from

pytestmark = [pytest.mark.lerobot, pytest.mark.timeout(1200)]

RECIPE = Recipe()


def verify(*arguments: str | Path) -> None:
    """Run the checks in LeRobot's environment."""
    run_there("lerobot.verify_with_lerobot", *arguments)


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    """Three recordings with a gap each, and the task of each."""
    root = tmp_path_factory.mktemp("recordings")
    made = []
    for number, task in enumerate(("pour tea", None, "fold a towel")):
        name = f"scene{number}-00000000"
        later = stamps(60, holes=[33]) + number * 10**12
        scene = make_scene(stamp_ns=later, first_message=1000 * (number + 1))
        made.append((write_artifacts(root / name, scene, recording_id=name), task))
    return made


def contributions(recordings, directory, *, recipe=RECIPE):
    return [
        artifacts.fragment(directory / artifacts.recording_id, recipe=recipe, task=task)[0]
        for artifacts, task in recordings
    ]


@pytest.fixture(scope="module")
def fragments(recordings, tmp_path_factory):
    return contributions(recordings, tmp_path_factory.mktemp("fragments"))


def packed(directory, fragments, *, recipe=RECIPE, **options):
    directory.mkdir()
    pack_dataset(fragments, directory, recipe=recipe, **options)
    return directory


def test_lerobot_reads_edits_and_trains_on_a_dataset_of_version_3(fragments, tmp_path):
    verify("--dataset", packed(tmp_path / "dataset", fragments), "--marked")


def test_lerobot_finds_every_picture_after_an_append_and_a_removal(fragments, tmp_path):
    first = packed(tmp_path / "first", fragments[:2])
    grown = packed(tmp_path / "grown", fragments, ledger=read_ledger(first))
    shrunk = packed(tmp_path / "shrunk", fragments[1:], ledger=read_ledger(grown))
    for dataset in (grown, shrunk):
        verify("--dataset", dataset, "--marked", "--checks", "opened", "loaded")


def test_lerobot_converts_version_2_1_into_the_rows_of_version_3(fragments, tmp_path):
    new = packed(tmp_path / "new", fragments)
    old = packed(tmp_path / "old", fragments, recipe=replace(RECIPE, packing=Packing(version="v2.1")))
    verify("--dataset", new, "--v21", old, "--marked", "--checks")


def test_every_row_is_what_bundle_and_hand_table_say_by_formulas_of_the_check(
    recordings, fragments, tmp_path
):
    sources = [
        [f"--bundle={one.recording_id}={one.bundle}", f"--hands={one.recording_id}={one.hands}"]
        for one, _ in recordings
    ]
    verify("--dataset", packed(tmp_path / "dataset", fragments), *itertools.chain(*sources), "--checks")


@pytest.mark.parametrize(
    "view",
    [
        {"encode": "always", "encoder": {"vcodec": "libsvtav1", "crf": 30, "preset": 12}},
        {"store": "images"},
    ],
)
def test_lerobot_finds_every_picture_that_a_recipe_encoded_itself(recordings, tmp_path, view):
    recipe = Recipe.from_mapping({"camera_view": view})
    own = contributions(recordings, tmp_path, recipe=recipe)
    dataset = packed(tmp_path / "dataset", own, recipe=recipe)
    verify("--dataset", dataset, "--marked", "--checks", "opened", "loaded", "edited")


@pytest.mark.parametrize(
    "choices",
    [
        {"depth": {"enabled": True}},
        {"depth": {"enabled": True, "store": "tiff"}, "camera_view": {"store": "images"}},
    ],
)
def test_lerobot_returns_depth_within_the_stated_error(tmp_path, choices):
    recipe = Recipe.from_mapping(choices)
    artifacts = write_artifacts(tmp_path / "recording", make_scene(stamp_ns=stamps(40, holes=[21])))
    images, add = with_depth(40, missing=[12])
    add(artifacts)
    np.save(tmp_path / "depth.npy", images)
    own = contributions([(artifacts, None)], tmp_path, recipe=recipe)
    dataset = packed(tmp_path / "dataset", own, recipe=recipe)
    verify(
        "--dataset", dataset, "--depth", tmp_path / "depth.npy", "--marked", "--checks", "opened", "edited"
    )


def test_the_dataset_in_a_store_is_what_the_artifacts_beside_it_say(small_demo, tmp_path):
    place = make_workplace(tmp_path)
    run_graph(place, small_demo, workers=2, settings=settings_from(tmp_path, CHUNKED))
    verify("--store", place.store_path, "--checks", "opened")
