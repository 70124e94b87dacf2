"""Exact moments and quantiles of a column that is too long for memory, from a few passes over its batches.

A quantile needs the values at two ranks. Numbers are mapped to whole numbers of the same order; the first pass counts
their leading 11 bits, every further pass the next 11 bits of those that share what is known of a wanted rank. Three
passes find any rank of a float32 column, six that of an int64 one, whatever its length.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from episode_assets.lerobot.statistics import NAMES, QUANTILES, Statistics, column_statistics

Batch: TypeAlias = "tuple[NDArray[Any], NDArray[np.bool_]]"
"""(N, D) values and which of them are valid."""

ROWS_IN_MEMORY = 16_384
"""Columns up to this length are sorted in memory at once."""

_DIGIT_BITS = 11
"""So that the counts of one digit stay in the fastest cache, and those of all elements in few megabytes."""

_BOOL_BITS = 1


def statistics_of_batches(
    batches: Callable[[], Iterator[Batch]], *, rows_in_memory: int = ROWS_IN_MEMORY
) -> tuple[Statistics, list[int]]:
    """Return the statistics of a column as `column_statistics` does, and the valid rows of each element.

    Args:
        batches: Opens the column from its start; called once per pass. Float32, float64, int64 or bool, at least one
            row.
        rows_in_memory: Longer columns are counted instead of sorted.
    """
    short = _read_whole(batches(), rows_in_memory)
    if short is not None:
        values, valid = short
        return column_statistics(values, valid), [int(count) for count in valid.sum(axis=0)]
    first, _ = next(batches())
    elements = [_Element(fill=value) for value in first[0]]
    some_valid = 0
    while not all(element.is_settled for element in elements):
        some_valid = 0
        for values, valid in batches():
            some_valid += int(valid.any(axis=1).sum())
            _count(elements, values, valid)
        for element in elements:
            element.end_pass()
    found: Statistics = {name: [element.result()[name] for element in elements] for name in NAMES}
    return found | {"count": [some_valid]}, [element.count for element in elements]


def _count(elements: Sequence[_Element], values: NDArray[Any], valid: NDArray[np.bool_]) -> None:
    # One element after another in memory: reading every 126th number of a table is many times slower.
    by_element, flags = np.ascontiguousarray(values.T), np.ascontiguousarray(valid.T)
    for element, numbers, is_valid in zip(elements, by_element, flags, strict=True):
        element.count_values(numbers if is_valid.all() else numbers[is_valid])


def _read_whole(batches: Iterator[Batch], limit: int) -> Batch | None:
    kept, rows = [], 0
    for values, valid in batches:
        kept.append((values, valid))
        rows += len(values)
        if rows > limit:
            return None
    return np.concatenate([values for values, _ in kept]), np.concatenate([valid for _, valid in kept])


@dataclass
class _Element:
    """One element of a column over several passes.

    Attributes:
        fill: Its value in the first row, which is its constant fill where it is never valid.
        count: Valid values so far.
    """

    fill: Any
    count: int = 0
    is_settled: bool = False
    _passes: int = 0
    _origin: Any = None
    _low: Any = None
    _high: Any = None
    _mean: float = 0.0
    _squares: float = 0.0
    _counts: dict[int, NDArray[np.int64]] = field(default_factory=dict)
    _wanted: dict[int, tuple[int, int]] = field(default_factory=dict)

    def count_values(self, values: NDArray[Any]) -> None:
        """Take a batch of valid values into account, in the way of the pass that is running."""
        if self.is_settled or not len(values):
            return
        if self._passes == 0:
            self._add_moments(values)
        keys, bits = _ordered(values)
        shift, width = _digit(bits, self._passes)
        digits = (keys >> keys.dtype.type(shift)) & keys.dtype.type((1 << width) - 1)
        if self._passes == 0:
            self._add_digits(0, digits)
            return
        prefixes = keys >> keys.dtype.type(shift + width)
        for prefix in {prefix for prefix, _ in self._wanted.values()}:
            self._add_digits(prefix, digits[prefixes == prefixes.dtype.type(prefix)])

    def end_pass(self) -> None:
        """Follow every wanted rank into the digit that holds it."""
        if self.is_settled:
            return
        if self.count == 0:
            self.is_settled = True
            return
        if self._passes == 0:
            ranks = itertools.chain.from_iterable(_ranks(q, self.count)[:2] for q in QUANTILES.values())
            self._wanted = {rank: (0, rank) for rank in ranks}
        shift, width = _digit(_bits(np.asarray(self.fill).dtype), self._passes)
        reached = {prefix: np.cumsum(counts, dtype=np.int64) for prefix, counts in self._counts.items()}
        for rank, (prefix, rest) in self._wanted.items():
            digit = int(np.searchsorted(reached[prefix], rest, side="right"))
            below = int(reached[prefix][digit - 1]) if digit else 0
            self._wanted[rank] = (prefix << width | digit, rest - below)
        self._counts = {}
        self._passes += 1
        self.is_settled = shift == 0

    def result(self) -> dict[str, float]:
        """Return min to q99 of the element."""
        if self.count == 0:
            constant = float(self.fill)
            return dict.fromkeys(NAMES, constant) | {"std": 0.0}
        dtype = np.asarray(self.fill).dtype
        values = {rank: _unordered(prefix, dtype) for rank, (prefix, _) in self._wanted.items()}
        found = {"min": float(self._low), "max": float(self._high)}
        found |= {"mean": self._mean + float(self._origin), "std": (self._squares / self.count) ** 0.5}
        return found | {name: self._quantile(values, q) for name, q in QUANTILES.items()}

    def _quantile(self, values: dict[int, Any], q: float) -> float:
        below, above, share = _ranks(q, self.count)
        base = int(self._low) if isinstance(self._origin, np.int64) else 0
        low, high = (float(values[rank] - base) for rank in (below, above))
        # The form that numpy takes, so that both ways give the same bits.
        step = high - low
        return (high - step * (1 - share) if share >= 0.5 else low + step * share) + base

    def _add_moments(self, values: NDArray[Any]) -> None:
        numbers = values.astype(np.int64) if values.dtype.kind == "b" else values
        low, high = numbers.min(), numbers.max()
        if self._origin is None:
            # Whole numbers (stamps) exceed what float64 can hold; their distance from the first one does not.
            self._origin = low if numbers.dtype.kind == "i" else 0.0
            self._low, self._high = low, high
        self._low, self._high = min(self._low, low), max(self._high, high)
        x = (numbers - self._origin).astype(np.float64)
        mean, squares, count = float(x.mean()), float(((x - x.mean()) ** 2).sum()), len(x)
        total, step = self.count + count, mean - self._mean
        self._squares += squares + step * step * self.count * count / total
        self._mean += step * count / total
        self.count = total

    def _add_digits(self, prefix: int, digits: NDArray[Any]) -> None:
        counts = np.bincount(digits.astype(np.int64), minlength=1 << _DIGIT_BITS)
        known = self._counts.get(prefix)
        self._counts[prefix] = counts if known is None else known + counts


def _ranks(q: float, count: int) -> tuple[int, int, float]:
    """Return the ranks around a quantile, and where it lies between them (0 to 1)."""
    position = q * (count - 1)
    below = int(np.floor(position))
    return below, min(below + 1, count - 1), position - below


def _digit(bits: int, number: int) -> tuple[int, int]:
    """Return how many bits lie below the n-th digit from the top, and how many it has itself."""
    above = number * _DIGIT_BITS
    width = min(_DIGIT_BITS, bits - above)
    return bits - above - width, width


def _bits(dtype: np.dtype[Any]) -> int:
    return _BOOL_BITS if dtype.kind == "b" else 8 * dtype.itemsize


def _ordered(values: NDArray[Any]) -> tuple[NDArray[Any], int]:
    """Return unsigned whole numbers in the order of the values, and how many bits they have."""
    bits = _bits(values.dtype)
    if values.dtype.kind == "b":
        return values.astype(np.uint8), bits
    whole = np.ascontiguousarray(values).view(f"u{values.dtype.itemsize}")
    top = whole.dtype.type(1 << (bits - 1))
    if values.dtype.kind == "i":
        return whole ^ top, bits
    # IEEE 754: positive numbers are in order already, negative ones in the opposite order.
    every = whole.dtype.type((1 << bits) - 1)
    return whole ^ np.where(whole & top, every, top), bits


def _unordered(key: int, dtype: np.dtype[Any]) -> Any:
    """Return the value of a whole number that `_ordered` gave."""
    if dtype.kind == "b":
        return key
    bits = _bits(dtype)
    top = 1 << (bits - 1)
    if dtype.kind == "i":
        return key - top
    whole = key ^ top if key & top else key ^ ((1 << bits) - 1)
    return np.array(whole, dtype=f"u{dtype.itemsize}").view(dtype)[()].astype(np.float64)
