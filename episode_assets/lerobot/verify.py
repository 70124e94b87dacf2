"""Reads a packed v3.0 dataset back and names everything that a reader would stumble over; no picture is decoded.

It trusts nothing that was known while packing: every number is derived again from the files. A rule of the format
is one function here that yields problems.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from episode_assets.errors import EpisodeAssetsError
from episode_assets.lerobot.columns import Column, Mask
from episode_assets.lerobot.dataset import INFO, STATS, TASKS
from episode_assets.lerobot.description import CODEBASE_VERSION, column_values
from episode_assets.lerobot.ledger import PROVENANCE
from episode_assets.lerobot.problems import Problem
from episode_assets.lerobot.shards import VIDEO_SECONDS_MAX
from episode_assets.lerobot.statistics import NAMES, column_statistics, element_masks
from episode_assets.video import VideoProbe, probe

MANDATORY = {
    "timestamp": "float32",
    "frame_index": "int64",
    "episode_index": "int64",
    "index": "int64",
    "task_index": "int64",
}
_TOLERANCE = 1e-6
_KEY_GAP_S = 2.0
_NUMBERS_IN_INFO = ("fps", "total_episodes", "total_frames", "total_tasks", "chunks_size")

Problems = Iterator[Problem]


def verify_dataset(path: Path) -> list[Problem]:
    """Return everything wrong with the dataset under `path`; an empty list is a passed verification.

    A file that cannot be read is a problem too, never an exception.
    """
    try:
        dataset = _Dataset.open(path)
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowException) as error:
        return [Problem("unreadable", f"{type(error).__name__}: {error}")]
    found: list[Problem] = []
    for rule in (_info, _features, _tasks, _episodes, _rows, _masks, _statistics, _videos, _stray_files):
        try:
            found += rule(dataset)
        except (
            OSError,
            ValueError,
            KeyError,
            TypeError,
            IndexError,
            pa.ArrowException,
            EpisodeAssetsError,
        ) as error:
            found.append(
                Problem("unreadable", f"{rule.__name__.strip('_')}: {type(error).__name__}: {error}")
            )
    return found


@dataclass(frozen=True)
class _Dataset:
    """The tables of a dataset, read once."""

    root: Path
    info: Mapping[str, Any]
    episodes: list[dict[str, Any]]
    data_files: tuple[Path, ...]

    @classmethod
    def open(cls, root: Path) -> _Dataset:
        info = json.loads((root / INFO).read_text(encoding="utf-8"), parse_constant=_refuse_constant)
        files = sorted((root / "meta/episodes").glob("*/*.parquet"))
        episodes = [row for file in files for row in _placement(file).to_pylist()]
        return cls(root, info, episodes, tuple(sorted((root / "data").glob("*/*.parquet"))))

    @property
    def fps(self) -> int:
        return int(self.info["fps"])

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """The non-video features, with the masks that the provenance names."""
        masks = self.provenance.get("masks", {})
        found = []
        for key, feature in self.info["features"].items():
            if feature["dtype"] == "video":
                continue
            is_scalar = feature["shape"] == [1] and feature["names"] is None
            names = None if is_scalar else tuple(feature["names"] or map(str, range(feature["shape"][0])))
            found.append(Column(key, feature["dtype"], names, tuple(_mask(m) for m in masks.get(key, ()))))
        return tuple(found)

    @cached_property
    def provenance(self) -> Mapping[str, Any]:
        """The provenance, or nothing for a dataset that others wrote."""
        path = self.root / PROVENANCE
        document: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        return document

    @property
    def video_keys(self) -> list[str]:
        return [key for key, feature in self.info["features"].items() if feature["dtype"] == "video"]

    def rows(self, key: str) -> NDArray[Any]:
        """Return one column over all data files."""
        parts = [column_values(pq.read_table(file, columns=[key])[key]) for file in self.data_files]
        return np.concatenate(parts)

    def video_path(self, key: str, episode: Mapping[str, Any]) -> Path:
        """Return the file that an episode's frames lie in."""
        place = {
            "chunk_index": episode[f"videos/{key}/chunk_index"],
            "file_index": episode[f"videos/{key}/file_index"],
        }
        return self.root / str(self.info["video_path"]).format(video_key=key, **place)


def _placement(file: Path) -> Any:
    """Return the episode table without its statistics, which are a hundred times larger than all else."""
    names = [name for name in pq.read_schema(file).names if not name.startswith("stats/")]
    return pq.read_table(file, columns=names)


