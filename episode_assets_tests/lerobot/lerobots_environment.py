"""Runs scripts where the real LeRobot is: the environment that `make verify-lerobot` makes."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]


def run_there(module: str, *arguments: object) -> str:
    """Run a module of the tests and return what it printed; skips the test where there is no such environment."""
    python = REPOSITORY / ".venv-lerobot" / "bin" / "python"
    if not python.exists():
        pytest.skip("LeRobot has no environment; `make verify-lerobot` makes one and runs this")
    done = subprocess.run(
        [str(python), "-m", f"episode_assets_tests.{module}", *map(str, arguments)],
        cwd=REPOSITORY,
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout
