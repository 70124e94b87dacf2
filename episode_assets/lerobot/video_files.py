"""The video files of a dataset: which frames go into each, and their stream copies; nothing is decoded."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from episode_assets.errors import BadVideo
from episode_assets.lerobot.camera_tracks import FROM_BUNDLE
from episode_assets.lerobot.plan import DatasetPlan, PlannedEpisode
from episode_assets.lerobot.reuse import DatasetFolder, file_key
from episode_assets.lerobot.shards import VideoPart, VideoPlace, place_videos
from episode_assets.progress import Progress
from episode_assets.video import VideoProbe, retime_copy


@dataclass(frozen=True)
class VideoFile:
    """One video file of a dataset, before it is there.

    Attributes:
        path: Place below the dataset's root.
        video_key: Feature.
        episodes: The episodes in it, one after another.
        fps: Frames per second.
    """

    path: str
    video_key: str
    episodes: tuple[PlannedEpisode, ...]
    fps: int

    @property
    def key(self) -> str:
        """What decides its bytes: the frames, by the artifact that holds them, and the rate."""
        return file_key("video", fps=self.fps, frames=[self._frames(episode) for episode in self.episodes])

    def _frames(self, episode: PlannedEpisode) -> list[str | int]:
        part = episode.part
        found = part.source["videos"][self.video_key]
        fragment = part.reader.fragment
        digest = (
            str(part.reader.document["bundle_digest"]) if found["from"] == FROM_BUNDLE else fragment.digest
        )
        first = int(found["frame_start"])
        frames = (first + part.start, first + part.stop)
        return [fragment.recording_id, digest, str(found["file"]), str(found["parameters"]), *frames]

    def write(self, out: Path) -> None:
        """Copy all frames to a constant rate.

        Raises:
            BadVideo: The copy does not hold one frame per row.
        """
        spans = [episode.part.span(self.video_key) for episode in self.episodes]
        found = retime_copy(spans, out, fps=self.fps)
        _check_copied(found, rows=sum(e.length for e in self.episodes), fps=self.fps, where=self.path)


def _check_copied(found: VideoProbe, *, rows: int, fps: int, where: str) -> None:
    if found.frames != rows or not found.is_cfr or found.duration * fps != rows:
        raise BadVideo(
            f"the copied video holds {found.frames} frames for {rows} rows at {fps} Hz", where=where
        )


def place_all_videos(
    plan: DatasetPlan, *, limit_mib: int, chunks_size: int
) -> dict[str, tuple[VideoPlace, ...]]:
    """Return the place of every episode's frames, by feature."""
    return {
        key: place_videos(
            [_size_of(episode, key) for episode in plan.episodes],
            fps=plan.fps,
            limit_mib=limit_mib,
            chunks_size=chunks_size,
        )
        for key in plan.video_keys
    }


def _size_of(episode: PlannedEpisode, video_key: str) -> VideoPart:
    found = episode.part.source["videos"][video_key]
    return VideoPart(episode.length, int(found["bytes"]), str(found["parameters"]))


def shared_files(plan: DatasetPlan, places: dict[str, tuple[VideoPlace, ...]]) -> list[VideoFile]:
    """Return the files that hold many episodes each, by feature and number."""
    files = []
    for key in plan.video_keys:
        placed = zip(plan.episodes, places[key], strict=True)
        for place, group in groupby(placed, key=lambda item: item[1].place):
            path = place.path(f"videos/{key}", "mp4")
            files.append(VideoFile(path, key, tuple(episode for episode, _ in group), plan.fps))
    return files


def files_of_one_episode(plan: DatasetPlan, path_of: Callable[[int, str], str]) -> list[VideoFile]:
    """Return one file per episode and feature, at the path that `path_of` gives for episode and feature."""
    return [
        VideoFile(path_of(episode.episode_index, key), key, (episode,), plan.fps)
        for episode in plan.episodes
        for key in plan.video_keys
    ]


def to_be_copied(files: Iterable[VideoFile], folder: DatasetFolder) -> set[str]:
    """Return the recordings whose videos have to be read, because no earlier version has the file."""
    return {episode.recording_id for file in files if not folder.has(file.key) for episode in file.episodes}


def write_videos(files: Sequence[VideoFile], folder: DatasetFolder, progress: Progress) -> None:
    """Write or take over all video files."""
    for done, file in enumerate(files, start=1):
        folder.put(file.path, file.key, file.write)
        progress("dataset videos", done, len(files))
