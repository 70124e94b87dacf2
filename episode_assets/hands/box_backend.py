"""Backends that box every hand of every picture with its side and read each box by itself.

Networks of the MANO family are called this way: they know right hands only, say nothing about presence, and need to be
told the side. Following such hands through time is in `box_following`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class HandBoxes:
    """Boxes of N hands in one picture, surest first.

    Attributes:
        boxes: (N, 4) float64 x0, y0, x1, y1, pixels counted by their centres.
        is_right: (N,) bool, looks like a right hand in an unmirrored picture.
        score: (N,) float64 in 0..1.
    """

    boxes: Floats
    is_right: NDArray[np.bool_]
    score: Floats

    def __len__(self) -> int:
        return len(self.score)

    def take(self, kept: NDArray[np.intp] | NDArray[np.bool_]) -> HandBoxes:
        """Return the boxes at the given positions or where the mask is true."""
        return HandBoxes(self.boxes[kept], self.is_right[kept], self.score[kept])


@dataclass(frozen=True, eq=False)
class BoxReadings:
    """What was read in N boxes.

    Attributes:
        regions: (N, 4) squares that were looked at, as `hands.regions` has them; never rotated.
        joints_px: (N, 21, 2) float64 pixels of the picture.
        shape_m: (N, 21, 3) float64 metres in camera directions, origin in the hand.
        mano: (N, 157) float32, the columns of `mano.COLUMNS` in the space of a right hand, as the network gave them.
    """

    regions: Floats
    joints_px: Floats
    shape_m: Floats
    mano: NDArray[np.float32]


class HandBoxDetector(Protocol):
    """Finds hands and tells left from right."""

    def detect(self, rgb: NDArray[np.uint8]) -> HandBoxes:
        """Return the hands of an (H, W, 3) picture."""


class BoxReader(Protocol):
    """Reads hands in boxes."""

    def read(self, rgb: NDArray[np.uint8], hands: HandBoxes) -> BoxReadings:
        """Return one reading for each of N boxes of an (H, W, 3) picture; N may be 0."""


@dataclass(frozen=True)
class BoxBackend:
    """A detector and a reader of boxes that belong together."""

    detector: HandBoxDetector
    reader: BoxReader
