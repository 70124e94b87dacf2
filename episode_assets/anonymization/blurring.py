"""From the colour pictures of a recording to the face-blurred video, its tables, and the verdict of its audit.

This file puts the parts together. Who works on what, and when, is in `passes`; why an audit fails is in `verdict`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from episode_assets.anonymization import tables
from episode_assets.anonymization.areas import place
from episode_assets.anonymization.backends import finders_of, require_detectors
from episode_assets.anonymization.config import FaceBlurConfig
from episode_assets.anonymization.detectors import LABELS
from episode_assets.anonymization.evidence import Shown, picture_name
from episode_assets.anonymization.exceptions import Exceptions
from episode_assets.anonymization.groups import longest_step_ns
from episode_assets.anonymization.looking import DroppedPicture, Look
from episode_assets.anonymization.passes import Blurred, make_passes
from episode_assets.anonymization.redaction_document import DrawnArea, FindException
from episode_assets.anonymization.redactions import Redactions
from episode_assets.anonymization.tracks import NO_LABEL, Source, TrackBoxes
from episode_assets.anonymization.unit_work import Group, WorkerSettings, group_paths
from episode_assets.anonymization.upright import Upright
from episode_assets.anonymization.verdict import privacy_record, write_audit
from episode_assets.errors import BadRecording
from episode_assets.freed_memory import memory_given_back
from episode_assets.outcome import Note, Outcome, Skipped
from episode_assets.progress import Progress, silent
from episode_assets.recording import ImageStream, RecordingView
from episode_assets.video import Picture, decode_pictures, join_segments

_EVIDENCE = ("faces.parquet", "audit.json")
_PUBLISHED = ("rgb.mp4", "frames.parquet", "dropped.parquet", "signals.parquet", "rgb_stats.parquet")


def blur_recording(
    view: RecordingView,
    directory: Path,
    *,
    config: FaceBlurConfig,
    redactions: Sequence[DrawnArea] = (),
    exceptions: Sequence[FindException] = (),
    workers: int = 1,
    progress: Progress = silent,
) -> Outcome:
    """Blur the faces of a recording's colour pictures and audit the result before anything is published.

    Args:
        view: The recording.
        directory: Empty, private directory; receives `rgb.mp4`, `frames`, `dropped`, `faces`, `signals` and
            `rgb_stats` as Parquet, and `audit.json`. After a failed audit only `faces.parquet`, `audit.json`, and
            pictures of the worst frames in which every find is filled solid.
        config: The settings.
        redactions: What people drew to be painted over, in the order of their documents.
        exceptions: Finds of the audit that people judged to be no face, each in one video alone.
        workers: Processes to use; the bytes do not depend on it.
        progress: Told about frames that are done.

    Returns:
        The outcome; `privacy["audit"]` is `passed` or `failed`. If it failed, the only pixels that are there are those
        of the pictures that `privacy["evidence"]` names.

    Raises:
        MissingStream: The recording has no colour stream.
        BadRecording: No picture decodes, or more than the configured share cannot be used.
        ModelMissing: A weight file or package is not there.
        BadConfig: The detector does not exist.
    """
    require_detectors(config, config.detector, config.audit_detector)
    stream = view.rgb
    first, size = first_picture(stream)
    areas = place(redactions, stream, first=first, size=size)
    scratch = directory / "groups"
    scratch.mkdir()
    settings = WorkerSettings(
        view_directory=view.directory,
        source=view.source,
        scratch=scratch,
        size=size,
        config=config,
        areas=areas,
        exceptions=Exceptions(tuple(exceptions)),
        upright=Upright(view.attitude(stream.stamp_ns), key_stride=config.g),
    )
    # Poses and samples of the IMU have said which way is up; an hour of them must not add to the encoder's peak.
    view.let_go()
    blurred = make_passes(stream, settings, workers=workers, progress=progress)
    require_usable(stream, [picture for look in blurred.looks for picture in look.dropped], config)
    outcome = write_blurred(view, directory, settings, blurred, gap_ns=longest_step_ns(stream))
    for path in sorted(scratch.iterdir()):
        path.unlink()
    scratch.rmdir()
    return outcome


@memory_given_back()
def write_blurred(
    view: RecordingView, directory: Path, settings: WorkerSettings, blurred: Blurred, *, gap_ns: int
) -> Outcome:
    """Write what is known of a recording after its passes, and the video if its audit passed.

    Args:
        view: The recording.
        directory: Receives the files that `blur_recording` names.
        settings: The scratch directory with the encoded groups, which stays, and the settings of the run.
        blurred: The recording after its passes.
        gap_ns: Longest step between pictures of the video that is no gap.
    """
    stream, config, areas = view.rgb, settings.config, settings.areas
    dropped = [picture for look in blurred.looks for picture in look.dropped]
    table = _FrameTable(stream, blurred.looks)
    if len(areas):
        blurred = replace(blurred, redactions=areas.joined_to(blurred.redactions, table.position))
    columns = _face_columns(view.recording_id, stream, blurred.redactions, table, config)
    tables.write_table(directory / "faces.parquet", tables.FACES, columns)
    write_audit(
        directory / "audit.json",
        blurred,
        config,
        areas,
        frame_index=table.index_of,
        message_numbers=stream.message_number,
    )
    _write_evidence(directory, blurred, table)
    if blurred.passed:
        _write_published(view.recording_id, directory, settings, stream, blurred, table, gap_ns)
    return _outcome(stream, blurred, table, dropped, settings)


def first_picture(stream: ImageStream) -> tuple[int, tuple[int, int]]:
    """Return position and true (width, height) of the first picture that decodes; all others must have that size."""
    reason = ""
    for position in range(len(stream)):
        for _, picture in decode_pictures(stream, position, position + 1):
            if isinstance(picture, Picture):
                return position, (picture.true_width, picture.true_height)
            reason = reason or picture.what
    raise BadRecording(
        f"none of the {len(stream)} colour pictures decodes ({reason})",
        where=stream.topic,
        remedy="choose another topic for rgb in the topic map",
    )


def require_usable(stream: ImageStream, dropped: Sequence[DroppedPicture], config: FaceBlurConfig) -> None:
    """Return if few enough pictures were dropped; raises BadRecording with the first of them otherwise."""
    if len(dropped) <= config.max_dropped_ratio * len(stream):
        return
    first = dropped[0]
    raise BadRecording(
        f"{len(dropped)} of {len(stream)} colour pictures cannot be used "
        f"(message {stream.message_number[first.position]}: {first.reason}, {first.detail})",
        where=stream.topic,
        remedy=f"raise max_dropped_ratio above {config.max_dropped_ratio:g} to publish the rest",
    )


class _IndexOf(Mapping[int, int]):
    """Position to frame index, looked up in the increasing positions; a dictionary would take ten times as much."""

    def __init__(self, position: NDArray[np.int64]) -> None:
        self._position = position

    def __getitem__(self, position: int) -> int:
        index = int(np.searchsorted(self._position, position))
        if index == len(self._position) or self._position[index] != position:
            raise KeyError(position)
        return index

    def __iter__(self) -> Iterator[int]:
        return iter(self._position.tolist())

    def __len__(self) -> int:
        return len(self._position)


class _FrameTable:
    """The frames that are in the video.

    Attributes:
        position: (F,) int64 positions in the stream, in order.
        index_of: Position to frame index.
    """

    def __init__(self, stream: ImageStream, looks: Sequence[Look]) -> None:
        self.position = np.concatenate([np.zeros(0, np.int64), *(look.position for look in looks)])
        self.index_of: Mapping[int, int] = _IndexOf(self.position)
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


def _write_evidence(directory: Path, blurred: Blurred, table: _FrameTable) -> None:
    """Write the pictures that show why an audit failed."""
    for shown in blurred.shown:
        if shown.jpeg:
            path = directory / picture_name(table.index_of[shown.position])
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(shown.jpeg)


def _write_published(
    recording_id: str,
    directory: Path,
    settings: WorkerSettings,
    stream: ImageStream,
    blurred: Blurred,
    table: _FrameTable,
    gap_ns: int,
) -> None:
    """Write the video and the tables that describe it."""
    segments = [group_paths(settings.scratch, group.position)[0] for group in blurred.groups]
    join_segments(segments, directory / "rgb.mp4")
    tables.write_table(
        directory / "frames.parquet",
        tables.FRAMES,
        _frame_columns(recording_id, stream, blurred.groups, table, settings.size, gap_ns),
    )
    dropped = [picture for look in blurred.looks for picture in look.dropped]
    tables.write_table(
        directory / "dropped.parquet", tables.DROPPED, _dropped_columns(recording_id, stream, dropped)
    )
    measured = tables.signal_columns([look.signals for look in blurred.looks])
    columns = table.identity(recording_id) | measured
    tables.write_table(directory / "signals.parquet", tables.SIGNALS, columns)
    tables.write_colours(
        directory / "rgb_stats.parquet",
        _colour_parts(recording_id, settings.scratch, blurred.groups, table),
    )


def _frame_columns(
    recording_id: str,
    stream: ImageStream,
    groups: Sequence[Group],
    table: _FrameTable,
    size: tuple[int, int],
    gap_ns: int,
) -> dict[str, Any]:
    stamps_us = table.stamp_ns // 1000
    steps = np.diff(table.stamp_ns, prepend=table.stamp_ns[:1])
    return table.identity(recording_id) | {
        "log_time_ns": stream.log_time_ns[table.position],
        "pts_us": stamps_us - stamps_us[0],
        "is_key": [key for group in groups for key in group.audit.is_key],
        "gap_before": steps > gap_ns,
        "width": np.full(len(table), size[0], np.int32),
        "height": np.full(len(table), size[1], np.int32),
    }


def _dropped_columns(
    recording_id: str, stream: ImageStream, dropped: Sequence[DroppedPicture]
) -> dict[str, Any]:
    rows = [
        (int(stream.message_number[p.position]), int(stream.stamp_ns[p.position]), p.reason, p.detail)
        for p in dropped
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
    recording_id: str, scratch: Path, groups: Sequence[Group], table: _FrameTable
) -> Iterator[pa.Table]:
    first = 0
    for group in groups:
        counts: NDArray[np.int32] = np.load(group_paths(scratch, group.position)[1])
        numbers = table.message_number[first : first + len(counts)]
        yield tables.colours_table(recording_id, numbers, first, counts)
        first += len(counts)


def _face_columns(
    recording_id: str,
    stream: ImageStream,
    redactions: Redactions,
    table: _FrameTable,
    config: FaceBlurConfig,
) -> dict[str, Any]:
    """Return the rows of `faces.parquet`: every box that was blurred, found or derived."""
    rows = redactions.tracks
    corners = ("x0", "y0", "x1", "y1")
    return {
        "recording_id": [recording_id] * len(rows),
        "message_number": stream.message_number[rows.frame],
        "frame_index": np.searchsorted(table.position, rows.frame).astype(np.int64),
        "stamp_ns": stream.stamp_ns[rows.frame],
        **{name: rows.box[:, column] for column, name in enumerate(corners)},
        **{f"redact_{name}": redactions.rectangle[:, column] for column, name in enumerate(corners)},
        "score": pa.array(rows.score, from_pandas=True),
        "track": rows.track,
        "source": [Source(value).name.lower() for value in rows.source],
        "backend": _backends(rows, config),
        "label": [_label_word(code) for code in rows.label.tolist()],
    }


def _label_word(code: int) -> str | None:
    return None if code == NO_LABEL else LABELS[code].value


def _backends(rows: TrackBoxes, config: FaceBlurConfig) -> list[str]:
    """Return who found each box, or led to it; of a union those that look for what it shows."""
    found = [finders_of(config, config.detector, label) for label in LABELS]
    found_again = [finders_of(config, config.audit_detector, label) for label in LABELS]
    return [
        "person" if code == NO_LABEL else (found_again if source == Source.AUDIT else found)[code]
        for source, code in zip(rows.source.tolist(), rows.label.tolist(), strict=True)
    ]


def _outcome(
    stream: ImageStream,
    blurred: Blurred,
    table: _FrameTable,
    dropped: Sequence[DroppedPicture],
    settings: WorkerSettings,
) -> Outcome:
    config, areas, size = settings.config, settings.areas, settings.size
    privacy = privacy_record(blurred, config, areas, frame_index=table.index_of)
    shown = tuple(picture_name(table.index_of[item.position]) for item in blurred.shown if item.jpeg)
    files = (*_EVIDENCE, *_PUBLISHED) if blurred.passed else (*_EVIDENCE, *shown)
    return Outcome(
        core=files,
        saved=files,
        skipped=()
        if blurred.passed
        else (Skipped("rgb.mp4", "audit_failed", "the privacy audit did not pass"),),
        warnings=(
            *_notes(stream, dropped),
            *_evidence_notes(stream, blurred.shown),
            *areas.notes(blurred.redactions, topic=stream.topic),
            *settings.exceptions.notes(blurred.digest, topic=stream.topic),
        ),
        models=blurred.models,
        summary={
            "frames": len(table),
            "dropped": len(dropped),
            "duplicates": len(stream.duplicates),
            "width": size[0],
            "height": size[1],
            "duration_s": float(table.stamp_ns[-1] - table.stamp_ns[0]) / 1e9 if len(table) else 0.0,
            "frames_with_faces": privacy["frames_with_faces"],
            "face_boxes": privacy["boxes_total"],
            **({"redactions": len(areas)} if len(areas) else {}),
        },
        privacy=privacy,
    )


def _notes(stream: ImageStream, dropped: Sequence[DroppedPicture]) -> Iterator[Note]:
    for reason in sorted({picture.reason for picture in dropped}):
        matching = [picture for picture in dropped if picture.reason == reason]
        first = stream.message_number[matching[0].position]
        detail = f"pictures left out; the first is message {first}: {matching[0].detail}"
        yield Note(reason, detail, stream=stream.topic, count=len(matching))


def _evidence_notes(stream: ImageStream, shown: Sequence[Shown]) -> Iterator[Note]:
    withheld = [item for item in shown if item.jpeg is None]
    if withheld:
        yield Note(
            "evidence_withheld",
            "pictures that are not shown, because more than the finds of the audit may be seen in them; the first is "
            f"message {stream.message_number[withheld[0].position]}",
            stream=stream.topic,
            count=len(withheld),
        )
