"""What is kept of each topic while a recording is walked: stamps, places of large payloads, columns of small streams.

Numbers go into `long_columns`, so that a sample costs its bytes and not a Python object, and those on disk. Pictures
and clouds are never kept, only where they lie. Which topics are written in the end is decided by `roles`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from episode_assets.recording.containers.container import IN_FILE, StoredMessage
from episode_assets.recording.encodings.batches import Batch, Layout, layout_of
from episode_assets.recording.encodings.decoders import Decoder, Undecodable
from episode_assets.recording.encodings.rows import (
    CameraInfoRow,
    ImageRow,
    ImuRow,
    MarkerRow,
    PoseRow,
    PosesRow,
    Row,
    TextRow,
    TrackingRow,
    TransformRow,
    UndecodableMessageError,
)
from episode_assets.recording.long_columns import LongColumn, Spool
from episode_assets.recording.mesh import MeshMerger
from episode_assets.recording.pictures.key_frames import GroupStart, group_start
from episode_assets.recording.pictures.picture_formats import is_depth_picture, picture_format

Key: TypeAlias = tuple[str, str, str, str]
_NAN = float("nan")
_UNSET3, _UNSET4 = (_NAN,) * 3, (_NAN,) * 4


class TopicLog:
    """Everything known about one topic with one type while the walk goes on.

    `number`, `stamp` and `log` have one entry for each kept row (a tf message gives several); `all_log` has one for
    each message of the topic. Pose sets and texts serve for anything and may be many: their content is kept only where
    `keeps_content` says that it may fill a role.
    """

    def __init__(
        self,
        key: Key,
        schema_data: bytes,
        decoder: Decoder | Undecodable | None,
        *,
        keeps_content: bool = True,
        spool: Spool | None = None,
    ) -> None:
        self.schema_data = schema_data
        self.topic, self.schema, self.schema_encoding, self.message_encoding = key
        self.decoder = decoder if isinstance(decoder, Decoder) else None
        self.cannot_decode = decoder.reason if isinstance(decoder, Undecodable) else None
        self.all_log = LongColumn("q", spool)
        self.payload_bytes = 0
        self.number, self.stamp, self.log = (LongColumn("q", spool) for _ in range(3))
        self.chunk, self.offset, self.length = (LongColumn("q", spool) for _ in range(3))
        self.group_start, self.damages = LongColumn("b", spool), LongColumn("q", spool)
        self._damages = 0
        self.floats, self.texts = LongColumn("d", spool), list[tuple[object, ...]]()
        self.mesh = MeshMerger()
        self.sizes = LongColumn("q", spool)
        self.keeps_content = keeps_content
        self.decoded = 0
        self.without_stamp = 0
        self.cut_texts = 0
        self.undecodable = 0
        self.first_error: str | None = None
        self.frame_id = ""
        self.child_frame_id = ""
        self.picture_format = ""
        self.picture_size: tuple[int, int] | None = None
        self.is_depth = False
        self._batch: Batch | None = None
        self._batch_texts = list[tuple[object, ...]]()
        self._known_texts: dict[tuple[object, ...], tuple[object, ...]] = {}

    @property
    def kind(self) -> str | None:
        """Kind of rows that the topic gives, or None."""
        return self.decoder.kind if self.decoder else None

    def add(self, message: StoredMessage, *, damages: int = 0) -> None:
        """Take one message: count it, decode it if its type is known, and keep its row or its place.

        Args:
            message: The message.
            damages: How many damaged stretches of the file lie before it.
        """
        number = len(self.all_log)
        self._damages = damages
        self.all_log.append(message.log_time_ns)
        length = len(message.payload)
        self.payload_bytes += length
        if self._batch is not None and self._batch.length == length:
            if self._batch.add(message.payload, number, message.log_time_ns):
                self.settle()
            return
        self.settle()
        before = len(self.stamp)
        self.look_at(message, number)
        if self._batch is None and len(self.stamp) > before:
            layout = layout_of(self.schema, self.message_encoding, message.payload)
            self._batch = None if layout is None else Batch(layout)
            self._batch_texts = self.texts[len(self.texts) - layout.rows :] if layout and self.texts else []

    def settle(self) -> None:
        """Decode what waits to be decoded together; call it before anything is read."""
        if self._batch is None or not self._batch.numbers:
            return
        layout, (data, numbers, log_times_ns) = self._batch.layout, self._batch.empty()
        fits = layout.fits(data)
        for run in np.split(np.arange(len(fits)), np.flatnonzero(np.diff(fits)) + 1):
            if fits[run[0]]:
                self._take_together(layout, data[run], numbers[run], log_times_ns[run])
                continue
            for row in run.tolist():
                message = StoredMessage(
                    0, int(log_times_ns[row]), memoryview(data[row].tobytes()), IN_FILE, 0
                )
                self.look_at(message, int(numbers[row]))

    def _take_together(
        self,
        layout: Layout,
        data: NDArray[np.uint8],
        numbers: NDArray[np.int64],
        log_times_ns: NDArray[np.int64],
    ) -> None:
        logs, stamps = np.repeat(log_times_ns, layout.rows), layout.stamps_ns(data)
        unset = stamps <= 0
        self.without_stamp += int(np.count_nonzero(unset))
        self.decoded += len(data)
        self.number.frombytes(np.repeat(numbers, layout.rows).tobytes())
        self.stamp.frombytes(np.where(unset, logs, stamps).tobytes())
        self.log.frombytes(logs.tobytes())
        self.floats.frombytes(np.ascontiguousarray(layout.numbers(data)).tobytes())
        self.texts.extend(self._batch_texts * len(data))

    def look_at(self, message: StoredMessage, number: int) -> None:
        """Decode one message, which is already counted, and keep its rows or places."""
        if self.decoder is None:
            return
        try:
            rows = self.decoder.rows(message.payload)
        except UndecodableMessageError as error:
            self.undecodable += 1
            if self.first_error is None:
                self.first_error = f"message {number} at log time {message.log_time_ns}: {error}"
            return
        take = _TAKERS[self.decoder.kind]
        self.decoded += 1 if rows else 0
        for row in rows:
            self._place(row, number, message)
            take(self, row)

    def _place(self, row: Row, number: int, message: StoredMessage) -> None:
        stamp = row.stamp_ns
        if not 0 < stamp < 1 << 63:
            stamp = message.log_time_ns
            self.without_stamp += 1
        self.number.append(number)
        self.stamp.append(stamp)
        self.log.append(message.log_time_ns)
        if not self.frame_id:
            self.frame_id = row.parent if isinstance(row, TransformRow) else row.frame_id
        if self.decoder is not None and self.decoder.kind in PLACED_KINDS:
            self.chunk.append(message.chunk)
            self.offset.append(message.offset)
            self.length.append(len(message.payload))
            self.group_start.append(_group_start(row))
            self.damages.append(self._damages)

    def keep_text(self, *texts: object) -> None:
        """Keep the words of a row; equal ones are shared."""
        self.texts.append(self._known_texts.setdefault(texts, texts))

    def numbers(self, width: int) -> NDArray[np.float64]:
        """Return all kept floats as (N, width), read-only; for streams that come no faster than pictures."""
        return self.floats.all().reshape(-1, width)

    def has_acceleration(self) -> bool:
        """Whether an IMU topic gives finite accelerations that are not all zero."""
        return self._says_something(slice(0, 3))

    def has_turn_rates(self) -> bool:
        """Whether an IMU topic gives finite turn rates that are not all zero."""
        return self._says_something(slice(3, 6))

    def _says_something(self, columns: slice) -> bool:
        for samples in self.floats.pieces(IMU_WIDTH):
            values = samples[:, columns]
            if np.any(values[np.isfinite(values).all(axis=1)] != 0):
                return True
        return False

    def unset_rotations(self) -> int:
        """Return how many poses have a quaternion that is zero or not finite, and so no rotation."""
        if self.kind not in ROTATION_KINDS:
            return 0
        unset = 0
        for poses in self.floats.pieces(POSE_WIDTH):
            # Damaged numbers may be too large to be squared.
            with np.errstate(over="ignore", invalid="ignore"):
                length = np.linalg.norm(poses[:, 3:], axis=1)
            unset += int(np.count_nonzero(~(length > SHORTEST_QUATERNION)))  # a NaN is not longer either
        return unset


PLACED_KINDS = frozenset({"image", "point_cloud"})
ROTATION_KINDS = frozenset({"pose", "trajectory", "tf", "poses"})
IMU_WIDTH, POSE_WIDTH, CAMERA_WIDTH = 10, 7, 9
SHORTEST_QUATERNION = 1e-6
LONGEST_TEXT = 65_536
"""Characters that are kept of one text; the rest is cut and counted."""


def _group_start(row: Row) -> GroupStart:
    if isinstance(row, ImageRow):
        return group_start(picture_format(row), row.data)
    return GroupStart.CLOSED


def _take_image(log: TopicLog, row: ImageRow) -> None:
    if not log.picture_format:
        log.picture_format = picture_format(row)
        log.is_depth = is_depth_picture(row)
        if row.width is not None and row.height is not None:
            log.picture_size = (row.width, row.height)


def _take_imu(log: TopicLog, row: ImuRow) -> None:
    log.floats.extend(row.linear_acceleration or _UNSET3)
    log.floats.extend(row.angular_velocity or _UNSET3)
    log.floats.extend(row.orientation_xyzw or _UNSET4)


def _take_pose(log: TopicLog, row: PoseRow) -> None:
    log.child_frame_id = log.child_frame_id or row.child
    log.floats.extend(row.translation)
    log.floats.extend(row.quaternion_xyzw)


def _take_transform(log: TopicLog, row: TransformRow) -> None:
    log.keep_text(row.parent, row.child)
    log.floats.extend(row.translation)
    log.floats.extend(row.quaternion_xyzw)


def _take_tracking(log: TopicLog, row: TrackingRow) -> None:
    log.keep_text(row.state, row.reason)


def _take_camera_info(log: TopicLog, row: CameraInfoRow) -> None:
    log.picture_size = log.picture_size or (row.width, row.height)
    log.floats.extend(row.k)
    log.keep_text(row.width, row.height, row.distortion_model, row.d)


def _take_marker(log: TopicLog, row: MarkerRow) -> None:
    log.mesh.add(row)


def _take_poses(log: TopicLog, row: PosesRow) -> None:
    if log.keeps_content:
        log.sizes.append(len(row.poses))
        log.floats.frombytes(np.ascontiguousarray(row.poses, dtype=np.float64).tobytes())


def _take_text(log: TopicLog, row: TextRow) -> None:
    if log.keeps_content:
        log.cut_texts += len(row.text) > LONGEST_TEXT
        log.keep_text(row.text[:LONGEST_TEXT])


def _take_nothing(log: TopicLog, row: Row) -> None:
    del log, row


_TAKERS: Mapping[str, Callable[[TopicLog, Row], None]] = {
    kind: cast(Callable[[TopicLog, Row], None], taker)
    for kind, taker in {
        "image": _take_image,
        "imu": _take_imu,
        "pose": _take_pose,
        "trajectory": _take_pose,
        "tf": _take_transform,
        "tracking": _take_tracking,
        "camera_info": _take_camera_info,
        "mesh": _take_marker,
        "point_cloud": _take_nothing,
        "poses": _take_poses,
        "text": _take_text,
    }.items()
}
