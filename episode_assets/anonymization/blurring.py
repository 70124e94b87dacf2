"""From the colour pictures of a recording to the face-blurred video, its tables, and the verdict of its audit.

This file plans the chunks, lets them tell each other what their audits found, and puts the parts together. What
happens inside a chunk is in `chunk_work`; why an audit fails is in `verdict`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from episode_assets.anonymization import tables
from episode_assets.anonymization.chunk_work import (
    ChunkResult,
    ChunkTask,
    Finds,
    WorkerSettings,
    colours_path,
    segment_path,
)
from episode_assets.anonymization.config import FaceBlurConfig
from episode_assets.anonymization.joined_tracks import NamedBoxes, join_track_names
from episode_assets.anonymization.looking import DroppedPicture, decoded
from episode_assets.anonymization.redaction import redaction_rectangles
from episode_assets.anonymization.tracks import Source
from episode_assets.anonymization.verdict import passed, privacy_record, write_audit
from episode_assets.chunks import Chunk, map_chunks, plan_chunks
from episode_assets.errors import BadRecording
from episode_assets.outcome import Note, Outcome, Skipped
from episode_assets.progress import Progress, silent
from episode_assets.recording import ImageStream, RecordingView, UndecodableImage
from episode_assets.video import UndecodablePicture, join_segments

_MOST_VISITS = 3
"""A chunk is visited anew when a neighbour's audit finds something near the cut; chains of that end here."""

_EVIDENCE = ("faces.parquet", "audit.json")
_PUBLISHED = ("rgb.mp4", "frames.parquet", "dropped.parquet", "signals.parquet", "rgb_stats.parquet")


def blur_recording(
    view: RecordingView,
    directory: Path,
    *,
    config: FaceBlurConfig,
    workers: int = 1,
    progress: Progress = silent,
) -> Outcome:
    """Blur the faces of a recording's colour pictures and audit the result before anything is published.

    Args:
        view: The recording.
        directory: Empty, private directory; receives `rgb.mp4`, `frames`, `dropped`, `faces`, `signals` and
            `rgb_stats` as Parquet, and `audit.json`. After a failed audit only `faces.parquet` and `audit.json`.
        config: The settings.
        workers: Processes to use; the bytes do not depend on it.
        progress: Told about frames that are done.

    Returns:
        The outcome; `privacy["audit"]` is `passed` or `failed`, and nothing with pixels is there if it failed.

    Raises:
        MissingStream: The recording has no colour stream.
        BadRecording: No picture decodes, or more than the configured share cannot be used.
        ModelMissing: A weight file or package is not there.
        BadConfig: The detector does not exist.
    """
    stream = view.rgb
    size = _reference_size(stream)
    scratch = directory / "chunks"
    scratch.mkdir()
    chunks = plan_chunks(
        stream.stamp_ns, stream.gap_before, length=config.chunk_frames, margin_ns=config.margin_ns
    )
    settings = WorkerSettings(
        view_directory=view.directory,
        source=view.source,
        scratch=scratch,
        size=size,
        gap_ns=_longest_step_ns(stream),
        config=config,
    )
    results = _work(settings, chunks, workers=workers, progress=progress)
    _check_dropped(stream, results, config)
    table = _FrameTable(stream, results)
    columns = _face_columns(view.recording_id, stream, results, table, config, size)
    tables.write_table(directory / "faces.parquet", tables.FACES, columns)
    write_audit(
        directory / "audit.json",
        results,
        config,
        frame_index=table.index_of,
        message_numbers=stream.message_number.tolist(),
    )
    is_clean = passed(results)
    if is_clean:
        _write_published(view.recording_id, directory, settings, stream, results, table)
    for path in sorted(scratch.iterdir()):
        path.unlink()
    scratch.rmdir()
    return _outcome(stream, results, table, config, size=size, is_clean=is_clean)


