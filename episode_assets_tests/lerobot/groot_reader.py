"""Reads a dataset of version 2.0 with `modality.json` the way the GR00T N1 reader does, from its contract alone.

Nothing of `episode_assets` is imported, so that a shared mistake cannot hide. Where that reader would quietly compute
statistics of its own, fail on read-only storage or show the wrong picture, this one raises `ContractBroken`.
Rotations follow the conventions of PyTorch3D, which that reader uses: quaternions are w, x, y, z; six numbers are
the first two rows of the matrix; Euler letters name intrinsic rotations from left to right.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import av
import numpy as np
import pyarrow.parquet as pq

FILES = ("modality.json", "info.json", "stats.json", "episodes.jsonl", "tasks.jsonl")
STATISTICS = ("max", "min", "mean", "std", "q01", "q99")
COLUMN = {"state": "observation.state", "action": "action"}


class ContractBroken(Exception):
    """The real reader would fail here, or read something else than what was written."""


class Slice(NamedTuple):
    """One entry of `state` or `action`: a part of a vector column."""

    column: str
    start: int
    end: int
    rotation_type: str | None
    absolute: bool
    continuous: bool


@dataclass(frozen=True)
class GrootDataset:
    """A dataset directory; every property checks what the real reader asserts about it."""

    root: Path

    @cached_property
    def meta(self) -> dict[str, Any]:
        """The five files by name; lines of `.jsonl` as lists."""
        for name in FILES:
            require((self.root / "meta" / name).is_file(), f"meta/{name} is missing")
        return {name: self._document(name) for name in FILES}

    def _document(self, name: str) -> Any:
        text = (self.root / "meta" / name).read_text(encoding="utf-8")
        return [json.loads(line) for line in text.splitlines()] if name.endswith("l") else json.loads(text)

    @property
    def info(self) -> dict[str, Any]:
        """info.json."""
        return self.meta["info.json"]

    @cached_property
    def lengths(self) -> dict[int, int]:
        """Rows of each episode by its number."""
        lines = self.meta["episodes.jsonl"]
        found = {int(line["episode_index"]): int(line["length"]) for line in lines}
        require(len(found) == len(lines), "an episode number occurs twice")
        return found

    @cached_property
    def tasks(self) -> dict[int, str]:
        """Task texts by number."""
        return {int(line["task_index"]): line["task"] for line in self.meta["tasks.jsonl"]}

    def slices(self, modality: str) -> dict[str, Slice]:
        """Return the parts of `state` or `action` by name, with the reader's defaults."""
        return {name: self._slice(modality, name) for name in self.meta["modality.json"][modality]}

    def _slice(self, modality: str, name: str) -> Slice:
        entry = self.meta["modality.json"][modality][name]
        return Slice(
            column=entry.get("original_key", COLUMN[modality]),
            start=entry["start"],
            end=entry["end"],
            rotation_type=entry.get("rotation_type"),
            absolute=entry.get("absolute", True),
            continuous=np.issubdtype(np.dtype(entry.get("dtype", "float64")), np.floating),
        )

    def statistics(self, modality: str, name: str) -> dict[str, np.ndarray]:
        """Return the statistics of one part; every entry there is gets sliced, whatever it is called."""
        part = self.slices(modality)[name]
        for key, entry in self.meta["stats.json"].items():
            missing = [kind for kind in STATISTICS if kind not in entry]
            require(not missing, f"statistics of {key} lack {missing}; the reader would write its own")
        found = {}
        for kind, values in self.meta["stats.json"][part.column].items():
            require(len(values) >= part.end, f"{kind} of {part.column} has {len(values)} numbers")
            found[kind] = np.array(values)[part.start : part.end]
        return found

    def rows(self, episode: int) -> Any:
        """Return the table of one episode."""
        chunk = episode // int(self.info["chunks_size"])
        path = self.info["data_path"].format(episode_chunk=chunk, episode_index=episode)
        table = pq.read_table(self.root / path)
        require("timestamp" in table.column_names, "the column timestamp is missing")
        require(len(table) == self.lengths[episode], f"{path} holds {len(table)} rows")
        return table

    def matrix(self, episode: int, column: str) -> np.ndarray:
        """Return a vector column as (rows, width) array."""
        stacked = np.stack(self.rows(episode)[column].to_pylist())
        require(stacked.ndim == 2, f"{column} stacks to shape {stacked.shape}, not rows x width")
        return stacked

    def values(self, modality: str, name: str, episode: int, steps: Sequence[int]) -> np.ndarray:
        """Return one part at the given rows; rows outside repeat the ends, or are zero where it is a difference."""
        part = self.slices(modality)[name]
        table = self.matrix(episode, part.column)
        require(table.shape[1] >= part.end, f"{name} ends at {part.end} of {table.shape[1]}")
        wanted = np.asarray(steps)
        inside = np.clip(wanted, 0, len(table) - 1)
        found = table[inside, part.start : part.end]
        if not part.absolute:
            found = np.where((wanted == inside)[:, None], found, 0)
        return found

    def rotations(self, modality: str, name: str, episode: int) -> np.ndarray:
        """Return one part that is a rotation as (rows, 3, 3) matrices."""
        kind = self.slices(modality)[name].rotation_type
        require(kind is not None, f"{name} has no rotation_type")
        return as_matrices(self.values(modality, name, episode, range(self.lengths[episode])), str(kind))

    def camera(self, name: str) -> tuple[str, float]:
        """Return feature key and frame rate of a camera."""
        key = self.meta["modality.json"]["video"][name]["original_key"]
        feature = self.info["features"][key]
        require(isinstance(feature["names"], list), f"names of {key} are no list")
        require({"height", "width"} <= set(feature["names"]), f"names of {key} lack height or width")
        block = "info" if "channels" in feature["names"] else "video_info"
        require(bool({"channel", "channels"} & set(feature["names"])), f"names of {key} lack the channels")
        return key, float(feature[block]["video.fps"])

    def frames(self, name: str, episode: int, steps: Sequence[int]) -> np.ndarray:
        """Return pictures (N, H, W, 3) uint8 whose times lie nearest to the stamps of the rows, as the reader does."""
        key, _ = self.camera(name)
        chunk = episode // int(self.info["chunks_size"])
        path = self.info["video_path"].format(episode_chunk=chunk, episode_index=episode, video_key=key)
        with av.open(str(self.root / path)) as container:
            decoded = [(frame.time, frame.to_ndarray(format="rgb24")) for frame in container.decode(video=0)]
        times = np.array([time for time, _ in decoded])
        stamps = np.array(self.rows(episode)["timestamp"].to_pylist())[list(steps)]
        nearest = np.abs(times[None] - stamps[:, None]).argmin(axis=1)
        return np.stack([decoded[i][1] for i in nearest])

    def annotation(self, name: str, episode: int, row: int) -> str:
        """Return the text of an annotation at one row."""
        entry = self.meta["modality.json"]["annotation"][name]
        column = entry.get("original_key", f"annotation.{name}")
        return self.tasks[int(self.rows(episode)[column][row].as_py())]


