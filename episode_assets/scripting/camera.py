"""What the camera's streams look like to a script: intrinsics, poses, and pictures with what was taken beside them."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from episode_assets.scripting.reader import MCAPReader

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class CameraIntrinsics:
    """A pinhole camera for images of one size.

    Attributes:
        width, height: Size of the images in pixels.
        K: (3, 3) float64 pixels, the median over the recording.
        D: (n,) float64 distortion coefficients, n may be 0.
        distortion_model: The recorder's word for D.
    """

    width: int
    height: int
    K: Floats
    D: Floats
    distortion_model: str = "plumb_bob"


@dataclass(frozen=True, eq=False)
class Pose6D:
    """A place and a direction in space: `p_world = rotation p_link + translation`.

    Attributes:
        rotation: (3, 3) float64.
        translation: (3,) float64 metres.
        timestamp: Seconds, or None.
    """

    rotation: Floats
    translation: Floats
    timestamp: float | None = None

    def as_matrix(self) -> Floats:
        """Return the (4, 4) homogeneous matrix."""
        matrix = np.eye(4)
        matrix[:3, :3], matrix[:3, 3] = self.rotation, self.translation
        return matrix

    @classmethod
    def from_matrix(cls, mat: Floats, timestamp: float | None = None) -> Pose6D:
        """Return the pose of a (4, 4) homogeneous matrix."""
        return cls(mat[:3, :3].copy(), mat[:3, 3].copy(), timestamp)


def checksum_of(rgb: NDArray[np.uint8]) -> int:
    """Return a number that tells whether somebody has changed a picture (H, W, 3)."""
    return zlib.crc32(np.ascontiguousarray(rgb).data)


@dataclass(frozen=True)
class Origin:
    """Where a frame comes from, for who works on frames of one recording.

    Attributes:
        session: The reader that gave it.
        position: Its position in the stream of colour pictures.
        depth_stamp_ns: Stamp of its depth frame, None without one.
        checksum: Of the picture as it was recorded, by `checksum_of`.
    """

    session: MCAPReader
    position: int
    depth_stamp_ns: int | None
    checksum: int


@dataclass(eq=False)
class SyncedFrame:
    """One colour picture and what is nearest to it in time.

    Attributes:
        index: Its number among the pictures that can be used, from 0.
        timestamp: Seconds on the clock of the recording.
        rgb: (H, W, 3) uint8, as it was recorded: unblurred.
        depth: (h, w) uint16 millimetres, 0 where missing; None where no depth frame is near.
        camera_pose: The camera link in the world, or None.
        imu: `linear_acceleration` (3,) m/s^2, `angular_velocity` (3,) rad/s, `orientation` (4,) x y z w; or None.
        depth_K: (3, 3) float64 intrinsics at this time, None where unknown.
        rgb_K: (3, 3) float64, likewise.
        stamp_ns: The stamp in nanoseconds; `timestamp` is rounded.
        origin: Where it comes from; None for frames that a script made itself.
    """

    index: int
    timestamp: float
    rgb: NDArray[np.uint8]
    depth: NDArray[np.uint16] | None = None
    camera_pose: Pose6D | None = None
    imu: Mapping[str, Floats] | None = None
    depth_K: Floats | None = None  # noqa: N815  # the field's own name for the matrix
    rgb_K: Floats | None = None  # noqa: N815
    stamp_ns: int = 0
    origin: Origin | None = field(default=None, repr=False)
