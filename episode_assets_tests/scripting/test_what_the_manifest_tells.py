"""`manifest.json` of a script's episode: the settings behind it, and what was given but is not in it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from episode_assets.scripting import HandPose, Keypoint, MCAPReader, MeshRefiner, TopicConfig
from episode_assets_tests.scripting.conftest import MARK_BLUR, Opener
from episode_assets_tests.scripting.stand_ins import MARKS


def one_frame(session: MCAPReader) -> MCAPReader:
    session.add_rgb_frame(0, next(session.frames()).rgb)
    return session


def test_it_tells_the_settings_of_every_step_and_no_place_of_a_file(opened: Opener, tmp_path: Path) -> None:
    blur = replace(MARK_BLUR, hold_s=0.4)
    session = one_frame(opened(blur=blur, topics=TopicConfig(depth="/camera/depth")))
    mesh = MeshRefiner(session, pairing_s=0.5).refine()

    session.export(tmp_path / "out", mesh=mesh)

    text = (tmp_path / "out" / "manifest.json").read_text()
    config = json.loads(text)["config"]
    assert sorted(config) == ["blurred_rgb", "episode_bundle", "raw_mcap", "scene_mesh"]
    assert config["raw_mcap"]["topics"] == ["depth=/camera/depth"]
    assert (config["blurred_rgb"]["detector"], config["blurred_rgb"]["hold_s"]) == (MARKS, 0.4)
    assert config["scene_mesh"]["pairing_s"] == 0.5
    assert config["episode_bundle"]["visualization"] is False
    assert str(tmp_path) not in text


def test_it_names_the_numbers_of_hands_that_are_not_stored(opened: Opener, tmp_path: Path) -> None:
    session = one_frame(opened())
    hand = HandPose(Keypoint(0.1, 0.1, 0.5))
    hand._mano_betas, hand._pred_cam = np.ones(10), np.ones(3)  # type: ignore[attr-defined]
    session.add_hand_pose(0, [hand])

    manifest = session.export(tmp_path / "out")

    named = [item for item in manifest["skipped"] if "/hand-pose/" in item]
    assert [item.split(" ")[0] for item in named] == [
        "annotation.hdf5:/hand-pose/mano_betas",
        "annotation.hdf5:/hand-pose/pred_cam",
    ]
    session.add_hand_pose(0, [HandPose(Keypoint(0.1, 0.1, 0.5))])
    again = session.export(tmp_path / "again")
    assert [item for item in again["skipped"] if "/hand-pose/mano" in item] == []
