"""The page about states and actions: its recipes have the widths it says, its masks exist, its code runs."""

import re
from pathlib import Path

import numpy as np
import pytest
import yaml

from episode_assets.lerobot import Recipe
from episode_assets.lerobot.columns import data_columns
from episode_assets.lerobot.cuts import Span
from episode_assets.lerobot.rows import build_rows
from episode_assets_tests.lerobot.archive import make_scene

PAGE = (Path(__file__).parents[2] / "docs" / "state-and-action.md").read_text(encoding="utf-8")
EVERYTHING = [
    Recipe.from_mapping({"state": state, "layout": {"extra": ["mano", "handedness", "imu"]}})
    for state in ("bimanual", "one_hand", "joints", "mano")
]


@pytest.mark.parametrize(
    ("text", "state", "action"), re.findall(r"^\| `(\{.*\})` \| (\d+) \| (\d+) \|", PAGE, re.M)
)
def test_a_recipe_of_the_page_has_the_widths_that_stand_there(text, state, action):
    columns = {column.key: column.width for column in data_columns(Recipe.from_mapping(yaml.safe_load(text)))}

    assert (columns["observation.state"], columns["action"]) == (int(state), int(action))


def test_the_page_names_every_mask_and_no_other():
    there = {column.key for recipe in EVERYTHING for column in data_columns(recipe)}

    named = set(re.findall(r"`(valid\.[a-z_]+)`", PAGE.split("## Masks")[1].split("## In a training")[0]))
    assert named == {key for key in there if key.startswith("valid.")}


def test_the_code_for_chunks_runs():
    code = next(
        text for text in re.findall(r"```python\n(.*?)```", PAGE, re.S) if "camera_frame_chunks" in text
    )
    names = {"rows": build_rows(make_scene(40).source(), Span(0, 30), recipe=Recipe(), fps=15)}

    exec(code, names)

    assert names["chunks"].shape == (30, 16, 18) and np.asarray(names["valid"]).shape == (30, 16, 2)
