"""How the pictures of the colour camera stand to gravity: by what angle the scene in them is rolled.

Nets know upright faces and people know upright pictures, but cameras are worn sideways and upside down. Which way is up
in the world of the poses stands in `world_up`, what an accelerometer feels in `felt_gravity`; turning a picture belongs
to those who look at it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from episode_assets.recording.felt_gravity import felt_up
from episode_assets.recording.frames import PHONE_LINK, Edge, rotation_between, turned_each
from episode_assets.recording.interpolation import interpolate_rotations
from episode_assets.recording.inventory import LinkFromOptical
from episode_assets.recording.streams import ImuSamples, PoseStream
from episode_assets.recording.timeline import Stamps
from episode_assets.recording.world_up import WorldUp, conventional_up, measured_up

AttitudeSource = Literal["pose", "gravity", "none"]

_LEAST_IN_PICTURE = 0.3
"""Where less of "up" than this (a sine) lies in the plane of the picture, the camera looks up or down: no roll."""
_OPPOSITE_COSINE = -0.5
"""Two directions that are more than 120 degrees apart say the opposite of each other."""


@dataclass(frozen=True, eq=False)
class Attitude:
    """The roll of pictures, and which way is up in the world of the poses.

    Attributes:
        roll_rad: (F,) float64, -pi to pi: the angle, clockwise in the picture, from the picture's top to where the
            world's up points. Turning the picture counter-clockwise by it stands the scene upright. NaN where unknown.
        source: What it follows from; `none` where nothing tells, and then every angle is NaN.
        grounds: In words, which way is up and what tells it; empty where nothing does.
        up_in_world: (3,) float64 unit vector against gravity in the world of the poses, whatever the pictures show;
            None without poses, or where nothing tells.
    """

    roll_rad: NDArray[np.float64]
    source: AttitudeSource
    grounds: str = ""
    up_in_world: NDArray[np.float64] | None = None

    @classmethod
    def unknown(cls, count: int) -> Attitude:
        """Return the attitude of pictures of which nothing is known."""
        return cls(np.full(count, np.nan), "none")

    @property
    def quarter_turns(self) -> NDArray[np.int64]:
        """(F,) 0..3: the roll in whole quarter turns, clockwise; 0 where it is unknown."""
        return np.rint(np.nan_to_num(self.roll_rad) / (np.pi / 2)).astype(np.int64) % 4


@dataclass(frozen=True, eq=False)
class Rig:
    """What a recording tells about how its camera moves and sits.

    Attributes:
        poses: Poses of the link, or None.
        link: How the camera sits in the link; None where the recording has no camera.
        imu: Inertial samples, or None.
        edges: The frame tree.
        optical: Name of the frame of the pictures.
        library: Writer named in the file's header.
    """

    poses: PoseStream | None
    link: LinkFromOptical | None
    imu: ImuSamples | None
    edges: dict[str, Edge]
    optical: str
    library: str


def find_attitude(rig: Rig, stamps_ns: Stamps) -> Attitude:
    """Return the roll of pictures taken at `stamps_ns` (F,): by poses, else by gravity as an accelerometer feels it.

    Poses count where it is known how the camera sits in their link and which way is up in their world. What cannot
    be told of a single picture, in a gap or with the camera looking straight up or down, stays NaN. So does everything
    where the accelerometer says the opposite of a plain convention: some recorders write its sign the other way round.
    """
    measured, conventional = _ups_of_poses(rig)
    if measured and conventional and measured.direction @ conventional.direction < _OPPOSITE_COSINE:
        return Attitude.unknown(len(stamps_ns))
    up = measured or conventional
    for attitude in (_by_poses(rig, up, stamps_ns), _by_gravity(rig, stamps_ns)):
        if attitude is not None and np.isfinite(attitude.roll_rad).any():
            break
    else:
        attitude = Attitude.unknown(len(stamps_ns))
    return attitude if up is None else replace(attitude, up_in_world=up.direction)


def _ups_of_poses(rig: Rig) -> tuple[WorldUp | None, WorldUp | None]:
    """Return which way is up in the world of the poses as it is measured, and as conventions have it."""
    if rig.poses is None or rig.link is None or rig.link.source == "assumed":
        return None, None
    return (
        measured_up(_felt_in_world(rig, rig.poses)),
        conventional_up(rig.poses, rig.link, rig.library),
    )


def _by_poses(rig: Rig, up: WorldUp | None, stamps_ns: Stamps) -> Attitude | None:
    if up is None or rig.poses is None or rig.link is None:
        return None
    quaternion = interpolate_rotations(rig.poses.stamp_ns, rig.poses.quaternion_xyzw, stamps_ns).values
    up_in_world = np.broadcast_to(up.direction, (len(quaternion), 3))
    # The world's up as the link sees it: turned by the inverse rotation.
    up_in_link = turned_each(up_in_world, quaternion * np.array([-1.0, -1.0, -1.0, 1.0]))
    return Attitude(_roll(up_in_link @ _link_from_optical(rig.link)), "pose", up.grounds)


def _felt_in_world(rig: Rig, poses: PoseStream) -> NDArray[np.float64]:
    felt = _felt_up(rig, poses.stamp_ns)
    if felt is None or rig.link is None:
        return np.empty((0, 3))
    quaternion = interpolate_rotations(poses.stamp_ns, poses.quaternion_xyzw, poses.stamp_ns).values
    return turned_each(felt @ _link_from_optical(rig.link).T, quaternion)


def _by_gravity(rig: Rig, stamps_ns: Stamps) -> Attitude | None:
    up = _felt_up(rig, stamps_ns)
    return None if up is None else Attitude(_roll(up), "gravity", "up is where the accelerometer feels it")


def _felt_up(rig: Rig, stamps_ns: Stamps) -> NDArray[np.float64] | None:
    """Return up (F, 3) in optical axes by the accelerometer; None where that tells nothing of the camera."""
    if rig.imu is None or rig.imu.gravity != "included":
        return None
    optical_from_imu = _optical_from_imu(rig, rig.imu.frame_id.strip("/"))
    return None if optical_from_imu is None else felt_up(rig.imu, stamps_ns) @ optical_from_imu.T


def _optical_from_imu(rig: Rig, imu_frame: str) -> NDArray[np.float64] | None:
    rotation = rotation_between(rig.edges, imu_frame, rig.optical)
    if rotation is None and rig.link is not None and rig.link.source == "profile":
        # Without poses the phone app sends no edge to the optical frame, but still the one to its IMU.
        link_from_imu = rotation_between(rig.edges, imu_frame, PHONE_LINK)
        rotation = None if link_from_imu is None else _link_from_optical(rig.link).T @ link_from_imu
    return rotation


def _link_from_optical(link: LinkFromOptical) -> NDArray[np.float64]:
    return np.array(link.rotation).reshape(3, 3)


def _roll(up: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the roll (F,) for directions (F, 3) of up in optical axes, x right, y down."""
    is_seen = np.linalg.norm(up[:, :2], axis=1) >= _LEAST_IN_PICTURE
    return np.where(is_seen, np.arctan2(up[:, 0], -up[:, 1]), np.nan)
