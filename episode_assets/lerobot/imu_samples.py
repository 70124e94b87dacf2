"""What the inertial sensor felt around each picture: the mean of its samples over one picture interval."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from episode_assets.recording import ImuStream


def imu_around(imu: ImuStream | None, stamp_ns: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return (F, 6) linear acceleration [m/s^2] and angular velocity [rad/s] in the sensor's frame.

    Means over the samples within half a median picture interval of each stamp (the later end excluded); NaN where
    there are none or one of them was not provided.

    Args:
        imu: All samples, sorted by stamp; None where the recording has none.
        stamp_ns: (F,) stamps of the pictures, sorted.
    """
    if imu is None or len(imu.stamp_ns) == 0 or len(stamp_ns) < 2:
        return np.full((len(stamp_ns), 6), np.nan)
    half_ns = int(np.median(np.diff(stamp_ns))) // 2
    first, stop = (np.searchsorted(imu.stamp_ns, stamp_ns + shift) for shift in (-half_ns, half_ns))
    felt = np.concatenate([imu.linear_acceleration, imu.angular_velocity], axis=1)
    missing = np.isnan(felt)
    sums, gaps = (_running(np.where(missing, 0.0, felt)), _running(missing.astype(np.float64)))
    count = (stop - first)[:, None]
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = (sums[stop] - sums[first]) / count
    return np.where((count > 0) & (gaps[stop] == gaps[first]), mean, np.nan)


def _running(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (N + 1, D) sums of the first 0, 1, 2, ... rows."""
    return np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(values, axis=0)])