def _reference_size(stream: ImageStream) -> tuple[int, int]:
    """Return the true (width, height) of the first picture that decodes; all others must have it."""
    for position in range(len(stream)):
        try:
            picture = decoded(next(stream.read(position, position + 1)))
        except (UndecodableImage, UndecodablePicture):
            continue
        return picture.true_width, picture.true_height
    raise BadRecording(
        f"none of the {len(stream)} colour pictures decodes",
        where=stream.topic,
        remedy="choose another topic for rgb in the topic map",
    )


def _longest_step_ns(stream: ImageStream) -> int:
    """Return the longest step between neighbours of the stream that is no gap."""
    steps = np.diff(stream.stamp_ns)
    return int(steps[~stream.gap_before[1:]].max(initial=0))


def _work(
    settings: WorkerSettings, chunks: Sequence[Chunk], *, workers: int, progress: Progress
) -> list[ChunkResult]:
    """Visit every chunk, and those anew whose neighbours' audits found something that reaches into them."""
    tasks = [ChunkTask(chunk, Finds.none()) for chunk in chunks]
    report = _reporter("faces", sum(map(len, chunks)), progress)
    results = report(map_chunks(settings, tasks, workers=workers))
    for _ in range(_MOST_VISITS - 1):
        tasks = list(_tasks_with_news(results))
        if not tasks:
            break
        report = _reporter("faces at chunk borders", sum(len(task.chunk) for task in tasks), progress)
        for result in report(map_chunks(settings, tasks, workers=workers)):
            results[result.chunk.index] = result
    return results


def _reporter(
    stage: str, total: int, progress: Progress
) -> Callable[[Iterator[ChunkResult]], list[ChunkResult]]:
    def collect(results: Iterator[ChunkResult]) -> list[ChunkResult]:
        done, collected = 0, []
        for result in results:
            done += len(result.chunk)
            progress(stage, done, total)
            collected.append(result)
        return collected

    return collect


def _tasks_with_news(results: Sequence[ChunkResult]) -> Iterator[ChunkTask]:
    everything = Finds.joined([result.finds for result in results])
    for result in results:
        chunk = result.chunk
        foreign = Finds.joined(
            [everything.within(chunk.lead_start, chunk.start), everything.within(chunk.stop, chunk.tail_stop)]
        )
        if not foreign.equals(result.foreign):
            yield ChunkTask(chunk, foreign, previous=result)


def _check_dropped(stream: ImageStream, results: Sequence[ChunkResult], config: FaceBlurConfig) -> None:
    looks = [result.look for result in results if result.look is not None]
    dropped = [picture for look in looks for picture in look.dropped]
    if len(dropped) <= config.max_dropped_ratio * len(stream):
        return
    first = dropped[0]
    raise BadRecording(
        f"{len(dropped)} of {len(stream)} colour pictures cannot be used "
        f"(message {stream.message_number[first.position]}: {first.reason}, {first.detail})",
        where=stream.topic,
        remedy=f"raise max_dropped_ratio above {config.max_dropped_ratio:g} to publish the rest",
    )


class _FrameTable:
    """The frames that are in the video, over all chunks.

    Attributes:
        position: (F,) int64 positions in the stream, in order.
        index_of: Position to frame index.
    """

    def __init__(self, stream: ImageStream, results: Sequence[ChunkResult]) -> None:
        looks = [result.look for result in results if result.look is not None]
        parts = [look.position[slice(*look.own)] for look in looks]
        self.position = np.concatenate([np.zeros(0, np.int64), *parts])
        self.index_of: Mapping[int, int] = {int(p): index for index, p in enumerate(self.position)}
        self.message_number = stream.message_number[self.position]
        self.stamp_ns = stream.stamp_ns[self.position]

    def __len__(self) -> int:
        return len(self.position)

    def identity(self, recording_id: str) -> dict[str, Any]:
        """Return the columns that name each frame."""
        return {
            "recording_id": [recording_id] * len(self),
            "message_number": self.message_number,
            "frame_index": np.arange(len(self), dtype=np.int64),
            "stamp_ns": self.stamp_ns,
        }


