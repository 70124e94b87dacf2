"""Packs contributions into a new version of a dataset in format v2.0, and makes it the current one in one step.

    <output_dir>/contributions/<name>/     one sample's contribution, see `staging`
    <output_dir>/versions/<digest>/...     a whole dataset, never changed again
    <output_dir>/current -> versions/<digest>
    <output_dir>/data, videos, meta -> current/data, current/videos, current/meta

Files that are equal in the version before are hard-linked. Everything is checked before the first byte is written,
and info.json is written last.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from episode_assets.errors import BadConfig, NothingToExport
from episode_assets.lerobot.columns import Column
from episode_assets.lerobot.data_juicer.rows import COLUMNS
from episode_assets.lerobot.data_juicer.staging import (
    VIDEO,
    Contribution,
    StagedEpisode,
    alone,
    contributions,
)
from episode_assets.lerobot.description import camera_feature
from episode_assets.lerobot.ledger import PROVENANCE, continue_ledger, read_ledger
from episode_assets.lerobot.statistics import Statistics, colour_statistics
from episode_assets.lerobot.strict_json import read_json, write_json
from episode_assets.lerobot.tables import row_schema, write_groups
from episode_assets.lerobot.tasks import first_appearances
from episode_assets.lerobot.v2 import DATA_PATH, VIDEO_PATH
from episode_assets.lerobot.whole_statistics import statistics_of_rows
from episode_assets.outcome import Json
from episode_assets.video import VideoProbe, VideoSpan, probe, retime_copy

CAMERA = "observation.images.image"
TASK_DESCRIPTION = "human.action.task_description"
VERSIONS = "versions"
CURRENT = "current"
_PARTS = ("data", "videos", "meta")

_PACKED = tuple(
    Column(key, "int64", about={"of": meaning})
    for key, meaning in (
        ("episode_index", "episode of the dataset"),
        ("index", "row of the dataset"),
        ("task_index", "line of meta/tasks.jsonl"),
    )
)
_ALL_COLUMNS = (*COLUMNS, *_PACKED)


@dataclass(frozen=True)
class Packed:
    """A packed version.

    Attributes:
        directory: Its root; the output directory shows the same as long as it is the current one.
        episodes: How many there are.
        frames: How many rows there are.
        left_out: Contributions that do not fit, with their reason.
    """

    directory: Path
    episodes: int
    frames: int
    left_out: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class _Episode:
    staged: StagedEpisode
    number: int
    from_index: int
    task_index: int

    @property
    def video_key(self) -> str:
        """What decides the bytes of its video."""
        files = self.staged.contribution.document["files"]
        return _digest("video", files[VIDEO], self.staged.first, self.staged.length)

    @property
    def rows_key(self) -> str:
        """What decides the bytes of its rows."""
        files = self.staged.contribution.document["files"]
        return _digest(
            "rows", sorted(files.items()), self.staged.position, self.number, self.from_index, self.task_index
        )


@dataclass(frozen=True)
class _Plan:
    """A version that is about to be written."""

    fps: int
    robot_type: str
    chunks_size: int
    ledger: tuple[str, ...]
    tasks: tuple[str, ...]
    episodes: tuple[_Episode, ...]
    probe: VideoProbe
    left_out: tuple[tuple[str, str], ...]

    @property
    def frames(self) -> int:
        return sum(episode.staged.length for episode in self.episodes)

    @property
    def digest(self) -> str:
        """Name of the version: equal contributions in equal order give an equal one."""
        made_of = [episode.staged.contribution.digest for episode in self.episodes]
        return _digest(self.fps, self.robot_type, self.chunks_size, self.ledger, made_of, self.left_out)[:16]

    def path(self, pattern: str, number: int) -> str:
        return pattern.format(
            episode_chunk=number // self.chunks_size, episode_index=number, video_key=CAMERA
        )


def pack_contributions(output_dir: Path, *, fps: int, robot_type: str, chunks_size: int) -> Packed:
    """Pack all contributions of an output directory.

    Args:
        output_dir: Where they lie, and where the dataset shall be.
        fps: Rows and pictures per second; that of the contributions.
        robot_type: Embodiment.
        chunks_size: Episodes per chunk folder.

    Raises:
        NothingToExport: There is no contribution with an episode.
        ArtifactDamaged: A contribution was changed after it was written.
        UnauditedArtifact: A contribution carries no passed audit.
        BadConfig: Contributions have another rate, or another dataset lies there.
    """
    _refuse_foreign(output_dir)
    plan = _plan(output_dir, fps=fps, robot_type=robot_type, chunks_size=chunks_size)
    target = output_dir / VERSIONS / plan.digest
    target.parent.mkdir(exist_ok=True)
    with alone(target.parent):
        if not target.exists():
            _write_aside(plan, target, before=output_dir / CURRENT)
        _show(output_dir, plan.digest)
    return Packed(target, len(plan.episodes), plan.frames, plan.left_out)


def _refuse_foreign(output_dir: Path) -> None:
    for part in _PARTS:
        path = output_dir / part
        if path.exists() and not path.is_symlink():
            raise BadConfig(
                f"{part} is a directory that was not written here",
                where=output_dir.name,
                remedy="name another output_dir; a dataset that somebody else wrote is not touched",
            )


def _plan(output_dir: Path, *, fps: int, robot_type: str, chunks_size: int) -> _Plan:
    found = {one.name: one for one in contributions(output_dir) if one.episodes}
    rates = {int(one.document["fps"]) for one in found.values()}
    if rates - {fps}:
        raise BadConfig(
            f"contributions have {', '.join(map(str, sorted(rates)))} frames per second, {fps} were asked for",
            where="fps",
            remedy="finalize with the rate that the samples were processed with",
        )
    has_version = (output_dir / CURRENT / PROVENANCE).is_file()
    previous = read_ledger(output_dir / CURRENT) if has_version else ()
    ledger = continue_ledger(previous, dict.fromkeys(found, 0))
    fitting, left_out = _alike([found[name] for name in ledger])
    if not fitting:
        raise NothingToExport(
            "no sample contributed an episode",
            where=output_dir.name,
            remedy=f"look at lerobot_left_out of the samples' meta; {len(left_out)} contributions do not fit",
        )
    staged = [episode for one, _ in fitting for episode in one.episodes]
    tasks = first_appearances(episode.task for episode in staged)
    starts = np.cumsum([0, *(episode.length for episode in staged)]).tolist()
    episodes = tuple(
        _Episode(episode, number, starts[number], tasks.index(episode.task))
        for number, episode in enumerate(staged)
    )
    return _Plan(fps, robot_type, chunks_size, ledger, tasks, episodes, fitting[0][1], tuple(left_out))


def _alike(
    ordered: Sequence[Contribution],
) -> tuple[list[tuple[Contribution, VideoProbe]], list[tuple[str, str]]]:
    """Return the contributions whose videos are like the first one, each of which is looked at, and the others."""
    fitting: list[tuple[Contribution, VideoProbe]] = []
    left_out = []
    for one in ordered:
        found = probe(one.directory / VIDEO)
        first = fitting[0][1] if fitting else found
        size, expected = (found.width, found.height), (first.width, first.height)
        if size == expected and found.codec == first.codec:
            fitting.append((one, found))
        else:
            left_out.append(
                (
                    one.name,
                    f"its pictures are {size[0]}x{size[1]}, the first ones {expected[0]}x{expected[1]}",
                )
            )
    return fitting, left_out


def _write_aside(plan: _Plan, target: Path, *, before: Path) -> None:
    """Write a whole version under another name and give it its own at the end; nobody else is writing one."""
    for left in target.parent.glob(".*"):
        shutil.rmtree(left, ignore_errors=True)  # of a run that was killed
    draft = target.with_name(f".{target.name}")
    try:
        _write(plan, draft, _Known.of(before))
        for path in draft.rglob("*"):
            if path.is_file():
                path.chmod(0o444)
        draft.rename(target)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


@dataclass(frozen=True)
class _Known:
    """Files of the version before, by what decides their bytes."""

    root: Path
    paths: Mapping[str, str]

    @classmethod
    def of(cls, root: Path) -> _Known:
        path = root / PROVENANCE
        files = read_json(path)["files"] if path.is_file() else {}
        return cls(root, {key: name for name, key in files.items()})

    def put(self, path: Path, key: str, write: Any) -> None:
        """Link a file that is there already, or write it."""
        path.parent.mkdir(parents=True, exist_ok=True)
        if key in self.paths:
            with suppress(OSError):
                os.link(self.root / self.paths[key], path)
                return
        write(path)


def _write(plan: _Plan, root: Path, known: _Known) -> None:
    files: dict[str, str] = {}
    (root / "meta").mkdir(parents=True)
    for episode in plan.episodes:
        name = plan.path(VIDEO_PATH, episode.number)
        files[name] = episode.video_key
        known.put(root / name, episode.video_key, partial(_write_video, episode, plan.fps))
    data = []
    for episode in plan.episodes:
        name = plan.path(DATA_PATH, episode.number)
        files[name] = episode.rows_key
        known.put(root / name, episode.rows_key, partial(_write_rows, episode))
        data.append(root / name)
    meta = root / "meta"
    _write_lines(
        meta / "episodes.jsonl",
        (
            {"episode_index": one.number, "tasks": [one.staged.task], "length": one.staged.length}
            for one in plan.episodes
        ),
    )
    _write_lines(meta / "tasks.jsonl", ({"task_index": i, "task": text} for i, text in enumerate(plan.tasks)))
    statistics, valid_counts = statistics_of_rows(data, _ALL_COLUMNS)
    colours = np.sum([episode.staged.counts for episode in plan.episodes], axis=0)
    statistics[CAMERA] = colour_statistics(colours, frames=plan.frames)
    # Their reader slices every entry by the elements of a quantity, and `count` has only one number.
    write_json(meta / "stats.json", {key: _without_count(one) for key, one in statistics.items()}, indent=4)
    write_json(meta / "modality.json", modality_document(), indent=4, sort_keys=False)
    write_json(root / PROVENANCE, _provenance(plan, valid_counts, files))
    write_json(meta / "info.json", _info(plan), indent=4, sort_keys=False)


def _write_video(episode: _Episode, fps: int, path: Path) -> None:
    staged = episode.staged
    span = VideoSpan(staged.contribution.directory / VIDEO, staged.first, staged.first + staged.length)
    retime_copy([span], path, fps=fps)


def _write_rows(episode: _Episode, path: Path) -> None:
    table = episode.staged.rows()
    count = len(table)
    numbers = (
        np.full(count, episode.number, dtype=np.int64),
        np.arange(episode.from_index, episode.from_index + count, dtype=np.int64),
        np.full(count, episode.task_index, dtype=np.int64),
    )
    for column, values in zip(_PACKED, numbers, strict=True):
        table = table.append_column(column.key, pa.array(values))
    write_groups(path, row_schema(_ALL_COLUMNS), [table])


def _write_lines(path: Path, records: Iterable[Mapping[str, Any]]) -> None:
    lines = (json.dumps(record, allow_nan=False, ensure_ascii=False) + "\n" for record in records)
    path.write_text("".join(lines), encoding="utf-8")


def _without_count(found: Statistics) -> Statistics:
    return {name: value for name, value in found.items() if name != "count"}


def modality_document() -> dict[str, Any]:
    """Return `modality.json` as StarVLA's loader of LIBERO reads it: every element a quantity of its own."""
    vectors = {
        part: {name: {"start": i, "end": i + 1} for i, name in enumerate(column.names or ())}
        for part, column in (("state", COLUMNS[0]), ("action", COLUMNS[1]))
    }
    # Steps are padded with zeros; a gripper is absolute and repeats its last value.
    for name, entry in vectors["action"].items():
        entry["absolute"] = name == "gripper"
    return {
        **vectors,
        "video": {"primary_image": {"original_key": CAMERA}},
        "annotation": {TASK_DESCRIPTION: {"original_key": "task_index"}},
    }


