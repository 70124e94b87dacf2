"""What one sample contributes to a dataset, on disk: rows, pictures and a document, put in place in one step.

A contribution is named by the bytes of its video, so a sample that is processed again replaces what it gave before.
It is not part of the dataset: packing copies from it, and a directory without its document is no contribution.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from episode_assets.errors import ArtifactDamaged
from episode_assets.footage import passed_audit
from episode_assets.lerobot.columns import schema_of
from episode_assets.lerobot.data_juicer.rows import COLUMNS, rows_of
from episode_assets.lerobot.data_juicer.takes import Take
from episode_assets.lerobot.fragment_tables import write_rows
from episode_assets.lerobot.strict_json import read_json, write_json
from episode_assets.outcome import Json
from episode_assets.progress import silent

STAGING = "contributions"
DOCUMENT = "sample.json"
ROWS = "rows.parquet"
VIDEO = "video.mp4"
_OLD = ".old-"
SCHEMA = "data_juicer_contribution"
SCHEMA_VERSION = 1


@dataclass(frozen=True)
class StagedEpisode:
    """One episode of a contribution.

    Attributes:
        contribution: Where it lies.
        position: Its row group.
        first: Position of its first picture in the video.
        length: Number of rows and pictures.
        task: What is done.
        counts: (3, 256) int64 colours of its pictures.
    """

    contribution: Contribution
    position: int
    first: int
    length: int
    task: str
    counts: NDArray[np.int64]

    def rows(self) -> Any:
        """Return its rows as an Arrow table."""
        with pq.ParquetFile(self.contribution.directory / ROWS) as file:
            return file.read_row_group(self.position)


@dataclass(frozen=True)
class Contribution:
    """One sample's contribution.

    Attributes:
        name: Its name, made of the bytes of its video.
        directory: Where it lies.
        document: Its document.
        digest: SHA-256 of the document, which names the digests of the other files.
    """

    name: str
    directory: Path
    document: dict[str, Any]
    digest: str

    @property
    def episodes(self) -> list[StagedEpisode]:
        """Its episodes in order."""
        return [
            StagedEpisode(
                self,
                position,
                int(entry["first"]),
                int(entry["length"]),
                str(entry["task"]),
                np.asarray(entry["colours"], dtype=np.int64),
            )
            for position, entry in enumerate(self.document["episodes"])
        ]

    @classmethod
    def open(cls, directory: Path) -> Contribution:
        """Read a contribution and check it against its own files.

        Raises:
            ArtifactDamaged: A file is missing, was changed, or is of another version.
            UnauditedArtifact: It carries no passed audit.
        """
        try:
            document = read_json(directory / DOCUMENT)
            passed_audit(document.get("privacy"), where=f"the contribution {directory.name}")
            is_known = (document["schema"], document["schema_version"]) == (SCHEMA, SCHEMA_VERSION)
            changed = [
                name for name, digest in document["files"].items() if _sha256(directory / name) != digest
            ]
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise _damaged(directory.name, f"it cannot be read: {type(error).__name__}") from error
        if not is_known or changed:
            raise _damaged(directory.name, f"other files than were written: {', '.join(changed) or DOCUMENT}")
        return cls(directory.name, directory, document, _sha256(directory / DOCUMENT))


def contributions(output_dir: Path) -> list[Contribution]:
    """Return all contributions of an output directory, by name.

    Raises:
        ArtifactDamaged: One was changed after it was written.
        UnauditedArtifact: One carries no passed audit.
    """
    staging = output_dir / STAGING
    if not staging.is_dir():
        return []
    with _alone_and_whole(staging):
        found = sorted(staging.iterdir())
    # What a killed run left behind begins with a dot, and a directory without its document is not finished.
    return [Contribution.open(path) for path in found if not path.name.startswith(".")]


@contextmanager
def drafted(output_dir: Path, name: str) -> Iterator[Path]:
    """Give a private directory to write a contribution into, which takes its place at the end of the block."""
    staging = output_dir / STAGING
    staging.mkdir(parents=True, exist_ok=True)
    # The same sample may be under way in another process; whoever is done last counts.
    draft, target = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=staging)), staging / name
    try:
        yield draft
        with _alone_and_whole(staging):
            if target.exists():
                target.rename(staging / f"{_OLD}{name}")
            draft.rename(target)
            shutil.rmtree(staging / f"{_OLD}{name}", ignore_errors=True)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def write_contribution(
    draft: Path,
    takes: Sequence[Take],
    *,
    first: Sequence[int],
    counts: NDArray[np.int64],
    privacy: dict[str, Json],
    fps: int,
) -> None:
    """Write rows and document beside the video of a contribution."""
    write_rows(draft / ROWS, [rows_of(take, fps=fps) for take in takes], COLUMNS, silent)
    episodes: list[Json] = [
        {
            "first": int(begins),
            "length": len(take),
            "task": take.task,
            "hand_type": take.side,
            "segment_id": take.segment_id,
            "frame_start": int(take.frames[0]),
            "frame_stop": int(take.frames[-1]) + 1,
            "colours": colours.tolist(),
        }
        for take, begins, colours in zip(takes, first, counts, strict=True)
    ]
    document: dict[str, Json] = {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "fps": fps,
        "columns": [field.name for field in schema_of(COLUMNS)],
        "episodes": episodes,
        "files": {name: _sha256(draft / name) for name in (ROWS, VIDEO)},
        "privacy": privacy,
    }
    write_json(draft / DOCUMENT, document)


def name_of(*parts: str) -> str:
    """Return the name of a contribution that is made of these digests: 32 hex digits."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


@contextmanager
def alone(directory: Path) -> Iterator[None]:
    """Keep other processes that ask for the same directory waiting."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


@contextmanager
def _alone_and_whole(staging: Path) -> Iterator[None]:
    """Keep other processes from replacing contributions, and finish what a killed one has begun."""
    with alone(staging):
        for old in staging.glob(f"{_OLD}*"):
            target = staging / old.name.removeprefix(_OLD)
            if target.exists():
                shutil.rmtree(old, ignore_errors=True)
            else:
                old.rename(target)
        yield


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _damaged(name: str, what: str) -> ArtifactDamaged:
    return ArtifactDamaged(
        what, where=f"the contribution {name}", remedy="process its sample again, or remove its directory"
    )
