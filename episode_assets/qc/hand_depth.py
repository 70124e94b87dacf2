"""What the depth sensor measures where hands are, taken while the depth images of a bundle are read once.

Which differences are odd stands in `hand_checks`.
"""

from __future__ import annotations

import math
from statistics import median

import numpy as np
from numpy.typing import NDArray

from episode_assets.bundle import EpisodeBundle
from episode_assets.bundle.layout import Side
from episode_assets.geometry import project
from episode_assets.qc.hand_figures import hand_blocks

Floats = NDArray[np.float64]

_PALM = (0, 5, 9, 13, 17)
"""Wrist and knuckles: they lie well inside the hand, so that the sensor sees the hand there and not past it."""
_EDGE_RATIO = 0.06
"""Share of the distance by which neighbouring pixels differ on an edge; a palm that is turned aside differs by less."""
_LEAST_MEASURED = 0.7
"""Share of a patch that must be measured: sensors lose edges first."""


class HandDepth:
    """Collects, for one hand, by how much the measured surface differs from the joints."""

    def __init__(self, bundle: EpisodeBundle, side: Side) -> None:
        info = bundle.depth
        self._K = None if info is None else info.K
        self._palm = np.concatenate([hand.joints_cam[:, _PALM] for _, hand in hand_blocks(bundle, side)])
        self._offset_m = np.full(len(bundle), np.nan)

    def see(self, frame: int, image: NDArray[np.uint16]) -> None:
        """Look at the hand's joints in the depth image (H, W) mm of a frame."""
        if self._K is None:
            return
        joints = self._palm[frame].astype(np.float64)
        joints = joints[np.isfinite(joints).all(axis=1)]
        if len(joints) == 0 or not np.isfinite(self._K[frame]).all():
            return
        # The middle of the palm is farthest from its edges.
        points = np.concatenate([joints, joints.mean(axis=0, keepdims=True)])
        points = points[points[:, 2] > 0]
        places = project(self._K[frame], points).tolist()
        behind = [
            z - measured
            for z, (x, y) in zip(points[:, 2].tolist(), places, strict=True)
            if math.isfinite(measured := _surface_m(image, x, y))
        ]
        if behind:
            self._offset_m[frame] = median(behind)

    @property
    def offset_m(self) -> Floats:
        """(F,) median metres by which joints lie behind the surface there, NaN where that is not known."""
        return self._offset_m


def _surface_m(image: NDArray[np.uint16], x: float, y: float) -> float:
    """Return the depth in metres around a place; NaN outside, in a hole and on an edge.

    Sensors smooth and bleed over edges: there they measure neither the hand nor what lies behind it.
    """
    height, width = image.shape
    column, row = round(x), round(y)
    if not (0 <= column < width and 0 <= row < height):
        return np.nan
    # Numbers of Python: arrays of nine take ten times as long.
    patch = image[max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2].ravel().tolist()
    measured = sorted(mm / 1000 for mm in patch if mm > 0)
    if len(measured) < _LEAST_MEASURED * len(patch):
        return np.nan
    is_edge = measured[-1] - measured[0] > _EDGE_RATIO * measured[0]
    return np.nan if is_edge else median(measured)
