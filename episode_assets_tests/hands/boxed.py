"""A backend that boxes the brightest place of every picture and reads it, as surely as it is told.

The stand-in of networks that need torch: it has their shape and none of their weight.
"""

from __future__ import annotations

import numpy as np

from episode_assets.hands import HandPoseConfig
from episode_assets.hands.box_backend import BoxBackend, BoxReadings, HandBoxes
from episode_assets_tests.hands.stand_in import SHAPE, BrightSpot

SCORE = 0.4
"""Above the threshold from which boxes are read, and below what presence of a followed hand has to be."""


class BrightBox:
    """Detector and reader in one."""

    def detect(self, rgb: np.ndarray) -> HandBoxes:
        x, y, side, _ = BrightSpot().detect(rgb)[0]
        box = np.array([[x - side / 2, y - side / 2, x + side / 2, y + side / 2]])
        return HandBoxes(box, np.array([True]), np.array([SCORE]))

    def read(self, rgb: np.ndarray, hands: HandBoxes) -> BoxReadings:
        del rgb
        count = len(hands)
        middle, side = (hands.boxes[:, :2] + hands.boxes[:, 2:]) / 2, np.ptp(hands.boxes[:, ::2], axis=1)
        joints = middle[:, None] + SHAPE[:, :2] * 4 * side[:, None, None]
        regions = np.column_stack([middle, side, np.zeros(count)])
        shape = np.tile(SHAPE, (count, 1, 1))
        return BoxReadings(regions, joints, shape, np.zeros((count, 157), np.float32))


def make(config: HandPoseConfig) -> BoxBackend:
    del config
    both = BrightBox()
    return BoxBackend(both, both)
