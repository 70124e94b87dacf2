"""What a settings file may hold, and that everything else is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from episode_assets.errors import BadConfig
from episode_assets.pipeline.settings import load_settings


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("blurred_rgb: 3", "section 'blurred_rgb' is 3"),
        ("blurred_rgb: [score_threshold]", "section 'blurred_rgb' is"),
        ("recipes: mine.yaml", "instead of a list of files"),
        ("recipes: [3]", "instead of a list of files"),
        ("blured_rgb: {}", "did you mean 'blurred_rgb'"),
        ("recording_ids: [digest]", "use 'name' or 'digest'"),
        ("- one", "no sections"),
        ("[", "not YAML"),
    ],
)
def test_a_section_of_the_wrong_kind_is_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "settings.yaml"
    path.write_text(text)

    with pytest.raises(BadConfig, match=message):
        load_settings(path)


def test_empty_sections_are_the_defaults(tmp_path: Path) -> None:
    path = tmp_path / "settings.yaml"
    path.write_text("blurred_rgb:\nrecipes:\n")

    assert load_settings(path) == load_settings()


def test_a_further_recipe_adds_its_assets(tmp_path: Path) -> None:
    (tmp_path / "both.yaml").write_text("name: both-hands\nrequire_hands: both\n")
    path = tmp_path / "settings.yaml"
    path.write_text("recipes: [both.yaml]\n")

    settings = load_settings(path)

    assert settings.assets[-4:] == (
        "lerobot_episode/default",
        "lerobot_episode/both-hands",
        "lerobot_dataset/default",
        "lerobot_dataset/both-hands",
    )
