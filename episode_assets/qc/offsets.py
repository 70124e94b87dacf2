"""Estimating a constant offset between two streams from the motion that both have seen.

Nearest-stamp distances cannot show a constant delay; what happens between two stamps can. One stream says how far
something moved between two of its stamps (a picture in pixels, a pose in radians), the other gives rotation over time.
At the right lag the first is a linear function of the second, whatever the axes, units and mounting. Which streams are
compared, and what an offset means for the verdict, belongs to `sync_checks`.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from episode_assets.geometry import quaternion_to_matrix, rotation_log
from episode_assets.qc.blocks import are_finite, in_blocks
from episode_assets.qc.ranges import Stamps
from episode_assets.recording import ImuSamples, PoseStream
from episode_assets.recording.timeline import GAP_FACTOR, median_step_ns

LARGEST_LAG_S = 0.5
_LAG_STEP_S = 0.02
_FINE_STEP_S = 0.005
_SHORTEST_OVERLAP_S = 3.0
_SLOW_S = 1.0
"""Motion slower than this is left out: translation looks like slow rotation, and quick motion tells the time."""
_RELATIVE_NOISE = 0.3
"""Nearer things move farther in the picture: displacements scatter by about this share of themselves."""
_ROUNDS = 4
_HAC_LAGS = 8
_FASTEST_HZ = 30
_MOST_BLOCKS, _BLOCK_ROWS = 64, 256
"""Of long recordings only the liveliest stretches are compared: the rest costs time and tells nothing new."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Displacements:
    """How far something moved between pairs of stamps.

    Attributes:
        start_ns: (N,) stamps, increasing.
        end_ns: (N,) stamps, each after its start.
        moved: (N, k) displacement, in any unit; rows that are not finite are left out.
        noise: Size of a displacement that says nothing, in its unit.
    """

    start_ns: Stamps
    end_ns: Stamps
    moved: Floats
    noise: float

    def part(self, number: int, parts: int) -> Displacements:
        """Return one of several equal parts in order of time."""
        rows = np.array_split(np.arange(len(self.start_ns)), parts)[number]
        return Displacements(self.start_ns[rows], self.end_ns[rows], self.moved[rows], self.noise)


@dataclass(frozen=True)
class Course:
    """Accumulated motion over time.

    Attributes:
        stamp_ns: (M,) increasing.
        at: (M, d) sum of all motion until that stamp, radians or another unit.
    """

    stamp_ns: Stamps
    at: Floats

    def between(self, start_ns: Stamps, end_ns: Stamps) -> Floats:
        """Return the motion (Q, d) between pairs of stamps; beyond the ends there is none."""
        origin = self.stamp_ns[0]
        start, end, at = ((column - origin) / 1e9 for column in (start_ns, end_ns, self.stamp_ns))
        steps = [np.interp(end, at, column) - np.interp(start, at, column) for column in self.at.T]
        return np.stack(steps, axis=1)


@dataclass(frozen=True)
class Offset:
    """An estimated offset.

    Attributes:
        offset_ms: By how much the stamps of the course lie after those of the displacements for the same motion.
        correlation: How much of the displacements the course explains at that lag, 0 to 1 (root of the robust share).
        elsewhere: The same at the best lag more than 100 ms away: a peak that is no higher means nothing.
        error_ms: Standard error of the offset.
        spread: Standard deviation of the speed along the course, unit per second: without motion nothing can be told.
    """

    offset_ms: float
    correlation: float
    elsewhere: float
    error_ms: float
    spread: float


def displacements_of_pictures(stamps_ns: Stamps, shift_px: Floats, noise_px: float = 1.0) -> Displacements:
    """Return the displacements between neighbouring pictures; `shift_px` is (F, 2), each against the one before."""
    return _without_gaps(stamps_ns[:-1], stamps_ns[1:], shift_px[1:], noise_px)


def displacements_of_poses(pose: PoseStream, noise_rad: float = 0.003) -> Displacements:
    """Return the rotations between poses, (N, 3) vectors in the axes of the link, at up to 30 a second."""
    step_ns = median_step_ns(pose.stamp_ns)
    every = max(1, round(1e9 / _FASTEST_HZ / step_ns)) if step_ns else 1
    stamps, quaternions = pose.stamp_ns[::every], pose.quaternion_xyzw[::every]
    return _without_gaps(stamps[:-1], stamps[1:], turns_of(quaternions), noise_rad)


def angular_speed(pose: PoseStream) -> tuple[Stamps, Floats]:
    """Return stamps (N-1,) in the middle of each step and angular speeds (N-1,) rad/s from poses."""
    if len(pose.stamp_ns) < 2:
        return np.zeros(0, np.int64), np.zeros(0)
    steps_ns = np.diff(pose.stamp_ns)
    with np.errstate(divide="ignore", invalid="ignore"):
        speed = np.where(
            steps_ns > 0, np.linalg.norm(turns_of(pose.quaternion_xyzw), axis=1) / (steps_ns / 1e9), np.nan
        )
    return pose.stamp_ns[:-1] + steps_ns // 2, speed


