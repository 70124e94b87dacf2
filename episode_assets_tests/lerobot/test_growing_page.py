"""The examples of docs/growing.md are taken as they stand there."""

import re
from pathlib import Path

import yaml

from episode_assets.lerobot import Recipe
from episode_assets.lerobot.labels import read_labels
from episode_assets.lerobot.selecting import refused
from episode_assets.lerobot.splits import group_of

PAGE = (Path(__file__).parents[2] / "docs" / "growing.md").read_text()


def block(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None
    return found.group(1)


def test_the_labels_and_the_recipe_of_the_page_fit_together():
    labels = read_labels(block("json").encode(), where="docs/growing.md")
    recipe = Recipe.from_mapping(yaml.safe_load(block("yaml")))

    assert refused(recipe.selection, "take01-00000000", labels) is None
    assert refused(recipe.selection, "take07-1a2b3c4d", labels) is not None
    assert group_of("take01-00000000", labels, recipe.packing) == "person:p17"


def test_the_page_names_every_version():
    versions = Recipe.from_mapping({}).packing.__dataclass_fields__["version"].type

    for version in ("v3.0", "v2.1", "v2.0"):
        assert f"| `{version}` |" in PAGE and version in str(versions)
