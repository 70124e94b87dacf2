"""Writes a joined dataset in format v2.1 or v2.0: a file per episode, so videos are copied whole."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from episode_assets.lerobot.existing import ExistingDataset
from episode_assets.lerobot.existing.v2 import (
    EPISODE_STATISTICS,
    EPISODES,
    MODALITY,
    TASKS,
    read_lines,
    write_lines,
)
from episode_assets.lerobot.merging.plan import JoinedEpisode, MergePlan
from episode_assets.lerobot.merging.source_rows import episode_table
from episode_assets.lerobot.statistics import MOMENTS
from episode_assets.lerobot.tables import write_groups
from episode_assets.progress import Progress


@dataclass(frozen=True)
class MergeV2:
    """A joined dataset before it is written."""

    plan: MergePlan

    def check(self) -> None:
        """Whole files are copied: there is nothing that could not be."""

    def write(self, root: Path, progress: Progress) -> None:
        """Write videos, rows, episodes and tasks."""
        total = len(self.plan.episodes)
        for item in self.plan.episodes:
            for feature in self.plan.first.cameras:
                source = item.dataset.root / item.episode.videos[feature.key].path
                out = root / self._path("video_path", item, video_key=feature.key)
                out.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, out)
            rows = root / self._path("data_path", item)
            rows.parent.mkdir(parents=True, exist_ok=True)
            table = item.renumbered(episode_table(item))
            write_groups(rows, table.schema, [table])
            progress("merged episodes", item.number + 1, total)
        write_lines(root / EPISODES, (self._record(item) for item in self.plan.episodes))
        write_lines(root / TASKS, ({"task_index": i, "task": text} for i, text in enumerate(self.plan.tasks)))
        if all((dataset.root / EPISODE_STATISTICS).exists() for dataset in self.plan.datasets):
            write_lines(root / EPISODE_STATISTICS, self._statistics())
        if (self.plan.first.root / MODALITY).exists():
            shutil.copyfile(self.plan.first.root / MODALITY, root / MODALITY)

    def totals(self) -> dict[str, Any]:
        """Return what only these versions count in info.json."""
        count = len(self.plan.episodes)
        return {
            "total_chunks": -(-count // self._chunks_size),
            "total_videos": count * len(self.plan.first.cameras),
        }

    @property
    def _chunks_size(self) -> int:
        return int(self.plan.first.info["chunks_size"])

    def _path(self, pattern: str, item: JoinedEpisode, **names: str) -> str:
        chunk = item.number // self._chunks_size
        text = str(self.plan.first.info[pattern])
        return text.format(episode_chunk=chunk, episode_index=item.number, **names)

    def _record(self, item: JoinedEpisode) -> dict[str, Any]:
        return dict(item.episode.record) | {"episode_index": item.number}

    def _statistics(self) -> Iterator[dict[str, Any]]:
        for dataset in self.plan.datasets:
            members = {
                item.episode.episode_index: item for item in self.plan.episodes if item.dataset is dataset
            }
            for number, stats in _stored(dataset):
                item = members[number]
                own = item.statistics(item.renumbered(episode_table(item, numbers_only=True)))
                fresh = {key: _like(stats.get(key, {}), found) for key, found in own.items()}
                yield {"episode_index": item.number, "stats": {**stats, **fresh}}


def _stored(dataset: ExistingDataset) -> Iterator[tuple[int, dict[str, Any]]]:
    for line in read_lines(dataset.root / EPISODE_STATISTICS):
        yield int(line["episode_index"]), line["stats"]


def _like(stored: dict[str, Any], found: dict[str, Any]) -> dict[str, Any]:
    """Return the entries that the source has too; older writers know no quantiles."""
    names = stored or (*MOMENTS, "count")
    return {name: found[name] for name in names if name in found}
