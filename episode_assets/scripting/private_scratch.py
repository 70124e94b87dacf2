"""The private directory of a session: nobody else reads it, and what killed scripts left is removed by the next one."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from episode_assets.storage.scratch import make_private_root, owned_name, sweep


def make(root: Path) -> Path:
    """Make a new directory of mode 0700 below `root`."""
    place = make_private_root(root / f"episode-assets-{os.getuid()}")
    sweep(place)
    directory = place / owned_name()
    directory.mkdir(mode=0o700)
    return directory


def remove(directory: Path, owner: int) -> None:
    """Remove a directory with all it holds, and the place that it lay in where nothing else does.

    Args:
        directory: The directory.
        owner: Process that made it; a fork of it, which ends on its own, leaves everything in place.
    """
    if os.getpid() != owner:
        return
    shutil.rmtree(directory, ignore_errors=True)
    try:
        directory.parent.rmdir()
    except OSError:
        return