def course_of_imu(imu: ImuSamples) -> Course:
    """Return the accumulated rotation of a gyroscope, (M, 3) rad in its axes (exact only for small rotations)."""
    is_finite = are_finite(imu.rotation_axes())
    usable = slice(None) if is_finite.all() else is_finite
    stamps = imu.stamp_ns[usable]
    steps_s = np.diff(stamps) / 1e9
    # Each axis lies by itself, as interpolation wants it, and sums are made in place: an hour of one takes 6 MB.
    at = np.zeros((len(stamps), 3), order="F")
    for axis, so_far in zip(imu.rotation_axes(), at.T, strict=True):
        rate = axis[usable]
        sums = np.add(rate[1:], rate[:-1], out=so_far[1:])
        sums *= 0.5
        sums *= steps_s
        np.cumsum(sums, out=sums)
    return Course(stamps, at)


def course_of_poses(pose: PoseStream) -> Course:
    """Return the accumulated rotation of poses, (M, 3) rad in the axes of the link."""
    turns = turns_of(pose.quaternion_xyzw)
    return Course(pose.stamp_ns, _accumulated(np.nan_to_num(turns)))


def course_of_pictures(stamps_ns: Stamps, shift_px: Floats) -> Course:
    """Return the accumulated shift of pictures, (F, 2) pixels; where no shift is known it stands still."""
    return Course(stamps_ns, _accumulated(np.nan_to_num(shift_px[1:])))


def estimate_offset(moved: Displacements, course: Course) -> Offset | None:
    """Return the lag at which the course explains the displacements best; None where both overlap too briefly.

    Displacements are regressed on those of the course at every lag within half a second, with a bounded loss (Geman and
    McClure 1987), so that pictures that followed a hand cannot pull; the standard error is that of the lag under
    correlated residuals (Newey and West 1987).
    """
    problem = _Problem.of(moved, course)
    if problem is None:
        return None
    lags = np.arange(-LARGEST_LAG_S, LARGEST_LAG_S + 1e-9, _LAG_STEP_S)
    shares = np.array([problem.fit(lag).explained for lag in lags])
    best = int(np.argmax(shares))
    lag = lags[best] + _LAG_STEP_S * _vertex(shares[max(best - 1, 0) : best + 2])
    near = [problem.fit(lag + step).explained for step in (-_FINE_STEP_S, 0.0, _FINE_STEP_S)]
    lag += _FINE_STEP_S * _vertex(near)
    far = shares[np.abs(lags - lag) > 0.1]
    return Offset(
        offset_ms=1000 * float(lag),
        correlation=float(np.sqrt(max(problem.fit(lag).explained, 0.0))),
        elsewhere=float(np.sqrt(max(far.max(initial=0.0), 0.0))),
        error_ms=1000 * problem.standard_error_s(lag),
        spread=problem.spread(),
    )


@dataclass(frozen=True)
class _Fit:
    explained: float
    B: Floats
    residual: Floats
    weight: Floats


