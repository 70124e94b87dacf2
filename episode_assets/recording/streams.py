"""The small streams of a recording as readers see them: read-only columns, sorted by stamp, repeated stamps once.

They are written by `scan` as Parquet and loaded whole, since an hour takes a few megabytes; inertial samples come so
fast that they can be had in pieces, too. Pictures are in `images`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from episode_assets.recording.timeline import nearest

ASPECT_TOLERANCE = 0.01
"""Largest relative difference of aspect ratios at which a calibration may be scaled to a picture."""


@dataclass(frozen=True, eq=False)
class ImuStream:
    """Inertial samples in the sensor frame.

    Attributes:
        stamp_ns: (N,) int64.
        linear_acceleration: (N, 3) float64 m/s^2; NaN where not provided.
        angular_velocity: (N, 3) float64 rad/s; NaN where not provided.
        orientation_xyzw: (N, 4) float64; NaN where not provided. Its reference frame is not the world.
        frame_id: Frame that the messages name.
        gravity: `included`, `removed` or `unknown`, decided from the data.
    """

    stamp_ns: NDArray[np.int64]
    linear_acceleration: NDArray[np.float64]
    angular_velocity: NDArray[np.float64]
    orientation_xyzw: NDArray[np.float64]
    frame_id: str
    gravity: str

    def __len__(self) -> int:
        return len(self.stamp_ns)

    def acceleration_axes(self) -> Iterator[NDArray[np.float64]]:
        """Yield (N,) x, y and z of the acceleration."""
        yield from self.linear_acceleration.T

    def rotation_axes(self) -> Iterator[NDArray[np.float64]]:
        """Yield (N,) x, y and z of the angular velocity."""
        yield from self.angular_velocity.T

    def pieces(self) -> Iterator[ImuStream]:
        """Yield all samples as one piece."""
        yield self


class ImuSamples(Protocol):
    """Inertial samples, in memory or not: what is true of all of them, whole columns, and the samples in pieces.

    A column of samples that are not in memory is read each time it is asked for, and belongs to who asked. Axes come
    one after the other, so that memory need hold one of them alone.
    """

    @property
    def frame_id(self) -> str:
        """Frame that the messages name."""

    @property
    def gravity(self) -> str:
        """`included`, `removed` or `unknown`."""

    @property
    def stamp_ns(self) -> NDArray[np.int64]:
        """(N,) stamps of all samples."""

    def __len__(self) -> int: ...

    def acceleration_axes(self) -> Iterator[NDArray[np.float64]]:
        """Yield (N,) m/s^2 along x, y and z; NaN where not provided."""

    def rotation_axes(self) -> Iterator[NDArray[np.float64]]:
        """Yield (N,) rad/s about x, y and z; NaN where not provided."""

    def pieces(self) -> Iterator[ImuStream]:
        """Yield the samples in the order of their stamps."""


@dataclass(frozen=True, eq=False)
class PoseStream:
    """Poses of a link (the camera's, unless the recording says otherwise) in a fixed frame.

    Attributes:
        stamp_ns: (N,) int64.
        translation: (N, 3) float64 metres, origin of the link in `frame_id`.
        quaternion_xyzw: (N, 4) float64, rotates link coordinates into `frame_id`; zeros mean unset.
        frame_id: The fixed frame.
        child_frame_id: The link, or empty where the recording does not name it.
        source: `topic`, or `tf` where the poses were put together from the frame tree.
        is_interpolated: (N,) bool, true where an edge of the frame tree lies between two of its samples; None where
            all poses are as sent.
    """

    stamp_ns: NDArray[np.int64]
    translation: NDArray[np.float64]
    quaternion_xyzw: NDArray[np.float64]
    frame_id: str
    child_frame_id: str
    source: Literal["topic", "tf"] = "topic"
    is_interpolated: NDArray[np.bool_] | None = None


@dataclass(frozen=True, eq=False)
class PoseSetStream:
    """Sets of poses, of the joints of hands for example: one row per pose, all messages of all topics, all kept.

    Rows are in the order of stamp, topic, message and place in the message. Poses of one message share its stamp, and
    several messages may share one: none is left out.

    Attributes:
        stamp_ns: (N,) int64, not decreasing.
        message_number: (N,) int64 number of the message among all of its topic.
        topic: (N,) names.
        pose_index: (N,) int64 place in the message, from 0.
        translation: (N, 3) float64 metres in `frame_id`.
        quaternion_xyzw: (N, 4) float64; zeros mean unset.
        frame_id: (N,) frame that the first message of the topic names.
    """

    stamp_ns: NDArray[np.int64]
    message_number: NDArray[np.int64]
    topic: tuple[str, ...]
    pose_index: NDArray[np.int64]
    translation: NDArray[np.float64]
    quaternion_xyzw: NDArray[np.float64]
    frame_id: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class TextStream:
    """Annotations as sent: tasks, events, labels; messages of unknown JSON schemas as their JSON text.

    Attributes:
        stamp_ns: (N,) int64, not decreasing; log time for types without a header, such as std_msgs/String.
        message_number: (N,) int64 number of the message among all of its topic.
        topic: (N,) names.
        text: (N,) texts, cut at 65 536 characters.
    """

    stamp_ns: NDArray[np.int64]
    message_number: NDArray[np.int64]
    topic: tuple[str, ...]
    text: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class TfStream:
    """Edges of the frame tree: `p_parent = R p_child + t`.

    Attributes:
        stamp_ns: (N,) int64.
        parent: (N,) names.
        child: (N,) names.
        translation: (N, 3) float64 metres.
        quaternion_xyzw: (N, 4) float64.
        is_static: (N,) bool, true for edges that hold for all time.
    """

    stamp_ns: NDArray[np.int64]
    parent: tuple[str, ...]
    child: tuple[str, ...]
    translation: NDArray[np.float64]
    quaternion_xyzw: NDArray[np.float64]
    is_static: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class TrackingStream:
    """Tracking state over time.

    Attributes:
        stamp_ns: (N,) int64.
        state: (N,) uint8: 0 not available, 1 limited, 2 normal.
        reason: (N,) uint8: 0 none, 1 initialising, 2 excessive motion, 3 insufficient features, 4 relocalising.
    """

    stamp_ns: NDArray[np.int64]
    state: NDArray[np.uint8]
    reason: NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class CameraInfoStream:
    """Calibrations over time; autofocus moves K from frame to frame.

    Attributes:
        stamp_ns: (N,) int64.
        K: (N, 3, 3) float64 for a picture of `width` x `height`, which may be the capture buffer and not the
            transmitted picture: ask `for_pictures`.
        D: Distortion coefficients of each calibration.
        width: (N,) int32 pixels.
        height: (N,) int32 pixels.
        distortion_model: Name of each calibration's model.
        frame_id: Frame that the messages name.
    """

    stamp_ns: NDArray[np.int64]
    K: NDArray[np.float64]
    D: tuple[tuple[float, ...], ...]
    width: NDArray[np.int32]
    height: NDArray[np.int32]
    distortion_model: tuple[str, ...]
    frame_id: str

    def for_pictures(
        self, stamps_ns: NDArray[np.int64], *, width: int, height: int
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_], str | None]:
        """Return K for pictures of one size, from the calibration nearest in time.

        Recorders state K for the capture buffer and scale it by the plain size ratio, so the same is done here; where
        the aspect ratios differ by more than 1 % the calibration belongs to another picture and is refused.

        Returns:
            K (F, 3, 3), NaN where not usable; valid (F,) bool; and the reason where any is not usable, else None. Of
            a camera that is always the same, K is one matrix seen F times, which cannot be written to.
        """
        if self._is_constant and len(self.stamp_ns) > 1:
            K, valid, reason = self._first().for_pictures(stamps_ns[:1], width=width, height=height)
            count = len(stamps_ns)
            return np.broadcast_to(K, (count, 3, 3)), np.broadcast_to(valid, count).copy(), reason
        position = nearest(self.stamp_ns, stamps_ns)
        K = np.full((len(position), 3, 3), np.nan)
        if len(self.stamp_ns) == 0 or len(position) == 0:
            return K, np.zeros(len(position), dtype=np.bool_), "no calibration message"
        usable, reason = self._usable(width, height)
        scaled = self.K.copy()
        with np.errstate(divide="ignore", invalid="ignore"):
            scaled[:, 0] *= (width / self.width)[:, None]
            scaled[:, 1] *= (height / self.height)[:, None]
        valid = usable[position]
        K[valid] = scaled[position[valid]]
        return K, valid, None if valid.all() else reason

    @property
    def _is_constant(self) -> bool:
        """Whether all calibrations say the same of where things are in a picture."""
        return all(bool((values == values[:1]).all()) for values in (self.K, self.width, self.height))

    def _first(self) -> CameraInfoStream:
        one = slice(1)
        return CameraInfoStream(
            self.stamp_ns[one],
            self.K[one],
            self.D[one],
            self.width[one],
            self.height[one],
            self.distortion_model[one],
            self.frame_id,
        )

    def _usable(self, width: int, height: int) -> tuple[NDArray[np.bool_], str]:
        calibrated = (self.K[:, 0, 0] > 0) & (self.K[:, 1, 1] > 0) & (self.width > 0) & (self.height > 0)
        with np.errstate(divide="ignore", invalid="ignore"):
            stretch = (self.width / self.height) / (width / height)
        fits = np.abs(stretch - 1) <= ASPECT_TOLERANCE
        if not calibrated.all():
            return calibrated & fits, "a calibration message holds no calibration (focal length or size 0)"
        odd = int(np.argmin(fits))
        size = f"{self.width[odd]}x{self.height[odd]}"
        return (
            fits,
            f"the calibration is for {size}, whose aspect ratio differs from the picture's {width}x{height}",
        )
