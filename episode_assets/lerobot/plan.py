"""The numbers of every episode of a dataset: index, rows, task, and its place in the video files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from episode_assets.lerobot.fragment import FragmentReader
from episode_assets.lerobot.recipe import Recipe
from episode_assets.lerobot.shards import VideoPart, VideoPlace, place_videos
from episode_assets.lerobot.tasks import first_appearances


@dataclass(frozen=True)
class PlannedEpisode:
    """One episode of a dataset.

    Attributes:
        reader: The contribution that it comes from.
        position: Its number in there.
        episode_index: Its number in the dataset.
        from_index: Index of its first row.
        task_index: Its task.
        task: The text of it.
        video: The file that its frames lie in, and its first frame there.
    """

    reader: FragmentReader
    position: int
    episode_index: int
    from_index: int
    task_index: int
    task: str
    video: VideoPlace

    @property
    def source(self) -> Mapping[str, Any]:
        """What its contribution says about it."""
        return self.reader.episodes[self.position]

    @property
    def length(self) -> int:
        """Number of rows and frames."""
        return int(self.source["length"])


@dataclass(frozen=True)
class DatasetPlan:
    """All episodes in order, and what they share."""

    fps: int
    tasks: tuple[str, ...]
    episodes: tuple[PlannedEpisode, ...]

    @property
    def frames(self) -> int:
        """Rows of the dataset."""
        return sum(episode.length for episode in self.episodes)


def plan_dataset(readers: Sequence[FragmentReader], *, recipe: Recipe) -> DatasetPlan:
    """Number the episodes of admitted contributions, in their order."""
    fps = readers[0].fps
    sources = [(reader, position) for reader in readers for position in range(len(reader.episodes))]
    tasks = first_appearances(str(reader.episodes[position]["task"]) for reader, position in sources)
    parts = [_video_part(reader, position, recipe) for reader, position in sources]
    places = place_videos(parts, fps=fps, limit_mib=recipe.video_file_mib, chunks_size=recipe.chunks_size)
    episodes = []
    from_index = 0
    for number, ((reader, position), place) in enumerate(zip(sources, places, strict=True)):
        task = str(reader.episodes[position]["task"])
        episode = PlannedEpisode(reader, position, number, from_index, tasks.index(task), task, place)
        episodes.append(episode)
        from_index += episode.length
    return DatasetPlan(fps, tasks, tuple(episodes))


def _video_part(reader: FragmentReader, position: int, recipe: Recipe) -> VideoPart:
    episode = reader.episodes[position]
    video = episode["videos"][recipe.video_key]
    return VideoPart(int(episode["length"]), int(video["bytes"]), str(video["parameters"]))
