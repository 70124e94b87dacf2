"""The table with one row per episode: where its rows and frames lie, where it comes from, and its statistics."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
import pyarrow as pa

from episode_assets.lerobot.arrow_values import column_values
from episode_assets.lerobot.columns import Column, data_columns
from episode_assets.lerobot.fragment_tables import flat_statistics, statistics_fields
from episode_assets.lerobot.plan import PlannedEpisode
from episode_assets.lerobot.recipe import Recipe
from episode_assets.lerobot.shards import FilePlace, VideoPlace
from episode_assets.lerobot.statistics import NAMES, QUANTILES, Statistics, column_statistics, element_masks

_EPISODES_PER_GROUP = 100


@dataclass(frozen=True)
class EpisodePlaces:
    """Which files one episode lies in."""

    data: FilePlace
    own: FilePlace
    videos: Mapping[str, VideoPlace]


def episode_schema(recipe: Recipe, video_keys: Sequence[str]) -> Any:
    """Return the schema of the files under `meta/episodes`."""
    whole = ["length", "data/chunk_index", "data/file_index", "dataset_from_index", "dataset_to_index"]
    fields = [pa.field("episode_index", pa.int64()), pa.field("tasks", pa.list_(pa.string()))]
    fields += [pa.field(name, pa.int64()) for name in whole]
    for key in video_keys:
        fields += [pa.field(f"videos/{key}/{part}_index", pa.int64()) for part in ("chunk", "file")]
        fields += [pa.field(f"videos/{key}/{end}_timestamp", pa.float64()) for end in ("from", "to")]
    fields += [pa.field(f"meta/episodes/{part}_index", pa.int64()) for part in ("chunk", "file")]
    fields += [pa.field(name, pa.string()) for name in ("recording_id", "source/bundle_digest")]
    fields += [pa.field(f"source/{name}", pa.int64()) for name in ("frame_start", "frame_stop", "start_ns")]
    for key, is_camera in statistics_keys(recipe):
        fields += statistics_fields(key, is_camera=is_camera)
    return pa.schema(fields)


def statistics_keys(recipe: Recipe) -> list[tuple[str, bool]]:
    """Return every feature that has statistics, and whether it is a camera."""
    return [(c.key, False) for c in data_columns(recipe)] + [(key, True) for key in recipe.camera_keys]


def record_of(episode: PlannedEpisode, places: EpisodePlaces, fps: int) -> dict[str, Any]:
    """Return what the table says of an episode, without its statistics."""
    part = episode.part
    record = {
        "episode_index": episode.episode_index,
        "tasks": list(episode.tasks),
        "length": episode.length,
        "data/chunk_index": places.data.chunk,
        "data/file_index": places.data.file,
        "dataset_from_index": episode.from_index,
        "dataset_to_index": episode.from_index + episode.length,
        "meta/episodes/chunk_index": places.own.chunk,
        "meta/episodes/file_index": places.own.file,
        "recording_id": episode.recording_id,
        "source/bundle_digest": str(part.reader.document["bundle_digest"]),
        "source/frame_start": int(part.source["frame_start"]),
        "source/frame_stop": int(part.source["frame_stop"]),
        "source/start_ns": int(part.source["start_ns"]),
    }
    for key, video in places.videos.items():
        record |= {
            f"videos/{key}/chunk_index": video.place.chunk,
            f"videos/{key}/file_index": video.place.file,
            # From whole frames, never from a sum of durations: sums drift.
            f"videos/{key}/from_timestamp": video.first_frame / fps,
            f"videos/{key}/to_timestamp": (video.first_frame + episode.length) / fps,
        }
    return record


def episode_tables(
    episodes: Sequence[PlannedEpisode], records: Sequence[Mapping[str, Any]], schema: Any
) -> Iterator[Any]:
    """Yield the table in groups of episodes."""
    for first in range(0, len(episodes), _EPISODES_PER_GROUP):
        chosen = slice(first, first + _EPISODES_PER_GROUP)
        given = pa.Table.from_pylist(list(records[chosen]))
        for table in (_fragment_statistics(episodes[chosen]), _packed_statistics(episodes[chosen])):
            for name in table.column_names:
                given = given.append_column(name, table[name])
        yield given.select(schema.names)


def _fragment_statistics(episodes: Sequence[PlannedEpisode]) -> Any:
    """Return the statistics that contributions have taken of their own columns and pictures."""
    tables = []
    for _, group in groupby(episodes, key=lambda episode: episode.recording_id):
        members = list(group)
        stored = members[0].part.reader.statistics_table()
        tables += [stored.slice(episode.part.position, 1) for episode in members]
    # One piece per column: every later step would take each of a hundred pieces by itself.
    return pa.concat_tables(tables).combine_chunks()


def _packed_statistics(episodes: Sequence[PlannedEpisode]) -> Any:
    return pa.Table.from_pylist([flat_statistics(_of_packed_columns(episode)) for episode in episodes])


def _of_packed_columns(episode: PlannedEpisode) -> dict[str, Statistics]:
    count = episode.length
    return {
        "episode_index": _of_run(episode.episode_index, count, step=0),
        "index": _of_run(episode.from_index, count, step=1),
        "task_index": _of_tasks(episode),
    }


def _of_tasks(episode: PlannedEpisode) -> Statistics:
    if len(episode.task_runs) == 1:
        return _of_run(episode.task_index, episode.length, step=0)
    return column_statistics(episode.task_of_row, np.ones((episode.length, 1), dtype=np.bool_))


def _of_run(first: int, count: int, *, step: int) -> Statistics:
    """Return the statistics of `count` whole numbers from `first` on, which are all equal or follow one another."""
    last = step * (count - 1)
    # The variance of 0..n-1 is (n^2 - 1) / 12.
    std = step * ((count * count - 1) / 12) ** 0.5
    known = {"min": 0.0, "max": last, "mean": last / 2, **{name: q * last for name, q in QUANTILES.items()}}
    return {name: [float(first + value)] for name, value in known.items()} | {"std": [std], "count": [count]}


def statistics_of_episode(episode: PlannedEpisode, columns: Sequence[Column]) -> dict[str, Statistics]:
    """Return the statistics of one episode by feature.

    Those of a part of an episode are taken from its rows; of its pictures only those of the whole episode are known.
    """
    record = episode.part.reader.statistics_table().slice(episode.part.position, 1).to_pylist()[0]
    found: dict[str, Statistics] = {}
    for name, value in record.items():
        if name.startswith("stats/"):
            _, key, kind = name.split("/")
            found.setdefault(key, {})[kind] = value
    if not episode.part.is_whole:
        found |= _of_rows(episode.part.table(), [column for column in columns if column.key in found])
    return found | _of_packed_columns(episode)


def _of_rows(table: Any, columns: Sequence[Column]) -> dict[str, Statistics]:
    rows = {name: column_values(table[name]) for name in table.column_names}
    return {
        column.key: column_statistics(rows[column.key], element_masks(column, rows)) for column in columns
    }


def bytes_of_record(recipe: Recipe) -> int:
    """Return about how large one row is before compression, to close files by."""
    numbers = sum(column.width for column in data_columns(recipe)) + 3 * len(recipe.camera_keys)
    return 8 * len(NAMES) * numbers + 1024