def _refuse_constant(word: str) -> None:
    raise ValueError(f"{word} is not JSON")


def _mask(document: Mapping[str, Any]) -> Mask:
    start, stop = document["elements"]
    return Mask(int(start), int(stop), str(document["column"]), int(document["index"]))


def _info(dataset: _Dataset) -> Problems:
    info = dataset.info
    if info["codebase_version"] != CODEBASE_VERSION:
        yield Problem(
            "version", f"codebase_version is {info['codebase_version']!r}, expected {CODEBASE_VERSION!r}"
        )
    for key in _NUMBERS_IN_INFO:
        if type(info[key]) is not int:
            yield Problem("whole_number", f"{key} is {info[key]!r}; readers need a whole number")
    lengths = sum(int(episode["length"]) for episode in dataset.episodes)
    totals = {"total_episodes": len(dataset.episodes), "total_frames": lengths}
    for key, expected in totals.items():
        if info[key] != expected:
            yield Problem(key, f"info.json says {info[key]}, the episodes say {expected}")
    if info["splits"] != {"train": f"0:{len(dataset.episodes)}"}:
        yield Problem("splits", f"splits are {info['splits']}, expected one that holds every episode")
    if info["chunks_size"] > 1000:
        yield Problem("chunks_size", "above 1000 files per chunk their names sort in another order")


def _features(dataset: _Dataset) -> Problems:
    features = dataset.info["features"]
    for key, dtype in MANDATORY.items():
        expected = {"dtype": dtype, "shape": [1], "names": None}
        if features.get(key) != expected:
            yield Problem("feature", f"{key} is {features.get(key)}, expected {expected}")
    for key, feature in features.items():
        if "/" in key:
            yield Problem("feature", f"{key} holds a slash")
        if feature["dtype"] != "video" and len(feature["shape"]) != 1:
            yield Problem("feature", f"{key} has shape {feature['shape']}; every column is one-dimensional")
    expected_types = {column.key: column.arrow_type for column in dataset.columns}
    for file in dataset.data_files:
        schema = pq.read_schema(file)
        found = dict(zip(schema.names, schema.types, strict=True))
        for key in sorted(set(found) ^ set(expected_types)):
            yield Problem("columns", f"{file.name}: column {key} is in only one of info.json and the table")
        for key in sorted(set(found) & set(expected_types)):
            if found[key] != expected_types[key]:
                yield Problem(
                    "dtype", f"{file.name}: {key} is {found[key]}, info.json says {expected_types[key]}"
                )


def _tasks(dataset: _Dataset) -> Problems:
    table = pq.read_table(dataset.root / TASKS)
    texts = table["task"].to_pylist()
    note = json.loads((table.schema.metadata or {}).get(b"pandas", b"{}"))
    if note.get("index_columns") != ["task"]:
        yield Problem(
            "tasks", "the table does not name `task` as its index: readers would show numbers for texts"
        )
    if (
        table["task_index"].to_pylist() != list(range(len(texts)))
        or len(set(texts)) != len(texts)
        or "" in texts
    ):
        yield Problem("tasks", "row i must hold task index i, and texts are distinct and not empty")
    if dataset.info["total_tasks"] != len(texts):
        yield Problem(
            "total_tasks", f"info.json says {dataset.info['total_tasks']}, the table holds {len(texts)}"
        )
    indices = dataset.rows("task_index")
    for episode in dataset.episodes:
        used = np.unique(indices[episode["dataset_from_index"] : episode["dataset_to_index"]]).tolist()
        named = [texts[i] for i in used if 0 <= i < len(texts)]
        if sorted(named) != sorted(episode["tasks"]):
            yield Problem(
                "tasks", f"rows say {named}, the episode says {episode['tasks']}", episode["episode_index"]
            )


def _episodes(dataset: _Dataset) -> Problems:
    following = 0
    for number, episode in enumerate(dataset.episodes):
        if episode["episode_index"] != number:
            yield Problem("episode_index", f"row {number} holds episode {episode['episode_index']}", number)
        if episode["dataset_from_index"] != following:
            yield Problem(
                "dataset_index", f"begins at row {episode['dataset_from_index']}, not {following}", number
            )
        following += int(episode["length"])
        if episode["dataset_to_index"] != following:
            yield Problem(
                "dataset_index", f"ends at row {episode['dataset_to_index']}, not {following}", number
            )


