"""Statistics of all rows of a dataset, exact and in bounded memory, and how often values occur in its pictures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from episode_assets.lerobot.arrow_values import column_values
from episode_assets.lerobot.camera_statistics import pictures_counted
from episode_assets.lerobot.columns import Column
from episode_assets.lerobot.exact_quantiles import statistics_of_batches
from episode_assets.lerobot.fragment_tables import histogram_column
from episode_assets.lerobot.picture_counts import PictureCounts
from episode_assets.lerobot.plan import DatasetPlan
from episode_assets.lerobot.statistics import Statistics, element_masks

_ROWS_PER_BATCH = 16_384


def statistics_of_rows(
    files: Sequence[Path], columns: Sequence[Column]
) -> tuple[dict[str, Statistics], dict[str, list[int]]]:
    """Return the statistics of every column over all data files, and per masked one the valid rows of each element.

    One column at a time is read, some rows at a time, so memory grows neither with the table nor with its length.
    """
    statistics, valid_counts = {}, {}
    for column in columns:
        found, counts = statistics_of_batches(partial(_batches, files, column))
        statistics[column.key] = found
        if column.masks:
            valid_counts[column.key] = counts
    return statistics, valid_counts


def _batches(files: Sequence[Path], column: Column) -> Iterator[tuple[NDArray[Any], NDArray[np.bool_]]]:
    names = list(dict.fromkeys([column.key, *(mask.column for mask in column.masks)]))
    for path in files:
        with pq.ParquetFile(path, pre_buffer=False) as file:
            for batch in file.iter_batches(_ROWS_PER_BATCH, columns=names, use_threads=False):
                rows = {name: column_values(batch.column(name)) for name in names}
                yield rows[column.key].reshape(len(batch), -1), element_masks(column, rows)


def counts_of_pictures(plan: DatasetPlan, camera_key: str) -> PictureCounts:
    """Return how often each value of a camera occurs over all episodes, without decoding a picture."""
    name = histogram_column(camera_key)
    total: NDArray[np.int64] | int = 0
    pictures = 0
    for _, group in groupby(plan.episodes, key=lambda episode: episode.recording_id):
        entered = {episode.part.position: episode.part.reader for episode in group}
        reader = next(iter(entered.values()))
        counts = column_values(reader.statistics_table()[name])
        total = total + counts[sorted(entered)].sum(axis=0)
        pictures += sum(pictures_counted(reader.episodes[position], camera_key) for position in entered)
    return PictureCounts(pictures, np.asarray(total))
