"""Which rectangle of pixels is made unreadable for a face box.

Shapes other than rectangles, and boxes that a person draws, belong here too when they come.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def redaction_rectangles(
    boxes: NDArray[np.float32], *, scale: float, width: int, height: int
) -> NDArray[np.int32]:
    """Return the rectangles to blur for boxes around faces.

    Detectors fit tightly, so hair, chin and ears stick out: each box is scaled about its centre, cut at the
    picture, and widened to even coordinates, so that luma and chroma samples cover the same area.

    Args:
        boxes: (N, 4) float32 x0, y0, x1, y1 in pixels.
        scale: Factor on width and height.
        width: Width of the picture in pixels; an odd one counts as one more, as the padded planes do.
        height: Height of the picture in pixels, likewise.

    Returns:
        (N, 4) int32 half-open rectangles with even coordinates; zero-sized where a box misses the picture.
    """
    corners = boxes.astype(np.float64)
    centre = (corners[:, :2] + corners[:, 2:]) / 2
    half = (corners[:, 2:] - corners[:, :2]) / 2 * scale
    low = np.floor((centre - half) / 2) * 2
    high = np.ceil((centre + half) / 2) * 2
    limits = np.array([width + width % 2, height + height % 2], np.float64)
    return np.concatenate([np.clip(low, 0, limits), np.clip(high, 0, limits)], axis=1).astype(np.int32)
