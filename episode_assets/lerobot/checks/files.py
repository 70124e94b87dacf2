"""Rules of what lies in the folders: readers take every table they find, so nothing else may be there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from episode_assets.lerobot.existing import ExistingDataset
from episode_assets.lerobot.existing.v3 import episode_files
from episode_assets.lerobot.problems import Problem

_FOLDERS = ("data", "videos")
_LEFT_FOLDERS = ("images", "staging")
_LEFT_ENDINGS = (".tmp", ".part", ".partial", ".incomplete", ".lock", "~")


def strays(dataset: ExistingDataset) -> Iterator[Problem]:
    """Files that no episode names, and what writers leave behind that broke off."""
    named = {episode.data for episode in dataset.episodes}
    named |= {part.path for episode in dataset.episodes for part in episode.videos.values()}
    folders: tuple[str, ...] = _FOLDERS
    if dataset.is_v3:
        named |= {path.relative_to(dataset.root).as_posix() for path in episode_files(dataset.root)}
        folders = (*_FOLDERS, "meta/episodes")
    for folder in _LEFT_FOLDERS:
        files = sum(1 for path in (dataset.root / folder).rglob("*") if path.is_file())
        if files:
            yield Problem("left_over", f"{folder}/ holds {files} files of a writer that has not finished")
    for path in sorted(dataset.root.rglob("*")):
        name = path.relative_to(dataset.root).as_posix()
        if name.split("/")[0] in _LEFT_FOLDERS or path.is_dir():
            continue
        if _is_left_over(path):
            yield Problem("left_over", f"{name} is no finished file")
        elif name.startswith(tuple(f"{folder}/" for folder in folders)) and name not in named:
            yield Problem("stray_file", f"{name} belongs to no episode")


def _is_left_over(path: Path) -> bool:
    return path.name.endswith(_LEFT_ENDINGS) or path.name.startswith((".tmp", "tmp"))
