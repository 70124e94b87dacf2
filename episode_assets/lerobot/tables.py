"""Writes the two families of tables: one row per frame under `data/`, one row per episode under `meta/episodes/`.

Readers take every file below these folders in the order of their names, so nothing else may lie there.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from episode_assets.lerobot.columns import PACKED, Column, data_columns, schema_of
from episode_assets.lerobot.fragment import HISTOGRAM, arrow_table, flat_statistics, statistics_fields
from episode_assets.lerobot.plan import DatasetPlan, PlannedEpisode
from episode_assets.lerobot.recipe import Recipe
from episode_assets.lerobot.shards import MIB, FilePlace
from episode_assets.lerobot.statistics import column_statistics
from episode_assets.progress import Progress

_EPISODES_PER_GROUP = 100


class RollingWriter:
    """Writes tables into numbered Parquet files and opens the next file before one grows past its limit."""

    def __init__(self, root: Path, folder: str, schema: Any, *, limit_mib: int, chunks_size: int) -> None:
        self._root = root
        self._folder = folder
        self._schema = schema
        self._limit = limit_mib * MIB
        self._chunks_size = chunks_size
        self._writer: Any = None
        self._sink: Any = None
        self._rows = 0
        self.place = FilePlace(0, 0)

    def __enter__(self) -> RollingWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def make_room(self, rows: int) -> FilePlace:
        """Return the file that the next `rows` rows go into, opening a new one if they would fill this one."""
        if self._rows and self._sink.tell() * (1 + rows / self._rows) >= self._limit:
            self._close()
            self.place = self.place.following(chunks_size=self._chunks_size)
        if self._writer is None:
            path = self._root / self.place.path(self._folder, "parquet")
            path.parent.mkdir(parents=True, exist_ok=True)
            self._sink = path.open("wb")
            self._writer = pq.ParquetWriter(self._sink, self._schema, compression="snappy")
        return self.place

    def write(self, table: Any) -> None:
        """Write one row group into the file that `make_room` returned."""
        self._writer.write_table(table.cast(self._schema), row_group_size=table.num_rows)
        self._rows += table.num_rows

    def _close(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._sink.close()
        self._writer, self._sink, self._rows = None, None, 0


def write_data(plan: DatasetPlan, directory: Path, *, recipe: Recipe, progress: Progress) -> list[FilePlace]:
    """Write all rows, one row group per episode, and return each episode's file."""
    columns = data_columns(recipe)
    schema = schema_of(columns).with_metadata({b"huggingface": _hub_metadata(columns)})
    places = []
    settings = {"limit_mib": recipe.data_file_mib, "chunks_size": recipe.chunks_size}
    with RollingWriter(directory, "data", schema, **settings) as writer:
        for done, episode in enumerate(plan.episodes, start=1):
            places.append(writer.make_room(episode.length))
            writer.write(_rows_of(episode, columns))
            progress("dataset rows", done, len(plan.episodes))
    return places


def _rows_of(episode: PlannedEpisode, columns: tuple[Column, ...]) -> Any:
    table = episode.reader.row_table(episode.position)
    given = arrow_table(packed_columns(episode), [column for column in columns if column.key in PACKED])
    for name in given.column_names:
        table = table.append_column(name, given[name])
    return table.select([column.key for column in columns])


def packed_columns(episode: PlannedEpisode) -> dict[str, Any]:
    """Return the columns that depend on the dataset: index, episode and task of each row."""
    count = episode.length
    return {
        "episode_index": np.full(count, episode.episode_index, dtype=np.int64),
        "index": np.arange(episode.from_index, episode.from_index + count, dtype=np.int64),
        "task_index": np.full(count, episode.task_index, dtype=np.int64),
    }


def _hub_metadata(columns: tuple[Column, ...]) -> bytes:
    def feature(column: Column) -> dict[str, Any]:
        value = {"dtype": column.dtype, "_type": "Value"}
        return value if column.names is None else {"feature": value, "length": column.width, "_type": "List"}

    features = {column.key: feature(column) for column in columns}
    return json.dumps({"info": {"features": features}}).encode()


