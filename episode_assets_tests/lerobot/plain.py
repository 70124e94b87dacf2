"""Writes small datasets of the plainest kind, as other people's writers do: no provenance, made-up values."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from episode_assets.lerobot.checks.features import MANDATORY
from episode_assets.lerobot.statistics import NAMES, column_statistics
from episode_assets.lerobot.tasks import write_tasks


def plain_dataset(
    root: Path,
    lengths: Sequence[int],
    *,
    fps: int = 1,
    version: str = "v3.0",
    columns: Mapping[str, Any] | None = None,
    features: Mapping[str, Any] | None = None,
) -> Path:
    """Write a dataset without videos.

    Args:
        root: Where.
        lengths: Rows of each episode.
        fps: Rate.
        version: v3.0 or v2.1.
        columns: Further columns as Arrow arrays over all rows.
        features: Their entries of info.json.
    """
    (root / "meta").mkdir(parents=True)
    table = _rows(lengths, fps)
    for key, values in (columns or {}).items():
        table = table.append_column(key, values)
    entries = {key: {"dtype": dtype, "shape": [1], "names": None} for key, dtype in MANDATORY.items()}
    write = _write_v3 if version == "v3.0" else _write_v2
    info = write(root, table, lengths)
    info |= {
        "codebase_version": version,
        "robot_type": None,
        "total_episodes": len(lengths),
        "total_frames": sum(lengths),
        "total_tasks": 1,
        "chunks_size": 1000,
        "fps": fps,
        "splits": {"train": f"0:{len(lengths)}"},
        "video_path": None,
        "features": entries | dict(features or {}),
    }
    (root / "meta/info.json").write_text(json.dumps(info))
    return root


def _rows(lengths: Sequence[int], fps: int) -> Any:
    frames = np.concatenate([np.arange(length) for length in lengths])
    return pa.table(
        {
            "timestamp": (frames / fps).astype(np.float32),
            "frame_index": frames,
            "episode_index": np.repeat(np.arange(len(lengths)), lengths),
            "index": np.arange(len(frames)),
            "task_index": np.zeros(len(frames), dtype=np.int64),
        }
    )


def _statistics(table: Any) -> dict[str, Any]:
    found = {}
    for name in table.column_names:
        kind = table.schema.field(name).type
        if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind):
            values = table[name].to_numpy()
            found[name] = column_statistics(values, np.ones((len(values), 1), dtype=bool))
    return found


def _write_v3(root: Path, table: Any, lengths: Sequence[int]) -> dict[str, Any]:
    starts = np.cumsum([0, *lengths])
    for folder in ("data/chunk-000", "meta/episodes/chunk-000"):
        (root / folder).mkdir(parents=True)
    records = []
    with pq.ParquetWriter(root / "data/chunk-000/file-000.parquet", table.schema) as writer:
        for number, length in enumerate(lengths):
            rows = table.slice(int(starts[number]), length)
            writer.write_table(rows, row_group_size=length)
            place = {"data/chunk_index": 0, "data/file_index": 0}
            own = {"meta/episodes/chunk_index": 0, "meta/episodes/file_index": 0}
            span = {"dataset_from_index": int(starts[number]), "dataset_to_index": int(starts[number + 1])}
            stats = {
                f"stats/{key}/{name}": entry[name]
                for key, entry in _statistics(rows).items()
                for name in (*NAMES, "count")
            }
            about = {"episode_index": number, "tasks": ["do it"], "length": length}
            records.append(about | place | own | span | stats)
    pq.write_table(pa.Table.from_pylist(records), root / "meta/episodes/chunk-000/file-000.parquet")
    write_tasks(root / "meta/tasks.parquet", ["do it"])
    (root / "meta/stats.json").write_text(json.dumps(_statistics(table)))
    return {
        "data_path": "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet",
        "data_files_size_in_mb": 100,
        "video_files_size_in_mb": 200,
    }


def _write_v2(root: Path, table: Any, lengths: Sequence[int]) -> dict[str, Any]:
    starts = np.cumsum([0, *lengths])
    (root / "data/chunk-000").mkdir(parents=True)
    lines: dict[str, list[Any]] = {"episodes": [], "episodes_stats": []}
    for number, length in enumerate(lengths):
        rows = table.slice(int(starts[number]), length)
        pq.write_table(rows, root / f"data/chunk-000/episode_{number:06d}.parquet")
        lines["episodes"].append({"episode_index": number, "tasks": ["do it"], "length": length})
        lines["episodes_stats"].append({"episode_index": number, "stats": _statistics(rows)})
    lines["tasks"] = [{"task_index": 0, "task": "do it"}]
    for name, documents in lines.items():
        (root / f"meta/{name}.jsonl").write_text("\n".join(map(json.dumps, documents)) + "\n")
    return {
        "data_path": "data/chunk-{episode_chunk:03d}/episode_{episode_index:06d}.parquet",
        "total_chunks": 1,
        "total_videos": 0,
    }