def _rows(dataset: _Dataset) -> Problems:
    index, episode_index = dataset.rows("index"), dataset.rows("episode_index")
    frame_index, timestamp = dataset.rows("frame_index"), dataset.rows("timestamp")
    lengths = [int(episode["length"]) for episode in dataset.episodes]
    if len(index) != sum(lengths):
        yield Problem("row_count", f"{len(index)} rows, the episodes add up to {sum(lengths)}")
        return
    expected_frame = np.concatenate([np.arange(length) for length in lengths])
    expected = {
        "index": (index, np.arange(len(index))),
        "episode_index": (episode_index, np.repeat(np.arange(len(lengths)), lengths)),
        "frame_index": (frame_index, expected_frame),
        "timestamp": (timestamp, (expected_frame / dataset.fps).astype(np.float32)),
    }
    for key, (found, wanted) in expected.items():
        wrong = np.flatnonzero(found != wanted)
        if len(wrong):
            first = int(wrong[0])
            where = int(np.searchsorted(np.cumsum(lengths), first, side="right"))
            detail = f"{key} is {found[first]}, expected {wanted[first]} ({len(wrong)} rows)"
            yield Problem(key, detail, where, int(expected_frame[first]))
    yield from _row_groups(dataset)


def _row_groups(dataset: _Dataset) -> Problems:
    number = 0
    for file in dataset.data_files:
        chunk, name = int(file.parent.name.split("-")[1]), int(file.stem.split("-")[1])
        metadata = pq.read_metadata(file)
        for group in range(metadata.num_row_groups):
            if number >= len(dataset.episodes):
                yield Problem("row_groups", f"{file.name} holds more row groups than there are episodes")
                return
            episode = dataset.episodes[number]
            if (episode["data/chunk_index"], episode["data/file_index"]) != (chunk, name):
                yield Problem(
                    "data_place", f"lies in {chunk}/{name}, the episode table says otherwise", number
                )
            if metadata.row_group(group).num_rows != episode["length"]:
                yield Problem("row_groups", "an episode is not one row group", number)
            number += 1


def _masks(dataset: _Dataset) -> Problems:
    for column in dataset.columns:
        values = dataset.rows(column.key)
        if values.dtype.kind == "O":
            yield Problem("null", f"{column.key} holds nulls")
        elif values.dtype.kind == "f" and not np.isfinite(values).all():
            row = int(np.flatnonzero(~np.isfinite(values.reshape(len(values), -1)).all(axis=1))[0])
            yield Problem("not_finite", f"{column.key} is NaN or infinite at row {row}")
        for mask in column.masks:
            if not any(other.key == mask.column and other.dtype == "bool" for other in dataset.columns):
                yield Problem("mask", f"{column.key} names the mask {mask.column}, which is no bool column")


def _statistics(dataset: _Dataset) -> Problems:
    text = (dataset.root / STATS).read_text(encoding="utf-8")
    stored = json.loads(text, parse_constant=_refuse_constant)
    for key in sorted(set(stored) ^ set(dataset.info["features"])):
        yield Problem("statistics", f"{key} is in only one of stats.json and info.json")
    for key in dataset.video_keys:
        yield from _camera_statistics(key, stored.get(key, {}))
    for file in sorted((dataset.root / "meta/episodes").glob("*/*.parquet")):
        expected = {f"stats/{key}/{name}" for key in dataset.info["features"] for name in (*NAMES, "count")}
        for name in sorted(expected - set(pq.read_schema(file).names)):
            yield Problem("statistics", f"{file.name} has no column {name}")
    if not dataset.provenance:
        return
    for column in dataset.columns:
        names = {column.key, *(mask.column for mask in column.masks)}
        rows = {name: dataset.rows(name) for name in names}
        found = column_statistics(rows[column.key], element_masks(column, rows))
        for name in (*NAMES, "count"):
            given = stored.get(column.key, {}).get(name)
            if given is None or not _is_close(given, found[name]):
                yield Problem("statistics", f"{column.key} {name} differs from the rows")


def _is_close(given: Any, found: Any) -> bool:
    a, b = np.asarray(given, dtype=np.float64), np.asarray(found, dtype=np.float64)
    return a.shape == b.shape and bool(np.allclose(a, b, rtol=_TOLERANCE, atol=_TOLERANCE))


def _camera_statistics(key: str, stored: Mapping[str, Any]) -> Problems:
    for name in NAMES:
        value = np.asarray(stored.get(name, []), dtype=np.float64)
        if value.shape != (3, 1, 1) or value.min() < 0 or value.max() > 1:
            yield Problem("image_statistics", f"{key} {name} is not [3][1][1] within 0 to 1")


