"""Rows of single episodes of existing datasets, and how large they are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow.parquet as pq

from episode_assets.lerobot.existing import ExistingDataset
from episode_assets.lerobot.merging.plan import RENUMBERED, JoinedEpisode


def episode_table(item: JoinedEpisode, *, numbers_only: bool = False) -> Any:
    """Return the rows of an episode; only the columns that count things, if wanted.

    Rows are found by their position, so a file need not hold one row group per episode.
    """
    path = item.dataset.root / item.episode.data
    with pq.ParquetFile(path) as file:
        names = file.schema_arrow.names
        wanted = [name for name in names if name in RENUMBERED or name.startswith("annotation.")]
        return _rows(file, item.row_in_file, item.length, wanted if numbers_only else names)


def _rows(file: Any, start: int, length: int, names: list[str]) -> Any:
    groups, before = [], 0
    skipped = None
    for group in range(file.num_row_groups):
        count = file.metadata.row_group(group).num_rows
        if before < start + length and before + count > start:
            skipped = before if skipped is None else skipped
            groups.append(group)
        before += count
    return file.read_row_groups(groups, columns=names).slice(start - (skipped or 0), length)


def row_bytes(dataset: ExistingDataset) -> Iterator[int]:
    """Yield the bytes of every episode's rows before compression, by the share of its rows in its file."""
    files: dict[str, tuple[int, int]] = {}
    for episode in dataset.episodes:
        if episode.data not in files:
            metadata = pq.read_metadata(dataset.root / episode.data)
            size = sum(metadata.row_group(i).total_byte_size for i in range(metadata.num_row_groups))
            files[episode.data] = (size, max(1, metadata.num_rows))
        size, rows = files[episode.data]
        yield size * episode.length // rows
