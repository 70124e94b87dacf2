"""Pictures of a camera that pans over a slightly noisy texture; NumPy and OpenCV only, for any environment."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray


class Pan:
    """A texture and a window that moves over it, four pixels per picture."""

    def __init__(self, frames: int, *, width: int, height: int) -> None:
        rng = np.random.default_rng(1)
        coarse = rng.integers(0, 255, (height // 40, width // 32, 3), np.uint8)
        size = (width + 4 * frames, height)
        scene = cv2.resize(coarse, size, interpolation=cv2.INTER_CUBIC).astype(np.int16)
        scene += rng.normal(0, 3, (height, size[0], 1)).astype(np.int16)
        self._scene = np.clip(scene, 0, 255).astype(np.uint8)
        self._width = width

    def picture(self, number: int) -> NDArray[np.uint8]:
        """Return picture `number` as (height, width, 3) of its own."""
        return np.ascontiguousarray(self._scene[:, 4 * number : 4 * number + self._width])
