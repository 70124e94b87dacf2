"""Writes a joined dataset in format v3.0: frames by stream copy, rows and records renumbered, files filled anew."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from episode_assets.errors import BadVideo
from episode_assets.lerobot.camera_tracks import read_video
from episode_assets.lerobot.existing import ExistingDataset
from episode_assets.lerobot.existing.v3 import TASKS, episode_files
from episode_assets.lerobot.fragment_tables import flat_statistics
from episode_assets.lerobot.merging.plan import JoinedEpisode, MergePlan
from episode_assets.lerobot.merging.source_rows import episode_table, row_bytes
from episode_assets.lerobot.shards import FilePlace, VideoPart, VideoPlace, place_tables, place_videos
from episode_assets.lerobot.tables import write_groups
from episode_assets.lerobot.tasks import write_tasks
from episode_assets.progress import Progress
from episode_assets.video import VideoSpan, check_copyable, retime_copy

_RECORDS_PER_GROUP = 100

Files = list[tuple[FilePlace, list[JoinedEpisode]]]


@dataclass(frozen=True)
class MergeV3:
    """A joined dataset before it is written."""

    plan: MergePlan

    def check(self) -> None:
        """Raise what copying would raise, before the first byte.

        Raises:
            BadVideo: Frames cannot be copied as they are.
        """
        for key in self.cameras:
            for place, episodes in self._video_files(key):
                spans = [self._span(item, key) for item in episodes]
                try:
                    check_copyable(spans)
                except BadVideo as error:
                    raise BadVideo(
                        f"{error.what}, so that file {place.chunk}/{place.file} of {key} cannot be made by copying",
                        where=error.where,
                        remedy="run `episode-assets dataset reencode` on this dataset first",
                    ) from error

    def write(self, root: Path, progress: Progress) -> None:
        """Write videos, rows, episodes and tasks."""
        for key in self.cameras:
            files = self._video_files(key)
            for done, (place, episodes) in enumerate(files, start=1):
                out = _made(root / place.path(f"videos/{key}", "mp4"))
                retime_copy([self._span(item, key) for item in episodes], out, fps=self.plan.first.fps)
                progress("merged videos", done, len(files))
        self._write_rows(root, progress)
        self._write_records(root)
        write_tasks(root / TASKS, self.plan.tasks)

    def totals(self) -> dict[str, Any]:
        """Return what only this version counts in info.json."""
        return {}

    @property
    def cameras(self) -> tuple[str, ...]:
        """Keys of the features with videos."""
        return tuple(feature.key for feature in self.plan.first.cameras)

    def _span(self, item: JoinedEpisode, key: str) -> VideoSpan:
        part = item.episode.videos[key]
        first = round(part.start_s * item.dataset.fps)
        return VideoSpan(item.dataset.root / part.path, first, first + item.length)

    @cached_property
    def _video_places(self) -> dict[str, tuple[VideoPlace, ...]]:
        limits = {"limit_mib": self._limit("video"), "chunks_size": self._chunks_size}
        return {
            key: place_videos(self._parts(key), fps=self.plan.first.fps, **limits) for key in self.cameras
        }

    def _parts(self, key: str) -> list[VideoPart]:
        parts = []
        for path, group in groupby(self.plan.episodes, key=lambda item: self._span(item, key).path):
            found = read_video(path)
            for item in group:
                span = self._span(item, key)
                size = int(found.sizes[span.first_frame : span.last_frame_exclusive].sum())
                parts.append(VideoPart(item.length, size, found.probe.extradata_sha256))
        return parts

    def _video_files(self, key: str) -> Files:
        return _by_place(self.plan.episodes, [place.place for place in self._video_places[key]])

    @cached_property
    def _data_places(self) -> tuple[FilePlace, ...]:
        sizes = [size for dataset in self.plan.datasets for size in row_bytes(dataset)]
        return place_tables(sizes, limit_mib=self._limit("data"), chunks_size=self._chunks_size)

    def _limit(self, family: str) -> int:
        return int(self.plan.first.info[f"{family}_files_size_in_mb"])

    @property
    def _chunks_size(self) -> int:
        return int(self.plan.first.info["chunks_size"])

    def _write_rows(self, root: Path, progress: Progress) -> None:
        first = self.plan.first
        schema = pq.read_schema(first.root / first.episodes[0].data)
        done = 0
        for place, episodes in _by_place(self.plan.episodes, self._data_places):
            out = _made(root / place.path("data", "parquet"))
            write_groups(out, schema, (item.renumbered(episode_table(item)) for item in episodes))
            done += len(episodes)
            progress("merged rows", done, len(self.plan.episodes))

    def _write_records(self, root: Path) -> None:
        schema = _shared_schema(self.plan.datasets)
        size = max(_record_bytes(dataset) for dataset in self.plan.datasets)
        places = place_tables(
            [size] * len(self.plan.episodes), limit_mib=self._limit("data"), chunks_size=self._chunks_size
        )
        records = _source_records(self.plan.datasets, schema.names)
        for place, episodes in _by_place(self.plan.episodes, places):
            out = _made(root / place.path("meta/episodes", "parquet"))
            write_groups(out, schema, self._record_tables(place, episodes, records, schema))

    def _record_tables(
        self,
        place: FilePlace,
        episodes: Sequence[JoinedEpisode],
        records: Iterator[dict[str, Any]],
        schema: Any,
    ) -> Iterator[Any]:
        for start in range(0, len(episodes), _RECORDS_PER_GROUP):
            chosen = episodes[start : start + _RECORDS_PER_GROUP]
            found = [next(records) | self._record(item, place) for item in chosen]
            yield pa.Table.from_pylist(found, schema=schema)

    def _record(self, item: JoinedEpisode, own: FilePlace) -> dict[str, Any]:
        data, fps = self._data_places[item.number], self.plan.first.fps
        record: dict[str, Any] = {
            "episode_index": item.number,
            "dataset_from_index": item.from_index,
            "dataset_to_index": item.from_index + item.length,
            "data/chunk_index": data.chunk,
            "data/file_index": data.file,
            "meta/episodes/chunk_index": own.chunk,
            "meta/episodes/file_index": own.file,
        }
        for key in self.cameras:
            video = self._video_places[key][item.number]
            record |= {
                f"videos/{key}/chunk_index": video.place.chunk,
                f"videos/{key}/file_index": video.place.file,
                f"videos/{key}/from_timestamp": video.first_frame / fps,
                f"videos/{key}/to_timestamp": (video.first_frame + item.length) / fps,
            }
        return record | flat_statistics(
            item.statistics(item.renumbered(episode_table(item, numbers_only=True)))
        )


def _made(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _by_place(episodes: Sequence[JoinedEpisode], places: Sequence[FilePlace]) -> Files:
    grouped = groupby(zip(episodes, places, strict=True), key=lambda pair: pair[1])
    return [(place, [item for item, _ in group]) for place, group in grouped]


def _shared_schema(datasets: Sequence[ExistingDataset]) -> Any:
    """Return the columns of the episode table that all datasets have, in the order and with the types of the first."""
    schemas = [pq.read_schema(episode_files(dataset.root)[0]) for dataset in datasets]
    shared = set.intersection(*(set(schema.names) for schema in schemas))
    return pa.schema([field for field in schemas[0] if field.name in shared])


def _record_bytes(dataset: ExistingDataset) -> int:
    files = episode_files(dataset.root)
    metadata = [pq.read_metadata(file) for file in files]
    size = sum(m.row_group(i).total_byte_size for m in metadata for i in range(m.num_row_groups))
    return int(np.ceil(size / max(1, sum(m.num_rows for m in metadata))))


def _source_records(datasets: Sequence[ExistingDataset], names: Sequence[str]) -> Iterator[dict[str, Any]]:
    for dataset in datasets:
        for path in episode_files(dataset.root):
            with pq.ParquetFile(path) as file:
                for batch in file.iter_batches(_RECORDS_PER_GROUP, columns=list(names)):
                    yield from batch.to_pylist()
