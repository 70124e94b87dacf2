"""What marks a hand goes on into datasets: smoothed hands are counted, held places are never true."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from episode_assets.lerobot import pack_dataset
from episode_assets.lerobot.recipe import Recipe
from episode_assets_tests.lerobot.archive import make_scene, write_artifacts

HELD = slice(10, 14)


def test_the_provenance_says_how_many_hands_of_a_recording_were_smoothed(tmp_path: Path) -> None:
    fragments = []
    for number, smoothed in enumerate((7, 0)):
        scene = make_scene(30, first_message=2000 * number, smoothed=smoothed)
        artifacts = write_artifacts(tmp_path / f"r{number}", scene, recording_id=f"r{number}")
        fragments.append(artifacts.fragment(tmp_path / f"f{number}", recipe=Recipe())[0])
    (tmp_path / "dataset").mkdir()

    pack_dataset(fragments, tmp_path / "dataset", recipe=Recipe())

    document = json.loads((tmp_path / "dataset/meta/episode_assets.json").read_text())
    assert {r["recording_id"]: r["hands_smoothed"] for r in document["recordings"]} == {"r0": 14, "r1": 0}


def test_a_hand_at_the_distance_of_its_neighbours_is_kept_and_not_true(tmp_path: Path) -> None:
    scene = make_scene(30)
    scene.kind[HELD, 1] = 3
    artifacts = write_artifacts(tmp_path, scene)

    artifacts.fragment(tmp_path / "out", recipe=Recipe())

    rows = pq.read_table(tmp_path / "out/rows.parquet")
    kind = np.array(rows["source.hand_kind"].to_pylist())
    joints = np.array(rows["valid.joints"].to_pylist()).reshape(len(rows), 2, 21)
    right, action = np.array(rows["valid.right"].to_pylist()), np.array(rows["valid.action"].to_pylist())
    assert np.flatnonzero(kind[:, 1] == 3).tolist() == list(range(10, 14))
    assert scene.joint_valid[HELD, 1].all()
    assert not joints[HELD, 1].any()
    assert np.flatnonzero(~right).tolist() == list(range(10, 14))
    assert np.flatnonzero(~action[:, 1]).tolist() == list(range(9, 14))
    assert joints[HELD, 0].all()
