"""What the packer needs of a version of the format; `v3` and `v2` provide it from the same plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from episode_assets.lerobot.columns import Column
from episode_assets.lerobot.plan import DatasetPlan
from episode_assets.lerobot.reuse import DatasetFolder
from episode_assets.lerobot.statistics import Statistics
from episode_assets.lerobot.video_files import VideoFile
from episode_assets.progress import Progress


class Version(Protocol):
    """The files of one dataset in one version of the format, before they are written."""

    @property
    def plan(self) -> DatasetPlan:
        """The episodes of the dataset."""

    @property
    def columns(self) -> tuple[Column, ...]:
        """Columns of the data files in their order."""

    @property
    def videos(self) -> Sequence[VideoFile]:
        """All video files."""

    @property
    def data_files(self) -> Sequence[str]:
        """Paths of the data files in the order of their rows."""

    def write_tables(self, folder: DatasetFolder, progress: Progress) -> None:
        """Write rows, episodes and tasks."""

    def write_statistics(self, folder: DatasetFolder, statistics: Mapping[str, Statistics]) -> None:
        """Write the statistics of the whole dataset."""

    def info(self) -> dict[str, Any]:
        """Return `info.json`; only keys that the format knows."""
