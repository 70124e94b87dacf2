"""The documents of a dataset: info.json, stats.json, the provenance, and the numbers in them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from episode_assets.lerobot.admission import Admission
from episode_assets.lerobot.columns import Column, data_columns
from episode_assets.lerobot.fragment import histogram_column
from episode_assets.lerobot.plan import DatasetPlan
from episode_assets.lerobot.recipe import Recipe
from episode_assets.lerobot.statistics import Statistics, colour_statistics, column_statistics, element_masks
from episode_assets.video import VideoProbe

CODEBASE_VERSION = "v3.0"
DATA_PATH = "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
VIDEO_PATH = "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4"
PROVENANCE_SCHEMA = "episode_assets_dataset"


def info_document(plan: DatasetPlan, video: VideoProbe, *, recipe: Recipe) -> dict[str, Any]:
    """Return `info.json`; only keys that the format knows."""
    camera = {
        "dtype": "video",
        "shape": [video.height, video.width, 3],
        "names": ["height", "width", "channels"],
        "info": video_info(video, fps=plan.fps),
    }
    return {
        "codebase_version": CODEBASE_VERSION,
        "robot_type": recipe.robot_type,
        "total_episodes": len(plan.episodes),
        "total_frames": plan.frames,
        "total_tasks": len(plan.tasks),
        "chunks_size": recipe.chunks_size,
        "data_files_size_in_mb": recipe.data_file_mib,
        "video_files_size_in_mb": recipe.video_file_mib,
        "fps": plan.fps,
        "splits": {"train": f"0:{len(plan.episodes)}"},
        "data_path": DATA_PATH,
        "video_path": VIDEO_PATH,
        "features": {recipe.video_key: camera} | {c.key: c.feature for c in data_columns(recipe)},
    }


def video_info(video: VideoProbe, *, fps: int) -> dict[str, Any]:
    """Return the `info` block of a camera: what the stream says; encoder settings are unknown here and null."""
    return {
        "video.height": video.height,
        "video.width": video.width,
        "video.codec": video.codec,
        "video.pix_fmt": video.pix_fmt,
        "video.fps": fps,
        "video.channels": 3,
        "has_audio": False,
        "is_depth_map": False,
        "video.g": None,
        "video.crf": None,
        "video.preset": None,
        "video.fast_decode": None,
        "video.video_backend": "pyav",
        "video.extra_options": {},
    }


def dataset_statistics(
    plan: DatasetPlan, directory: Path, *, recipe: Recipe
) -> tuple[dict[str, Statistics], dict[str, list[int]]]:
    """Return the statistics of the whole dataset, and per masked feature the valid rows of each element.

    One column at a time is read over all data files, so memory follows the widest column, not the table.
    """
    files = sorted((directory / "data").glob("*/*.parquet"))
    statistics, valid_counts = {}, {}
    for column in data_columns(recipe):
        rows = _read_columns(files, column)
        valid = element_masks(column, rows)
        statistics[column.key] = column_statistics(rows[column.key], valid)
        if column.masks:
            valid_counts[column.key] = [int(count) for count in valid.sum(axis=0)]
    statistics[recipe.video_key] = colour_statistics(
        _summed_histogram(plan, recipe.video_key), frames=plan.frames
    )
    return statistics, valid_counts


def _read_columns(files: list[Path], column: Column) -> dict[str, NDArray[Any]]:
    names = list(dict.fromkeys([column.key, *(mask.column for mask in column.masks)]))
    tables = [pq.read_table(file, columns=names) for file in files]
    return {name: np.concatenate([column_values(table[name]) for table in tables]) for name in names}


def column_values(column: Any) -> NDArray[Any]:
    """Return an Arrow column as (N,) or, for lists of fixed size, (N, D) array."""
    values = column.combine_chunks()
    if hasattr(values.type, "list_size"):
        return np.asarray(values.flatten().to_numpy(zero_copy_only=False)).reshape(len(column), -1)
    return np.asarray(values.to_numpy(zero_copy_only=False))


def _summed_histogram(plan: DatasetPlan, video_key: str) -> NDArray[np.int64]:
    total = np.zeros((3, 256), dtype=np.int64)
    for reader in dict.fromkeys(episode.reader.fragment for episode in plan.episodes):
        table = pq.read_table(reader.directory / "statistics.parquet", columns=[histogram_column(video_key)])
        total += column_values(table[histogram_column(video_key)]).reshape(-1, 3, 256).sum(axis=0)
    return total


def provenance_document(
    plan: DatasetPlan,
    admission: Admission,
    *,
    recipe: Recipe,
    valid_counts: Mapping[str, list[int]],
    privacy: Mapping[str, Any],
) -> dict[str, Any]:
    """Return what traces every row to its recording, and what a verifier needs to recompute the statistics."""
    columns = data_columns(recipe)
    return {
        "schema": PROVENANCE_SCHEMA,
        "schema_version": 1,
        "recipe": recipe.to_mapping(),
        "ledger": list(admission.ledger),
        "recordings": [_recording(reader.document, reader.fragment.digest) for reader in admission.readers],
        "left_out": [
            {"recording_id": item.recording_id, "code": item.code, "detail": item.detail}
            for item in admission.left_out
        ],
        "episodes": [
            {
                "episode_index": episode.episode_index,
                "recording_id": episode.reader.fragment.recording_id,
                **episode.source,
            }
            for episode in plan.episodes
        ],
        "features": {column.key: column.about for column in columns if column.about},
        "masks": {
            column.key: [mask.to_json() for mask in column.masks] for column in columns if column.masks
        },
        "valid_counts": dict(valid_counts),
        "never_valid": {
            column.key: [_name(column, i) for i, count in enumerate(valid_counts[column.key]) if count == 0]
            for column in columns
            if 0 in valid_counts.get(column.key, [])
        },
        "privacy": dict(privacy),
    }


def _name(column: Column, element: int) -> str:
    return column.key if column.names is None else column.names[element]


def _recording(document: Mapping[str, Any], digest: str) -> dict[str, Any]:
    kept = ("recording_id", "bundle_digest", "frames", "lost", "hands_waived", "quality", "timing", "video")
    return {
        "fragment_digest": digest,
        **{key: document[key] for key in kept},
        # How many hands of this recording were smoothed over time; contributions of earlier releases do not say.
        "hands_smoothed": document.get("hands_smoothed"),
    }
