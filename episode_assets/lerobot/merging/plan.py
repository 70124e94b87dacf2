"""The new numbers of every episode: index, rows, tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from episode_assets.lerobot.existing import ExistingDataset, ExistingEpisode
from episode_assets.lerobot.statistics import Statistics, column_statistics
from episode_assets.lerobot.tasks import first_appearances

RENUMBERED = ("index", "episode_index", "task_index")
"""Columns that are not those of the source; all others are copied."""

_ANNOTATION = "annotation."
"""GR00T's columns of this beginning hold task indices too."""


@dataclass(frozen=True)
class JoinedEpisode:
    """An episode on its way into another dataset.

    Attributes:
        dataset: Where it comes from.
        episode: What it is there.
        number: Its number in the joined dataset.
        from_index: Index of its first row there.
        row_in_file: Position of its first row in the file that it comes from.
        new_task: The new task index by the old one.
    """

    dataset: ExistingDataset
    episode: ExistingEpisode
    number: int
    from_index: int
    row_in_file: int
    new_task: Mapping[int, int]

    @property
    def length(self) -> int:
        """Its rows."""
        return self.episode.length

    def renumbered(self, table: Any) -> Any:
        """Return its rows with their new numbers."""
        rows = np.arange(self.length, dtype=np.int64)
        fresh = {
            "index": self.from_index + rows,
            "episode_index": np.full(self.length, self.number, dtype=np.int64),
        }
        for name in table.column_names:
            if name == "task_index" or name.startswith(_ANNOTATION):
                fresh[name] = self._tasks(table[name].to_numpy())
        for name, values in fresh.items():
            place = table.schema.get_field_index(name)
            table = table.set_column(place, table.schema.field(place), pa.array(values))
        return table

    def _tasks(self, old: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.array([self.new_task[int(index)] for index in old], dtype=np.int64)

    def statistics(self, table: Any) -> dict[str, Statistics]:
        """Return the statistics of the columns that were renumbered."""
        names = [name for name in table.column_names if name in RENUMBERED or name.startswith(_ANNOTATION)]
        valid = np.ones((self.length, 1), dtype=bool)
        return {name: column_statistics(table[name].to_numpy(), valid) for name in names}


@dataclass(frozen=True)
class MergePlan:
    """All episodes of the joined dataset in order, and its task texts."""

    datasets: tuple[ExistingDataset, ...]
    episodes: tuple[JoinedEpisode, ...]
    tasks: tuple[str, ...]

    @property
    def first(self) -> ExistingDataset:
        """The dataset that gives the form."""
        return self.datasets[0]

    @property
    def frames(self) -> int:
        """Rows of the joined dataset."""
        return sum(item.length for item in self.episodes)


def plan_merge(datasets: Sequence[ExistingDataset]) -> MergePlan:
    """Number the episodes of datasets one after another; tasks in the order in which they first appear."""
    tasks = first_appearances(
        text for dataset in datasets for episode in dataset.episodes for text in episode.tasks
    )
    number_of = {text: index for index, text in enumerate(tasks)}
    episodes: list[JoinedEpisode] = []
    following = 0
    for dataset in datasets:
        new_task = {index: number_of[text] for index, text in dataset.tasks if text in number_of}
        first_row: dict[str, int] = {}
        for episode in dataset.episodes:
            row = episode.from_index - first_row.setdefault(episode.data, episode.from_index)
            episodes.append(JoinedEpisode(dataset, episode, len(episodes), following, row, new_task))
            following += episode.length
    return MergePlan(tuple(datasets), tuple(episodes), tasks)
