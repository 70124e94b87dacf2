"""The real LeRobot reads, edits, trains on and converts datasets whose every picture carries its message number.

Needs the environment of `make verify-lerobot`.
"""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from episode_assets.lerobot import Recipe, pack_dataset, read_ledger
from episode_assets.lerobot.recipe_packing import Packing
from episode_assets_tests.lerobot.archive import make_scene, stamps, write_artifacts

pytestmark = [pytest.mark.lerobot, pytest.mark.timeout(600)]

REPOSITORY = Path(__file__).parents[2]
RECIPE = Recipe()
SCRIPT = "episode_assets_tests.lerobot.verify_with_lerobot"


def verify(*arguments: str | Path) -> None:
    """Run the checks in LeRobot's environment."""
    python = REPOSITORY / ".venv-lerobot" / "bin" / "python"
    if not python.exists():
        pytest.skip("LeRobot has no environment; `make verify-lerobot` makes one and runs this")
    command = [str(python), "-m", SCRIPT, *map(str, arguments)]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-2000:]}"


@pytest.fixture(scope="module")
def fragments(tmp_path_factory):
    """Contributions of three recordings with a gap each; fractions of their episodes lie in several files."""
    root, made = tmp_path_factory.mktemp("recordings"), []
    for number, task in enumerate(("pour tea", None, "fold a towel")):
        name = f"scene{number}-00000000"
        later = stamps(60, holes=[33]) + number * 10**12
        scene = make_scene(stamp_ns=later, first_message=1000 * (number + 1))
        artifacts = write_artifacts(root / name, scene, recording_id=name)
        made.append(artifacts.fragment(root / f"fragment{number}", recipe=RECIPE, task=task)[0])
    return made


def packed(directory, fragments, *, recipe=RECIPE, **options):
    directory.mkdir()
    pack_dataset(fragments, directory, recipe=recipe, **options)
    return directory


def test_lerobot_reads_edits_and_trains_on_a_dataset_of_version_3(fragments, tmp_path):
    verify("--dataset", packed(tmp_path / "dataset", fragments), "--marked")


def test_lerobot_finds_every_picture_after_an_append_and_a_removal(fragments, tmp_path):
    first = packed(tmp_path / "first", fragments[:2])
    grown = packed(tmp_path / "grown", fragments, ledger=read_ledger(first))
    shrunk = packed(tmp_path / "shrunk", fragments[1:], ledger=read_ledger(grown))
    for dataset in (grown, shrunk):
        verify("--dataset", dataset, "--marked", "--checks", "opened", "loaded")


def test_lerobot_converts_version_2_1_into_the_rows_of_version_3(fragments, tmp_path):
    new = packed(tmp_path / "new", fragments)
    old = packed(tmp_path / "old", fragments, recipe=replace(RECIPE, packing=Packing(version="v2.1")))
    verify("--dataset", new, "--v21", old, "--marked", "--checks")
