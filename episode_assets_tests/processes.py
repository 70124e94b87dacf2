"""Starts a module of the tests in a process of its own, for proofs in which one process works while another looks."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def started(module: str, *arguments: str) -> subprocess.Popen[str]:
    """Start a module below `episode_assets_tests` and return it, with text pipes to all of its streams."""
    return subprocess.Popen(
        [sys.executable, "-m", f"episode_assets_tests.{module}", *arguments],
        cwd=Path(__file__).parents[1],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
