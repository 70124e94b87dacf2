"""MediaPipe's landmark network: 21 joints, presence and handedness of the hands in given regions."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from episode_assets.hands.networks import Precision, load_network
from episode_assets.hands.regions import Regions, crop_to_picture, regions_from_joints, turn, warp_regions


@dataclass(frozen=True)
class Readings:
    """What a hand estimator read in N regions of one picture.

    Attributes:
        regions: (N, 4) the regions that were looked at.
        joints_px: (N, 21, 3) float64 pixels of the picture; z in pixels too, 0 at the wrist, negative is nearer.
        shape_m: (N, 21, 3) float64 metres, camera directions (x right, y down, z away), origin somewhere in the
            hand. The size is a prior, not a measurement.
        presence: (N,) float64 in 0..1, how sure it is that a hand is there.
        right: (N,) float64 in 0..1, how much it looks like a right hand in an unmirrored picture.
    """

    regions: Regions
    joints_px: NDArray[np.float64]
    shape_m: NDArray[np.float64]
    presence: NDArray[np.float64]
    right: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.presence)

    def take(self, kept: NDArray[np.intp] | NDArray[np.bool_]) -> Readings:
        """Return the readings at the given positions or where the mask is true."""
        return Readings(
            self.regions[kept],
            self.joints_px[kept],
            self.shape_m[kept],
            self.presence[kept],
            self.right[kept],
        )


class LandmarkEstimator:
    """Reads hands in regions of a picture; see `episode_assets.hands.backends.HandEstimator`."""

    def __init__(self, path: Path, *, mirrored_input: bool, precision: Precision = "float32") -> None:
        self._network = load_network(path, precision)
        self._mirrored = mirrored_input

    def estimate(self, rgb: NDArray[np.uint8], regions: Regions) -> Readings:
        """Read the hand in each of (N, 4) regions of an (H, W, 3) picture."""
        # One by one: batches are not faster, and every size would keep an interpreter of its own.
        parts = [self._run(rgb, regions[index : index + 1]) for index in range(len(regions))]
        crop_joints, shape, presence, right = (
            np.concatenate([part[column] for part in parts]) if parts else np.zeros((0, *tail))
            for column, tail in enumerate(((21, 3), (21, 3), (), ()))
        )
        return Readings(
            regions,
            crop_to_picture(crop_joints, regions),
            turn(shape, regions[:, 3]),
            presence,
            1 - right if self._mirrored else right,
        )

    def next_regions(self, readings: Readings) -> Regions:
        """Return where the hands of these readings should be looked for next."""
        return regions_from_joints(readings.joints_px)

    def _run(self, rgb: NDArray[np.uint8], regions: Regions) -> tuple[NDArray[np.float64], ...]:
        outputs = self._network(warp_regions(rgb, regions))
        count = len(regions)
        return (
            outputs["Identity"].reshape(count, 21, 3).astype(np.float64),
            outputs["Identity_3"].reshape(count, 21, 3).astype(np.float64),
            outputs["Identity_1"].reshape(count).astype(np.float64),
            outputs["Identity_2"].reshape(count).astype(np.float64),
        )
