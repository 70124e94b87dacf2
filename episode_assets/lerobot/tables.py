"""Writes Parquet tables with rows: the columns of the contributions, and those that only a dataset has.

Which file a row lies in is decided by the versions; here is what stands in it. One row group per episode, so that
readers of some episodes skip the others.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from episode_assets.lerobot.arrow_values import worth_a_dictionary
from episode_assets.lerobot.columns import PACKED, Column, data_columns, schema_of
from episode_assets.lerobot.fragment import FragmentReader
from episode_assets.lerobot.fragment_tables import arrow_table
from episode_assets.lerobot.plan import PlannedEpisode
from episode_assets.lerobot.recipe import Recipe
from episode_assets.lerobot.stored_images import image_schema


def packed_columns(episode: PlannedEpisode) -> dict[str, NDArray[np.int64]]:
    """Return the columns that depend on the dataset: index, episode and task of each row."""
    count = episode.length
    return {
        "episode_index": np.full(count, episode.episode_index, dtype=np.int64),
        "index": np.arange(episode.from_index, episode.from_index + count, dtype=np.int64),
        "task_index": episode.task_of_row,
    }


def rows_of(episode: PlannedEpisode, recipe: Recipe) -> Any:
    """Return the rows of an episode as an Arrow table with the columns of `data_columns`."""
    columns = data_columns(recipe)
    table = _from_zero(episode, episode.part.table())
    given = arrow_table(packed_columns(episode), [column for column in columns if column.key in PACKED])
    for name in given.column_names:
        table = table.append_column(name, given[name])
    return table.select([column.key for column in columns])


def row_tables(episode: PlannedEpisode, recipe: Recipe) -> Iterator[Any]:
    """Yield the rows of an episode with their images, few rows at a time where there are any, else all at once."""
    rows, done = rows_of(episode, recipe), 0
    if not recipe.image_keys:
        yield rows
    for images in episode.part.images():
        piece = rows.slice(done, images.num_rows)
        for name in images.column_names:
            piece = piece.append_column(name, images[name])
        yield piece
        done += images.num_rows


def _from_zero(episode: PlannedEpisode, table: Any) -> Any:
    """Count the rows of a later part of a divided episode from 0."""
    if episode.part.start == 0:
        return table
    fps = episode.part.reader.fps
    rows = np.arange(episode.length, dtype=np.int64)
    fresh = {"frame_index": pa.array(rows), "timestamp": pa.array((rows / fps).astype(np.float32))}
    for name, values in fresh.items():
        place = table.schema.get_field_index(name)
        table = table.set_column(place, table.schema.field(place), values)
    return table


def names_of_columns(columns: Sequence[Column], image_keys: Sequence[str] = ()) -> list[Any]:
    """Return what decides how rows are written, as plain values for the key of a file."""
    named = [[column.key, column.dtype, column.names and list(column.names)] for column in columns]
    return [*named, *([key, "image", None] for key in image_keys)]


def row_schema(columns: Sequence[Column], image_keys: Sequence[str] = ()) -> Any:
    """Return the Arrow schema of a data file, with the note that the hub's viewer and readers of images read."""
    fields = [*schema_of(tuple(columns)), *image_schema(image_keys)]
    return pa.schema(fields, metadata={b"huggingface": _hub_metadata(columns, image_keys)})


def _hub_metadata(columns: Sequence[Column], image_keys: Sequence[str]) -> bytes:
    def feature(column: Column) -> dict[str, Any]:
        value = {"dtype": column.dtype, "_type": "Value"}
        return value if column.names is None else {"feature": value, "length": column.width, "_type": "List"}

    features = {column.key: feature(column) for column in columns} | {
        key: {"_type": "Image"} for key in image_keys
    }
    return json.dumps({"info": {"features": features}}).encode()


def write_groups(path: Path, schema: Any, tables: Iterable[Any]) -> None:
    """Write tables into one file, a row group each; one of them is in memory at a time."""
    dictionaries = worth_a_dictionary(schema)
    with pq.ParquetWriter(path, schema, compression="snappy", use_dictionary=dictionaries) as writer:
        for table in tables:
            writer.write_table(table.cast(schema), row_group_size=table.num_rows)


def bytes_of_rows(episodes: Iterable[PlannedEpisode]) -> list[int]:
    """Return how large each episode's rows are in a data file before compression, to close files by.

    Taken from what the contributions' own files say of their row groups, so it is known before anything is written.
    """
    groups: dict[str, list[tuple[int, int]]] = {}
    sizes = []
    for episode in episodes:
        part = episode.part
        if episode.recording_id not in groups:
            groups[episode.recording_id] = _row_groups(part.reader)
        total, rows = groups[episode.recording_id][part.position]
        # Contributions lack the row number, which takes 8 bytes; the numbers of episode and task take next to none.
        sizes.append(total * part.length // rows + 8 * part.length)
    return sizes


def _row_groups(reader: FragmentReader) -> list[tuple[int, int]]:
    with reader.rows() as file:
        found = [file.metadata.row_group(i) for i in range(file.num_row_groups)]
        return [
            (group.total_byte_size + images, group.num_rows)
            for group, images in zip(found, reader.image_bytes(), strict=True)
        ]
