"""What the depth sensor measures where hands are, taken while the depth images of a bundle are read once.

Which differences are odd stands in `hand_checks`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from episode_assets.bundle import EpisodeBundle, HandArrays
from episode_assets.geometry import project

Floats = NDArray[np.float64]

_PALM = (0, 5, 9, 13, 17)
"""Wrist and knuckles: they lie well inside the hand, so that the sensor sees the hand there and not past it."""


class HandDepth:
    """Collects, for one hand, by how much the measured surface differs from the joints."""

    def __init__(self, bundle: EpisodeBundle, hand: HandArrays) -> None:
        info = bundle.depth
        self._K = None if info is None else info.K
        self._joints = hand.joints_cam
        self._offset_m = np.full(len(bundle), np.nan)

    def see(self, frame: int, image: NDArray[np.uint16]) -> None:
        """Look at the hand's joints in the depth image (H, W) mm of a frame."""
        if self._K is None:
            return
        joints = self._joints[frame, _PALM].astype(np.float64)
        joints = joints[np.isfinite(joints).all(axis=1)]
        if len(joints) == 0 or not np.isfinite(self._K[frame]).all():
            return
        x, y = np.rint(project(self._K[frame], joints)).T
        height, width = image.shape
        inside = (x >= 0) & (x < width) & (y >= 0) & (y < height) & (joints[:, 2] > 0)
        measured = image[y[inside].astype(np.intp), x[inside].astype(np.intp)].astype(np.float64) / 1000
        offsets = (joints[inside, 2] - measured)[measured > 0]
        if len(offsets):
            self._offset_m[frame] = float(np.median(offsets))

    @property
    def offset_m(self) -> Floats:
        """(F,) median metres by which joints lie behind the surface there, NaN where that is not known."""
        return self._offset_m
