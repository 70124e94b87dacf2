"""The picture table that comes with a blurred video: which frames it holds, one row per frame.

Every picture-indexed array made from the video has one row per row of this table. Reading Parquet columns with a
word on what is wrong with them belongs here too.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from episode_assets.errors import ArtifactDamaged, NothingToExport

Scalar = TypeVar("Scalar", bound=np.generic)

REMEDY = "materialise blurred_rgb of this recording again"

BLURRED_COLUMNS = {
    "recording_id": pa.string(),
    "message_number": pa.int64(),
    "frame_index": pa.int64(),
    "stamp_ns": pa.int64(),
    "log_time_ns": pa.int64(),
    "pts_us": pa.int64(),
    "is_key": pa.bool_(),
    "gap_before": pa.bool_(),
    "width": pa.int32(),
    "height": pa.int32(),
}


@dataclass(frozen=True)
class FrameTable:
    """The frames of one blurred video, in their order. All columns have F rows and are read-only.

    Attributes:
        recording_id: The recording all frames belong to.
        message_number: (F,) int64, number of the rgb message; with the recording id it names a frame for ever.
        stamp_ns: (F,) int64, header stamp, increasing.
        log_time_ns: (F,) int64, time at which the recorder wrote the message.
        pts_us: (F,) int64, presentation time in rgb.mp4, stamp minus first stamp.
        is_key: (F,) bool, decoding may start here.
        gap_before: (F,) bool, more than 2.5 median frame intervals lie between this frame and the one before.
        width: True picture width in pixels, without the padding of the encoded video.
        height: True picture height in pixels.
    """

    recording_id: str
    message_number: NDArray[np.int64]
    stamp_ns: NDArray[np.int64]
    log_time_ns: NDArray[np.int64]
    pts_us: NDArray[np.int64]
    is_key: NDArray[np.bool_]
    gap_before: NDArray[np.bool_]
    width: int
    height: int

    def __len__(self) -> int:
        return len(self.stamp_ns)


def read_table(path: Path, columns: list[str], *, remedy: str) -> pa.Table:
    """Read the named columns of a Parquet file.

    Raises:
        ArtifactDamaged: The file is missing, unreadable, or lacks one of the columns.
    """
    try:
        with pq.ParquetFile(path, pre_buffer=False) as file:  # takes a third of the memory of `pq.read_table`
            known = [name for name in columns if name in file.schema_arrow.names]
            # One after the other: what it takes to read ten at once is more than what they hold.
            found = [file.read(columns=[name], use_threads=False) for name in known]
            return pa.table({name: table.column(0) for name, table in zip(known, found, strict=True)})
    except (OSError, pa.ArrowException, KeyError) as error:
        raise ArtifactDamaged(f"the table cannot be read: {error}", where=path.name, remedy=remedy) from error


def require_columns(table: pa.Table, columns: list[str], *, where: str, remedy: str) -> None:
    """Raise ArtifactDamaged when a column is missing; Parquet readers leave unknown names out in silence."""
    missing = sorted(set(columns) - set(table.column_names))
    if missing:
        raise ArtifactDamaged(f"columns {missing} are missing", where=where, remedy=remedy)


def int_column(table: pa.Table, name: str) -> NDArray[np.int64]:
    """Return a column as read-only int64, nulls as -1."""
    return _frozen(np.array(table[name].fill_null(-1).to_numpy(), dtype=np.int64))


def bool_column(table: pa.Table, name: str) -> NDArray[np.bool_]:
    """Return a column as read-only bool, nulls as false."""
    return _frozen(np.array(table[name].fill_null(False).to_numpy(), dtype=np.bool_))


def float_column(table: pa.Table, name: str) -> NDArray[np.float32]:
    """Return a column as float32, nulls as NaN."""
    return np.asarray(table[name].cast(pa.float32()).to_numpy(zero_copy_only=False), dtype=np.float32)


def read_frame_table(path: Path, *, remedy: str = REMEDY) -> FrameTable:
    """Read the picture table beside a blurred video, or the one of a bundle.

    Raises:
        ArtifactDamaged: The table is unreadable, lacks columns, or its rows contradict each other.
        NothingToExport: The table has no rows.
    """
    names = list(BLURRED_COLUMNS)
    table = read_table(path, names, remedy=remedy)
    require_columns(table, names, where=path.name, remedy=remedy)
    if table.num_rows == 0:
        raise NothingToExport("the blurred video holds no frame", where=path.name)
    frames = FrameTable(
        recording_id=str(table["recording_id"][0].as_py()),
        message_number=int_column(table, "message_number"),
        stamp_ns=int_column(table, "stamp_ns"),
        log_time_ns=int_column(table, "log_time_ns"),
        pts_us=int_column(table, "pts_us"),
        is_key=bool_column(table, "is_key"),
        gap_before=bool_column(table, "gap_before"),
        width=int(table["width"][0].as_py()),
        height=int(table["height"][0].as_py()),
    )
    _check_rows(frames, int_column(table, "frame_index"), where=path.name, remedy=remedy)
    return frames


def read_frames_of(blurred: Path, recording_id: str) -> FrameTable:
    """Read the picture table in the directory of a blurred video, which must be that of this recording.

    Raises:
        ArtifactDamaged: As `read_frame_table`, or the video belongs to another recording.
        NothingToExport: The video holds no frame.
    """
    frames = read_frame_table(blurred / "frames.parquet")
    if frames.recording_id != recording_id:
        raise ArtifactDamaged(
            f"the blurred video belongs to {frames.recording_id!r}, the streams to {recording_id!r}",
            where="frames.parquet",
            remedy=REMEDY,
        )
    return frames


def _check_rows(frames: FrameTable, frame_index: NDArray[np.int64], *, where: str, remedy: str) -> None:
    problems = {
        "frame_index is not 0 to F-1": not np.array_equal(frame_index, np.arange(len(frames))),
        "stamps do not increase": bool(np.any(np.diff(frames.stamp_ns) <= 0)),
        "message numbers repeat": len(np.unique(frames.message_number)) != len(frames),
        "the picture size is not positive": frames.width < 1 or frames.height < 1,
    }
    for problem, is_real in problems.items():
        if is_real:
            raise ArtifactDamaged(problem, where=where, remedy=remedy)


def _frozen(array: NDArray[Scalar]) -> NDArray[Scalar]:
    array.flags.writeable = False
    return array
