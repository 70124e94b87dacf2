"""The frames in which the numbers of a dataset are told.

The world of a recording is Y up, metres, with an arbitrary origin and heading. Positions of two recordings only
become comparable in a frame that is tied to the episode or to the camera.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from episode_assets.geometry import inverse

Floats = NDArray[np.float64]

STEEP_COSINE = math.cos(math.radians(15.0))
"""Within 15 degrees of the vertical, the direction of view says nothing about the heading."""

_UP = np.array([0.0, 1.0, 0.0])


def episode_from_world(world_from_optical: Floats) -> Floats:
    """Return the (4, 4) transform from the world into the frame of an episode that begins at this camera pose.

    Origin: the camera. y: up. -z: the direction of view, laid into the horizontal plane; pitch and roll are not
    taken over. Within 15 degrees of straight down the picture's up direction takes the place of the direction of
    view, within 15 degrees of straight up its opposite.

    Args:
        world_from_optical: (4, 4) pose of the camera at the episode's first row, finite.
    """
    rotation, origin = world_from_optical[:3, :3], world_from_optical[:3, 3]
    forward = rotation[:, 2]
    if abs(forward[1]) > STEEP_COSINE:
        # The optical y axis points down in the picture.
        forward = -rotation[:, 1] if forward[1] < 0 else rotation[:, 1]
    heading = forward - forward[1] * _UP
    z = -heading / np.linalg.norm(heading)
    x = np.cross(_UP, z)
    world_from_episode = np.stack([x, _UP, z], axis=1)
    R, t = inverse((world_from_episode, origin))
    return transform_matrix(R, t)


def transform_matrix(rotation: Floats, translation: Floats) -> Floats:
    """Return (..., 4, 4) transforms of rotations (..., 3, 3) and translations (..., 3)."""
    matrix = np.zeros((*translation.shape[:-1], 4, 4))
    matrix[..., :3, :3] = rotation
    matrix[..., :3, 3] = translation
    matrix[..., 3, 3] = 1.0
    return matrix


def transform(a_from_b: Floats, points_b: Floats) -> Floats:
    """Return points (N, P, 3) in frame a; `a_from_b` is (N, 4, 4) or (4, 4). NaN stays NaN."""
    moved = points_b @ np.swapaxes(a_from_b[..., :3, :3], -1, -2) + a_from_b[..., None, :3, 3]
    return np.asarray(moved)
