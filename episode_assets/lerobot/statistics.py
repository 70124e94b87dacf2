"""Statistics of columns and pictures: exact, and over valid rows only.

A hand that is held in 99 % of the rows would have q01 equal to q99, and normalising its few true rows by that
difference makes numbers of size 1e7 out of them; so filled values take no part. Pictures are never decoded here:
their 256-bin histograms are exact for 8-bit values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from episode_assets.lerobot.columns import Column

QUANTILES = {"q01": 0.01, "q10": 0.10, "q50": 0.50, "q90": 0.90, "q99": 0.99}
MOMENTS = ("min", "max", "mean", "std")
NAMES = (*MOMENTS, *QUANTILES)

Statistics = dict[str, Any]
"""`min` .. `q99` as nested lists of numbers, `count` as a list of one whole number."""


def element_masks(column: Column, rows: dict[str, NDArray[Any]]) -> NDArray[np.bool_]:
    """Return (N, width) bool: which elements are true.

    Args:
        column: The column.
        rows: All columns that its masks name, (N,) or (N, width).
    """
    count = len(next(iter(rows.values())))
    valid = np.ones((count, column.width), dtype=bool)
    for mask in column.masks:
        flags = rows[mask.column].reshape(count, -1)[:, mask.index]
        valid[:, mask.start : mask.stop] = flags[:, None]
    return valid


def column_statistics(values: NDArray[Any], valid: NDArray[np.bool_]) -> Statistics:
    """Return the statistics of one column.

    std divides by n; quantiles interpolate linearly between neighbours in order. An element that is never valid
    gets its constant fill with std 0.

    Args:
        values: (N,) or (N, D), N >= 1; bool counts as 0 and 1.
        valid: (N, D) bool.
    """
    table = values.reshape(len(values), -1)
    count = valid.sum(axis=0)
    # What is never valid is described by its first row, which is its constant fill.
    counted = valid | ((np.arange(len(table)) == 0)[:, None] & (count == 0))
    found = _elements(table, counted)
    result: Statistics = {name: found[name].tolist() for name in NAMES}
    result["count"] = [int(valid.any(axis=1).sum())]
    return result


def _elements(table: NDArray[Any], counted: NDArray[np.bool_]) -> dict[str, NDArray[np.float64]]:
    """Return the statistics (D,) of elements (N, D), each over its own rows, at least one."""
    # Whole numbers (stamps) exceed what float64 can hold; their distance from the smallest one does not.
    is_whole = table.dtype.kind in "iu"
    origin = table.min(axis=0) if is_whole else np.zeros(table.shape[1])
    # One element after another in memory, rows that do not count last: sums along it lose few digits.
    x = np.sort(np.where(counted, (table - origin).astype(np.float64), np.inf).T, axis=1)
    count = counted.sum(axis=0)
    x_or_zero = np.where(np.isinf(x), 0.0, x)
    mean = x_or_zero.sum(axis=1) / count
    squares = np.where(np.isinf(x), 0.0, x_or_zero - mean[:, None]) ** 2
    last = np.take_along_axis(x, count[:, None] - 1, axis=1)[:, 0]
    found = {"min": x[:, 0], "max": last, "mean": mean}
    found |= dict(zip(QUANTILES, _quantiles(x, count), strict=True))
    told = {name: value + origin.astype(np.float64) for name, value in found.items()}
    return told | {"std": np.sqrt(squares.sum(axis=1) / count)}


def _quantiles(x: NDArray[np.float64], count: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the quantiles (Q, D) of the first `count` (D,) of sorted values (D, N), between neighbours on a line."""
    position = np.array(list(QUANTILES.values()))[:, None] * (count - 1)
    below = np.floor(position).astype(np.int64)
    share, element = position - below, np.arange(len(x))
    low, high = x[element, below], x[element, np.minimum(below + 1, count - 1)]
    # Counted from the nearer end, as numpy does, so that equal neighbours give exactly their value.
    step = high - low
    return np.asarray(np.where(share >= 0.5, high - step * (1 - share), low + step * share))


def colour_statistics(histogram: NDArray[np.int64], *, frames: int) -> Statistics:
    """Return the statistics of RGB pictures in 0..1, each entry shaped [3][1][1].

    Args:
        histogram: (3, 256) counts of 8-bit values per channel.
        frames: Pictures that were counted.
    """
    levels = np.arange(256) / 255.0
    return picture_statistics([level_statistics(counts, levels) for counts in histogram], frames=frames)


def picture_statistics(channels: Sequence[Mapping[str, float]], *, frames: int) -> Statistics:
    """Return the statistics of a camera, each entry shaped [channels][1][1]."""
    result: Statistics = {name: [[[channel[name]]] for channel in channels] for name in NAMES}
    result["count"] = [frames]
    return result


def level_statistics(counts: NDArray[np.int64], levels: NDArray[np.float64]) -> dict[str, float]:
    """Return min to q99 of values that are given by how often each level occurs; all 0 where none does.

    Args:
        counts: (L,) occurrences.
        levels: (L,) values in rising order.
    """
    total = int(counts.sum())
    if not total:
        return dict.fromkeys(NAMES, 0.0)
    seen = levels[counts > 0]
    mean = float((counts * levels).sum() / total)
    variance = float((counts * (levels - mean) ** 2).sum() / total)
    found = {"min": float(seen[0]), "max": float(seen[-1]), "mean": mean, "std": variance**0.5}
    return found | {name: level_quantile(counts, levels, q) for name, q in QUANTILES.items()}


def level_quantile(counts: NDArray[np.int64], levels: NDArray[np.float64], q: float) -> float:
    """Return what the linear quantile of the listed values would be."""
    reached = np.cumsum(counts)
    position = q * (int(reached[-1]) - 1)
    below = int(np.floor(position))
    low = float(levels[np.searchsorted(reached, below, side="right")])
    high = float(levels[np.searchsorted(reached, min(below + 1, int(reached[-1]) - 1), side="right")])
    return low + (high - low) * (position - below)
