"""Turns what reading a damaged dataset raises into the one error that users meet."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa

from episode_assets.errors import ArtifactDamaged, EpisodeAssetsError
from episode_assets.storage.trouble import is_disk_full, translated

READING_RAISES = (ValueError, KeyError, TypeError, IndexError, FileNotFoundError, pa.ArrowException)
"""What a document or a table raises that is missing, cut, or not what its name says."""


@contextmanager
def named_damage(root: Path) -> Iterator[None]:
    """Raise `ArtifactDamaged` for a dataset that cannot be read inside the block, and name trouble of the disk.

    Raises:
        ArtifactDamaged: A file is missing, cut, or not what its name says.
        DiskFull: No space is left for what the block writes.
        StorageTrouble: The file system did not answer.
    """
    with translated(str(root)):
        try:
            yield
        except EpisodeAssetsError:
            raise
        except READING_RAISES as error:
            if is_disk_full(error):
                raise
            words = " ".join(f"{type(error).__name__}: {error}".split())
            raise ArtifactDamaged(
                f"the dataset cannot be read: {words}",
                where=str(root),
                remedy="`episode-assets dataset verify` names what is wrong",
            ) from error