def _write_published(
    recording_id: str,
    directory: Path,
    settings: WorkerSettings,
    stream: ImageStream,
    results: Sequence[ChunkResult],
    table: _FrameTable,
) -> None:
    """Write the video and the tables that describe it."""
    written = [result for result in results if result.audits]
    join_segments([segment_path(settings.scratch, result.chunk) for result in written], directory / "rgb.mp4")
    tables.write_table(
        directory / "frames.parquet",
        tables.FRAMES,
        _frame_columns(recording_id, stream, written, table, settings),
    )
    tables.write_table(
        directory / "dropped.parquet", tables.DROPPED, _dropped_columns(recording_id, stream, results)
    )
    signals = [result.look.signals for result in results if result.look is not None]
    measured = pa.concat_tables(signals)
    columns = table.identity(recording_id) | {name: measured[name] for name in measured.column_names}
    tables.write_table(directory / "signals.parquet", tables.SIGNALS, columns)
    tables.write_colours(
        directory / "rgb_stats.parquet", _colour_parts(recording_id, settings.scratch, written, table)
    )


def _frame_columns(
    recording_id: str,
    stream: ImageStream,
    results: Sequence[ChunkResult],
    table: _FrameTable,
    settings: WorkerSettings,
) -> dict[str, Any]:
    stamps_us = table.stamp_ns // 1000
    steps = np.diff(table.stamp_ns, prepend=table.stamp_ns[:1])
    width, height = settings.size
    return table.identity(recording_id) | {
        "log_time_ns": stream.log_time_ns[table.position],
        "pts_us": stamps_us - stamps_us[0],
        "is_key": [key for result in results for audit in result.audits for key in audit.is_key],
        "gap_before": steps > settings.gap_ns,
        "width": np.full(len(table), width, np.int32),
        "height": np.full(len(table), height, np.int32),
    }


def _dropped_columns(
    recording_id: str, stream: ImageStream, results: Sequence[ChunkResult]
) -> dict[str, Any]:
    looks = [result.look for result in results if result.look is not None]
    rows = [
        (int(stream.message_number[p.position]), int(stream.stamp_ns[p.position]), p.reason, p.detail)
        for look in looks
        for p in look.dropped
    ]
    rows += [
        (double.message_number, double.stamp_ns, "duplicate_stamp", "an earlier message has the same stamp")
        for double in stream.duplicates
    ]
    rows.sort()
    return {
        "recording_id": [recording_id] * len(rows),
        "message_number": [row[0] for row in rows],
        "stamp_ns": [row[1] for row in rows],
        "reason": [row[2] for row in rows],
        "detail": [row[3] for row in rows],
    }


def _colour_parts(
    recording_id: str, scratch: Path, results: Sequence[ChunkResult], table: _FrameTable
) -> Iterator[pa.Table]:
    first = 0
    for result in results:
        counts = np.load(colours_path(scratch, result.chunk))
        numbers = table.message_number[first : first + len(counts)]
        yield tables.colours_table(recording_id, numbers, first, counts)
        first += len(counts)


def _face_columns(
    recording_id: str,
    stream: ImageStream,
    results: Sequence[ChunkResult],
    table: _FrameTable,
    config: FaceBlurConfig,
    size: tuple[int, int],
) -> dict[str, Any]:
    """Return the rows of `faces.parquet`: every box that was blurred, found or derived."""
    named = list(_named_boxes(results))
    parts = [
        _FaceRows.of(boxes, names, config.box_scale, size)
        for boxes, names in zip(named, join_track_names(named), strict=True)
    ]
    rows = _FaceRows.joined(parts)
    frame_index = np.searchsorted(table.position, rows.position)
    is_audit = rows.source == Source.AUDIT
    corners = ("x0", "y0", "x1", "y1")
    return {
        "recording_id": [recording_id] * len(rows.position),
        "message_number": stream.message_number[rows.position],
        "frame_index": frame_index.astype(np.int64),
        "stamp_ns": stream.stamp_ns[rows.position],
        **{name: rows.box[:, column] for column, name in enumerate(corners)},
        **{f"redact_{name}": rows.redaction[:, column] for column, name in enumerate(corners)},
        "score": pa.array(rows.score, from_pandas=True),
        "track": rows.track,
        "source": [Source(value).name.lower() for value in rows.source],
        "backend": np.where(is_audit, config.audit_detector, config.detector).tolist(),
    }


