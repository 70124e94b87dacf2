"""Calmer joints over time: each is moved towards what its neighbours in its track say, by no more than its uncertainty.

The measure is a straight line through the joint's own last and next readings, weighted by nearness in time and by how
sure they are (local linear regression), so that steady motion is not cut short. Only measured rows speak and are moved:
held rows neither, and rows filled between measured ones are filled anew from the result. Nothing reaches over a missing
frame or a gap. A joint is moved in the picture and along its ray by the same share of the way, so that pixels and
metres stay one point.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from episode_assets.geometry import back_project
from episode_assets.hands.placing import Placed, join_placed
from episode_assets.hands.sightings import Sightings, join_sightings, whole_tracks

_LIMIT_RATIO = 0.99
"""Share of the uncertainty that is used: rounding to the 32 bits of the table must not exceed it."""

_SECOND_NS = 1e9

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


def smooth_tracks(
    sightings: Sightings,
    placed: Placed,
    K: Floats,
    stamps_ns: NDArray[np.int64],
    run: NDArray[np.int64],
    *,
    reach_s: float,
) -> tuple[Sightings, Placed]:
    """Return the rows, ordered by track and frame, with calmer joints.

    Args:
        sightings: N rows.
        placed: Their metric joints and uncertainties.
        K: (N, 3, 3) intrinsics; NaN where unknown.
        stamps_ns: (N,) int64 stamp of each row's frame.
        run: (N,) number of the gapless run that each row's frame belongs to.
        reach_s: How far neighbours are asked to both sides, s.
    """
    parts = [
        _smoothed(sightings.take(rows), placed.take(rows), K[rows], stamps_ns[rows], run[rows], reach_s)
        for rows in whole_tracks(sightings.track)
    ]
    return join_sightings([rows for rows, _ in parts]), join_placed([places for _, places in parts])


def _smoothed(
    sightings: Sightings,
    placed: Placed,
    K: Floats,
    stamps_ns: NDArray[np.int64],
    run: NDArray[np.int64],
    reach_s: float,
) -> tuple[Sightings, Placed]:
    """Return the rows of some tracks with calmer joints."""
    # From the first stamp on: nanoseconds of today do not fit a float.
    seconds = (stamps_ns - stamps_ns[:1]) / _SECOND_NS
    window = _Window(_stretches(sightings, run), seconds, reach_s)
    joints_px, joints_m = sightings.joints_px.astype(np.float64), placed.joints_m
    speaks = ~placed.is_held
    sure_px = speaks[:, None] / placed.off_px**2
    sure_m = np.where(
        np.isfinite(joints_m[..., 2]), speaks[:, None] / np.nan_to_num(placed.off_m, nan=1) ** 2, 0
    )
    step_px = window.mean(joints_px, sure_px) - joints_px
    step_z = window.mean(np.nan_to_num(joints_m[..., 2:]), sure_m)[..., 0] - joints_m[..., 2]
    share = _allowed_share(K, joints_px, joints_m, step_px, np.nan_to_num(step_z), placed) * speaks[:, None]
    moved_px = joints_px + share[..., None] * step_px
    moved_m = back_project(K[:, None], moved_px, joints_m[..., 2] + share * step_z)
    moved = replace(sightings, joints_px=moved_px.astype(np.float32))
    return moved, replace(
        placed,
        joints_m=np.where((share > 0)[..., None], moved_m, joints_m),
        is_smoothed=(moved.joints_px != sightings.joints_px).any(axis=(1, 2)),
    )


def _stretches(sightings: Sightings, run: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return (N,) numbers of stretches: rows of one track in frames that follow each other without a gap."""
    follows = (np.diff(sightings.track) == 0) & (np.diff(sightings.position) == 1) & (np.diff(run) == 0)
    return np.concatenate([np.zeros(min(len(run), 1), np.int64), np.cumsum(~follows)])


@dataclass(frozen=True)
class _Window:
    """Which rows ask which, N rows.

    Attributes:
        stretch: (N,) number of the stretch of each row.
        seconds: (N,) time of each row.
        reach_s: How far neighbours are asked to both sides.
    """

    stretch: NDArray[np.int64]
    seconds: Floats
    reach_s: float

    def mean(self, values: Floats, sureness: Floats) -> Floats:
        """Return values (N, J, C) on straight lines through their neighbours, weighted by `sureness` (N, J).

        Where fewer than two neighbours have a say, the value itself is returned.
        """
        sums = _Sums.of(sureness, np.zeros(len(values)), values)
        step = 1
        while (pairs := self._pairs(step)).any():
            first = np.flatnonzero(pairs)
            for asking, asked in ((first, first + step), (first + step, first)):
                seconds = self.seconds[asked] - self.seconds[asking]
                near = (1 - np.abs(seconds / self.reach_s) ** 3) ** 3
                sums.add(asking, sureness[asked] * near[:, None], seconds, values[asked])
            step += 1
        return sums.line(values)

    def _pairs(self, step: int) -> Mask:
        """Say which rows have one `step` rows later in their stretch and within reach."""
        is_one = self.stretch[step:] == self.stretch[:-step]
        return np.asarray(is_one & (self.seconds[step:] - self.seconds[:-step] < self.reach_s))


@dataclass(frozen=True)
class _Sums:
    """Sums of weighted least squares for a line through values (N, J, C) over time."""

    w: Floats
    wt: Floats
    wtt: Floats
    wv: Floats
    wtv: Floats

    @classmethod
    def of(cls, weight: Floats, seconds: Floats, values: Floats) -> _Sums:
        """Begin with each row's own value."""
        t = seconds[:, None]
        w_values = weight[..., None] * values
        return cls(weight.copy(), weight * t, weight * t * t, w_values, w_values * t[..., None])

    def add(self, rows: NDArray[np.intp], weight: Floats, seconds: Floats, values: Floats) -> None:
        """Add one neighbour to each of these rows, every row once."""
        t = seconds[:, None]
        self.w[rows] += weight
        self.wt[rows] += weight * t
        self.wtt[rows] += weight * t * t
        self.wv[rows] += weight[..., None] * values
        self.wtv[rows] += weight[..., None] * values * t[..., None]

    def line(self, values: Floats) -> Floats:
        """Return the line's value at each row's own time; the given value where the line is not determined."""
        determinant = self.w * self.wtt - self.wt**2
        is_good = determinant > 1e-9 * self.w * np.maximum(self.wtt, 1e-12)
        top = self.wtt[..., None] * self.wv - self.wt[..., None] * self.wtv
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(np.where(is_good[..., None], top / determinant[..., None], values))


def _allowed_share(
    K: Floats, joints_px: Floats, joints_m: Floats, step_px: Floats, step_z: Floats, placed: Placed
) -> Floats:
    """Return (N, 21) 0..1: the share of the steps that moves no joint by more than its uncertainty."""
    length = np.linalg.norm(step_px, axis=2)
    share: Floats = np.minimum(1.0, _LIMIT_RATIO * placed.off_px / np.maximum(length, 1e-12))
    limit_m = np.where(np.isfinite(placed.off_m), _LIMIT_RATIO * placed.off_m, np.inf)
    while True:
        moved = back_project(
            K[:, None], joints_px + share[..., None] * step_px, joints_m[..., 2] + share * step_z
        )
        # A hand without a place has nothing to be moved in space.
        is_over = np.nan_to_num(np.linalg.norm(moved - joints_m, axis=2)) > limit_m
        if not is_over.any():
            return share
        share = np.where(is_over, share / 2, share)
