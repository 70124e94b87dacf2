"""Which files of a dataset belong to a camera, and with which episodes."""

from __future__ import annotations

from collections.abc import Mapping

from episode_assets.lerobot.existing.dataset import ExistingDataset
from episode_assets.lerobot.existing.episode import ExistingEpisode
from episode_assets.lerobot.existing.features import Feature


def camera_files(dataset: ExistingDataset, feature: Feature) -> Mapping[str, list[ExistingEpisode]]:
    """Return the video files of a camera that are there, with their episodes in order."""
    files: dict[str, list[ExistingEpisode]] = {}
    for episode in dataset.episodes:
        files.setdefault(episode.videos[feature.key].path, []).append(episode)
    return {path: episodes for path, episodes in files.items() if (dataset.root / path).exists()}