@dataclass(frozen=True)
class _Problem:
    """Displacements and course on one clock in seconds, slow motion taken out."""

    start_s: Floats
    end_s: Floats
    moved: Floats
    scale: Floats
    window: int
    course_s: Floats
    course_at: Floats

    @classmethod
    def of(cls, moved: Displacements, course: Course) -> _Problem | None:
        if len(moved.start_ns) < 3 or len(course.stamp_ns) < 3:
            return None
        origin = int(course.stamp_ns[0])
        start, end, at = (
            (column - origin) / 1e9 for column in (moved.start_ns, moved.end_ns, course.stamp_ns)
        )
        margin = LARGEST_LAG_S + 2 * _FINE_STEP_S
        usable = np.isfinite(moved.moved).all(axis=1)
        usable &= (start - margin >= at[0]) & (end + margin <= at[-1])
        rows = np.flatnonzero(usable)
        if len(rows) == 0 or end[rows[-1]] - start[rows[0]] < _SHORTEST_OVERLAP_S:
            return None
        rows = _liveliest(rows, moved.moved)
        start, end = start[rows], end[rows]
        window = max(3, round(_SLOW_S / max(float(np.median(end - start)), 1e-3))) | 1
        quick = _quick(moved.moved[rows], window)
        size = np.linalg.norm(quick, axis=1)
        scale = max(moved.noise, 1.5 * float(np.median(size))) + _RELATIVE_NOISE * size
        return cls(start, end, quick, scale, window, at, course.at)

    def turned(self, lag_s: float) -> Floats:
        steps = [
            np.interp(self.end_s + lag_s, self.course_s, column)
            - np.interp(self.start_s + lag_s, self.course_s, column)
            for column in self.course_at.T
        ]
        return np.stack(steps, axis=1)

    def spread(self) -> float:
        speed = np.linalg.norm(self.turned(0.0), axis=1) / (self.end_s - self.start_s)
        return float(np.std(speed))

    def fit(self, lag_s: float) -> _Fit:
        turned = _quick(self.turned(lag_s), self.window)
        weight = 1 / self.scale**2
        for _ in range(_ROUNDS):
            weighted = turned * weight[:, None]
            B: Floats = np.linalg.lstsq(weighted.T @ turned, weighted.T @ self.moved, rcond=1e-6)[0].astype(
                np.float64
            )
            residual = self.moved - turned @ B
            weight = 1 / (self.scale * (1 + self._squared(residual))) ** 2
        nothing = float(_bounded(self._squared(self.moved)).sum())
        explained = 1 - float(_bounded(self._squared(residual)).sum()) / nothing if nothing > 0 else 0.0
        return _Fit(explained, B, residual, weight)

    def standard_error_s(self, lag_s: float) -> float:
        found = self.fit(lag_s)
        later, earlier = (
            _quick(self.turned(lag_s + step), self.window) for step in (_FINE_STEP_S, -_FINE_STEP_S)
        )
        slope = (later - earlier) @ found.B / (2 * _FINE_STEP_S)
        information = float((found.weight[:, None] * slope**2).sum())
        score = (found.weight[:, None] * slope * found.residual).sum(axis=1)
        variance = float(score @ score)
        for lag in range(1, min(_HAC_LAGS, len(score))):
            variance += 2 * (1 - lag / _HAC_LAGS) * float(score[lag:] @ score[:-lag])
        return float(np.sqrt(max(variance, 0.0))) / information if information > 0 else np.inf

    def _squared(self, values: Floats) -> Floats:
        return np.asarray((values**2).sum(axis=1) / self.scale**2)


def _liveliest(rows: NDArray[np.intp], moved: Floats) -> NDArray[np.intp]:
    """Return the rows of the blocks in which displacements change most, in order; all rows where they are few."""
    if len(rows) <= _MOST_BLOCKS * _BLOCK_ROWS:
        return rows
    blocks = rows[: len(rows) // _BLOCK_ROWS * _BLOCK_ROWS].reshape(-1, _BLOCK_ROWS)
    change = np.linalg.norm(np.diff(moved[blocks], axis=1), axis=2)
    # The square root keeps single leaps, which are faults of the measurement, from looking lively.
    liveliest = np.argsort(-np.sqrt(change).sum(axis=1), kind="stable")[:_MOST_BLOCKS]
    return np.asarray(blocks[np.sort(liveliest)].ravel())


def _bounded(squared: Floats) -> Floats:
    return squared / (1 + squared)


def _quick(values: Floats, window: int) -> Floats:
    """Return (N, k) values less their running mean over `window` rows."""
    rows = np.ascontiguousarray(values)[:, None, :]
    mean = cv2.blur(rows, (1, window), borderType=cv2.BORDER_REPLICATE)
    return np.asarray(values - np.asarray(mean).reshape(values.shape))


def _vertex(values: list[float] | Floats) -> float:
    """Return where the parabola through three neighbours peaks, in steps from the middle one; 0 at a border."""
    if len(values) != 3:
        return 0.0
    left, middle, right = values
    bend = left - 2 * middle + right
    return float(np.clip(0.5 * (left - right) / bend, -1, 1)) if bend < 0 else 0.0


def turns_of(quaternion_xyzw: Floats) -> Floats:
    """Return the rotation vectors (N-1, 3) in radians between neighbours of (N, 4) quaternions."""

    def measure(rows: slice) -> Floats:
        R = quaternion_to_matrix(quaternion_xyzw[rows.start : rows.stop + 1])
        return rotation_log(np.swapaxes(R[:-1], -1, -2) @ R[1:])

    return in_blocks(max(len(quaternion_xyzw) - 1, 0), 3, measure)


def _accumulated(steps: Floats) -> Floats:
    return np.vstack([np.zeros((1, steps.shape[1])), np.cumsum(steps, axis=0)])


def _without_gaps(start_ns: Stamps, end_ns: Stamps, moved: Floats, noise: float) -> Displacements:
    steps = end_ns - start_ns
    usual = np.median(steps) if len(steps) else 0
    whole = (steps > 0) & (steps <= GAP_FACTOR * usual)
    return Displacements(start_ns[whole], end_ns[whole], moved[whole], noise)
