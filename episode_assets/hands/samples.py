"""Hands of one side as a source brings them: joints over time, before anything is matched or transformed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from episode_assets.hands.given_frames import Place

Floats = NDArray[np.float64]
Key = Literal["stamp_ns", "message_number"]


@dataclass(frozen=True, eq=False)
class Samples:
    """M samples of one hand, each key once, in the order of the keys.

    Attributes:
        is_right: Which hand.
        by: What the keys are: stamps of any clock sample, or numbers of picture messages.
        key: (M,) int64, increasing.
        joints_m: (M, 21, 3) float64 metres in the frame of `place`, NaN where not given.
        joints_px: (M, 21, 2) float64 pixels of the picture, NaN where not given.
        confidence: (M,) float64 in 0..1, NaN where not given.
        place: Where their frame is; None where only pixels are given.
    """

    is_right: bool
    by: Key
    key: NDArray[np.int64]
    joints_m: Floats
    joints_px: Floats
    confidence: Floats
    place: Place | None


def known_joints(joints: Floats) -> NDArray[np.bool_]:
    """Return (..., 21) which of joints (..., 21, C) have all their numbers."""
    return np.asarray(np.isfinite(joints).all(axis=-1))


def first_of_each(key: NDArray[np.int64]) -> NDArray[np.intp]:
    """Return the row of the first sample of each key, in the order of the keys."""
    _, first = np.unique(key, return_index=True)
    return np.asarray(first, np.intp)


def without_repeated_wrist(joints_m: Floats) -> tuple[Floats, int]:
    """Keep only the wrist of samples that give one point for all 21 joints; return how many those were.

    Some trackers know the wrist alone and repeat it: such a hand has no fingers.
    """
    same = (joints_m == joints_m[:, :1]).all(axis=(1, 2))
    kept = joints_m.copy()
    kept[same, 1:] = np.nan
    return kept, int(same.sum())
