"""Files of earlier dataset versions, found by what they are made of, so that a new version takes them over unread.

Each large file has a key: a digest of everything that decides its bytes (contributions, frames, numbers of rows and
episodes, layout). Equal keys mean equal files, also between two datasets of one archive. Where earlier files lie and
how they are taken over (a hard link, a copy inside the object store) is the business of the caller.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from episode_assets.lerobot.ledger import PROVENANCE
from episode_assets.storage.write_points import reached

_LAYOUT = 1
"""Raised when the packer writes other bytes for the same plan, so that no file of the old kind is taken over."""

_WRITABLE = stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH


class PublishedFile(Protocol):
    """One file of an earlier version."""

    @property
    def size(self) -> int:
        """Its size in bytes."""

    def take_over(self, target: Path) -> None:
        """Make it a file of the new version, at a place inside its directory."""

    def local(self) -> Path:
        """Return a local file with its content, to read only."""


FindPublished = Callable[[str], PublishedFile | None]
"""Returns the file with a key, where an earlier version has one."""


def nothing_published(_key: str) -> None:
    """Return no file: everything is written anew."""


def file_key(kind: str, **made_of: Any) -> str:
    """Return the key of a file from plain values that decide its bytes (hex SHA-256)."""
    text = json.dumps([_LAYOUT, kind, made_of], sort_keys=True, allow_nan=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass
class DatasetFolder:
    """The root of a dataset while it is packed.

    Attributes:
        root: Where it is packed.
        find: Looks up files of earlier versions.
        keys: Key of every large file so far, by path below the root.
        taken_over: Files among them that an earlier version has lent.
    """

    root: Path
    find: FindPublished = nothing_published
    keys: dict[str, str] = field(default_factory=dict)
    taken_over: dict[str, PublishedFile] = field(default_factory=dict)

    def has(self, key: str) -> bool:
        """Whether an earlier version has the file with a key."""
        return self.find(key) is not None

    def put(self, path: str, key: str, write: Callable[[Path], None]) -> None:
        """Take a file over from an earlier version, or write it."""
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        found = self.find(key)
        if found is None:
            write(target)
        else:
            found.take_over(target)
            self.taken_over[path] = found
        self.keys[path] = key
        reached("pack.file_written")

    def local(self, path: str) -> Path:
        """Return where a file can be read, whether or not it lies in the root."""
        lent = self.taken_over.get(path)
        return self.root / path if lent is None else lent.local()

    def sizes(self) -> dict[str, int]:
        """Return the size in bytes of every file below the root, also of those that are not there yet."""
        found = {
            path.relative_to(self.root).as_posix(): path.stat().st_size
            for path in self.root.rglob("*")
            if path.is_file()
        }
        return found | {path: lent.size for path, lent in self.taken_over.items()}


@dataclass(frozen=True)
class FileOnDisk:
    """A file of an earlier version in a directory."""

    path: Path

    @property
    def size(self) -> int:
        """Its size in bytes."""
        return self.path.stat().st_size

    def take_over(self, target: Path) -> None:
        """Link it; a file that somebody may still write to is copied, and so is one on another file system."""
        if not self.path.stat().st_mode & _WRITABLE:
            with contextlib.suppress(OSError):
                os.link(self.path, target)
                return
        shutil.copyfile(self.path, target)

    def local(self) -> Path:
        """Return the file itself."""
        return self.path


def files_below(*roots: Path) -> FindPublished:
    """Return a look-up in dataset roots on disk; a root without provenance lends nothing."""
    known = {key: root / path for root in reversed(roots) for path, key in lent_files(root).items()}

    def find(key: str) -> FileOnDisk | None:
        path = known.get(key)
        return FileOnDisk(path) if path is not None and path.is_file() else None

    return find


def lent_files(root: Path) -> Mapping[str, str]:
    """Return the keys of a root's large files by path, or none where it does not tell."""
    try:
        document = json.loads((root / PROVENANCE).read_text(encoding="utf-8"))
        return {str(path): str(key) for path, key in document["files"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}
