"""How fast hands move in the world, per frame, from where they are and when.

No threshold is known here; what is odd stands in `hand_checks`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from episode_assets.qc.evidence import Evidence
from episode_assets.qc.hand_figures import HandFigures

Floats = NDArray[np.float64]


def wrist_speed(e: Evidence, hand: HandFigures) -> Floats:
    """Return the speed of the wrist in the world, (F,) m/s from the frame before; NaN across gaps and unknowns."""
    speed = np.full(len(e), np.nan)
    way = np.diff(hand.wrist_world.astype(np.float64), axis=0)
    speed[1:] = np.linalg.norm(way, axis=1) / _steps_s(e)
    return speed


def joint_speed(e: Evidence, hand: HandFigures) -> Floats:
    """Return the speed of the fastest joint in the world, (F,) m/s from the frame before; NaN likewise."""
    speed = np.full(len(e), np.nan)
    speed[1:] = hand.joint_step_m[1:] / _steps_s(e)
    return speed


def wrist_acceleration(e: Evidence, hand: HandFigures) -> Floats:
    """Return the acceleration of the wrist in the world, (F,) m/s2 at the middle one of three frames; NaN likewise."""
    wrist = hand.wrist_world.astype(np.float64)
    result = np.full(len(e), np.nan)
    if len(e) < 3:
        return result
    steps = _steps_s(e)
    velocity = np.diff(wrist, axis=0) / steps[:, None]
    change = np.linalg.norm(np.diff(velocity, axis=0), axis=1)
    result[1:-1] = change / (0.5 * (steps[1:] + steps[:-1]))
    return result


def wrist_tremble(e: Evidence, hand: HandFigures) -> Floats:
    """Return (F,) metres by which the wrist is off a smooth way at the third of four frames; NaN likewise.

    Third differences leave nothing of a way that accelerates steadily, however far apart frames are. They are scaled
    to what noise does to the middle of three frames: of noise with deviation s they have sqrt(20) s, second ones
    sqrt(6) s.
    """
    wrist = hand.wrist_world.astype(np.float64)
    result = np.full(len(e), np.nan)
    if len(e) >= 4:
        bend = np.diff(wrist, n=3, axis=0) * np.sqrt(6 / 20)
        bend[e.gap_before[1:-2] | e.gap_before[2:-1] | e.gap_before[3:]] = np.nan
        result[2:-1] = np.linalg.norm(bend, axis=1)
    return result


def _steps_s(e: Evidence) -> Floats:
    """Return (F-1,) seconds between frames, NaN across gaps."""
    steps = np.diff(e.stamps_ns) / 1e9
    return np.where(e.gap_before[1:] | (steps <= 0), np.nan, steps)
