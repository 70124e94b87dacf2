"""How each picture of a recording is turned before it is searched, and on what grounds.

Where pose or gravity tell the roll, each picture has its own. Where nothing does, samples are searched at all four
right angles before the passes, and so is every picture on a grid during them. Turning itself belongs to `turning`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from episode_assets.anonymization.turning import Turn, all_right_angles, turn_out
from episode_assets.recording import Attitude

Grounds = Literal["pose", "gravity", "sampled", "assumed"]

_FRAMES_PER_SAMPLE = 30
_FEWEST_SAMPLES, _MOST_SAMPLES = 4, 12
_TEST_TILT_RAD = math.radians(30)
"""What the known-answer test is tilted by where pictures are tilted by any angle."""
_LEAST_SCORE = 1.0
"""Sum of the scores of certain faces, so at least two of them, from which on samples tell how pictures stand."""
_CLEAR_MARGIN = 2.0
"""By how much the best angle must exceed the next: upside down no certain face of 23 was found, sideways one."""


@dataclass(frozen=True, eq=False)
class Upright:
    """The turns that stand the pictures of a stream upright.

    Attributes:
        attitude: The roll of each picture of the stream, by position.
        key_stride: A picture of unknown roll is searched at all right angles where its position is a multiple of this.
        sampled_quarters: The quarter turns that samples told for pictures of unknown roll; None where they told
            nothing.
    """

    attitude: Attitude
    key_stride: int
    sampled_quarters: int | None = None

    def turns(self, position: int) -> tuple[Turn, ...]:
        """Return the turns in which a picture is searched; the likeliest first."""
        if self._is_unknown[position]:
            first = self.sampled_quarters or 0
            return all_right_angles(first) if position % self.key_stride == 0 else (Turn(first),)
        return (turn_out(float(self.attitude.roll_rad[position])),)

    @property
    def unknown(self) -> int:
        """Of how many pictures nothing tells the roll."""
        return int(self._is_unknown.sum())

    @property
    def grounds(self) -> Grounds:
        """What tells how pictures stand; where pose or gravity tell it of some, that."""
        if self.attitude.source != "none" and not self._is_unknown.all():
            return self.attitude.source
        return "assumed" if self.sampled_quarters is None else "sampled"

    def all_turns(self) -> tuple[Turn, ...]:
        """Return a turn of each kind that is used, for the known-answer test."""
        known = [turn_out(roll) for roll in self.attitude.roll_rad[~self._is_unknown].tolist()]
        quarters = {turn.quarters for turn in known} | (set(range(4)) if self._is_unknown.any() else set())
        is_tilted = any(turn.rest_rad for turn in known)
        return (*map(Turn, sorted(quarters)), *([Turn(0, _TEST_TILT_RAD)] if is_tilted else []))

    def samples(self) -> tuple[int, ...]:
        """Return the positions of the pictures that are sampled: spread evenly over those of unknown roll."""
        unknown = np.flatnonzero(self._is_unknown)
        count = min(max(len(unknown) // _FRAMES_PER_SAMPLE, _FEWEST_SAMPLES), _MOST_SAMPLES, len(unknown))
        middles = (np.arange(count) + 0.5) * len(unknown) / max(count, 1)
        return tuple(unknown[middles.astype(np.int64)].tolist())

    @cached_property
    def _is_unknown(self) -> NDArray[np.bool_]:
        return np.isnan(self.attitude.roll_rad)


def clearest_quarters(scores: NDArray[np.float64]) -> int | None:
    """Return the quarter turns at which samples show faces; None where no angle is clearly the best.

    Args:
        scores: (S, 4) sums of the scores of certain faces, for each sample and angle.
    """
    totals = scores.sum(axis=0)
    worse, best = np.sort(totals)[-2:]
    is_clear = best >= _LEAST_SCORE and best >= _CLEAR_MARGIN * worse
    return int(np.argmax(totals)) if is_clear else None
