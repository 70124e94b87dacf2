"""A writable copy of a dataset, for tools that resume, delete or merge in place: files of the store are read-only."""

from __future__ import annotations

import shutil
from pathlib import Path

from episode_assets.errors import BadConfig
from episode_assets.lerobot.new_root import new_root
from episode_assets.lerobot.splits import dataset_roots
from episode_assets.progress import Progress, silent
from episode_assets.storage.trouble import translated

_OF_THE_STORE = "manifest.json"


def copy_dataset(source: Path, out: Path, *, progress: Progress = silent) -> Path:
    """Copy a dataset, with all its splits, into a new folder whose files can be written to.

    Args:
        source: A dataset root, or the folder that holds one per split.
        out: Must not exist.
        progress: Told after every file.

    Raises:
        BadConfig: There is no dataset, or `out` exists.
    """
    require_roots(source)
    files = [path for path in sorted(source.rglob("*")) if path.is_file()]
    files = [path for path in files if path != source / _OF_THE_STORE]
    with translated(str(out)), new_root(out) as root:
        for done, path in enumerate(files, start=1):
            target = root / path.relative_to(source)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)  # without its mode: copies may be written to
            progress("files copied", done, len(files))
    return out


def require_roots(source: Path) -> dict[str | None, Path]:
    """Return the roots of a dataset by split.

    Raises:
        BadConfig: There is none.
    """
    roots = dataset_roots(source)
    if not roots:
        raise BadConfig(
            "there is no dataset here", where=str(source), remedy="name a folder with meta/info.json"
        )
    return roots
