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
    columns = [_element(table[:, i], valid[:, i]) for i in range(table.shape[1])]
    result: Statistics = {name: [column[name] for column in columns] for name in NAMES}
    result["count"] = [int(valid.any(axis=1).sum())]
    return result


def _element(values: NDArray[Any], valid: NDArray[np.bool_]) -> dict[str, float]:
    chosen = values[valid] if valid.any() else values[:1]
    # Whole numbers (stamps) exceed what float64 can hold; their distance from the first one does not.
    is_whole = chosen.dtype.kind in "iu"
    origin = int(chosen.min()) if is_whole else 0
    x = np.sort((chosen - origin).astype(np.float64))
    found = {"min": x[0], "max": x[-1], "mean": x.mean(), "std": x.std()}
    levels = np.quantile(x, list(QUANTILES.values()))
    found |= dict(zip(QUANTILES, levels, strict=True))
    return {name: float(value) + (0 if name == "std" else origin) for name, value in found.items()}


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
