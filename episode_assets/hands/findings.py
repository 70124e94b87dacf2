"""What is known about a recording's hands between looking and writing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from episode_assets.hands.filling import Holes
from episode_assets.hands.placing import Placed
from episode_assets.hands.sides import Owners
from episode_assets.hands.sightings import Sightings


@dataclass
class Seen:
    """What the chunks gave; F pictures of the stream.

    Attributes:
        sightings: Stitched rows, ordered by track and frame.
        sizes: (F, 2) int32 width and height in pixels, 0 where a picture does not decode.
        is_key: (F,) bool, the whole picture was searched.
        run: (F,) int64 number of the gapless run.
        undecodable_depth: Depth frames that were wanted and do not decode.
        depth_misfits: Frames whose depth has another shape than the picture or the calibration says.
        turns: By how many quarter turns, clockwise, the scene is turned in the pictures; they were looked at upright.
    """

    sightings: Sightings
    sizes: NDArray[np.int32]
    is_key: NDArray[np.bool_]
    run: NDArray[np.int64]
    undecodable_depth: int = 0
    depth_misfits: int = 0
    turns: int = 0

    @property
    def is_decodable(self) -> NDArray[np.bool_]:
        """(F,) bool."""
        decodable: NDArray[np.bool_] = self.sizes[:, 0] > 0
        return decodable

    @property
    def frame_index(self) -> NDArray[np.int64]:
        """(F,) int64 dense position among the decodable pictures; meaningless for the others."""
        return np.cumsum(self.is_decodable).astype(np.int64) - 1


@dataclass(frozen=True)
class Hands:
    """Measured rows with everything that is known about them, and the holes between them.

    Attributes:
        sightings: N rows, ordered by track and frame.
        owners: Side and wearer of each row.
        placed: Metric joints of each row.
        holes: Frames to fill.
        calibration_reasons: Why intrinsics are missing, where they are.
    """

    sightings: Sightings
    owners: Owners
    placed: Placed
    holes: Holes
    calibration_reasons: tuple[str, ...]
