"""Rows between two measured ones of a track: short holes filled on a straight line, marked, and never valid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Holes:
    """Frames to fill, M rows.

    Attributes:
        before: (M,) int64 row of the measured frame before the hole.
        after: (M,) int64 row of the one behind it.
        position: (M,) int64 position of the frame to fill.
        ratio: (M,) float64 0..1 place between both in time.
    """

    before: NDArray[np.int64]
    after: NDArray[np.int64]
    position: NDArray[np.int64]
    ratio: NDArray[np.float64]

    def between(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return values on the line between both rows; values are (N, …)."""
        ratio = self.ratio.reshape(-1, *[1] * (values.ndim - 1))
        filled: NDArray[np.float64] = values[self.before] * (1 - ratio) + values[self.after] * ratio
        return filled


def find_holes(
    track: NDArray[np.int64],
    position: NDArray[np.int64],
    *,
    stamps_ns: NDArray[np.int64],
    run: NDArray[np.int64],
    is_decodable: NDArray[np.bool_],
    max_frames: int,
) -> Holes:
    """Find the holes of at most `max_frames` frames in tracks; never across a gap of the stream.

    Args:
        track: (N,) track of each row, rows ordered by track and frame.
        position: (N,) position of each row's frame.
        stamps_ns: (F,) stamps of the stream.
        run: (F,) number of the gapless run of each position.
        is_decodable: (F,) frames without a picture get no row.
        max_frames: Longest hole.
    """
    before = np.flatnonzero(
        (np.diff(track) == 0)
        & (np.diff(position) > 1)
        & (np.diff(position) <= max_frames + 1)
        & (np.diff(run[position]) == 0)
    )
    lengths = position[before + 1] - position[before] - 1
    rows = np.repeat(before, lengths)
    steps = np.concatenate([np.zeros(0, np.int64), *(np.arange(1, length + 1) for length in lengths)])
    inside = position[rows] + steps
    kept = is_decodable[inside]
    rows, inside = rows[kept], inside[kept]
    start, stop = stamps_ns[position[rows]], stamps_ns[position[rows + 1]]
    ratio = (stamps_ns[inside] - start) / np.maximum(stop - start, 1)
    return Holes(rows.astype(np.int64), (rows + 1).astype(np.int64), inside.astype(np.int64), ratio)
