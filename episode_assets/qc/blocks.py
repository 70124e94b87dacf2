"""Working through long arrays a block of rows at a time, so that only what is kept of each row grows with them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

BLOCK_ROWS = 2048


def in_blocks(count: int, columns: int, measure: Callable[[slice], Floats]) -> Floats:
    """Return (count, columns) what `measure` gives for one block of rows after the other."""
    result = np.full((count, columns), np.nan)
    for start in range(0, count, BLOCK_ROWS):
        rows = slice(start, min(start + BLOCK_ROWS, count))
        result[rows] = measure(rows)
    return result


def row_lengths(vectors: Floats) -> Floats:
    """Return (N,) the lengths of vectors (N, k)."""
    return in_blocks(len(vectors), 1, lambda rows: np.linalg.norm(vectors[rows], axis=1, keepdims=True))[:, 0]
