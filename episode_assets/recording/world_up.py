"""Which way is up in the world of the poses: +Y on phones, +Z on robots, by what the recording shows.

Best is to measure: an accelerometer that includes gravity, carried into the world by the poses. Else conventions tell
where they are plain and agree. Where nothing tells, or two signs contradict each other, there is no answer: a wrong one
would turn pictures by a quarter.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from episode_assets.recording.frames import BODY_ROTATION, PHONE_LIBRARY, PHONE_ROTATION
from episode_assets.recording.inventory import LinkFromOptical
from episode_assets.recording.streams import PoseStream

Y_UP, Z_UP = (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)

_REP_105_FRAMES = frozenset({"map", "odom", "earth"})
_SAME_AXES_COSINE = np.cos(np.deg2rad(10.0))
_SNAP_COSINE = np.cos(np.deg2rad(15.0))
_FEWEST_MEASURED = 10
_LEAST_AGREEMENT = 0.9
"""Length of the mean of unit vectors: they all lie within some 25 degrees of one direction."""


class WorldUp(NamedTuple):
    """A unit vector (3,) in the world of the poses, and the grounds in words."""

    direction: NDArray[np.float64]
    grounds: str


def measured_up(up_in_world: NDArray[np.float64]) -> WorldUp | None:
    """Return what an accelerometer tells, or None where it tells too little or too many things.

    Args:
        up_in_world: (N, 3) unit vectors that were felt, carried into the world by the poses; NaN where unknown.
    """
    felt = up_in_world[np.isfinite(up_in_world).all(axis=1)]
    if len(felt) < _FEWEST_MEASURED:
        return None
    mean = felt.mean(axis=0)
    agreement = float(np.linalg.norm(mean))
    if agreement < _LEAST_AGREEMENT:
        return None
    mean = mean / agreement
    for axis, name in ((Y_UP, "+Y"), (Z_UP, "+Z")):
        if mean @ np.array(axis) >= _SNAP_COSINE:
            return WorldUp(np.array(axis), f"up is {name} of the world, measured by the accelerometer")
    return WorldUp(mean, "up is no axis of the world, measured by the accelerometer")


def conventional_up(poses: PoseStream, link: LinkFromOptical, library: str) -> WorldUp | None:
    """Return what the conventions of the recorder tell, or None where none is plain.

    Args:
        poses: Their frame names count.
        link: How the camera sits in the frame that the poses move.
        library: Writer named in the file's header.
    """
    if library.startswith(PHONE_LIBRARY):
        return WorldUp(np.array(Y_UP), "up is +Y of the world, as the phone app has it")
    rotation = np.array(link.rotation).reshape(3, 3)
    signs = [
        (Y_UP, "up is +Y of the world, as with AR camera axes", _is_close(rotation, PHONE_ROTATION)),
        (Z_UP, "up is +Z of the world, as with body axes (REP 103)", _is_close(rotation, BODY_ROTATION)),
        (Z_UP, f"up is +Z of {poses.frame_id} (REP 105)", poses.frame_id.strip("/") in _REP_105_FRAMES),
    ]
    seen = [(axis, grounds) for axis, grounds, is_seen in signs if is_seen]
    if len({axis for axis, _ in seen}) != 1:
        return None
    return WorldUp(np.array(seen[0][0]), seen[0][1])


def _is_close(rotation: NDArray[np.float64], other: NDArray[np.float64]) -> bool:
    return bool((np.trace(rotation.T @ other) - 1) / 2 >= _SAME_AXES_COSINE)
