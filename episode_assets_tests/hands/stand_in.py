"""A backend that computes its answer from the pixels in microseconds: a hand wherever the picture is brightest.

Small enough to see what it does, and different for a wrong crop, scale, mirroring or channel order.
"""

from __future__ import annotations

import cv2
import numpy as np

from episode_assets.hands import Backend, HandPoseConfig, Readings
from episode_assets.hands.regions import Regions, crop_to_picture, regions_from_joints

SHAPE = np.zeros((21, 3))
SHAPE[1:5, :2] = [[-0.03, -0.02], [-0.05, -0.045], [-0.065, -0.065], [-0.075, -0.085]]
for _finger, _x in enumerate((-0.03, -0.01, 0.012, 0.03)):
    SHAPE[5 + 4 * _finger : 9 + 4 * _finger, 0] = _x
    SHAPE[5 + 4 * _finger : 9 + 4 * _finger, 1] = -0.085 - 0.027 * np.arange(4)


class BrightSpot:
    """Detector and estimator in one."""

    def detect(self, rgb: np.ndarray) -> Regions:
        side = min(rgb.shape[:2]) * 0.5
        return np.array([[*self._spot(rgb), side, 0.0]])

    def estimate(self, rgb: np.ndarray, regions: Regions) -> Readings:
        count = len(regions)
        spot = np.tile(self._spot(rgb), (count, 1))
        crop = np.tile(SHAPE * 900 + [112, 170, 0], (count, 1, 1))
        placed = regions.copy()
        placed[:, :2] = spot
        placed[:, 2] = min(rgb.shape[:2]) * 0.5
        placed[:, 3] = 0
        red = float(rgb[..., 0].mean() > rgb[..., 2].mean())
        return Readings(
            regions,
            crop_to_picture(crop, placed),
            np.tile(SHAPE, (count, 1, 1)),
            np.full(count, 0.9),
            np.full(count, red),
        )

    def next_regions(self, readings: Readings) -> Regions:
        return regions_from_joints(readings.joints_px)

    @staticmethod
    def _spot(rgb: np.ndarray) -> tuple[float, float]:
        grey = cv2.blur(rgb.mean(axis=2), (15, 15))
        y, x = np.unravel_index(int(grey.argmax()), grey.shape)
        return float(x), float(y)


def make(config: HandPoseConfig) -> Backend:
    del config
    both = BrightSpot()
    return Backend(both, both)
