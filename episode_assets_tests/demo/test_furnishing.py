"""Rooms that follow from the seed differ in more than grain, and the room of every recording stays as it is."""

from __future__ import annotations

from itertools import combinations

import cv2
import numpy as np
import pytest

from episode_assets.demo import DemoConfig, write_demo
from episode_assets.demo.furnishing import FIXED, draw_furnishing
from episode_assets.errors import BadConfig
from episode_assets_tests.demo.independent_reader import read_everything

SEEDS = range(20)


def first_picture(folder, seed, furnishing):
    config = DemoConfig(
        seconds=0.1, width=320, height=180, seed=seed, furnishing=furnishing, motion=0.0, with_face=False,
        with_hands=False, with_imu=False, with_mesh=False,
    )  # fmt: skip
    write_demo(folder / "demo.mcap", config=config)
    return read_everything(folder / "demo.mcap").picture(0)


def difference(a, b):
    """Mean difference of smoothed pictures: grain does not count."""
    a, b = (cv2.resize(picture, (20, 12), interpolation=cv2.INTER_AREA).astype(float) for picture in (a, b))
    return np.abs(a - b).mean()


def test_twenty_seeds_give_twenty_different_rooms(tmp_path):
    seeded = [first_picture(tmp_path, seed, "seeded") for seed in SEEDS]
    alike = difference(*(first_picture(tmp_path, seed, "fixed") for seed in (0, 1)))

    apart = [difference(a, b) for a, b in combinations(seeded, 2)]

    assert min(apart) > 5 * alike
    assert min(apart) > 12


def test_every_material_and_every_decoration_is_drawn_sooner_or_later():
    drawn = [draw_furnishing(seed) for seed in range(40)]

    assert {room.material for room in drawn} == {"wood", "cloth", "tiles", "plaster"}
    kinds = {decoration.kind for room in drawn for decoration in room.decorations}
    assert kinds == {"panel", "page", "dial", "checks", "cloth"}
    assert len({len(room.blocks) for room in drawn}) > 5


@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_on_the_table_stands_in_another_thing(seed):
    blocks = [
        (np.array(block.corner), np.array(block.corner) + block.size)
        for block in draw_furnishing(seed).blocks
    ]

    for (low_a, high_a), (low_b, high_b) in combinations(blocks, 2):
        apart = (high_a <= low_b) | (high_b <= low_a)
        assert apart[0] or apart[2]


def test_the_fixed_room_has_its_window_and_its_six_things():
    assert (len(FIXED.decorations), len(FIXED.blocks), FIXED.plates) == (7, 6, ())


def test_an_unknown_furnishing_is_named():
    with pytest.raises(BadConfig, match="seeded"):
        DemoConfig(furnishing="random")
