"""Walks the rows of a dataset episode by episode, one row group in memory at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from episode_assets.lerobot.existing.dataset import ExistingDataset
from episode_assets.lerobot.existing.episode import ExistingEpisode


@dataclass(frozen=True)
class EpisodeRows:
    """The rows of one episode.

    Attributes:
        episode: The episode.
        table: Its rows as they lie in the file.
    """

    episode: ExistingEpisode
    table: Any

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def values(self, key: str) -> NDArray[Any]:
        """Return a column as (N,) or (N, D) array; object where it holds nulls or lists of different lengths."""
        return self._arrays[key]

    @cached_property
    def _arrays(self) -> dict[str, NDArray[Any]]:
        return {name: as_array(self.table[name]) for name in self.table.column_names}


@dataclass(frozen=True)
class MisplacedRows:
    """A file whose rows cannot be told apart by the lengths of its episodes.

    Attributes:
        file: The file, below the dataset's root.
        episodes: The episodes whose rows it should hold.
        rows: Rows that each row group holds.
        counts: Rows that carry the number of each episode.
    """

    file: str
    episodes: tuple[ExistingEpisode, ...]
    rows: tuple[int, ...]
    counts: tuple[int, ...]


def as_array(column: Any) -> NDArray[Any]:
    """Return an Arrow column as (N,) or, for vectors, (N, D) array; object where rows differ in length."""
    values = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    kind = values.type
    if values.null_count or pa.types.is_struct(kind):
        return _as_objects(values)
    if pa.types.is_fixed_size_list(kind):
        return _vectors(values, kind.list_size)
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        lengths = pc.unique(pc.list_value_length(values)).to_pylist()
        is_plain = len(lengths) == 1 and not pa.types.is_nested(kind.value_type)
        return _vectors(values, lengths[0]) if is_plain else _as_objects(values)
    return np.asarray(values.to_numpy(zero_copy_only=False))


def _vectors(values: Any, width: int) -> NDArray[Any]:
    flat = values.flatten()
    if flat.null_count:
        return _as_objects(values)
    return np.asarray(flat.to_numpy(zero_copy_only=False)).reshape(len(values), width)


def _as_objects(values: Any) -> NDArray[Any]:
    found = np.empty(len(values), dtype=object)
    for row, value in enumerate(values.to_pylist()):  # a slice would be taken for a table
        found[row] = value
    return found


def episode_rows(
    dataset: ExistingDataset, *, columns: Sequence[str] | None = None
) -> Iterator[EpisodeRows | MisplacedRows]:
    """Yield the rows of every episode whose file is there, in order; only some columns, if wanted."""
    by_file: dict[str, list[ExistingEpisode]] = {}
    for episode in dataset.episodes:
        by_file.setdefault(episode.data, []).append(episode)
    for name, episodes in by_file.items():
        if (dataset.root / name).exists():
            yield from _rows_of_file(dataset, name, episodes, columns)


def _rows_of_file(
    dataset: ExistingDataset, name: str, episodes: list[ExistingEpisode], columns: Sequence[str] | None
) -> Iterator[EpisodeRows | MisplacedRows]:
    # Without threads: row groups are small, and a pool of threads costs more than it reads.
    with pq.ParquetFile(dataset.root / name, pre_buffer=False) as file:
        groups = tuple(file.metadata.row_group(i).num_rows for i in range(file.num_row_groups))
        lengths = tuple(episode.length for episode in episodes)
        if groups == lengths:
            for position, episode in enumerate(episodes):
                yield EpisodeRows(episode, file.read_row_group(position, columns=columns, use_threads=False))
        elif sum(groups) == sum(lengths):
            whole = file.read(columns=columns, use_threads=False)
            starts = np.cumsum([0, *lengths])
            for episode, start in zip(episodes, starts, strict=False):
                yield EpisodeRows(episode, whole.slice(int(start), episode.length))
        else:
            numbers = file.read(columns=["episode_index"])["episode_index"].to_numpy()
            counts = tuple(int((numbers == episode.episode_index).sum()) for episode in episodes)
            yield MisplacedRows(name, tuple(episodes), groups, counts)