def _info(plan: _Plan) -> dict[str, Any]:
    count = len(plan.episodes)
    facts = {
        "width": plan.probe.width,
        "height": plan.probe.height,
        "codec": plan.probe.codec,
        "pix_fmt": plan.probe.pix_fmt,
        "is_depth_map": False,
        "encoder": None,
        "depth": None,
    }
    return {
        "codebase_version": "v2.0",
        "robot_type": plan.robot_type,
        "total_episodes": count,
        "total_frames": plan.frames,
        "total_tasks": len(plan.tasks),
        "total_videos": count,
        "total_chunks": -(-count // plan.chunks_size),
        "chunks_size": plan.chunks_size,
        "fps": plan.fps,
        "splits": {"train": f"0:{count}"},
        "data_path": DATA_PATH,
        "video_path": VIDEO_PATH,
        "features": {
            CAMERA: camera_feature(facts, fps=plan.fps),
            **{column.key: column.feature for column in _ALL_COLUMNS},
        },
    }


def _provenance(
    plan: _Plan, valid_counts: Mapping[str, list[int]], files: Mapping[str, str]
) -> dict[str, Json]:
    masked = [column for column in _ALL_COLUMNS if column.masks]
    privacies = {
        one.staged.contribution.name: one.staged.contribution.document["privacy"] for one in plan.episodes
    }
    not_removed = dict.fromkeys(item for one in privacies.values() for item in one.get("not_removed") or ())
    return {
        "schema": "episode_assets_data_juicer_dataset",
        "schema_version": 1,
        "ledger": list(plan.ledger),
        "episodes": [_traced(episode) for episode in plan.episodes],
        "left_out": [{"recording_id": name, "detail": detail} for name, detail in plan.left_out],
        "features": {column.key: column.about for column in _ALL_COLUMNS if column.about},
        "masks": {column.key: [mask.to_json() for mask in column.masks] for column in masked},
        "valid_counts": {key: list(counts) for key, counts in valid_counts.items()},
        "files": dict(files),
        "privacy": {
            "audit": "passed",
            "detectors": sorted({str(one["detector"]) for one in privacies.values() if "detector" in one}),
            "not_removed": list(not_removed),
        },
    }


def _traced(episode: _Episode) -> dict[str, Json]:
    contribution = episode.staged.contribution
    entry = contribution.document["episodes"][episode.staged.position]
    kept = ("length", "task", "hand_type", "segment_id", "frame_start", "frame_stop")
    return {
        "episode_index": episode.number,
        "recording_id": contribution.name,
        **{key: entry[key] for key in kept},
    }


def _show(output_dir: Path, digest: str) -> None:
    """Make a version the current one: a reader sees the one before or this one."""
    _point(output_dir / CURRENT, f"{VERSIONS}/{digest}")
    for part in _PARTS:
        _point(output_dir / part, f"{CURRENT}/{part}")


def _point(link: Path, target: str) -> None:
    if link.is_symlink() and str(link.readlink()) == target:
        return
    draft = link.with_name(f".{link.name}-{os.getpid()}")
    draft.unlink(missing_ok=True)
    draft.symlink_to(target)
    draft.replace(link)


def _digest(*parts: Any) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
