"""A dataset root that appears when it is whole: written in a folder beside it, which takes its name at the end.

Versions of the store are published by `storage`; this is for folders that a person names.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from episode_assets.errors import BadConfig


@contextmanager
def new_root(out: Path) -> Iterator[Path]:
    """Yield a folder to write into; it becomes `out` where the block ends well, and is gone where it does not.

    What a killed run left behind is removed first.

    Raises:
        BadConfig: `out` exists, or the folder that it shall lie in does not.
    """
    if out.exists():
        raise BadConfig("this folder exists already", where=str(out), remedy="name a new one, or remove it")
    if not out.absolute().parent.is_dir():
        raise BadConfig("there is no folder to put it in", where=str(out.parent), remedy="make it first")
    aside = out.with_name(f".{out.name}.unfinished")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir()
    try:
        yield aside
        aside.rename(out)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
