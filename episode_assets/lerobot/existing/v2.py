"""Reads episodes, tasks and statistics of a v2.1 or v2.0 dataset: JSON lines under `meta/`, a file per episode."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from episode_assets.lerobot.existing.episode import ExistingEpisode, VideoPart
from episode_assets.lerobot.strict_json import refuse_constant

EPISODES = "meta/episodes.jsonl"
TASKS = "meta/tasks.jsonl"
EPISODE_STATISTICS = "meta/episodes_stats.jsonl"
MODALITY = "meta/modality.json"


def read_lines(path: Path) -> Iterator[Any]:
    """Yield the documents of a file with one per line."""
    with path.open(encoding="utf-8") as file:
        for line in file:
            if line.strip():
                yield json.loads(line, parse_constant=refuse_constant)


def write_lines(path: Path, documents: Iterable[Mapping[str, Any]]) -> None:
    """Write a file with one document per line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as file:
        for document in documents:
            file.write(json.dumps(document, ensure_ascii=False, allow_nan=False) + "\n")


def read_episodes(root: Path, info: Mapping[str, Any], cameras: Sequence[str]) -> Iterator[ExistingEpisode]:
    """Yield the episodes in the order of the file; rows are counted on from one to the next."""
    following = 0
    for number, record in enumerate(read_lines(root / EPISODES)):
        length, index = int(record["length"]), int(record["episode_index"])
        place = {"episode_index": index, "episode_chunk": index // int(info["chunks_size"])}
        videos = {
            key: VideoPart(str(info["video_path"]).format(video_key=key, **place), 0.0, None)
            for key in cameras
        }
        yield ExistingEpisode(
            number=number,
            episode_index=index,
            length=length,
            tasks=_texts(record),
            from_index=following,
            to_index=following + length,
            data=str(info["data_path"]).format(**place),
            videos=videos,
            record=record,
        )
        following += length


def _texts(record: Mapping[str, Any]) -> tuple[str, ...]:
    # Some writers give one text under `task` instead of a list under `tasks`.
    given = record["tasks"] if "tasks" in record else [record["task"]]
    return tuple(str(text) for text in given)


def read_tasks(root: Path) -> tuple[tuple[int, str], ...]:
    """Return index and text of each line."""
    return tuple((int(line["task_index"]), str(line["task"])) for line in read_lines(root / TASKS))


def read_episode_statistics(root: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Yield (episode_index, statistics by feature); nothing where the file is not there, as in v2.0."""
    path = root / EPISODE_STATISTICS
    if path.exists():
        for line in read_lines(path):
            yield int(line["episode_index"]), line["stats"]
