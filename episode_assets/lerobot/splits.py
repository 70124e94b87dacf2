"""Divides recordings into splits, each of which is a dataset root of its own.

Readers of the format ignore the ranges in `splits` of info.json, so only separate roots separate anything. A keyed
hash of the group decides, not the order or the number of recordings: growth never moves a recording.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path

from episode_assets.lerobot.labels import Labels
from episode_assets.lerobot.recipe_packing import Packing

INFO = "meta/info.json"


def group_of(recording_id: str, labels: Labels, packing: Packing) -> str:
    """Return what must not be divided: the person or place, where the recipe asks for it and somebody said it."""
    named = {"recording": None, "person": labels.person, "place": labels.place}[packing.group_by]
    return f"recording:{recording_id}" if named is None else f"{packing.group_by}:{named}"


def split_of(group: str, packing: Packing) -> str | None:
    """Return the split of a group, or None where the recipe has no splits.

    The hash is a number in [0, 1), and splits are ranges of it in the order of the recipe.
    """
    if not packing.splits:
        return None
    digest = hashlib.sha256(f"{packing.split_key}\0{group}".encode()).digest()
    number, reached = int.from_bytes(digest[:8], "big") / 2**64, 0.0
    for name, share in packing.splits:
        reached += share
        if number < reached:
            return name
    return packing.splits[-1][0]


def divide(
    recordings: Iterable[str], labels: Mapping[str, Labels], packing: Packing
) -> dict[str | None, list[str]]:
    """Return the recordings of every split in their order, empty splits included; the key is None without splits."""
    named: list[str | None] = [name for name, _ in packing.splits]
    found: dict[str | None, list[str]] = {name: [] for name in named or [None]}
    for recording in recordings:
        found[split_of(group_of(recording, labels[recording], packing), packing)].append(recording)
    return found


def dataset_roots(directory: Path) -> dict[str | None, Path]:
    """Return the dataset roots of a published dataset by split; the one without splits has the key None."""
    if (directory / INFO).is_file():
        return {None: directory}
    folders = sorted(path for path in directory.iterdir() if (path / INFO).is_file())
    return {path.name: path for path in folders}
