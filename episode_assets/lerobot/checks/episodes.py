"""Rules of the list of episodes: their order, their places, and whether what they describe is there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import pyarrow.parquet as pq

from episode_assets.lerobot.existing import ExistingDataset, ExistingEpisode
from episode_assets.lerobot.existing.v3 import episode_files
from episode_assets.lerobot.problems import Problem


def numbering(dataset: ExistingDataset) -> Iterator[Problem]:
    """Episodes count from 0 and their row ranges join."""
    following = 0
    for episode in dataset.episodes:
        if episode.episode_index != episode.number:
            detail = f"record {episode.number} is of episode {episode.episode_index}"
            yield Problem("episode_index", detail, episode.number)
        if episode.from_index != following:
            detail = f"begins at row {episode.from_index}, not {following}"
            yield Problem("dataset_index", detail, episode.number)
        following += episode.length
        if episode.to_index != following:
            yield Problem("dataset_index", f"ends at row {episode.to_index}, not {following}", episode.number)


def places(dataset: ExistingDataset) -> Iterator[Problem]:
    """Every record of v3.0 lies in the file that it names, and all files have the same columns."""
    if not dataset.is_v3:
        return
    first = None
    position = 0
    for file in episode_files(dataset.root):
        schema = pq.read_schema(file)
        first = first or set(schema.names)
        name = file.relative_to(dataset.root).as_posix()
        if set(schema.names) != first:
            yield Problem(
                "schema_differs", f"{name}: {sorted(first ^ set(schema.names))[:5]} are not in all files"
            )
        for episode in dataset.episodes[position : position + pq.read_metadata(file).num_rows]:
            yield from _own_place(episode, name)
            position += 1


def _own_place(episode: ExistingEpisode, name: str) -> Iterator[Problem]:
    chunk, file = (episode.record.get(f"meta/episodes/{part}_index") for part in ("chunk", "file"))
    if chunk is None or file is None:
        detail = "its record does not say in which file it lies; merging and resuming need that"
        yield Problem("episode_place", detail, episode.number)
    elif name != f"meta/episodes/chunk-{chunk:03d}/file-{file:03d}.parquet":
        yield Problem("episode_place", f"its record lies in {name} and says {chunk}/{file}", episode.number)


def row_groups(dataset: ExistingDataset) -> Iterator[Problem]:
    """In v3.0 an episode is one row group; otherwise loading a few episodes reads them all."""
    by_file: dict[str, list[ExistingEpisode]] = {}
    for episode in dataset.episodes if dataset.is_v3 else ():
        by_file.setdefault(episode.data, []).append(episode)
    for name, episodes in by_file.items():
        if (dataset.root / name).exists():
            metadata = pq.read_metadata(dataset.root / name)
            groups = [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]
            if groups != [episode.length for episode in episodes]:
                detail = f"{name} holds {len(groups)} row groups for {len(episodes)} episodes"
                yield Problem("row_groups", detail, episodes[0].number)


def presence(dataset: ExistingDataset) -> Iterator[Problem]:
    """Files that are described and not there; episodes of which nothing is there are one problem together."""
    absent: list[ExistingEpisode] = []
    existing = {path: (dataset.root / path).exists() for path in _described(dataset)}
    without_video = _empty_cameras(dataset, existing)
    for key in sorted(without_video):
        yield Problem("camera_without_video", f"{key} is declared, and none of its files is there")
    for episode in dataset.episodes:
        parts = {key: part.path for key, part in episode.videos.items() if key not in without_video}
        if not existing[episode.data] and not any(existing[path] for path in parts.values()):
            absent.append(episode)
            continue
        if not existing[episode.data]:
            yield Problem("data_missing", f"{episode.data} is not there", episode.number)
        for path in parts.values():
            if not existing[path]:
                yield Problem("video_missing", f"{path} is not there", episode.number)
    if absent:
        detail = f"{len(absent)} of {len(dataset.episodes)} episodes have neither rows nor video"
        yield Problem("partial", f"{detail}: {in_ranges(episode.number for episode in absent)}")


def _empty_cameras(dataset: ExistingDataset, existing: Mapping[str, bool]) -> set[str]:
    """Return the cameras without any file, where others have some; with all videos gone, episodes are named instead."""
    has_files = {
        camera.key: any(existing[episode.videos[camera.key].path] for episode in dataset.episodes)
        for camera in dataset.cameras
    }
    return {key for key, found in has_files.items() if not found} if any(has_files.values()) else set()


def _described(dataset: ExistingDataset) -> set[str]:
    paths = {episode.data for episode in dataset.episodes}
    return paths | {part.path for episode in dataset.episodes for part in episode.videos.values()}


def in_ranges(numbers: Iterable[int]) -> str:
    """Return sorted numbers in words: 0, 4 to 99."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ", ".join(f"{a}" if a == b else f"{a} to {b}" for a, b in runs)