def _videos(dataset: _Dataset) -> Problems:
    for key in dataset.video_keys:
        files: dict[Path, list[dict[str, Any]]] = {}
        for episode in dataset.episodes:
            files.setdefault(dataset.video_path(key, episode), []).append(episode)
        for path, episodes in files.items():
            if not path.exists():
                yield Problem(
                    "video_missing", f"{path.relative_to(dataset.root)} is not there", _first(episodes)
                )
                continue
            yield from _video_file(dataset, key, path, episodes)


def _first(episodes: list[dict[str, Any]]) -> int:
    return int(episodes[0]["episode_index"])


def _video_file(dataset: _Dataset, key: str, path: Path, episodes: list[dict[str, Any]]) -> Problems:
    try:
        found = probe(path)
    except EpisodeAssetsError as error:
        yield Problem("video_unreadable", str(error), _first(episodes))
        return
    name, fps = path.relative_to(dataset.root).as_posix(), dataset.fps
    rows = sum(int(episode["length"]) for episode in episodes)
    if found.frames != rows:
        yield Problem(
            "frame_count", f"{name} holds {found.frames} frames, its episodes {rows} rows", _first(episodes)
        )
    if not np.array_equal(
        found.pts * found.time_base.numerator * fps, np.arange(found.frames) * found.time_base.denominator
    ):
        yield Problem("video_stamps", f"{name}: frame i is not at exactly i / {fps} s", _first(episodes))
    if found.avg_rate != fps or found.duration * fps != found.frames:
        yield Problem(
            "video_rate", f"{name}: rate {found.avg_rate}, {float(found.duration)} s", _first(episodes)
        )
    if found.has_b_frames or found.has_audio or found.max_key_gap > _KEY_GAP_S * fps:
        yield Problem("video_structure", f"{name}: reordered frames, sound, or key frames too far apart")
    if len(episodes) > 1 and rows > VIDEO_SECONDS_MAX * fps:
        yield Problem("video_length", f"{name} runs past 1024 s with {len(episodes)} episodes")
    yield from _video_facts(dataset.info["features"][key], found, name)
    yield from _video_offsets(key, found, episodes, fps)


def _video_facts(feature: Mapping[str, Any], found: VideoProbe, name: str) -> Problems:
    info = feature["info"]
    facts = {
        "video.codec": found.codec,
        "video.width": found.width,
        "video.height": found.height,
        "video.pix_fmt": found.pix_fmt,
    }
    for fact, value in facts.items():
        if info.get(fact) != value:
            yield Problem("video_facts", f"{name}: {fact} is {value}, info.json says {info.get(fact)}")
    if feature["shape"] != [found.height, found.width, 3] or feature["names"] != [
        "height",
        "width",
        "channels",
    ]:
        yield Problem("video_facts", f"{name}: shape {feature['shape']}, names {feature['names']}")


def _video_offsets(key: str, found: VideoProbe, episodes: list[dict[str, Any]], fps: int) -> Problems:
    first = 0
    for episode in episodes:
        number, length = int(episode["episode_index"]), int(episode["length"])
        given = (episode[f"videos/{key}/from_timestamp"], episode[f"videos/{key}/to_timestamp"])
        if given != (first / fps, (first + length) / fps):
            yield Problem(
                "video_offset",
                f"from and to are {given}, expected frames {first} to {first + length}",
                number,
            )
        if first not in found.key_frames:
            yield Problem("key_frame", f"its first frame, {first} of the file, is not a key frame", number, 0)
        first += length


def _stray_files(dataset: _Dataset) -> Problems:
    named = {dataset.root / _data_path(dataset, episode) for episode in dataset.episodes}
    named |= {
        dataset.root
        / "meta/episodes"
        / f"chunk-{e['meta/episodes/chunk_index']:03d}"
        / f"file-{e['meta/episodes/file_index']:03d}.parquet"
        for e in dataset.episodes
    }
    named |= {dataset.video_path(key, episode) for key in dataset.video_keys for episode in dataset.episodes}
    for folder in ("data", "meta/episodes", "videos"):
        for path in sorted((dataset.root / folder).rglob("*")):
            if path.is_file() and path not in named:
                yield Problem("stray_file", f"{path.relative_to(dataset.root)} belongs to no episode")


def _data_path(dataset: _Dataset, episode: Mapping[str, Any]) -> str:
    return str(dataset.info["data_path"]).format(
        chunk_index=episode["data/chunk_index"], file_index=episode["data/file_index"]
    )
