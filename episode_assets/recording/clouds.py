"""Point clouds of a recording, one at a time: where each lies, and its points when somebody asks.

Colours of points (`rgb`, `rgba`) are raw pixels, which can show a face: they are read past and never returned.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from episode_assets.recording.containers.container import PackedChunk
from episode_assets.recording.containers.payloads import PayloadReader
from episode_assets.recording.containers.source import Source
from episode_assets.recording.encodings.decoders import Decoder
from episode_assets.recording.encodings.rows import CloudField, CloudRow, UndecodableMessageError
from episode_assets.recording.frames import rotated
from episode_assets.recording.pictures.images import StoredPictures

_COORDINATES = ("x", "y", "z")
_VALUES = ("confidence", "intensity")
"""Fields beside the coordinates that are handed on; any other is unknown and may hold pixels."""


@dataclass(frozen=True, eq=False)
class Cloud:
    """One point cloud.

    Attributes:
        message_number: Its number among all messages of its topic, in file order from 0.
        stamp_ns: Header stamp (log time where the header has none).
        points: (N, 3) metres in the frame of the stream, after the pose that the message gives its points; float64
            where the message has doubles or a pose, else float32. Points that are not finite are left out.
        values: (N,) per field of `confidence` and `intensity` that the message has, in its own type.
        dropped: Points left out.
    """

    message_number: int
    stamp_ns: int
    points: NDArray[np.float32] | NDArray[np.float64]
    values: Mapping[str, NDArray[Any]]
    dropped: int


@dataclass(frozen=True)
class UndecodableCloud:
    """A message whose points cannot be read, and why."""

    message_number: int
    stamp_ns: int
    reason: str


@dataclass(frozen=True, eq=False)
class CloudStream:
    """The point clouds of one topic in the order of their stamps; messages that repeat a stamp are all there.

    Attributes:
        topic: Topic the clouds come from.
        frame_id: Frame that the first message names.
        source: Address of the recording.
        message_number: (N,) int64, number in file order among all messages of the topic.
        stamp_ns: (N,) int64, not decreasing.
        log_time_ns: (N,) int64.
    """

    topic: str
    frame_id: str
    source: str
    message_number: NDArray[np.int64]
    stamp_ns: NDArray[np.int64]
    log_time_ns: NDArray[np.int64]
    _stored: StoredPictures = field(repr=False)
    _row: NDArray[np.int64] = field(repr=False)
    _packed: Mapping[int, PackedChunk] = field(repr=False)
    _decoder: Decoder = field(repr=False)

    def __len__(self) -> int:
        return len(self.stamp_ns)

    def read(self, start: int = 0, stop: int | None = None) -> Iterator[Cloud | UndecodableCloud]:
        """Yield the clouds at positions `[start, stop)`, or why one cannot be read; memory is that of one cloud.

        Raises:
            BadRecording: The file is shorter than the one that was scanned, or a chunk does not unpack any more.
        """
        with Source(self.source) as source, PayloadReader(source, self._packed) as payloads:
            for row in self._row[start:stop].tolist():
                stored = self._stored
                payload = payloads.get(
                    int(stored.chunk[row]), int(stored.offset[row]), int(stored.length[row])
                )
                yield self._cloud(int(stored.message_number[row]), int(stored.stamp_ns[row]), payload)

    def _cloud(self, number: int, stamp_ns: int, payload: memoryview) -> Cloud | UndecodableCloud:
        try:
            (row,) = self._decoder.rows(payload)
            points, values, dropped = points_of(cast(CloudRow, row))
        except UndecodableMessageError as error:
            return UndecodableCloud(number, stamp_ns, str(error))
        return Cloud(number, stamp_ns, points, values, dropped)


def cloud_stream(
    topic: str,
    frame_id: str,
    source: str,
    *,
    stored: StoredPictures,
    packed: Mapping[int, PackedChunk],
    decoder: Decoder,
) -> CloudStream:
    """Return the stream of the clouds that lie at the given places, in the order of their stamps."""
    order = np.argsort(stored.stamp_ns, kind="stable")
    number, stamp, log_time = (
        values[order] for values in (stored.message_number, stored.stamp_ns, stored.log_time_ns)
    )
    for values in (number, stamp, log_time):
        values.flags.writeable = False
    return CloudStream(topic, frame_id, source, number, stamp, log_time, stored, order, packed, decoder)


def points_of(row: CloudRow) -> tuple[NDArray[Any], dict[str, NDArray[Any]], int]:
    """Return points (N, 3) in metres, their values by field name, and how many points were not finite.

    Raises:
        UndecodableMessageError: The fields do not lie in the bytes as the message says, or it has no x, y, z.
    """
    table = _table(row)
    names = table.dtype.names or ()
    kinds = [table.dtype[name] for name in _COORDINATES]
    if any(kind.kind != "f" for kind in kinds):
        raise UndecodableMessageError("the coordinates of the points are not floating-point numbers")
    is_moved = row.translation != (0.0, 0.0, 0.0) or row.quaternion_xyzw[:3] != (0.0, 0.0, 0.0)
    wide = is_moved or any(kind.itemsize > 4 for kind in kinds)
    points = np.stack([table[name] for name in _COORDINATES], axis=1)
    points = points.astype(np.float64 if wide else np.float32, copy=False)
    finite = np.isfinite(points).all(axis=1)
    points = points[finite]
    if any(row.quaternion_xyzw) and is_moved:  # a zero quaternion is an unset one: no turn
        points = rotated(points, row.quaternion_xyzw)
    if is_moved:
        points = points + np.array(row.translation)
    values = {
        name: table[name][finite].astype(table.dtype[name].newbyteorder("="))
        for name in _VALUES
        if name in names
    }
    return points, values, int((~finite).sum())


def _table(row: CloudRow) -> NDArray[Any]:
    """Return the wanted fields of all points (N,) as a structured view on the payload."""
    fields = {field.name: field for field in row.fields if field.name in (*_COORDINATES, *_VALUES)}
    missing = [name for name in _COORDINATES if name not in fields]
    if missing:
        raise UndecodableMessageError(f"points without {', '.join(missing)}")
    wanted = [
        found for name in (*_COORDINATES, *_VALUES) if (found := fields.get(name)) and _is_single(found)
    ]
    count = row.width * row.height
    if count == 0:
        return np.empty(0, dtype=[(item.name, item.dtype) for item in wanted])
    _check_room(row, wanted)
    order = ">" if row.is_bigendian else "<"
    point = np.dtype(
        {
            "names": [item.name for item in wanted],
            "formats": [order + item.dtype for item in wanted],
            "offsets": [item.offset for item in wanted],
            "itemsize": row.point_step,
        }
    )
    shape, strides = (row.height, row.width), (row.row_step or row.width * row.point_step, row.point_step)
    points: NDArray[Any] = np.ndarray(shape, point, buffer=row.data, strides=strides)
    return points.reshape(-1)


def _is_single(field: CloudField) -> bool:
    if field.name in _COORDINATES and field.length != 1:
        raise UndecodableMessageError(f"point field {field.name} has {field.length} values and not one")
    return field.length == 1


def _check_room(row: CloudRow, wanted: list[CloudField]) -> None:
    for item in wanted:
        if item.offset + np.dtype(item.dtype).itemsize > row.point_step:
            raise UndecodableMessageError(
                f"point field {item.name} at byte {item.offset} does not fit into points of {row.point_step} bytes"
            )
    line = row.row_step or row.width * row.point_step
    if line < row.width * row.point_step:
        raise UndecodableMessageError(f"rows of {line} bytes for {row.width} points of {row.point_step}")
    needed = (row.height - 1) * line + row.width * row.point_step
    if needed > len(row.data):
        raise UndecodableMessageError(
            f"{len(row.data)} bytes for {row.height} x {row.width} points that need {needed}"
        )
