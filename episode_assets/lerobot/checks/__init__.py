"""The rules of the formats, a family per module; each rule is a function that yields problems.

`DATASET_RULES` take the whole dataset, `ROW_RULES` the rows of one episode. They trust nothing that was known while
writing: every number is derived again from the files. A new rule goes into the module of its family and, with its
code, into `problems.CODES`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from episode_assets.lerobot.checks import (
    cameras,
    constants,
    documents,
    episodes,
    features,
    files,
    images,
    language,
    modality,
    numbering,
    source,
    statistics,
    tasks,
    values,
    videos,
)
from episode_assets.lerobot.existing import EpisodeRows, ExistingDataset
from episode_assets.lerobot.problems import Problem

DatasetRule = Callable[[ExistingDataset], Iterator[Problem]]
RowRule = Callable[[ExistingDataset, EpisodeRows], Iterator[Problem]]

DATASET_RULES: tuple[DatasetRule, ...] = (
    documents.info,
    documents.totals,
    documents.paths,
    features.features,
    features.data_schemas,
    tasks.task_table,
    tasks.unused_tasks,
    episodes.numbering,
    episodes.places,
    episodes.row_groups,
    episodes.presence,
    source.provenance,
    cameras.described,
    videos.videos,
    statistics.dataset_statistics,
    statistics.episode_statistics,
    constants.never_changing,
    modality.modality,
    files.strays,
)

ROW_RULES: tuple[RowRule, ...] = (
    numbering.counted,
    numbering.stamped,
    tasks.episode_tasks,
    values.finite,
    values.masks,
    source.steps,
    language.language,
    images.images,
)

__all__ = ["DATASET_RULES", "ROW_RULES"]
