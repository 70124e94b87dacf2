"""Pictures of cameras that are worn sideways or upside down: stood upright to be looked at, and the way back.

Nets know hands as people see them, and whose hand it is follows from where its arm comes from; both need "down" to be
down. Only whole quarter turns are made, which cost no sharpness; a palm network bears the rest. By how much a recording
is turned is said by `RecordingView.attitude`.

Turns count quarter turns clockwise, 0 to 3: how far the scene appears turned in the recorded picture.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from episode_assets.hands.regions import wrap_angle
from episode_assets.hands.sightings import Sightings
from episode_assets.recording import Attitude

Floats = NDArray[np.float64]

_STAND_UP = {1: cv2.ROTATE_90_COUNTERCLOCKWISE, 2: cv2.ROTATE_180, 3: cv2.ROTATE_90_CLOCKWISE}


def usual_turns(attitude: Attitude) -> int:
    """Return how most pictures of a recording are turned; 0 where nothing is known of any."""
    known = np.isfinite(attitude.roll_rad)
    return int(np.bincount(attitude.quarter_turns[known], minlength=4).argmax())


def stood_upright(rgb: NDArray[np.uint8], turns: int) -> NDArray[np.uint8]:
    """Turn an (H, W, 3) picture counter-clockwise so that its scene stands upright."""
    return np.asarray(cv2.rotate(rgb, _STAND_UP[turns]), np.uint8) if turns else rgb


def turn_points(points: Floats, turns: int, sizes: Floats) -> Floats:
    """Turn (N, ..., 2) pixels clockwise into pictures whose (N, 2) width and height are `sizes`."""
    last = (sizes - 1).reshape(len(points), *[1] * (points.ndim - 2), 2)
    x, y = points[..., 0], points[..., 1]
    right, bottom = last[..., 0], last[..., 1]
    turned = ((x, y), (right - y, x), (right - x, bottom - y), (y, bottom - x))[turns % 4]
    return np.stack(turned, axis=-1)


def turn_directions(vectors: Floats, turns: int) -> Floats:
    """Turn (..., 2 or 3) vectors clockwise about the optical axis, x right and y down; a third number stays."""
    x, y = vectors[..., 0], vectors[..., 1]
    turned = ((x, y), (-y, x), (-x, -y), (y, -x))[turns % 4]
    return np.stack([*turned, *np.moveaxis(vectors[..., 2:], -1, 0)], axis=-1)


def turn_sightings(sightings: Sightings, turns: int, sizes: Floats) -> Sightings:
    """Turn rows clockwise into pictures whose (N, 2) width and height are `sizes`.

    Joints, regions and shapes turn. The numbers of MANO do not: they are as the network gave them.
    """
    if not turns % 4:
        return sightings
    region = sightings.region.astype(np.float64)
    region[:, :2] = turn_points(region[:, :2], turns, sizes)
    region[:, 3] = wrap_angle(region[:, 3] + turns * np.pi / 2)
    joints = turn_points(sightings.joints_px.astype(np.float64), turns, sizes)
    return replace(
        sightings,
        region=region.astype(np.float32),
        joints_px=joints.astype(np.float32),
        shape_m=turn_directions(sightings.shape_m.astype(np.float64), turns).astype(np.float32),
    )


def turn_intrinsics(K: Floats, turns: int, sizes: Floats) -> Floats:
    """Turn (N, 3, 3) pinhole intrinsics clockwise into pictures whose (N, 2) width and height are `sizes`."""
    turned = K.copy()
    turned[:, :2, 2] = turn_points(K[:, :2, 2], turns, sizes)
    if turns % 2:
        turned[:, 0, 0], turned[:, 1, 1] = K[:, 1, 1], K[:, 0, 0]
    return turned


def turned_sizes(sizes: Floats, turns: int) -> Floats:
    """Return (N, 2) widths and heights of pictures after so many quarter turns either way."""
    return sizes[:, ::-1] if turns % 2 else sizes
