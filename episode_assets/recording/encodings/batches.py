"""Small messages of one layout, decoded many at a time: arrays instead of one Python call after the other.

A recorder writes the same few layouts thousands of times: same frames, same texts, same length, other numbers. The
first message is read by its decoder and says where the numbers lie; those that agree with it in every other byte are
collected and read together, and any other message goes to the decoder. A message then costs 1 us instead of 6 us,
which is what a pass that decodes needs to keep up with one that only walks. Holds for CDR in little endian; add a
layout to `_PLACES` for a type that comes often.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from episode_assets.recording.encodings.cdr import CdrCursor
from episode_assets.recording.encodings.cursor import NS_PER_S
from episode_assets.recording.encodings.decoding import plain_type

BATCH_MESSAGES = 512
"""How many messages wait at most: enough that a call on arrays costs little for each, and a few hundred kilobytes."""

Kept: TypeAlias = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""From the numbers of rows, (N, width), to those of them that a log keeps."""


class _Place(NamedTuple):
    """Where the stamp (8 bytes) and the numbers (8 bytes each) of a row lie in the payload."""

    stamp_at: int
    numbers_at: int
    width: int


class Layout:
    """What messages of a topic have in common with their first, `payload`."""

    def __init__(self, payload: memoryview, places: tuple[_Place, ...], kept: Kept) -> None:
        self._places = places
        self._kept = kept
        self.length = len(payload)
        self.rows = len(places)
        same = np.ones(self.length, dtype=np.bool_)
        for place in places:
            same[place.stamp_at : place.stamp_at + 8] = False
            same[place.numbers_at : place.numbers_at + 8 * place.width] = False
        self._same = np.flatnonzero(same)
        self._template = np.frombuffer(bytes(payload), dtype=np.uint8)[self._same]

    def fits(self, data: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """Return for payloads (N, length) whether they agree with the first in all that is no number."""
        return np.asarray((data[:, self._same] == self._template).all(axis=1))

    def stamps_ns(self, data: NDArray[np.uint8]) -> NDArray[np.int64]:
        """Return the stamps of all rows, (N * rows,), message by message."""
        halves = [
            np.ascontiguousarray(data[:, place.stamp_at : place.stamp_at + 8]) for place in self._places
        ]
        columns = [
            half.view("<i4")[:, 0].astype(np.int64) * NS_PER_S + half.view("<u4")[:, 1] for half in halves
        ]
        return np.stack(columns, axis=1).reshape(-1)

    def numbers(self, data: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Return the numbers that are kept of all rows, (N * rows, width), message by message."""
        columns = [
            self._kept(
                np.ascontiguousarray(data[:, place.numbers_at : place.numbers_at + 8 * place.width]).view(
                    "<f8"
                )
            )
            for place in self._places
        ]
        return np.stack(columns, axis=1).reshape(len(data) * self.rows, -1)


class Batch:
    """Messages that wait: their payloads one behind the other, their numbers and log times."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.length = layout.length
        self.payloads = bytearray()
        self.numbers = list[int]()
        self.log_times_ns = list[int]()

    def add(self, payload: memoryview, number: int, log_time_ns: int) -> bool:
        """Take a message of the right length; return whether the batch is full."""
        self.payloads += payload
        self.numbers.append(number)
        self.log_times_ns.append(log_time_ns)
        return len(self.numbers) >= BATCH_MESSAGES

    def empty(self) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.int64]]:
        """Return payloads (N, length), numbers (N,) and log times (N,), and hold nothing any more."""
        data = np.frombuffer(bytes(self.payloads), dtype=np.uint8).reshape(-1, self.length)
        found = data, np.array(self.numbers, dtype=np.int64), np.array(self.log_times_ns, dtype=np.int64)
        self.payloads, self.numbers, self.log_times_ns = bytearray(), [], []
        return found


def layout_of(schema: str, message_encoding: str, payload: memoryview) -> Layout | None:
    """Return the layout of a message that its decoder has read, or None where its kind is not read in batches."""
    name = plain_type(schema)
    finder = _PLACES.get(name) or _PLACES.get(f"*/{name.rpartition('/')[2]}")
    if finder is None or message_encoding != "cdr" or payload[1] != 1:
        return None
    places, kept = finder(CdrCursor(payload))
    fits = all(place.numbers_at + 8 * place.width <= len(payload) for place in places)
    return Layout(payload, places, kept) if places and fits else None


def _everything(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return values


def _without_covariances(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return acceleration, turn rates and orientation of sensor_msgs/Imu; NaN where its sender provides none."""
    orientation, gyro, acceleration = values[:, :4].copy(), values[:, 13:16].copy(), values[:, 25:28].copy()
    with np.errstate(invalid="ignore"):  # damaged samples may hold signalling NaN
        is_unset = (values[:, 4] == -1) | ~orientation.any(axis=1)
    orientation[is_unset] = np.nan
    gyro[values[:, 16] == -1] = np.nan
    acceleration[values[:, 28] == -1] = np.nan
    return np.concatenate([acceleration, gyro, orientation], axis=1)


def _first(count: int) -> Kept:
    return lambda values: values[:, :count]


Found: TypeAlias = tuple[tuple[_Place, ...], Kept]


def _stamp_at(cursor: CdrCursor) -> int:
    cursor.align(4)
    at = cursor.at
    cursor.header()
    return at


def _numbers_at(cursor: CdrCursor) -> int:
    cursor.align(8)
    return cursor.at


def _imu(cursor: CdrCursor) -> Found:
    return (_Place(_stamp_at(cursor), _numbers_at(cursor), 37),), _without_covariances


def _pose(cursor: CdrCursor) -> Found:
    return (_Place(_stamp_at(cursor), _numbers_at(cursor), 7),), _everything


def _transforms(cursor: CdrCursor) -> Found:
    places = []
    for _ in range(cursor.u32()):
        stamp_at = _stamp_at(cursor)
        cursor.string()
        places.append(_Place(stamp_at, _numbers_at(cursor), 7))
        cursor.doubles(7)
    return tuple(places), _everything


def _tracking(cursor: CdrCursor) -> Found:
    return (_Place(_stamp_at(cursor), cursor.at, 0),), _everything


def _camera_info(cursor: CdrCursor) -> Found:
    stamp_at = _stamp_at(cursor)
    cursor.u32(), cursor.u32(), cursor.string()
    cursor.doubles(cursor.u32())
    # K is kept; R and P behind it may change with it.
    return (_Place(stamp_at, _numbers_at(cursor), 9 + 9 + 12),), _first(9)


_PLACES: Mapping[str, Callable[[CdrCursor], Found]] = {
    "sensor_msgs/Imu": _imu,
    "geometry_msgs/PoseStamped": _pose,
    "tf2_msgs/TFMessage": _transforms,
    "sensor_msgs/CameraInfo": _camera_info,
    "*/TrackingState": _tracking,
}
