"""When things happen in a demo recording: AR frames, pictures, IMU samples, tracking loss.

All stamps are device uptime in int64 ns. The phone delivers AR frames at 60 Hz with a little jitter and gates the
picture rate out of them; the IMU runs on a clock of its own. What is in the messages stands elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from episode_assets.demo.config import DemoConfig

START_NS = 151_283_417_203_125
"""Uptime at the first AR frame: about 42 hours after the phone was started."""

AR_HZ = 60
IMU_LATENCY_NS = 10_400_000
"""IMU samples up to this long after an AR frame are written with it, so file order is not time order."""

_AR_JITTER_NS = 120_000
_IMU_JITTER_NS = 250_000


@dataclass(frozen=True)
class Timeline:
    """Stamps of one recording.

    Attributes:
        ar_ns: (A,) i8, AR frames.
        is_tracked: (A,) bool, tracking state is normal.
        is_sampled: (A,) bool, a picture is written with this AR frame.
        imu_ns: (I,) i8, IMU samples.
        imu_stop: (A,) i8, samples before this position are written with this AR frame or an earlier one.
    """

    ar_ns: NDArray[np.int64]
    is_tracked: NDArray[np.bool_]
    is_sampled: NDArray[np.bool_]
    imu_ns: NDArray[np.int64]
    imu_stop: NDArray[np.int64]

    @property
    def picture_ns(self) -> NDArray[np.int64]:
        """(F,) stamps of the pictures."""
        return self.ar_ns[self.is_sampled]

    @property
    def lost_ns(self) -> NDArray[np.int64]:
        """(n,2) first and last AR stamp of each interval without tracking."""
        padded = np.concatenate([[True], self.is_tracked, [True]])
        starts = np.flatnonzero(padded[:-1] & ~padded[1:])
        stops = np.flatnonzero(~padded[:-1] & padded[1:])
        return np.stack([self.ar_ns[starts], self.ar_ns[stops - 1]], axis=1)


def plan_timeline(config: DemoConfig) -> Timeline:
    """Lay out all stamps of a recording."""
    random = np.random.default_rng([config.seed, 1])
    count = round(config.seconds * AR_HZ)
    ar_ns = _clock(count, AR_HZ, _AR_JITTER_NS, random)
    is_tracked = np.ones(count, dtype=bool)
    if config.lost_interval_s is not None:
        seconds = np.arange(count) / AR_HZ
        is_tracked = (seconds < config.lost_interval_s[0]) | (seconds >= config.lost_interval_s[1])
    is_sampled = _gate(is_tracked, AR_HZ // config.fps)
    if config.gap_interval_s is not None:
        is_sampled &= ~is_within(config.gap_interval_s, (ar_ns - START_NS) / 1e9)
    imu_count = round(config.seconds * config.imu_hz)
    imu_ns = _clock(imu_count, config.imu_hz, _IMU_JITTER_NS, random)
    imu_stop = np.searchsorted(imu_ns, ar_ns + IMU_LATENCY_NS)
    if count:
        imu_stop[-1] = imu_count
    return Timeline(ar_ns, is_tracked, is_sampled, imu_ns, imu_stop)


def is_within(interval_s: tuple[float, float], t_s: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether times (N,) in seconds since the start lie in an interval, its end excluded."""
    return np.asarray((t_s >= interval_s[0]) & (t_s < interval_s[1]))


def _clock(count: int, rate_hz: int, jitter_ns: int, random: np.random.Generator) -> NDArray[np.int64]:
    nominal = START_NS + np.arange(count, dtype=np.int64) * 10**9 // rate_hz
    jitter = np.rint(random.uniform(-jitter_ns, jitter_ns, count)).astype(np.int64)
    jitter[:1] = 0
    return nominal + jitter


def _gate(is_tracked: NDArray[np.bool_], every: int) -> NDArray[np.bool_]:
    """Let every n-th tracked AR frame through; the gate starts anew after each loss."""
    position = np.arange(len(is_tracked))
    last_lost = np.maximum.accumulate(np.where(is_tracked, -1, position))
    gate: NDArray[np.bool_] = is_tracked & ((position - last_lost - 1) % every == 0)
    return gate