def _named_boxes(results: Sequence[ChunkResult]) -> Iterator[NamedBoxes]:
    for result in results:
        if result.look is None or result.tracks is None:
            continue
        frame = result.tracks.frame
        start, stop = result.look.own
        yield NamedBoxes(result.look.position[frame], result.tracks, (frame >= start) & (frame < stop))


@dataclass(frozen=True)
class _FaceRows:
    position: NDArray[np.int64]
    box: NDArray[np.float32]
    redaction: NDArray[np.int32]
    score: NDArray[np.float32]
    track: NDArray[np.int64]
    source: NDArray[np.uint8]

    @classmethod
    def of(
        cls, boxes: NamedBoxes, track: NDArray[np.int64], scale: float, size: tuple[int, int]
    ) -> _FaceRows:
        """Return the rows of a chunk's own pictures whose rectangle has a pixel in the picture."""
        redaction = redaction_rectangles(boxes.tracks.box, scale=scale, width=size[0], height=size[1])
        is_visible = (redaction[:, 2] > redaction[:, 0]) & (redaction[:, 3] > redaction[:, 1])
        chosen = boxes.is_own & is_visible
        return cls(
            position=boxes.position[chosen],
            box=boxes.tracks.box[chosen],
            redaction=redaction[chosen],
            score=boxes.tracks.score[chosen],
            track=track[chosen],
            source=boxes.tracks.source[chosen],
        )

    @classmethod
    def joined(cls, parts: Sequence[_FaceRows]) -> _FaceRows:
        empty = cls(
            np.zeros(0, np.int64),
            np.zeros((0, 4), np.float32),
            np.zeros((0, 4), np.int32),
            np.zeros(0, np.float32),
            np.zeros(0, np.int64),
            np.zeros(0, np.uint8),
        )
        everything = [empty, *parts]
        return cls(
            *(np.concatenate([getattr(part, item.name) for part in everything]) for item in fields(cls))
        )


def _outcome(
    stream: ImageStream,
    results: Sequence[ChunkResult],
    table: _FrameTable,
    config: FaceBlurConfig,
    *,
    size: tuple[int, int],
    is_clean: bool,
) -> Outcome:
    privacy = privacy_record(results, config)
    dropped = [picture for result in results if result.look for picture in result.look.dropped]
    return Outcome(
        core=_EVIDENCE if not is_clean else (*_EVIDENCE, *_PUBLISHED),
        saved=_EVIDENCE if not is_clean else (*_EVIDENCE, *_PUBLISHED),
        skipped=() if is_clean else (Skipped("rgb.mp4", "audit_failed", "the privacy audit did not pass"),),
        warnings=tuple(_notes(stream, dropped, privacy, config)),
        models=results[0].models,
        summary={
            "frames": len(table),
            "dropped": len(dropped),
            "duplicates": len(stream.duplicates),
            "width": size[0],
            "height": size[1],
            "duration_s": float(table.stamp_ns[-1] - table.stamp_ns[0]) / 1e9 if len(table) else 0.0,
            "frames_with_faces": privacy["frames_with_faces"],
            "face_boxes": privacy["boxes_total"],
        },
        privacy=privacy,
    )


def _notes(
    stream: ImageStream,
    dropped: Sequence[DroppedPicture],
    privacy: Mapping[str, Any],
    config: FaceBlurConfig,
) -> Iterator[Note]:
    for reason in sorted({picture.reason for picture in dropped}):
        matching = [picture for picture in dropped if picture.reason == reason]
        first = stream.message_number[matching[0].position]
        detail = f"pictures left out; the first is message {first}: {matching[0].detail}"
        yield Note(reason, detail, stream=stream.topic, count=len(matching))
    if privacy["min_face_px"] > config.min_face_px:
        yield Note(
            "small_faces",
            f"faces below {privacy['min_face_px']:g} px may be missed: detector_max_px limits the picture that is "
            f"searched, and {config.min_face_px:g} px were asked for",
            stream=stream.topic,
        )
