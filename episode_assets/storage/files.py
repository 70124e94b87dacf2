"""Local files made safe: hashed, forced to the disk, and closed against writing.

Everything that touches the bytes of a directory before publication is here; where the directory goes is decided by
the backends.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

READ_ONLY = 0o444
OPEN_DIRECTORY = 0o755


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, 64 hex digits; memory does not grow with its size."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def seal(path: Path) -> tuple[int, str]:
    """Close a file against writing, force it to the disk, and return its size in bytes and its SHA-256."""
    if stat.S_IMODE(path.stat().st_mode) != READ_ONLY:
        # A file linked from another published artifact is closed already, and may belong to another user.
        path.chmod(READ_ONLY)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        os.fsync(file.fileno())
        return os.fstat(file.fileno()).st_size, digest


def write_durably(path: Path, data: bytes, *, mode: int) -> None:
    """Write a new file and force it to the disk."""
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fchmod(file.fileno(), mode)
        os.fsync(file.fileno())


def fsync_directory(path: Path) -> None:
    """Force the names in a directory to the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def open_directories(root: Path) -> None:
    """Give a directory tree that is about to be published its modes, and force its names to the disk."""
    for directory in (root, *(path for path in root.rglob("*") if path.is_dir())):
        directory.chmod(OPEN_DIRECTORY)
        fsync_directory(directory)


def walk(root: Path) -> Iterator[tuple[str, bool]]:
    """Yield every file below `root` as (path relative to it, whether it is a regular file), sorted by directory.

    Links count as files that are not regular, also links to directories.
    """
    for entry in sorted(os.scandir(root), key=lambda entry: entry.name):
        if entry.is_dir(follow_symlinks=False):
            for path, is_regular in walk(root / entry.name):
                yield f"{entry.name}/{path}", is_regular
        else:
            yield entry.name, stat.S_ISREG(entry.stat(follow_symlinks=False).st_mode)


def prune_empty_directories(root: Path) -> None:
    """Remove directories without files, which no manifest could list."""
    for path in sorted((path for path in root.rglob("*") if path.is_dir()), reverse=True):
        if not path.is_symlink() and not any(path.iterdir()):
            path.rmdir()
