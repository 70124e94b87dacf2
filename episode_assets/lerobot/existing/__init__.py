"""Datasets as they lie on a disk, whoever wrote them: v3.0, v2.1 or v2.0, read into one shape.

Nothing is judged here and nothing is written; what a document says is handed on, true or not. A new version of the
format is a module here that reads episodes, tasks and statistics.
"""

from episode_assets.lerobot.existing.dataset import (
    STATS,
    VERSIONS,
    ExistingDataset,
    open_dataset,
)
from episode_assets.lerobot.existing.episode import ExistingEpisode, VideoPart
from episode_assets.lerobot.existing.features import Feature
from episode_assets.lerobot.existing.rows import EpisodeRows, MisplacedRows, episode_rows

__all__ = [
    "STATS",
    "VERSIONS",
    "EpisodeRows",
    "ExistingDataset",
    "ExistingEpisode",
    "Feature",
    "MisplacedRows",
    "VideoPart",
    "episode_rows",
    "open_dataset",
]
