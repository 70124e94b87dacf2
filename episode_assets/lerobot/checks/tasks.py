"""Rules of tasks: the table of texts, and whether the rows of an episode have the tasks that it names."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator

import numpy as np
import pyarrow.parquet as pq

from episode_assets.lerobot.existing import EpisodeRows, ExistingDataset
from episode_assets.lerobot.existing.v3 import TASKS
from episode_assets.lerobot.problems import Problem


def task_table(dataset: ExistingDataset) -> Iterator[Problem]:
    """Indices count the lines, texts are distinct words, and pandas finds them."""
    if dataset.is_v3:
        metadata = pq.read_schema(dataset.root / TASKS).metadata or {}
        if json.loads(metadata.get(b"pandas", b"{}")).get("index_columns") not in (
            ["task"],
            ["__index_level_0__"],
        ):
            yield Problem("task_note", "the table does not name `task` as its index")
    texts = [text for _, text in dataset.tasks]
    indices = [index for index, _ in dataset.tasks]
    if indices != list(range(len(indices))):
        yield Problem(
            "task_table", f"task indices are {indices[:10]}, expected 0 to {len(indices) - 1} in order"
        )
    repeated = sorted(text for text, count in Counter(texts).items() if count > 1)
    if repeated or not all(text.strip() for text in texts):
        yield Problem("task_table", f"texts are empty or repeated: {repeated[:5]}")


def unused_tasks(dataset: ExistingDataset) -> Iterator[Problem]:
    """A task of no row is a remark, or the rest of an episode that was removed."""
    used: set[int] = set()
    for name in dataset.data_files:
        column = pq.read_table(dataset.root / name, columns=["task_index"])["task_index"]
        used.update(column.unique().to_pylist())
    for index, text in dataset.tasks:
        if index not in used:
            yield Problem("task_unused", f"task {index} ({text!r}) is the task of no row")


def episode_tasks(dataset: ExistingDataset, rows: EpisodeRows) -> Iterator[Problem]:
    """The tasks of the rows are those of the record, and all are in the table."""
    texts = dict(dataset.tasks)
    indices = rows.values("task_index")
    missing = [int(index) for index in np.unique(indices) if int(index) not in texts]
    if missing:
        frame = int(np.flatnonzero(indices == missing[0])[0])
        yield Problem("task_index", f"task {missing[0]} is not in the table", rows.episode.number, frame)
        return
    named = [texts[int(index)] for index in np.unique(indices)]
    if set(named) != set(rows.episode.tasks):
        detail = f"rows say {named}, the episode says {list(rows.episode.tasks)}"
        yield Problem("episode_tasks", detail, rows.episode.number)
