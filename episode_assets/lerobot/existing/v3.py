"""Reads episodes, tasks and statistics of a v3.0 dataset: tables under `meta/`, many episodes per file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from episode_assets.lerobot.existing.episode import ExistingEpisode, VideoPart

EPISODES = "meta/episodes"
TASKS = "meta/tasks.parquet"
STATISTICS_PREFIX = "stats/"
_BATCH = 100


def episode_files(root: Path) -> list[Path]:
    """Return the files of the episode table in the order in which readers take them."""
    return sorted((root / EPISODES).glob("*/*.parquet"))


def read_episodes(root: Path, info: Mapping[str, Any], cameras: Sequence[str]) -> Iterator[ExistingEpisode]:
    """Yield the episodes in the order of the table."""
    number = 0
    for file in episode_files(root):
        # Statistics are a hundred times larger than all else, and read only where they are checked.
        names = [name for name in pq.read_schema(file).names if not name.startswith(STATISTICS_PREFIX)]
        for record in pq.read_table(file, columns=names, use_threads=False).to_pylist():
            yield _episode(number, record, info, cameras)
            number += 1


def _episode(
    number: int, record: Mapping[str, Any], info: Mapping[str, Any], cameras: Sequence[str]
) -> ExistingEpisode:
    place = {"chunk_index": record["data/chunk_index"], "file_index": record["data/file_index"]}
    return ExistingEpisode(
        number=number,
        episode_index=int(record["episode_index"]),
        length=int(record["length"]),
        tasks=tuple(str(text) for text in record["tasks"]),
        from_index=int(record["dataset_from_index"]),
        to_index=int(record["dataset_to_index"]),
        data=str(info["data_path"]).format(**place),
        videos={key: _video(key, record, info) for key in cameras},
        record=record,
    )


def _video(key: str, record: Mapping[str, Any], info: Mapping[str, Any]) -> VideoPart:
    place = {name: record[f"videos/{key}/{name}"] for name in ("chunk_index", "file_index")}
    start, stop = (float(record[f"videos/{key}/{end}_timestamp"]) for end in ("from", "to"))
    return VideoPart(str(info["video_path"]).format(video_key=key, **place), start, stop)


def read_tasks(root: Path) -> tuple[tuple[int, str], ...]:
    """Return index and text of each row."""
    table = pq.read_table(root / TASKS)
    name = "task" if "task" in table.column_names else "__index_level_0__"
    return tuple(zip(table["task_index"].to_pylist(), map(str, table[name].to_pylist()), strict=True))


def read_episode_statistics(root: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Yield (position, statistics by feature) for all episodes."""
    number = 0
    for path in episode_files(root):
        with pq.ParquetFile(path) as file:
            names = [name for name in file.schema_arrow.names if name.startswith(STATISTICS_PREFIX)]
            for batch in file.iter_batches(_BATCH, columns=names, use_threads=False):
                for record in batch.to_pylist():
                    yield number, _by_feature(record)
                    number += 1


def _by_feature(record: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for name, value in record.items():
        _, key, statistic = name.split("/")
        found.setdefault(key, {})[statistic] = value
    return found
