"""Colour pictures one by one, each with the depth, pose and IMU sample nearest to it in time.

Pictures are decoded as they are asked for, once; of depth one frame is held. What cannot be used is left out by the
rule by which the blurred video leaves it out, so a frame has the same index here and there.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from episode_assets.anonymization.looking import DroppedPicture, UnitPictures
from episode_assets.errors import BadConfig
from episode_assets.footage import Intrinsics, depth_intrinsics, picture_intrinsics
from episode_assets.geometry import quaternion_to_matrix
from episode_assets.recording import (
    ImageStream,
    ImuStream,
    PoseStream,
    depth_or_none,
    nearest,
)
from episode_assets.scripting.camera import Floats, Origin, Pose6D, SyncedFrame, checksum_of
from episode_assets.video import Picture, picture_to_rgb

if TYPE_CHECKING:
    from episode_assets.scripting.reader import MCAPReader

_SECOND_NS = 1e9


def usable_pictures(
    stream: ImageStream, size: tuple[int, int]
) -> Iterator[tuple[int, Picture] | DroppedPicture]:
    """Yield position and picture of every picture, or why it cannot be used."""
    pictures = UnitPictures(stream, size, start=0, stop=len(stream), keep_bytes=0)
    for item in pictures.scan():
        if isinstance(item, DroppedPicture):
            yield item
        else:
            position, _, picture = item
            yield position, picture


def synced_frames(
    session: MCAPReader, *, max_depth_dt: float, max_pose_dt: float, max_imu_dt: float
) -> Iterator[SyncedFrame]:
    """Yield the frames of a recording."""
    view = session.view
    stamps_ns = view.rgb.stamp_ns
    beside = _Beside(session, stamps_ns, max_depth_dt)
    pose, imu = view.pose, view.imu
    pose_at = _nearest(None if pose is None else pose.stamp_ns, stamps_ns, max_pose_dt, "max_pose_dt")
    imu_at = _nearest(None if imu is None else imu.stamp_ns, stamps_ns, max_imu_dt, "max_imu_dt")
    rgb, _ = picture_intrinsics(
        view.camera_info, stamps_ns, width=session.picture_size[0], height=session.picture_size[1]
    )
    for index, (position, picture) in enumerate(session.usable_pictures()):
        depth, depth_stamp_ns = beside.depth_at(position)
        recorded = picture_to_rgb(picture)
        yield SyncedFrame(
            index=index,
            timestamp=int(stamps_ns[position]) / _SECOND_NS,
            rgb=recorded,
            depth=depth,
            camera_pose=None if pose is None or pose_at[position] < 0 else pose_of(pose, pose_at[position]),
            imu=None if imu is None or imu_at[position] < 0 else imu_sample(imu, imu_at[position]),
            depth_K=None if depth is None else _matrix_at(beside.intrinsics(rgb, depth), position),
            rgb_K=_matrix_at(rgb, position),
            stamp_ns=int(stamps_ns[position]),
            origin=Origin(session, position, depth_stamp_ns, checksum_of(recorded)),
        )


def depth_frames(stream: ImageStream) -> Iterator[tuple[int, NDArray[np.uint16]]]:
    """Yield position and depth (h, w) in millimetres of every depth frame that decodes."""
    for position, message in stream.read_past_damage(0, len(stream)):
        depth = depth_or_none(message)
        if depth is not None:
            yield position, depth


def pose_of(stream: PoseStream, row: int) -> Pose6D:
    """Return one pose of a stream."""
    return Pose6D(
        quaternion_to_matrix(stream.quaternion_xyzw[row]),
        stream.translation[row].copy(),
        int(stream.stamp_ns[row]) / _SECOND_NS,
    )


def imu_sample(stream: ImuStream, row: int) -> dict[str, Floats]:
    """Return one sample of a stream."""
    return {
        "linear_acceleration": stream.linear_acceleration[row].copy(),
        "angular_velocity": stream.angular_velocity[row].copy(),
        "orientation": stream.orientation_xyzw[row].copy(),
    }


class _Beside:
    """The depth frames nearest to pictures, read in order."""

    def __init__(self, session: MCAPReader, stamps_ns: NDArray[np.int64], max_depth_dt: float) -> None:
        self._view = session.view
        self._stamps_ns = stamps_ns
        self._stream = self._view.depth
        self._nearest = _nearest(
            None if self._stream is None else self._stream.stamp_ns, stamps_ns, max_depth_dt, "max_depth_dt"
        )
        self._messages = (
            iter(()) if self._stream is None else self._stream.read_past_damage(0, len(self._stream))
        )
        self._position = -1
        self._depth: NDArray[np.uint16] | None = None
        self._known: dict[tuple[int, int], Intrinsics | None] = {}

    def depth_at(self, position: int) -> tuple[NDArray[np.uint16] | None, int | None]:
        """Return the depth of a picture, and its stamp; positions must not decrease."""
        wanted = int(self._nearest[position])
        if wanted < 0 or self._stream is None:
            return None, None
        while self._position < wanted:
            self._position, message = next(self._messages)
            self._depth = depth_or_none(message) if self._position == wanted else None
        # Two pictures may share a depth frame; what a script does to one must not reach the other.
        depth = None if self._depth is None else self._depth.copy()
        return depth, None if depth is None else int(self._stream.stamp_ns[wanted])

    def intrinsics(self, rgb: Intrinsics | None, depth: NDArray[np.uint16]) -> Intrinsics | None:
        """Return the intrinsics of depth of this size at all pictures."""
        size = (depth.shape[1], depth.shape[0])
        if size not in self._known:
            self._known[size] = depth_intrinsics(
                self._view, rgb, self._stamps_ns, width=size[0], height=size[1]
            )
        return self._known[size]


def _matrix_at(intrinsics: Intrinsics | None, position: int) -> Floats | None:
    if intrinsics is None or not intrinsics.valid[position]:
        return None
    matrix: Floats = intrinsics.K[position].copy()
    return matrix


def _nearest(
    stamps_ns: NDArray[np.int64] | None, queries_ns: NDArray[np.int64], seconds: float, name: str
) -> NDArray[np.int64]:
    if not 0 <= seconds <= 10:
        raise BadConfig(f"{name} must be 0..10 seconds, got {seconds!r}")
    if stamps_ns is None:
        return np.full(len(queries_ns), -1, np.int64)
    return nearest(stamps_ns, queries_ns, tolerance_ns=round(seconds * _SECOND_NS))
