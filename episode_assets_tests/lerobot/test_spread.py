import json

import numpy as np
import pytest

from episode_assets.errors import BadConfig
from episode_assets.lerobot import Recipe
from episode_assets.lerobot.columns import data_columns
from episode_assets.lerobot.recipe_layout import Layout
from episode_assets.lerobot.spread import scarce_elements
from episode_assets.lerobot.statistics import column_statistics
from episode_assets_tests.lerobot.archive import make_scene
from episode_assets_tests.lerobot.test_training_facts import dataset_of

RARE = "valid in 4 rows"


def hardly_seen(frames=4):
    """A recording whose left hand is measured in its first frames only."""
    scene = make_scene(60)
    scene.kind[frames:, 0] = 0
    return scene


def test_a_hand_that_is_hardly_seen_refuses_the_dataset_by_name(tmp_path):
    with pytest.raises(BadConfig, match="observation.state left_x is " + RARE):
        dataset_of(tmp_path, [hardly_seen()], Recipe())


@pytest.mark.parametrize(
    "recipe",
    [
        Recipe(layout=Layout(drop=("left",))),
        Recipe(layout=Layout(scarce="keep")),
    ],
    ids=["dropped", "kept"],
)
def test_a_recipe_can_drop_or_keep_what_is_hardly_seen(tmp_path, recipe):
    root = dataset_of(tmp_path, [hardly_seen()], recipe)

    document = json.loads((root / "meta/episode_assets.json").read_text())
    named = {item["element"] for item in document["scarce"]}
    assert named == (set() if recipe.layout.drop else {name for name in named if name.startswith("left_")})
    assert bool(named) is not bool(recipe.layout.drop)


def test_a_hand_that_was_never_seen_does_no_harm_and_is_named(tmp_path):
    scene = make_scene(60)
    scene.kind[:, 0] = 0

    root = dataset_of(tmp_path, [scene], Recipe())

    document = json.loads((root / "meta/episode_assets.json").read_text())
    assert document["scarce"] == [] and "left_x" in document["never_valid"]["observation.state"]


def test_a_hand_that_never_moves_has_no_spread(tmp_path):
    scene = make_scene(60)
    scene.joints_world[:, 1] = scene.joints_world[:1, 1]

    with pytest.raises(BadConfig, match="state right_x spreads over"):
        dataset_of(tmp_path, [scene], Recipe())


def test_what_is_constant_by_definition_is_no_fault():
    recipe = Recipe(state="one_hand")
    column = next(column for column in data_columns(recipe) if column.key == "observation.state")
    values = np.random.default_rng(0).normal(size=(100, 8))
    values[:, column.names.index("pad")] = 0
    statistics = {column.key: column_statistics(values, np.ones((100, 8), bool))}

    assert scarce_elements([column], statistics, {column.key: [100] * 8}, rows=100) == ()
