"""Formats v2.1 and v2.0: one file per episode, tables of lines, and for v2.0 the profile that GR00T reads.

They differ in their statistics: v2.1 has those of every episode, v2.0 those of the dataset. v2.0 is written as GR00T
wants it: with `modality.json`, without `count`, and with its own order of quaternions.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Literal

from episode_assets.lerobot.columns import Column, data_columns
from episode_assets.lerobot.description import info_of_features
from episode_assets.lerobot.episode_table import statistics_of_episode
from episode_assets.lerobot.modality import groot_columns, groot_rows, modality_document
from episode_assets.lerobot.plan import DatasetPlan, PlannedEpisode
from episode_assets.lerobot.recipe import Recipe
from episode_assets.lerobot.reuse import DatasetFolder, file_key
from episode_assets.lerobot.statistics import MOMENTS, Statistics
from episode_assets.lerobot.strict_json import write_json
from episode_assets.lerobot.tables import names_of_columns, row_schema, row_tables, write_groups
from episode_assets.lerobot.video_files import VideoFile, files_of_one_episode
from episode_assets.progress import Progress

DATA_PATH = "data/chunk-{episode_chunk:03d}/episode_{episode_index:06d}.parquet"
VIDEO_PATH = "videos/chunk-{episode_chunk:03d}/{video_key}/episode_{episode_index:06d}.mp4"

_WITH_COUNT = (*MOMENTS, "count")


@dataclass(frozen=True)
class V2:
    """A dataset in format v2.1 or v2.0.

    Attributes:
        plan: Its episodes.
        recipe: Its recipe.
        name: Which of the two.
    """

    plan: DatasetPlan
    recipe: Recipe
    name: Literal["v2.1", "v2.0"]

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """Columns of the data files in their order."""
        columns = data_columns(self.recipe)
        return groot_columns(columns, self.recipe) if self._is_for_groot else columns

    @cached_property
    def videos(self) -> list[VideoFile]:
        """All video files."""
        return files_of_one_episode(self.plan, self._video_path)

    @property
    def data_files(self) -> list[str]:
        """Paths of the data files in the order of their rows."""
        return [self._data_path(episode.episode_index) for episode in self.plan.episodes]

    def write_tables(self, folder: DatasetFolder, progress: Progress) -> None:
        """Write rows, episodes and tasks."""
        columns = names_of_columns(self.columns, self.plan.image_keys)
        for done, episode in enumerate(self.plan.episodes, start=1):
            key = file_key("rows", columns=columns, episodes=[episode.made_of])
            folder.put(self._data_path(episode.episode_index), key, partial(self._write_rows, episode))
            progress("dataset rows", done, len(self.plan.episodes))
        meta = folder.root / "meta"
        _write_lines(meta / "episodes.jsonl", map(_line, self.plan.episodes))
        tasks = enumerate(self.plan.tasks)
        _write_lines(meta / "tasks.jsonl", ({"task_index": i, "task": text} for i, text in tasks))

    def write_statistics(self, folder: DatasetFolder, statistics: Mapping[str, Statistics]) -> None:
        """Write the statistics: of every episode (v2.1), or of the whole dataset and `modality.json` (v2.0)."""
        meta = folder.root / "meta"
        if self._is_for_groot:
            # The reader slices every entry by the elements of a modality, and `count` has only one number.
            plain = {key: _without_count(found) for key, found in statistics.items()}
            write_json(meta / "stats.json", plain, indent=4, sort_keys=False)
            document = modality_document(self.recipe, self.plan.video_keys)
            write_json(meta / "modality.json", document, indent=4, sort_keys=False)
        else:
            _write_lines(meta / "episodes_stats.jsonl", map(self._statistics_line, self.plan.episodes))

    def info(self) -> dict[str, Any]:
        """Return `info.json`; only keys that the format knows."""
        plan = self.plan
        count, chunks_size = len(plan.episodes), self.recipe.chunks_size
        return {
            "codebase_version": self.name,
            "robot_type": self.recipe.robot_type,
            "total_episodes": count,
            "total_frames": plan.frames,
            "total_tasks": len(plan.tasks),
            "total_videos": count * len(plan.video_keys),
            "total_chunks": -(-count // chunks_size),
            "chunks_size": chunks_size,
            "fps": plan.fps,
            "splits": {"train": f"0:{count}"},
            "data_path": DATA_PATH,
            "video_path": VIDEO_PATH if plan.video_keys else None,
            "features": info_of_features(plan, self.columns),
        }

    @property
    def _is_for_groot(self) -> bool:
        return self.name == "v2.0"

    def _data_path(self, episode_index: int) -> str:
        chunk = episode_index // self.recipe.chunks_size
        return DATA_PATH.format(episode_chunk=chunk, episode_index=episode_index)

    def _video_path(self, episode_index: int, video_key: str) -> str:
        chunk = episode_index // self.recipe.chunks_size
        return VIDEO_PATH.format(episode_chunk=chunk, episode_index=episode_index, video_key=video_key)

    def _write_rows(self, episode: PlannedEpisode, path: Path) -> None:
        tables = row_tables(episode, self.recipe)
        rows = (groot_rows(table, self.recipe) for table in tables) if self._is_for_groot else tables
        write_groups(path, row_schema(self.columns, self.plan.image_keys), rows)

    def _statistics_line(self, episode: PlannedEpisode) -> dict[str, Any]:
        found = statistics_of_episode(episode, self.columns)
        chosen = {key: {name: entry[name] for name in _WITH_COUNT} for key, entry in found.items()}
        return {"episode_index": episode.episode_index, "stats": chosen}


def _without_count(found: Statistics) -> Statistics:
    return {name: value for name, value in found.items() if name != "count"}


def _line(episode: PlannedEpisode) -> dict[str, Any]:
    return {"episode_index": episode.episode_index, "tasks": list(episode.tasks), "length": episode.length}


def _write_lines(path: Path, records: Iterable[Mapping[str, Any]]) -> None:
    with path.open("w", encoding="utf-8") as file:
        for record in records:
            file.write(json.dumps(record, allow_nan=False, ensure_ascii=False) + "\n")
