"""Where the instance and the store lie, and that everybody who reads the `.env` reads the same."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from dagster._core.secrets.env_file import get_env_var_dict

from episode_assets.errors import BadConfig
from episode_assets.instance import Places, find_places, prepare_instance, write_env_file


@pytest.fixture
def spaced(tmp_path: Path) -> Path:
    folder = tmp_path / "my recordings"
    folder.mkdir()
    return folder


def test_an_env_file_below_a_folder_with_blanks_is_read_alike_by_us_and_a_shell(spaced: Path) -> None:
    written = write_env_file(spaced / ".env")

    shell = 'set -a; . ./.env; printf \'%s|%s|%s\' "$DAGSTER_HOME" "$EPISODE_ASSETS_STORE" "$EPISODE_ASSETS_INBOX"'
    read = subprocess.run(["sh", "-c", shell], cwd=spaced, capture_output=True, text=True, check=True)

    assert find_places(spaced, environment={}) == written
    assert read.stdout == f"{written.dagster_home}|{written.store}|{written.inbox}"


def test_dagster_dev_reads_the_same_from_the_env_file(spaced: Path) -> None:
    written = write_env_file(spaced / ".env")

    assert get_env_var_dict(str(spaced))["DAGSTER_HOME"] == str(written.dagster_home)


def test_a_relative_instance_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match="not an absolute path"):
        find_places(tmp_path, environment={"DAGSTER_HOME": "here"})


def test_an_instance_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for home in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(BadConfig, match="cannot be written"):
            prepare_instance(Places(home, "data", "inbox"))


def test_a_settings_link_whose_file_was_moved_away_is_made_again(tmp_path: Path) -> None:
    home = tmp_path / "home"
    settings = tmp_path / "dagster.yaml"
    settings.write_text("telemetry: {enabled: false}\n")
    prepare_instance(Places(home, "data", "inbox"), settings)
    settings.unlink()

    prepare_instance(Places(home, "data", "inbox"), settings)

    assert "enabled: false" in (home / "dagster.yaml").read_text()
