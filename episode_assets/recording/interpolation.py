"""Values between samples: positions on straight lines, rotations on the shortest arc, each with a word on its origin.

Nothing is extrapolated and nothing is filled across a gap (the one gap rule of `timeline`): what cannot be told is NaN
and said to be unknown. Which streams are brought together at which stamps belongs to the callers.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from episode_assets.recording.timeline import Stamps, gap_before

_SHORTEST_QUATERNION = 1e-6
_SMALL_ANGLE = 1e-6


class Interpolated(NamedTuple):
    """Values at the asked stamps.

    Attributes:
        values: (Q, k) float64, NaN where unknown.
        is_known: (Q,) bool.
        is_interpolated: (Q,) bool; false where the value is that of a sample, and where it is unknown.
    """

    values: NDArray[np.float64]
    is_known: NDArray[np.bool_]
    is_interpolated: NDArray[np.bool_]


class _Brackets(NamedTuple):
    before: NDArray[np.int64]
    after: NDArray[np.int64]
    ratio: NDArray[np.float64]
    is_known: NDArray[np.bool_]


def interpolate_positions(
    stamps_ns: Stamps, positions: NDArray[np.float64], queries_ns: Stamps
) -> Interpolated:
    """Return positions on the straight lines between neighbouring samples.

    Args:
        stamps_ns: (N,) int64, strictly increasing.
        positions: (N, k) float64; samples with a value that is not finite are left out.
        queries_ns: (Q,) int64 in any order.
    """
    usable = np.isfinite(positions).all(axis=1)
    stamps, samples = stamps_ns[usable], positions[usable]
    found = _brackets(stamps, queries_ns)
    values = np.full((len(queries_ns), positions.shape[1]), np.nan)
    known, ratio = found.is_known, found.ratio[found.is_known, None]
    first, second = samples[found.before[known]], samples[found.after[known]]
    values[known] = first + (second - first) * ratio
    return Interpolated(values, known, known & (found.ratio > 0))


def interpolate_rotations(
    stamps_ns: Stamps, quaternions_xyzw: NDArray[np.float64], queries_ns: Stamps
) -> Interpolated:
    """Return unit quaternions on the shortest arcs between neighbouring samples (SLERP, Shoemake 1985).

    Args:
        stamps_ns: (N,) int64, strictly increasing.
        quaternions_xyzw: (N, 4) float64 of any length and sign; zeros and values that are not finite are left out.
        queries_ns: (Q,) int64 in any order.
    """
    length = np.linalg.norm(quaternions_xyzw, axis=1)
    usable = np.isfinite(length) & (length > _SHORTEST_QUATERNION)
    stamps, samples = stamps_ns[usable], quaternions_xyzw[usable] / length[usable, None]
    found = _brackets(stamps, queries_ns)
    values = np.full((len(queries_ns), 4), np.nan)
    known = found.is_known
    values[known] = _slerp(samples[found.before[known]], samples[found.after[known]], found.ratio[known])
    return Interpolated(values, known, known & (found.ratio > 0))


def _brackets(stamps_ns: Stamps, queries_ns: Stamps) -> _Brackets:
    queries = np.asarray(queries_ns, dtype=np.int64)
    if len(stamps_ns) == 0:
        nowhere = np.zeros(len(queries), dtype=np.int64)
        return _Brackets(nowhere, nowhere, np.zeros(len(queries)), np.zeros(len(queries), dtype=np.bool_))
    last = len(stamps_ns) - 1
    before = np.clip(np.searchsorted(stamps_ns, queries, side="right") - 1, 0, last)
    is_sample = stamps_ns[before] == queries
    after = np.where(is_sample, before, np.minimum(before + 1, last))
    inside = (stamps_ns[before] <= queries) & (queries <= stamps_ns[after])
    known = inside & (is_sample | ~gap_before(stamps_ns)[after])
    span = np.maximum(stamps_ns[after] - stamps_ns[before], 1)
    ratio = np.where(is_sample | ~known, 0.0, (queries - stamps_ns[before]) / span)
    return _Brackets(before, after, ratio, known)


def _slerp(
    first: NDArray[np.float64], second: NDArray[np.float64], ratio: NDArray[np.float64]
) -> NDArray[np.float64]:
    # q and -q are one rotation: the sign with the smaller angle gives the shorter arc.
    second = np.where(np.sum(first * second, axis=1, keepdims=True) < 0, -second, second)
    angle = 2 * np.arctan2(np.linalg.norm(second - first, axis=1), np.linalg.norm(second + first, axis=1))
    with np.errstate(divide="ignore", invalid="ignore"):
        weights = (
            np.stack([np.sin((1 - ratio) * angle), np.sin(ratio * angle)], axis=1) / np.sin(angle)[:, None]
        )
    straight = np.stack([1 - ratio, ratio], axis=1)
    weights = np.where(angle[:, None] < _SMALL_ANGLE, straight, weights)
    values = first * weights[:, :1] + second * weights[:, 1:]
    return np.asarray(values / np.linalg.norm(values, axis=1, keepdims=True))
