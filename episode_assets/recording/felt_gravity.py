"""Where up is, as an accelerometer feels it: the low-passed acceleration of a sensor that includes gravity.

At rest such a sensor reads 9.81 m/s^2 away from the earth (ROS REP 145). Its orientation quaternion is not asked: the
reference of that is seldom known. What directions mean for pictures belongs to `attitude`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from episode_assets.recording.streams import ImuSamples
from episode_assets.recording.timeline import Stamps, nearest

_HALF_WINDOW_NS = 500_000_000
"""A head's own accelerations average out over a second; its roll hardly changes."""
_LONGEST_HOLE_NS = 100_000_000
"""Own to this place: phones that send one message per sensor event have a median step far below their rate."""
_FEWEST_SAMPLES = 5
_LEAST_M_S2, _MOST_M_S2 = 8.0, 11.6
"""A mean outside 9.81 by a fifth holds more than gravity."""


def felt_up(imu: ImuSamples, stamps_ns: Stamps) -> NDArray[np.float64]:
    """Return unit vectors (F, 3) toward up in the sensor's axes; NaN where holes or motion leave it open.

    Args:
        imu: Samples; only a stream whose gravity is `included` tells anything.
        stamps_ns: (F,) int64 in any order.
    """
    up = np.full((len(stamps_ns), 3), np.nan)
    if imu.gravity != "included":
        return up
    order = np.argsort(stamps_ns, kind="stable")
    asked, told = stamps_ns[order], 0
    stamps, values = np.empty(0, np.int64), np.empty((0, 3))
    for piece in imu.pieces():
        usable = np.isfinite(piece.linear_acceleration).all(axis=1)
        stamps = np.concatenate([stamps, piece.stamp_ns[usable]])
        values = np.concatenate([values, piece.linear_acceleration[usable]])
        if not len(stamps):
            continue
        # Only samples within half a window of a stamp count, so that a stamp can be answered when those are there.
        ready = int(np.searchsorted(asked, stamps[-1] - _HALF_WINDOW_NS, side="right"))
        up[order[told:ready]] = _felt_within(stamps, values, asked[told:ready])
        told = ready
        next_asked = asked[told] if told < len(asked) else stamps[-1]
        needed = int(np.searchsorted(stamps, next_asked - _HALF_WINDOW_NS, side="left"))
        stamps, values = stamps[needed:], values[needed:]
    up[order[told:]] = _felt_within(stamps, values, asked[told:])
    return up


def _felt_within(stamps: Stamps, values: NDArray[np.float64], asked_ns: Stamps) -> NDArray[np.float64]:
    """Return up (Q, 3) at some stamps from the samples (N,), (N, 3) around them."""
    unknown = np.full((len(asked_ns), 3), np.nan)
    if not len(stamps):
        return unknown
    first = np.searchsorted(stamps, asked_ns - _HALF_WINDOW_NS, side="left")
    stop = np.searchsorted(stamps, asked_ns + _HALF_WINDOW_NS, side="right")
    mean = _sums(values, first, stop) / np.maximum(stop - first, 1)[:, None]
    length = np.linalg.norm(mean, axis=1)
    is_known = (stop - first >= _FEWEST_SAMPLES) & (length >= _LEAST_M_S2) & (length <= _MOST_M_S2)
    is_known &= nearest(stamps, asked_ns, tolerance_ns=_LONGEST_HOLE_NS) >= 0
    is_hole = np.diff(stamps, prepend=stamps[0]) > _LONGEST_HOLE_NS
    is_known &= _sums(is_hole[:, None].astype(np.float64), np.minimum(first + 1, stop), stop)[:, 0] == 0
    return np.where(is_known[:, None], mean / np.maximum(length, 1e-9)[:, None], unknown)


def _sums(
    values: NDArray[np.float64], first: NDArray[np.int64], stop: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return the sums of rows (N, k) over half-open ranges."""
    running = np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(values, axis=0)])
    summed: NDArray[np.float64] = running[stop] - running[first]
    return summed
