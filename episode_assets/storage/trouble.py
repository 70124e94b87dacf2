"""Turning what operating systems and object stores throw into the package's own errors, in one place.

A full disk is permanent until somebody makes room; everything else that a file system or a network reports may pass.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager

from episode_assets.errors import DiskFull, EpisodeAssetsError, StorageTrouble, is_storage_trouble

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_FULL_WORDS = re.compile(r"No space left on device|Disk quota exceeded|\d+ requested and \d+ written")
"""Texts of errors without a number; the last one is numpy's, which reports a short write and nothing more."""


@contextmanager
def translated(where: str) -> Iterator[None]:
    """Raise the package's own error for trouble with the disk or the network at `where`.

    Raises:
        DiskFull: No space, or no quota, was left.
        StorageTrouble: Any other failure of the file system or the object store.
    """
    try:
        yield
    except EpisodeAssetsError:
        raise
    except Exception as error:
        if is_disk_full(error):
            raise disk_full(where) from error
        if is_storage_trouble(error):
            raise StorageTrouble(
                f"{type(error).__name__}: {error}",
                where=where,
                remedy="check that the place is reachable and writable (for s3:// also the AWS_* variables)",
            ) from error
        raise


def disk_full(where: str) -> DiskFull:
    """Return the error for a full disk at `where`."""
    return DiskFull(
        "no space is left on the device",
        where=where,
        remedy="free space there or choose another --store, then run again; nothing half-written was kept",
    )


def is_disk_full(error: BaseException) -> bool:
    """Whether a full disk is the cause of an error, however deep in its chain.

    Encoders and file libraries often wrap the error of the system, and some keep only its text.
    """
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        if isinstance(current, OSError) and current.errno in _FULL:
            return True
        if _FULL_WORDS.search(str(current)):
            return True
        current = current.__cause__ or current.__context__
    return False
