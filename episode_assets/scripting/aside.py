"""Writing beside a place and putting the result there in one step: what lay there stays until the new one is whole."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from episode_assets.errors import BadConfig
from episode_assets.storage.scratch import owned_name, sweep


@contextmanager
def put_in_place(target: Path) -> Iterator[Path]:
    """Give a path beside `target` to write a file or a directory to, which takes its place at the end of the block.

    What failed is removed; what a killed script left beside it is removed by the next one. A link stays a link.

    Args:
        target: A file that may be there, or a directory that is not there or empty.
    """
    target = target.resolve()
    target.parent.mkdir(parents=True, exist_ok=True)
    sweep(target.parent)
    aside = target.with_name(f".{owned_name()}{target.suffix}")
    try:
        yield aside
        aside.replace(target)
    finally:
        if aside.is_dir():
            shutil.rmtree(aside, ignore_errors=True)
        else:
            aside.unlink(missing_ok=True)


def file_place(path: str | Path) -> Path:
    """Return where a file is to be written; raises BadConfig where a directory is."""
    place = Path(path)
    if place.is_dir():
        raise BadConfig(
            "a directory is where the file is to be written", where=str(place), remedy="name a file"
        )
    return place
