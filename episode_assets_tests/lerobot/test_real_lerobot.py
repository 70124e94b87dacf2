"""The real LeRobot reads, edits, trains on and converts datasets whose every picture carries its message number.

Needs the environment of `make verify-lerobot`.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from episode_assets.lerobot import Recipe, pack_dataset
from episode_assets_tests.lerobot.archive import make_scene, stamps, write_artifacts

pytestmark = [pytest.mark.lerobot, pytest.mark.timeout(600)]

REPOSITORY = Path(__file__).parents[2]
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
        made.append(artifacts.fragment(root / f"fragment{number}", recipe=Recipe(), task=task)[0])
    return made


def packed(directory, fragments, **options):
    directory.mkdir()
    pack_dataset(fragments, directory, recipe=options.pop("recipe", Recipe()), **options)
    return directory


def test_lerobot_reads_edits_and_trains_on_a_dataset_of_version_3(fragments, tmp_path):
    verify("--dataset", packed(tmp_path / "dataset", fragments), "--marked")
