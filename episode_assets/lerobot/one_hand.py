"""The 8 state and 7 action numbers of Data-Juicer's exporter, bit for bit.

State: x, y, z [m], roll, pitch, yaw [rad, extrinsic xyz], a constant 0, gripper. Action: the step to the next state
and the gripper of the next state; the last row has six zeros and its own gripper. The order of roundings is part of
the definition: states are cast to float32 first, positions subtracted in float32, rotations composed in float64.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Floats32 = NDArray[np.float32]

STATE_WIDTH, ACTION_WIDTH = 8, 7


def one_hand_states(position: Floats, rotation: Floats, grip: Floats) -> Floats32:
    """Return (N, 8) states of positions (N, 3), rotations (N, 3, 3) and openings (N,)."""
    states = np.zeros((len(position), STATE_WIDTH))
    states[:, :3] = position
    states[:, 3:6] = _angles(_rotations().from_matrix(rotation)) if len(rotation) else 0.0
    states[:, 7] = grip
    return states.astype(np.float32)


def one_hand_actions(states: Floats32) -> Floats32:
    """Return (N, 7) actions of (N, 8) float32 states."""
    actions = np.zeros((len(states), ACTION_WIDTH), dtype=np.float32)
    if len(states) > 1:
        turns = _rotations().from_euler("xyz", states[:, 3:6])
        actions[:-1, :3] = states[1:, :3] - states[:-1, :3]
        actions[:-1, 3:6] = _angles(turns[1:] * turns[:-1].inv())
        actions[:-1, 6] = states[1:, 7]
    actions[-1:, 6] = states[-1:, 7]
    return actions


def _rotations() -> Any:
    # The other system composes with this class; matrices or formulas of our own round the last bit differently.
    from scipy.spatial.transform import Rotation

    return Rotation


def _angles(rotation: Any) -> Floats:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Gimbal lock", category=UserWarning)
        return np.asarray(rotation.as_euler("xyz"), dtype=np.float64)
