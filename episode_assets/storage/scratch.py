"""Private working directories whose names say which process owns them, and removing those of killed processes.

The owner is in the name, so a directory is never without one, not even for an instant. Whether its process still
lives can be told only on the machine and in the container that made it; elsewhere age decides.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import re
import secrets
import shutil
import socket
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FOREIGN_IDLE_S = 24 * 3600.0
"""Scratch of another machine is taken for dead when nothing in it has changed for this long."""

_OWNED = re.compile(r"\.?ea-(?P<place>[0-9a-f]{12})-(?P<pid>\d+)-(?P<started>\d+)-[0-9a-f]{12}(\..*)?")


def owned_name() -> str:
    """Return a fresh name that carries this process as its owner."""
    pid = os.getpid()
    return f"ea-{_place()}-{pid}-{_start_of(pid)}-{secrets.token_hex(6)}"


def is_left_over(name: str, *, idle_s: float) -> bool:
    """Whether the owner of a name is dead.

    Args:
        name: A name made by `owned_name`; any other name is never left over.
        idle_s: Seconds since the last change under it, which decides for other machines.
    """
    match = _OWNED.fullmatch(name)
    if match is None:
        return False
    if match["place"] != _place():
        return idle_s > FOREIGN_IDLE_S
    return _start_of(int(match["pid"])) != int(match["started"])


@contextmanager
def private_directory(root: Path) -> Iterator[Path]:
    """Make a directory of mode 0700 owned by this process under `root`; remove it with all it holds at the end."""
    directory = make_root(root) / owned_name()
    directory.mkdir(mode=0o700)
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def make_root(root: Path) -> Path:
    """Make the place for scratch, readable by nobody else, and return it."""
    if not root.is_dir():
        root.mkdir(parents=True, exist_ok=True, mode=0o700)
    return root


def make_private_root(root: Path) -> Path:
    """Make the place for scratch in a directory that others may write to, and return it.

    Others can guess the name and put something of theirs there first: a link, or a directory that they may read. Only
    a directory that belongs to this user and that nobody else may enter is taken; else one with a new name is made.
    """
    root.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        root.mkdir(mode=0o700)
    facts = root.lstat()
    is_ours = stat.S_ISDIR(facts.st_mode) and facts.st_uid == os.getuid() and not facts.st_mode & 0o077
    return root if is_ours else Path(tempfile.mkdtemp(prefix=f"{root.name}-", dir=root.parent))


def sweep(root: Path) -> int:
    """Remove what killed processes left under `root`; return how many entries were removed."""
    if not root.is_dir():
        return 0
    removed = 0
    # Only what has such a name is looked into: the place may be one that a user keeps other things in.
    for entry in sorted(entry for entry in root.iterdir() if _OWNED.fullmatch(entry.name)):
        if not is_left_over(entry.name, idle_s=_idle_s(entry)):
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry, ignore_errors=True)
        else:
            with contextlib.suppress(OSError):  # somebody else's, in a place that is shared
                entry.unlink()
        removed += not os.path.lexists(entry)
    return removed


def _idle_s(entry: Path) -> float:
    newest = 0.0
    for path in (entry, *entry.rglob("*")):
        try:
            newest = max(newest, path.lstat().st_mtime)
        except FileNotFoundError:
            continue
    return time.time() - newest


@functools.cache
def _place() -> str:
    # Process numbers mean something only inside one boot of one machine and one process namespace; containers with
    # host networking share even the host name.
    parts = [socket.gethostname()]
    for path in ("/proc/sys/kernel/random/boot_id", "/proc/self/ns/pid"):
        try:
            parts.append(str(Path(path).readlink()) if path.endswith("pid") else Path(path).read_text())
        except OSError:
            parts.append("")
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]


def _start_of(pid: int) -> int:
    """Return when a process started (clock ticks since boot), 0 where the system does not say, -1 if it is gone."""
    if Path("/proc/self/stat").exists():
        try:
            # The command in parentheses may hold blanks; field 22 counts from behind it.
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return -1
        return -1 if fields[0] in {"Z", "X"} else int(fields[19])
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return -1
    except PermissionError:
        return 0
    return 0
