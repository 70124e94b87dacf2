"""The hand's bones: joint positions of a right hand for a pose of its fingers.

Hand frame: origin at the wrist, y toward the fingers, z out of the back of the hand, x toward the little finger;
metres. A left hand is the mirror image in x. Skin and picture are made in `hand_sprite`, places and times in
`hand_motion`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_KNUCKLES_M = np.array(
    [[-0.0250, 0.0880, 0.0], [-0.0030, 0.0900, 0.0020], [0.0170, 0.0840, 0.0], [0.0340, 0.0750, -0.0040]]
)
_PHALANGES_M = np.array(
    [[0.0405, 0.0255, 0.0220], [0.0440, 0.0295, 0.0230], [0.0405, 0.0275, 0.0230], [0.0325, 0.0205, 0.0200]]
)
_FAN_RAD = np.deg2rad([-9.0, -1.0, 7.0, 16.0])
_THUMB_BASE_M = np.array([-0.0290, 0.0250, -0.0090])
_THUMB_M = (0.0400, 0.0330, 0.0270)


@dataclass(frozen=True)
class FingerPose:
    """How the fingers are held.

    Attributes:
        curl: (5,) from 0 (straight) to 1 (fist), thumb first.
        spread: 0 keeps the fingers together, 1 fans them out.
    """

    curl: Array
    spread: float


def joints(pose: FingerPose) -> Array:
    """(21,3) joints in the hand frame: wrist, then four each of thumb, index, middle, ring and little finger."""
    placed = [np.zeros((1, 3)), _thumb(float(pose.curl[0]))]
    placed += [_finger(number, float(pose.curl[number + 1]), pose.spread) for number in range(4)]
    return np.concatenate(placed)


def _finger(number: int, curl: float, spread: float) -> Array:
    """Knuckle to tip; each joint bends further toward the palm."""
    bends = np.deg2rad([6 + 62 * curl, 8 + 80 * curl, 5 + 48 * curl])
    fan = _FAN_RAD[number] * (0.35 + 0.65 * spread) * (1 - 0.7 * curl)
    return _chain(_KNUCKLES_M[number], _PHALANGES_M[number], np.cumsum(bends), np.full(3, fan))


def _thumb(curl: float) -> Array:
    """Base to tip; the thumb lies beside the palm and bends across it."""
    fan = np.deg2rad([-46 + 10 * curl, -30 + 22 * curl, -18 + 38 * curl])
    down = np.deg2rad([16 + 14 * curl, 14 + 12 * curl, 12 + 12 * curl])
    return _chain(_THUMB_BASE_M, np.array(_THUMB_M), down, fan)


def _chain(start: Array, lengths: Array, down_rad: Array, fan_rad: Array) -> Array:
    directions = np.stack(
        [np.cos(down_rad) * np.sin(fan_rad), np.cos(down_rad) * np.cos(fan_rad), -np.sin(down_rad)], axis=1
    )
    steps = lengths[:, None] * directions
    chain: Array = np.concatenate([start[None], start + np.cumsum(steps, axis=0)])
    return chain
