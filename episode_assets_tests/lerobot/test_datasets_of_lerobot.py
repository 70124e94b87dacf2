"""What the real LeRobot writes passes our verification and is joined by us, and it opens what we join and hand on.

Needs the environment of `make verify-lerobot`.
"""

from __future__ import annotations

import numpy as np
import pytest

from episode_assets.lerobot import examine_dataset, pack_dataset, verify_dataset
from episode_assets.lerobot.existing import EpisodeRows, episode_rows, open_dataset
from episode_assets.lerobot.handing_on import publish_copy
from episode_assets.lerobot.merging import merge_datasets
from episode_assets.lerobot.recipe import Recipe
from episode_assets.lerobot.reencode import reencode_dataset
from episode_assets.video import RGBEncoderConfig
from episode_assets_tests.lerobot.lerobots_environment import run_there

pytestmark = [pytest.mark.lerobot, pytest.mark.timeout(600)]


def run(script: str, *arguments: object) -> list[str]:
    """Run a script in LeRobot's environment and return its lines."""
    return run_there(f"lerobot.with_lerobot.{script}", *arguments).splitlines()


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    folder = tmp_path_factory.mktemp("recorded")
    run("recorded", folder)
    return folder


@pytest.mark.parametrize("name", ["first", "images", "merged", "deleted"])
def test_what_lerobot_writes_passes_and_its_edits_leave_warnings_only(recorded, name):
    verdict = examine_dataset(recorded / name, decode=True)

    assert [str(problem) for problem in verdict.problems] == []
    edits = {"counter_statistics", "list_size", "row_groups"}
    assert {warning.code for warning in verdict.warnings} <= (
        edits if name in ("merged", "deleted") else set()
    )


def test_our_merge_has_the_rows_of_its_merge_and_better_statistics(recorded, tmp_path):
    merge_datasets([recorded / "first", recorded / "second"], tmp_path / "ours")

    assert verify_dataset(tmp_path / "ours") == []
    ours, theirs = (open_dataset(root) for root in (tmp_path / "ours", recorded / "merged"))
    assert ours.info == theirs.info
    for found, expected in zip(episode_rows(ours), episode_rows(theirs), strict=True):
        assert isinstance(found, EpisodeRows) and isinstance(expected, EpisodeRows)
        assert found.episode.tasks == expected.episode.tasks
        for key in ("index", "episode_index", "frame_index", "timestamp", "action", "observation.state"):
            np.testing.assert_array_equal(found.values(key), expected.values(key))
    assert ours.statistics()["index"]["max"] == [125.0]
    assert theirs.statistics()["index"]["max"] == [62.0]
    assert run("walked", tmp_path / "ours") == ["6 126 lift lower"] * 2


def test_lerobot_opens_what_we_join_hand_on_and_encode_anew(archive, tmp_path):
    parts = [tmp_path / "a", tmp_path / "b"]
    for root, fragments in zip(parts, (archive.fragments[:1], archive.fragments[1:]), strict=True):
        root.mkdir()
        pack_dataset(fragments, root, recipe=Recipe())
    merge_datasets(parts, tmp_path / "joined")
    publish_copy(archive.dataset, tmp_path / "public")
    config = RGBEncoderConfig(vcodec="libsvtav1", crf=40.0, preset=12, extra_options=())
    reencode_dataset(archive.dataset, tmp_path / "small", rgb=config)

    lines = run("walked", *(tmp_path / name for name in ("joined", "public", "small")))

    assert lines == ["6 174 pour tea unlabelled"] * 6
