"""Colour histograms of published pictures, from which a dataset's image statistics are summed without decoding."""

from __future__ import annotations

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
    rows = np.arange(0, picture.true_height, step)
    columns = np.arange(0, picture.true_width, step)
    luma = picture.y[np.ix_(rows, columns)].astype(np.float32)
    blue = picture.u[np.ix_(rows // 2, columns // 2)].astype(np.float32) - 128.0
    red = picture.v[np.ix_(rows // 2, columns // 2)].astype(np.float32) - 128.0
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
        counts[index] = np.bincount(values.ravel(), minlength=BINS)
    return counts
