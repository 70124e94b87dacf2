"""Format v3.0: many episodes per file, placed by size, and found through the table of episodes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import groupby
from pathlib import Path
from typing import Any

from episode_assets.lerobot.columns import Column, data_columns
from episode_assets.lerobot.description import DATA_PATH, VIDEO_PATH, info_of_features
from episode_assets.lerobot.episode_table import (
    EpisodePlaces,
    bytes_of_record,
    episode_schema,
    episode_tables,
    record_of,
)
from episode_assets.lerobot.language import FEATURE, LANGUAGE, with_language, with_language_field
from episode_assets.lerobot.plan import DatasetPlan, PlannedEpisode
from episode_assets.lerobot.recipe import Recipe
from episode_assets.lerobot.reuse import DatasetFolder, file_key
from episode_assets.lerobot.shards import FilePlace, VideoPlace, place_tables
from episode_assets.lerobot.statistics import Statistics
from episode_assets.lerobot.strict_json import write_json
from episode_assets.lerobot.tables import (
    bytes_of_rows,
    names_of_columns,
    row_schema,
    row_tables,
    write_groups,
)
from episode_assets.lerobot.tasks import write_tasks
from episode_assets.lerobot.video_files import VideoFile, place_all_videos, shared_files
from episode_assets.progress import Progress

STATS = "meta/stats.json"
TASKS = "meta/tasks.parquet"


@dataclass(frozen=True)
class V3:
    """A dataset in format v3.0.

    Attributes:
        plan: Its episodes.
        recipe: Its recipe.
    """

    plan: DatasetPlan
    recipe: Recipe

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """Columns of the data files in their order."""
        return data_columns(self.recipe)

    @cached_property
    def videos(self) -> list[VideoFile]:
        """All video files."""
        return shared_files(self.plan, self._video_places)

    @property
    def data_files(self) -> list[str]:
        """Paths of the data files in the order of their rows."""
        return [place.path("data", "parquet") for place in dict.fromkeys(self._data_places)]

    def write_tables(self, folder: DatasetFolder, progress: Progress) -> None:
        """Write rows, episodes and tasks."""
        images = self.plan.image_keys
        schema, columns, done = row_schema(self.columns, images), names_of_columns(self.columns, images), 0
        if self.recipe.segments.language:
            schema, columns = with_language_field(schema), [*columns, [LANGUAGE, "language", None]]
        for place, episodes in _by_place(self.plan.episodes, self._data_places):
            key = file_key("rows", columns=columns, episodes=[episode.made_of for episode in episodes])
            tables = partial(_write_rows, schema=schema, episodes=episodes, recipe=self.recipe)
            folder.put(place.path("data", "parquet"), key, tables)
            done += len(episodes)
            progress("dataset rows", done, len(self.plan.episodes))
        self._write_episodes(folder)
        write_tasks(folder.root / TASKS, self.plan.tasks)

    def write_statistics(self, folder: DatasetFolder, statistics: Mapping[str, Statistics]) -> None:
        """Write the statistics of the whole dataset."""
        write_json(folder.root / STATS, dict(statistics), indent=4, sort_keys=False)

    def info(self) -> dict[str, Any]:
        """Return `info.json`; only keys that the format knows."""
        plan, recipe = self.plan, self.recipe
        return {
            "codebase_version": "v3.0",
            "robot_type": recipe.robot_type,
            "total_episodes": len(plan.episodes),
            "total_frames": plan.frames,
            "total_tasks": len(plan.tasks),
            "chunks_size": recipe.chunks_size,
            "data_files_size_in_mb": recipe.data_file_mib,
            "video_files_size_in_mb": recipe.video_file_mib,
            "fps": plan.fps,
            "splits": {"train": f"0:{len(plan.episodes)}"},
            "data_path": DATA_PATH,
            "video_path": VIDEO_PATH if plan.video_keys else None,
            "features": info_of_features(plan, self.columns)
            | ({LANGUAGE: dict(FEATURE)} if recipe.segments.language else {}),
        }

    @cached_property
    def _video_places(self) -> dict[str, tuple[VideoPlace, ...]]:
        recipe = self.recipe
        return place_all_videos(self.plan, limit_mib=recipe.video_file_mib, chunks_size=recipe.chunks_size)

    @cached_property
    def _data_places(self) -> tuple[FilePlace, ...]:
        return self._places(bytes_of_rows(self.plan.episodes))

    def _places(self, sizes: Sequence[int]) -> tuple[FilePlace, ...]:
        recipe = self.recipe
        return place_tables(sizes, limit_mib=recipe.data_file_mib, chunks_size=recipe.chunks_size)

    def _write_episodes(self, folder: DatasetFolder) -> None:
        plan = self.plan
        schema = episode_schema(self.recipe, plan.video_keys)
        places = self._places([bytes_of_record(self.recipe)] * len(plan.episodes))
        for own, episodes in _by_place(plan.episodes, places):
            records = [record_of(episode, self._places_of(episode, own), plan.fps) for episode in episodes]
            made_of = [[*episode.made_of, record] for episode, record in zip(episodes, records, strict=True)]
            key = file_key("episodes", schema=str(schema), episodes=made_of)
            write = partial(_write_episodes, schema=schema, episodes=episodes, records=records)
            folder.put(own.path("meta/episodes", "parquet"), key, write)

    def _places_of(self, episode: PlannedEpisode, own: FilePlace) -> EpisodePlaces:
        number = episode.episode_index
        videos = {key: places[number] for key, places in self._video_places.items()}
        return EpisodePlaces(self._data_places[number], own, videos)


def _by_place(
    episodes: Sequence[PlannedEpisode], places: Sequence[FilePlace]
) -> list[tuple[FilePlace, list[PlannedEpisode]]]:
    placed = zip(episodes, places, strict=True)
    grouped = groupby(placed, key=lambda item: item[1])
    return [(place, [episode for episode, _ in group]) for place, group in grouped]


def _write_rows(path: Path, *, schema: Any, episodes: Sequence[PlannedEpisode], recipe: Recipe) -> None:
    write_groups(path, schema, (table for episode in episodes for table in _tables(episode, recipe)))


def _tables(episode: PlannedEpisode, recipe: Recipe) -> Iterator[Any]:
    for table in row_tables(episode, recipe):
        if recipe.segments.language:
            subtasks, fps = episode.part.source["subtasks"], episode.part.reader.fps
            table = with_language(table, subtasks, length=episode.length, fps=fps)  # noqa: PLW2901
        yield table


def _write_episodes(
    path: Path, *, schema: Any, episodes: Sequence[PlannedEpisode], records: Sequence[Mapping[str, Any]]
) -> None:
    write_groups(path, schema, episode_tables(episodes, records, schema))
