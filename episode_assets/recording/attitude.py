"""How the pictures of the colour camera stand to gravity: by what angle the scene in them is rolled.

Nets know upright faces and people know upright pictures, but cameras are worn sideways and upside down. Turning a
picture belongs to those who look at it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from episode_assets.recording.frames import rotated
from episode_assets.recording.interpolation import interpolate_rotations
from episode_assets.recording.streams import PoseStream
from episode_assets.recording.timeline import Stamps

AttitudeSource = Literal["pose", "gravity", "none"]

_WORLD_UP = np.array([0.0, 1.0, 0.0])
_LEAST_IN_PICTURE = 0.3
"""Where less of "up" than this (a sine) lies in the plane of the picture, the camera looks up or down: no roll."""


@dataclass(frozen=True, eq=False)
class Attitude:
    """The roll of pictures.

    Attributes:
        roll_rad: (F,) float64, -pi to pi: the angle, clockwise in the picture, from the picture's top to where the
            world's up points. Turning the picture counter-clockwise by it stands the scene upright. NaN where unknown.
        source: What it follows from; `none` where nothing tells, and then every angle is NaN.
    """

    roll_rad: NDArray[np.float64]
    source: AttitudeSource

    @classmethod
    def unknown(cls, count: int) -> Attitude:
        """Return the attitude of pictures of which nothing is known."""
        return cls(np.full(count, np.nan), "none")

    @property
    def quarter_turns(self) -> NDArray[np.int64]:
        """(F,) 0..3: the roll in whole quarter turns, clockwise; 0 where it is unknown."""
        return np.rint(np.nan_to_num(self.roll_rad) / (np.pi / 2)).astype(np.int64) % 4


def attitude_from_poses(
    poses: PoseStream, link_from_optical: NDArray[np.float64], stamps_ns: Stamps
) -> Attitude:
    """Return the roll of pictures taken at `stamps_ns`, from poses in a world whose up is +Y.

    Args:
        poses: Poses of the link.
        link_from_optical: (3, 3) rotation of the optical frame in the link.
        stamps_ns: (F,) int64.
    """
    quaternion = interpolate_rotations(poses.stamp_ns, poses.quaternion_xyzw, stamps_ns).values
    # The world's up as the link sees it: turned by the inverse rotation.
    inverse = quaternion * np.array([-1.0, -1.0, -1.0, 1.0])
    up_in_link = np.concatenate([np.zeros((0, 3)), *(rotated(_WORLD_UP[None], row) for row in inverse)])
    return Attitude(_roll(up_in_link @ link_from_optical), "pose")


def _roll(up: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the roll (F,) for directions (F, 3) of up in optical axes, x right, y down."""
    is_seen = np.linalg.norm(up[:, :2], axis=1) >= _LEAST_IN_PICTURE
    return np.where(is_seen, np.arctan2(up[:, 0], -up[:, 1]), np.nan)
