"""Rules of info.json: its version, its counts, and the patterns of its paths."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from episode_assets.lerobot.description import DATA_PATH, VIDEO_PATH
from episode_assets.lerobot.existing import ExistingDataset
from episode_assets.lerobot.problems import Problem

CHUNKS_SIZE_MAX = 1000
V2_DATA_PATH = "data/chunk-{episode_chunk:03d}/episode_{episode_index:06d}.parquet"
V2_VIDEO_PATH = "videos/chunk-{episode_chunk:03d}/{video_key}/episode_{episode_index:06d}.mp4"

_COUNTS = ("total_episodes", "total_frames", "total_tasks", "chunks_size")
_V3_COUNTS = ("data_files_size_in_mb", "video_files_size_in_mb")
_V2_COUNTS = ("total_chunks", "total_videos")


def info(dataset: ExistingDataset) -> Iterator[Problem]:
    """Whole numbers where readers need them, and every key of the version."""
    found = dataset.info
    fps = found.get("fps")
    if type(fps) is not int or fps <= 0:
        yield Problem("fps", f"fps is {fps!r}; readers need a whole number above 0")
    for key in (*_COUNTS, *(_V3_COUNTS if dataset.is_v3 else _V2_COUNTS)):
        if key not in found:
            yield Problem("info_key", f"info.json has no {key}")
        elif type(found[key]) is not int:
            yield Problem("whole_number", f"{key} is {found[key]!r}; readers need a whole number")
    for key in ("robot_type", "splits", "data_path", "video_path"):
        if key not in found:
            yield Problem("info_key", f"info.json has no {key}")
    if found.get("chunks_size", 1) > CHUNKS_SIZE_MAX:
        yield Problem(
            "chunks_size", f"{found['chunks_size']} files per chunk; file-1000 sorts before file-101"
        )


def totals(dataset: ExistingDataset) -> Iterator[Problem]:
    """Counts against what is counted."""
    number = len(dataset.episodes)
    expected: dict[str, Any] = {
        "total_episodes": number,
        "total_frames": sum(episode.length for episode in dataset.episodes),
        "total_tasks": len(dataset.tasks),
        "splits": {"train": f"0:{number}"},
    }
    if not dataset.is_v3:
        expected["total_videos"] = number * len(dataset.cameras)
        expected["total_chunks"] = -(-number // int(dataset.info["chunks_size"]))
    for key, value in expected.items():
        if dataset.info.get(key, value) != value:
            found = f" ({_video_files(dataset)} are there)" if key == "total_videos" else ""
            yield Problem(key, f"info.json says {dataset.info[key]!r}, expected {value!r}{found}")


def _video_files(dataset: ExistingDataset) -> int:
    return sum(1 for _ in (dataset.root / "videos").rglob("*.mp4"))


def paths(dataset: ExistingDataset) -> Iterator[Problem]:
    """The two patterns; other ones are read by no converter."""
    data, video = (DATA_PATH, VIDEO_PATH) if dataset.is_v3 else (V2_DATA_PATH, V2_VIDEO_PATH)
    expected = {"data_path": data, "video_path": video if dataset.cameras else None}
    for key, pattern in expected.items():
        if dataset.info.get(key) not in (pattern, None if dataset.cameras else video):
            yield Problem("path_pattern", f"{key} is {dataset.info.get(key)!r}, expected {pattern!r}")
