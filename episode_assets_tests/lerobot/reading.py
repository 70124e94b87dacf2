"""Reads finished datasets of any version back, past the code that wrote them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from episode_assets.lerobot.arrow_values import column_values
from episode_assets.video import decode_frames
from episode_assets_tests.lerobot.archive import read_number

VIDEO = "observation.images.ego"


def info_of(dataset: Path) -> dict[str, Any]:
    """Return info.json."""
    info: dict[str, Any] = json.loads((dataset / "meta/info.json").read_text())
    return info


def table_of(dataset: Path) -> dict[str, np.ndarray]:
    """Return all rows by column, in the order of the files."""
    tables = [pq.read_table(file) for file in sorted(dataset.glob("data/*/*.parquet"))]
    return {name: np.concatenate([column_values(t[name]) for t in tables]) for name in tables[0].column_names}


def episodes_of(dataset: Path) -> list[dict[str, Any]]:
    """Return one record per episode; those of older versions get what the table of v3.0 would say."""
    if info_of(dataset)["codebase_version"] == "v3.0":
        files = sorted(dataset.glob("meta/episodes/*/*.parquet"))
        return [row for file in files for row in pq.read_table(file).to_pylist()]
    found, first = [], 0
    for line in (dataset / "meta/episodes.jsonl").read_text().splitlines():
        episode = json.loads(line)
        rows = {"dataset_from_index": first, "dataset_to_index": first + episode["length"]}
        found.append(episode | rows)
        first += episode["length"]
    return found


def file_of(dataset: Path, episode: dict[str, Any]) -> tuple[Path, range]:
    """Return the video file of an episode and its frames in there."""
    info = info_of(dataset)
    if info["codebase_version"] == "v3.0":
        place = {f"{part}_index": episode[f"videos/{VIDEO}/{part}_index"] for part in ("chunk", "file")}
        first = round(episode[f"videos/{VIDEO}/from_timestamp"] * info["fps"])
    else:
        number = episode["episode_index"]
        place, first = {"episode_chunk": number // info["chunks_size"], "episode_index": number}, 0
    path = dataset / info["video_path"].format(video_key=VIDEO, **place)
    return path, range(first, first + episode["length"])


def numbers_seen(dataset: Path, episode: dict[str, Any]) -> list[int]:
    """Return the number painted into every frame of an episode."""
    path, frames = file_of(dataset, episode)
    return [read_number(picture) for _, picture in decode_frames(path, frames)]


def assert_every_row_has_its_picture(dataset: Path) -> None:
    """Compare the number painted into every frame with the message number of its row."""
    rows = table_of(dataset)
    assert rows["index"].tolist() == list(range(len(rows["index"])))
    for episode in episodes_of(dataset):
        inside = slice(episode["dataset_from_index"], episode["dataset_to_index"])
        assert numbers_seen(dataset, episode) == rows["source.message_number"][inside].tolist()
        assert set(rows["episode_index"][inside]) == {episode["episode_index"]}
