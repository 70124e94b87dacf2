"""Fewer points for long series: the smallest and largest value of each stretch of time, so that no spike is lost.

Half of the stretches divide the whole time evenly; the others divide the places that a reader will zoom into.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Span = tuple[float, float]

MOST_PAIRS = 800
"""Pairs of smallest and largest value per line, whatever its length."""


def stretches(seconds: Floats, places: Sequence[Span], *, most: int = MOST_PAIRS) -> NDArray[np.int64]:
    """Return where stretches of rows begin, ascending, beginning with 0: at most `most` of them.

    Args:
        seconds: (N,) ascending times.
        places: Stretches of time that are divided more finely; without any all are equally fine.
        most: Most stretches.
    """
    count = len(seconds)
    if count <= 2 * most:
        return np.arange(count, dtype=np.int64)
    inside = _rows_inside(seconds, places)
    evenly = np.linspace(0, count, (most if len(inside) == 0 else most // 2) + 1)[:-1]
    closely = inside[np.linspace(0, len(inside) - 1, min(most // 2, len(inside))).astype(np.int64)]
    return np.unique(np.concatenate([evenly.astype(np.int64), closely]))


def thinned(values: Floats, starts: NDArray[np.int64]) -> list[int]:
    """Return the rows to draw: per stretch the smallest and the largest finite value, in order."""
    kept: list[int] = []
    for first, last in zip(starts, [*starts[1:], len(values)], strict=True):
        inside = values[first:last]
        if np.isfinite(inside).any():
            found = {int(np.nanargmin(inside)), int(np.nanargmax(inside))}
            kept.extend(int(first) + place for place in sorted(found))
    return kept


def pieces(values: Floats, breaks: NDArray[np.bool_] | None) -> NDArray[np.int64]:
    """Return which unbroken piece of the line every row belongs to; holes and breaks begin a new one."""
    begins = ~np.isfinite(values)
    return np.cumsum(begins if breaks is None else begins | breaks)


def _rows_inside(seconds: Floats, places: Sequence[Span]) -> NDArray[np.int64]:
    is_inside = np.zeros(len(seconds), np.bool_)
    for start, end in places:
        is_inside[np.searchsorted(seconds, start) : np.searchsorted(seconds, end, side="right")] = True
    return np.flatnonzero(is_inside)