def require(holds: bool, what: str) -> None:
    """Raise `ContractBroken` unless it holds."""
    if not holds:
        raise ContractBroken(what)


def as_matrices(values: np.ndarray, kind: str) -> np.ndarray:
    """Return rotations (N, 3, 3) from rows of numbers by their `rotation_type`."""
    if kind == "rotation_6d":
        return _from_two_rows(values)
    if kind == "quaternion":
        return _from_quaternions(values)
    if kind == "axis_angle":
        angles = np.linalg.norm(values, axis=1, keepdims=True)
        axes = values / np.where(angles == 0, 1, angles)
        return _from_quaternions(np.hstack([np.cos(angles / 2), np.sin(angles / 2) * axes]))
    if kind == "matrix":
        return values.reshape(-1, 3, 3)
    require(kind.startswith("euler_angles_"), f"unknown rotation_type {kind}")
    turns = [_about("rpy".index(letter), values[:, i]) for i, letter in enumerate(kind[-3:])]
    return turns[0] @ turns[1] @ turns[2]


def _from_two_rows(values: np.ndarray) -> np.ndarray:
    first = values[:, :3] / np.linalg.norm(values[:, :3], axis=1, keepdims=True)
    second = values[:, 3:] - (first * values[:, 3:]).sum(axis=1, keepdims=True) * first
    second /= np.linalg.norm(second, axis=1, keepdims=True)
    return np.stack([first, second, np.cross(first, second)], axis=1)


def _from_quaternions(values: np.ndarray) -> np.ndarray:
    w, x, y, z = (values / np.linalg.norm(values, axis=1, keepdims=True)).T
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ]
    return np.moveaxis(np.array(rows), 2, 0)


def _about(axis: int, angles: np.ndarray) -> np.ndarray:
    matrices = np.tile(np.eye(3), (len(angles), 1, 1))
    i, j = (axis + 1) % 3, (axis + 2) % 3
    matrices[:, i, i] = matrices[:, j, j] = np.cos(angles)
    matrices[:, j, i], matrices[:, i, j] = np.sin(angles), -np.sin(angles)
    return matrices
