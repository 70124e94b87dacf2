"""Colour histograms of published pictures, from which a dataset's image statistics are summed without decoding."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from episode_assets.video import Picture

BINS = 256
_SMALL_SIDE_PX = 300
_SAMPLED_SIDE_PX = 150


def sampling_step(width: int, height: int) -> int:
    """Return k: every k-th pixel on both axes is counted, as LeRobot's image statistics do."""
    longest = max(width, height)
    return int(longest / _SAMPLED_SIDE_PX) if longest >= _SMALL_SIDE_PX else 1


def colour_counts(picture: Picture) -> NDArray[np.int32]:
    """Return how often each value of red, green and blue occurs among the sampled pixels, (3, 256) int32.

    The conversion is that of decoders: limited range, BT.601, the chroma sample that covers the pixel.
    """
    step = sampling_step(picture.true_width, picture.true_height)
    luma = picture.y[: picture.true_height : step, : picture.true_width : step].astype(np.float32)
    blue, red = (_under(plane, luma.shape, step) - np.float32(128) for plane in (picture.u, picture.v))
    # ITU-R BT.601 with 219 and 224 levels.
    base = (luma - 16.0) * np.float32(255 / 219)
    channels = (
        base + np.float32(1.402 * 255 / 224) * red,
        base - np.float32(0.344136 * 255 / 224) * blue - np.float32(0.714136 * 255 / 224) * red,
        base + np.float32(1.772 * 255 / 224) * blue,
    )
    counts = np.empty((3, BINS), np.int32)
    for index, channel in enumerate(channels):
        values = np.clip(np.rint(channel), 0, 255).astype(np.uint8)
        counts[index] = cv2.calcHist([values], [0], None, [BINS], [0, BINS]).ravel()
    return counts


def _under(chroma: NDArray[np.uint8], shape: tuple[int, int], step: int) -> NDArray[np.float32]:
    """Return the chroma samples that cover every step-th pixel on both axes; slices are quicker than indexes."""
    rows, columns = shape
    if step % 2 == 0:
        half = step // 2
        return chroma[::half, ::half][:rows, :columns].astype(np.float32)
    return chroma[np.ix_(np.arange(rows) * step // 2, np.arange(columns) * step // 2)].astype(np.float32)