def write_episodes(
    plan: DatasetPlan, places: Sequence[FilePlace], directory: Path, *, recipe: Recipe
) -> None:
    """Write one row per episode: where its rows and frames lie, where it comes from, and its statistics."""
    schema = _episode_schema(recipe)
    settings = {"limit_mib": recipe.data_file_mib, "chunks_size": recipe.chunks_size}
    with RollingWriter(directory, "meta/episodes", schema, **settings) as writer:
        for first in range(0, len(plan.episodes), _EPISODES_PER_GROUP):
            chosen = plan.episodes[first : first + _EPISODES_PER_GROUP]
            own = writer.make_room(len(chosen))
            records = [
                _record(episode, places[episode.episode_index], own, plan.fps, recipe) | statistics
                for episode, statistics in zip(chosen, _statistics_of(chosen), strict=True)
            ]
            writer.write(pa.Table.from_pylist(records, schema=schema))


def _record(
    episode: PlannedEpisode, data: FilePlace, own: FilePlace, fps: int, recipe: Recipe
) -> dict[str, Any]:
    video, first = f"videos/{recipe.video_key}", episode.video.first_frame
    return {
        "episode_index": episode.episode_index,
        "tasks": [episode.task],
        "length": episode.length,
        "data/chunk_index": data.chunk,
        "data/file_index": data.file,
        "dataset_from_index": episode.from_index,
        "dataset_to_index": episode.from_index + episode.length,
        f"{video}/chunk_index": episode.video.place.chunk,
        f"{video}/file_index": episode.video.place.file,
        # From whole frames, never from a sum of durations: sums drift.
        f"{video}/from_timestamp": first / fps,
        f"{video}/to_timestamp": (first + episode.length) / fps,
        "meta/episodes/chunk_index": own.chunk,
        "meta/episodes/file_index": own.file,
        "recording_id": episode.reader.fragment.recording_id,
        "source/bundle_digest": str(episode.reader.document["bundle_digest"]),
        "source/frame_start": int(episode.source["frame_start"]),
        "source/frame_stop": int(episode.source["frame_stop"]),
        "source/start_ns": int(episode.source["start_ns"]),
    }


def _episode_schema(recipe: Recipe) -> Any:
    video = f"videos/{recipe.video_key}"
    whole = ["length", "data/chunk_index", "data/file_index", "dataset_from_index", "dataset_to_index"]
    whole += [f"{video}/chunk_index", f"{video}/file_index"]
    fields = [pa.field("episode_index", pa.int64()), pa.field("tasks", pa.list_(pa.string()))]
    fields += [pa.field(name, pa.int64()) for name in whole]
    fields += [pa.field(f"{video}/{end}_timestamp", pa.float64()) for end in ("from", "to")]
    fields += [pa.field(f"meta/episodes/{part}_index", pa.int64()) for part in ("chunk", "file")]
    fields += [pa.field(name, pa.string()) for name in ("recording_id", "source/bundle_digest")]
    fields += [pa.field(f"source/{name}", pa.int64()) for name in ("frame_start", "frame_stop", "start_ns")]
    for column in data_columns(recipe):
        fields += statistics_fields(column.key, is_camera=False)
    return pa.schema([*fields, *statistics_fields(recipe.video_key, is_camera=True)])


def _statistics_of(episodes: Sequence[PlannedEpisode]) -> list[dict[str, Any]]:
    stored: dict[str, list[dict[str, Any]]] = {}
    records = []
    for episode in episodes:
        recording = episode.reader.fragment.recording_id
        if recording not in stored:
            stored[recording] = episode.reader.statistics()
        record = {
            key: value
            for key, value in stored[recording][episode.position].items()
            if not key.startswith(f"{HISTOGRAM}/")
        }
        own = {
            key: column_statistics(values, np.ones((len(values), 1), dtype=bool))
            for key, values in packed_columns(episode).items()
        }
        records.append({**record, **flat_statistics(own)})
    return records
