"""Estimating a constant offset between two streams from the motion that both have seen.

Nearest-stamp distances cannot show a constant delay; the shape of the angular speed over time can. Which streams are
compared, and what an offset means for the verdict, belongs to `stream_checks`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from episode_assets.qc.ranges import Stamps

GRID_HZ = 100
LARGEST_LAG_S = 0.5
_SHORTEST_OVERLAP_S = 3.0

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Offset:
    """An estimated offset.

    Attributes:
        offset_ms: By how much the second stream's stamps lie after those of the first for the same motion.
        correlation: Normalised correlation at the peak, -1 to 1.
        spread: Standard deviation of the second signal, in its unit: without motion nothing can be told.
    """

    offset_ms: float
    correlation: float
    spread: float


def estimate_offset(
    first_ns: Stamps, first_speed: Floats, second_ns: Stamps, second_speed: Floats
) -> Offset | None:
    """Return the lag at which two speed signals agree best, by normalised cross-correlation on a 100 Hz grid.

    Args:
        first_ns: (N,) stamps, increasing.
        first_speed: (N,) speeds at those stamps; NaN entries are left out.
        second_ns: (M,) stamps, increasing.
        second_speed: (M,) speeds; another unit is fine.

    Returns:
        The offset with sub-sample (parabolic) resolution, or None where the streams overlap too briefly.
    """
    one, two = _finite(first_ns, first_speed), _finite(second_ns, second_speed)
    if len(one[0]) < 3 or len(two[0]) < 3:
        return None
    start, stop = max(one[0][0], two[0][0]), min(one[0][-1], two[0][-1])
    if stop - start < _SHORTEST_OVERLAP_S * 1e9:
        return None
    origin = int(start)
    grid = np.arange(0, (stop - start) / 1e9, 1 / GRID_HZ)
    a = np.interp(grid, (one[0] - origin) / 1e9, one[1])
    b = np.interp(grid, (two[0] - origin) / 1e9, two[1])
    lags = np.arange(-round(LARGEST_LAG_S * GRID_HZ), round(LARGEST_LAG_S * GRID_HZ) + 1)
    scores = np.array([_correlation(a, b, int(lag)) for lag in lags])
    best = int(np.argmax(scores))
    lag = lags[best] + _parabolic(scores, best)
    return Offset(float(lag / GRID_HZ * 1000), float(scores[best]), float(np.std(two[1])))


def _finite(stamps_ns: Stamps, values: Floats) -> tuple[Stamps, Floats]:
    is_finite = np.isfinite(values)
    return stamps_ns[is_finite], values[is_finite]


def _correlation(a: Floats, b: Floats, lag: int) -> float:
    """Correlate a(t) with b(t + lag) over their overlap."""
    x, y = (a[: len(a) - lag], b[lag:]) if lag >= 0 else (a[-lag:], b[:lag])
    x, y = x - x.mean(), y - y.mean()
    norm = float(np.sqrt((x @ x) * (y @ y)))
    return float(x @ y) / norm if norm > 0 else 0.0


def _parabolic(scores: Floats, best: int) -> float:
    if not 0 < best < len(scores) - 1:
        return 0.0
    left, middle, right = scores[best - 1 : best + 2]
    bend = left - 2 * middle + right
    return float(0.5 * (left - right) / bend) if bend < 0 else 0.0
