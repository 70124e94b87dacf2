"""The place for a session's private files: nobody else's, and gone when the session is, not when a fork of it is."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from episode_assets_tests.conftest import Demo
from episode_assets_tests.scripting.conftest import Opener


def test_a_fork_that_ends_leaves_the_files_of_its_parent(plain: Demo, tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    script = f"""
import os, sys
from episode_assets.scripting import MCAPReader
session = MCAPReader({str(plain.path)!r}, scratch={str(scratch)!r})
if os.fork() == 0:
    sys.exit(0)
os.wait()
print(session.view.directory.is_dir())
"""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}

    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, env=environment
    )

    assert done.stdout == "True\n"
    assert list(scratch.iterdir()) == []


@pytest.mark.parametrize("kind", ["open", "link"])
def test_a_place_that_others_may_have_prepared_is_not_used(
    opened: Opener, tmp_path: Path, scratch: Path, kind: str
) -> None:
    place = scratch / f"episode-assets-{os.getuid()}"
    place.parent.mkdir()
    if kind == "link":
        prepared = tmp_path / "elsewhere"
        prepared.mkdir(mode=0o700)
        place.symlink_to(prepared)
    else:
        prepared = place
        prepared.mkdir()
        prepared.chmod(0o777)

    session = opened()

    assert list(prepared.iterdir()) == []
    private = session.view.directory.parents[1]
    assert private.parent == scratch
    assert private.lstat().st_mode & 0o777 == 0o700
    session.close()
    assert [path.name for path in scratch.iterdir()] == [place.name]


def test_sessions_share_a_place_of_their_own(opened: Opener, scratch: Path) -> None:
    first, second = opened(), opened()

    assert [path.name for path in scratch.iterdir()] == [f"episode-assets-{os.getuid()}"]
    assert first.view.directory.parents[1] == second.view.directory.parents[1]
