"""The stand-in backend with its eyes shut for the fifth picture it is shown, so that a track has a hole."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from episode_assets.hands import Backend, HandPoseConfig, Readings
from episode_assets.hands.regions import Regions
from episode_assets_tests.hands.stand_in import BrightSpot


class Blinking(BrightSpot):
    def __init__(self) -> None:
        self._pictures: list[bytes] = []

    def estimate(self, rgb: np.ndarray, regions: Regions) -> Readings:
        name = rgb[::37, ::41].tobytes()
        if name not in self._pictures:
            self._pictures.append(name)
        shut = self._pictures.index(name) == 4
        readings = super().estimate(rgb, regions)
        return replace(readings, presence=readings.presence * (0.0 if shut else 1.0))


def make(config: HandPoseConfig) -> Backend:
    del config
    both = Blinking()
    return Backend(both, both)
