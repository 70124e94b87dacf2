"""What the record of one episode says, in any version of the format."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class VideoPart:
    """Where the frames of one episode lie.

    Attributes:
        path: The mp4 below the dataset's root.
        start_s: Time of the first frame in the file, in seconds.
        stop_s: Time after the last frame; None where the format does not say.
    """

    path: str
    start_s: float
    stop_s: float | None


@dataclass(frozen=True)
class ExistingEpisode:
    """One episode as its record describes it.

    Attributes:
        number: Its position in the list of episodes.
        episode_index: The number it says it has.
        length: Rows.
        tasks: The texts that it names.
        from_index: Index of its first row.
        to_index: Index after its last row.
        data: The file with its rows, below the dataset's root.
        videos: Where its frames lie, by camera.
        record: All that its record says, statistics excepted.
    """

    number: int
    episode_index: int
    length: int
    tasks: tuple[str, ...]
    from_index: int
    to_index: int
    data: str
    videos: Mapping[str, VideoPart]
    record: Mapping[str, Any]

    @property
    def paths(self) -> tuple[str, ...]:
        """All files that it lies in."""
        return (self.data, *(part.path for part in self.videos.values()))
