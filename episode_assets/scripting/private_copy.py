"""A private copy of an exported directory, for who shows or judges it later.

The exported one belongs to the user, who may write whatever he likes into it; only what is still as it was audited is
taken over.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from episode_assets.storage.files import sha256_of


class Exported(NamedTuple):
    """A directory as it was exported.

    Attributes:
        directory: Where it lies.
        digests: Path below it, and SHA-256, of each of its files but the manifest.
    """

    directory: Path
    digests: Sequence[tuple[str, str]]


def copy_unchanged(exported: Exported, target: Path) -> bool:
    """Copy what was exported into an empty directory; False, and nothing left there, if anything of it changed."""
    try:
        is_unchanged = all(
            _is_copied(exported.directory / path, target / path, digest) for path, digest in exported.digests
        )
    except OSError:
        is_unchanged = False
    if not is_unchanged:
        shutil.rmtree(target)
    return is_unchanged


def _is_copied(source: Path, target: Path, digest: str) -> bool:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    # The copy is what counts: what lies there may change while it is read.
    return sha256_of(target) == digest
