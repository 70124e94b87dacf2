"""The tables of a fragment: rows by column, and statistics by episode, as packing reads them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from episode_assets.lerobot.arrow_values import worth_a_dictionary
from episode_assets.lerobot.camera_tracks import CameraTrack
from episode_assets.lerobot.columns import Column, schema_of
from episode_assets.lerobot.rows import Rows
from episode_assets.lerobot.statistics import NAMES, Statistics, column_statistics, element_masks
from episode_assets.progress import Progress

HISTOGRAM = "histogram"


def write_rows(path: Path, episodes: Sequence[Rows], columns: tuple[Column, ...], progress: Progress) -> None:
    """Write the rows of all episodes, one row group each."""
    schema = schema_of(columns)
    dictionaries = worth_a_dictionary(schema)
    with pq.ParquetWriter(path, schema, compression="zstd", use_dictionary=dictionaries) as writer:
        for done, rows in enumerate(episodes, start=1):
            # One row group per episode: packing reads exactly one.
            table = arrow_table(rows, columns)
            writer.write_table(table, row_group_size=table.num_rows)
            progress("lerobot episodes", done, len(episodes))


def arrow_table(rows: Mapping[str, NDArray[Any]], columns: Sequence[Column]) -> Any:
    """Return the named columns as an Arrow table without nulls."""
    arrays = [_arrow_array(rows[column.key], column) for column in columns]
    return pa.table(arrays, schema=schema_of(tuple(columns)))


def _arrow_array(values: NDArray[Any], column: Column) -> Any:
    flat = np.ascontiguousarray(values).reshape(-1)
    scalars = pa.array(flat, type=pa.from_numpy_dtype(np.dtype(column.dtype)))
    return scalars if column.names is None else pa.FixedSizeListArray.from_arrays(scalars, column.width)


def write_statistics(
    path: Path, episodes: Sequence[Rows], tracks: Sequence[CameraTrack], columns: tuple[Column, ...]
) -> None:
    """Write one record per episode: statistics of every column and camera, and the counts behind those of cameras.

    An Arrow file, not Parquet: the record has hundreds of short lists, which Parquet takes forty times as long to read,
    and packing reads those of all recordings.
    """
    records = []
    for number, rows in enumerate(episodes):
        found = {
            column.key: column_statistics(rows[column.key], element_masks(column, rows)) for column in columns
        }
        found |= {track.key: track.statistics[number] for track in tracks}
        records.append(flat_statistics(found))
    fields = [field for column in columns for field in statistics_fields(column.key, is_camera=False)]
    fields += [field for track in tracks for field in statistics_fields(track.key, is_camera=True)]
    table = pa.Table.from_pylist(records, schema=pa.schema(fields))
    for track in tracks:
        counts = pa.FixedSizeListArray.from_arrays(pa.array(track.counts.reshape(-1)), track.counts.shape[1])
        table = table.append_column(histogram_column(track.key), counts)
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)


def read_statistics(path: Path) -> Any:
    """Return what `write_statistics` wrote as an Arrow table."""
    with pa.OSFile(str(path), "rb") as file:
        return pa.ipc.open_file(file).read_all()


def histogram_column(key: str) -> str:
    """Return the column of the statistics that counts the values of a camera's pixels, one record per episode."""
    return f"{HISTOGRAM}/{key}"


def flat_statistics(statistics: Mapping[str, Statistics]) -> dict[str, Any]:
    """Return statistics by feature as one flat record with the episode table's column names."""
    return {
        f"stats/{key}/{name}": value for key, found in statistics.items() for name, value in found.items()
    }


def statistics_fields(key: str, *, is_camera: bool) -> list[Any]:
    """Return the Arrow fields of one feature's statistics in the episode table."""
    numbers = pa.list_(pa.float64())
    kind = pa.list_(pa.list_(numbers)) if is_camera else numbers
    fields = [pa.field(f"stats/{key}/{name}", kind) for name in NAMES]
    return [*fields, pa.field(f"stats/{key}/count", pa.list_(pa.int64()))]
