"""The numbers of every episode of a dataset: index, rows and task. Which file it lies in is decided per version."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from episode_assets.lerobot.fragment import FragmentReader
from episode_assets.lerobot.tasks import first_appearances
from episode_assets.video import VideoSpan


@dataclass(frozen=True)
class EpisodePart:
    """Rows [start, stop) of an episode of a contribution; nearly always the whole of it."""

    reader: FragmentReader
    position: int
    start: int
    stop: int

    @property
    def source(self) -> Mapping[str, Any]:
        """What the contribution says about the episode."""
        return self.reader.episodes[self.position]

    @property
    def length(self) -> int:
        """Number of rows and frames."""
        return self.stop - self.start

    @property
    def is_whole(self) -> bool:
        """Whether it is all of the episode."""
        return self.length == int(self.source["length"])

    def span(self, video_key: str) -> VideoSpan:
        """Return where its frames of one feature lie."""
        whole = self.reader.video_span(self.position, video_key)
        return VideoSpan(whole.path, whole.first_frame + self.start, whole.first_frame + self.stop)

    def table(self) -> Any:
        """Return its rows as an Arrow table with the columns of the contribution."""
        return self.reader.row_table(self.position).slice(self.start, self.length)

    def images(self) -> Iterator[Any]:
        """Yield the images of its rows as Arrow tables of few rows each; nothing where frames lie in videos only."""
        if not self.reader.image_keys:
            return
        done = 0
        for images in self.reader.image_tables(self.position):
            first, last = max(self.start - done, 0), min(self.stop - done, images.num_rows)
            if first < last:
                yield images.slice(first, last - first)
            done += images.num_rows

    @property
    def task_runs(self) -> list[tuple[int, str]]:
        """From which row on it is which task; a contribution whose rows are all of one task does not list them."""
        given = self.source.get("task_rows") or [{"start_row": 0, "text": self.source["task"]}]
        found = [(int(run["start_row"]) - self.start, str(run["text"])) for run in given]
        begun = [run for run in found if run[0] <= 0]
        return [(0, begun[-1][1]), *(run for run in found if 0 < run[0] < self.length)]

    @property
    def made_of(self) -> list[Any]:
        """What names its rows for ever: recording, contribution, and rows."""
        fragment = self.reader.fragment
        return [fragment.recording_id, fragment.digest, self.position, self.start, self.stop]


@dataclass(frozen=True)
class PlannedEpisode:
    """One episode of a dataset.

    Attributes:
        part: The rows of a contribution that it holds.
        episode_index: Its number in the dataset.
        from_index: Index of its first row.
        task_index: Task of its first row.
        task: The text of it.
        tasks: Texts of all its rows, the task first.
        task_runs: From which row on it is which task: row and task index, the first at row 0.
    """

    part: EpisodePart
    episode_index: int
    from_index: int
    task_index: int
    task: str
    tasks: tuple[str, ...]
    task_runs: tuple[tuple[int, int], ...]

    @property
    def recording_id(self) -> str:
        """The recording that it comes from."""
        return self.part.reader.fragment.recording_id

    @property
    def length(self) -> int:
        """Number of rows and frames."""
        return self.part.length

    @property
    def made_of(self) -> list[Any]:
        """Everything that decides its rows in a data file."""
        return [*self.part.made_of, self.episode_index, self.from_index, self.task_runs]

    @property
    def task_of_row(self) -> NDArray[np.int64]:
        """(n,) int64 task index of each row."""
        first, task = np.array(self.task_runs, dtype=np.int64).T
        return np.repeat(task, np.diff(first, append=self.length))


@dataclass(frozen=True)
class DatasetPlan:
    """All episodes in order, and what they share.

    Attributes:
        fps: Rows per second.
        tasks: Task texts by task index.
        video_keys: Features whose frames lie in video files.
        image_keys: Features whose pictures lie in the rows.
        episodes: All episodes.
        readers: The contributions that they come from, in order.
    """

    fps: int
    tasks: tuple[str, ...]
    video_keys: tuple[str, ...]
    image_keys: tuple[str, ...]
    episodes: tuple[PlannedEpisode, ...]
    readers: tuple[FragmentReader, ...]

    @property
    def frames(self) -> int:
        """Rows of the dataset."""
        return sum(episode.length for episode in self.episodes)

    def facts(self, camera_key: str) -> Mapping[str, Any]:
        """Return what all pictures of a feature share; of the encoder only what all agree on is told."""
        facts = [reader.camera_facts(camera_key) for reader in self.readers]
        encoders = [found.get("encoder") for found in facts]
        return {**facts[0], "encoder": encoders[0] if all(one == encoders[0] for one in encoders) else None}


Divide = Callable[[EpisodePart], Sequence[EpisodePart]]
"""Cuts an episode that is too long for a version into parts."""


def plan_dataset(
    readers: Sequence[FragmentReader],
    *,
    wanted: Callable[[str], bool] = lambda _task: True,
    divide: Divide = lambda part: (part,),
) -> DatasetPlan:
    """Number the episodes of admitted contributions, in their order.

    Args:
        readers: The contributions; each has an episode.
        wanted: Whether episodes with a task text may enter.
        divide: Cuts an episode into the parts that a version can hold.
    """
    whole = (
        EpisodePart(reader, position, 0, int(episode["length"]))
        for reader in readers
        for position, episode in enumerate(reader.episodes)
        if wanted(str(episode["task"]))
    )
    parts = [piece for part in whole for piece in divide(part)]
    tasks = first_appearances(text for part in parts for text in _texts(part))
    index = {text: number for number, text in enumerate(tasks)}
    episodes, from_index = [], 0
    for number, part in enumerate(parts):
        texts = _texts(part)
        runs = tuple((row, index[text]) for row, text in part.task_runs)
        episodes.append(PlannedEpisode(part, number, from_index, index[texts[0]], texts[0], texts, runs))
        from_index += part.length
    entered = tuple(dict.fromkeys(id(part.reader) for part in parts))
    kept = tuple(reader for reader in readers if id(reader) in entered)
    cameras = (readers[0].video_keys, readers[0].image_keys)
    return DatasetPlan(readers[0].fps, tasks, *cameras, tuple(episodes), kept)


def _texts(part: EpisodePart) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text for _, text in part.task_runs))
