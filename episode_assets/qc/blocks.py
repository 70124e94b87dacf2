"""Working through long arrays a block of rows, or an axis, at a time: only what is kept of each row grows with them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

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


def held_once(values: NDArray[Any]) -> NDArray[Any]:
    """Return equal rows as views of the first, read-only: what a hand is that never comes takes no memory."""
    every = np.broadcast_to(values[:1], values.shape)
    is_one = np.array_equal(values, every, equal_nan=values.dtype.kind == "f")
    return np.broadcast_to(values[:1].copy(), values.shape) if is_one else values


def lengths(axes: Iterable[Floats]) -> Floats:
    """Return (N,) the lengths of vectors whose axes (N,), at least one, come one after the other."""
    each = iter(axes)
    total = np.square(next(each))
    for axis in each:
        total += np.square(axis)
    return np.asarray(np.sqrt(total, out=total))


def are_finite(axes: Iterable[Floats]) -> NDArray[np.bool_]:
    """Return (N,) whether all axes of a vector are finite."""
    each = iter(axes)
    flags = np.isfinite(next(each))
    for axis in each:
        flags &= np.isfinite(axis)
    return flags
