"""The page about recipes names every key, and what it shows as a recipe is one."""

import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path

import pytest
import yaml

from episode_assets.lerobot import Recipe
from episode_assets.video import DepthCoder, DepthEncoderConfig

PAGE = (Path(__file__).parents[2] / "docs" / "recipes.md").read_text(encoding="utf-8")


def keys_of(choices: object, prefix: str = "") -> Iterator[str]:
    for item in fields(choices):
        value = getattr(choices, item.name)
        if is_dataclass(value):
            yield from keys_of(value, f"{prefix}{item.name}.")
        else:
            yield prefix + item.name


def test_the_page_names_every_key_of_a_recipe_and_no_other():
    tables = PAGE.split("## All keys")[1]

    named = re.findall(r"^\| `([a-z_.0-9]+)` \|", tables, flags=re.MULTILINE)
    assert sorted(named) == sorted(keys_of(Recipe()))


@pytest.mark.parametrize("text", re.findall(r"```yaml\n(.*?)```", PAGE, flags=re.DOTALL))
def test_what_the_page_shows_is_a_recipe(text):
    assert Recipe.from_mapping(yaml.safe_load(text)).name


def test_the_page_states_the_error_of_depth_as_it_is():
    lines = PAGE.splitlines()
    distances, errors = (
        [float(cell) for cell in line.split("|")[2:-1]]
        for line in lines
        if line.startswith(("| distance, m", "| error, mm"))
    )

    coder = DepthCoder(DepthEncoderConfig())
    assert errors == [round(1000 * coder.largest_error_m(distance), 2) for distance in distances]
