"""Where a face may be in pictures in which nothing found it, and how jitter of its boxes is smoothed.

Every rule here may only add to what is covered: a measured box is never moved, cut or shrunk. What a rule looks at lies
within a time that is known, so that no box depends on where a stream was cut; see `FaceBlurConfig.margin_ns`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

MOTION_NS = 200_000_000
"""The speed of a face is that of its boxes over this time: longer ones miss turns of the head, shorter ones show how
the boxes tremble. It is also how far at least a neighbour is looked for where boxes are rare."""

_MAX_DRIFT = 1.0
"""Farthest that a face is followed aside of where it was, or of its even way, in box sizes (geometric mean of the
sides)."""

_MAX_SLACK = 1.5
"""How far a face may be ahead of even motion in a hole, or behind it, in box sizes. What hides a face from a detector
is often that it moves fast; then it rests for one part of the hole and moves in the other."""

_SLACK_RATIO = 3.0
"""It is ahead of even motion or behind it by this times the part of the way that is nearest to an end, at most."""


class Places(NamedTuple):
    """Places of one face in several pictures: float64 (N, 2) centres and (N, 2) width and height, in pixels."""

    centre: NDArray[np.float64]
    size: NDArray[np.float64]

    @classmethod
    def of(cls, boxes: NDArray[np.float32]) -> Places:
        """Return the places of (N, 4) boxes."""
        corners = boxes.astype(np.float64)
        size = np.maximum(corners[:, 2:] - corners[:, :2], 1e-3)
        return cls((corners[:, :2] + corners[:, 2:]) / 2, size)

    @property
    def boxes(self) -> NDArray[np.float32]:
        """The boxes, (N, 4) float32 x0, y0, x1, y1."""
        half = self.size / 2
        return np.concatenate([self.centre - half, self.centre + half], axis=1).astype(np.float32)


def hull_of(*boxes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the smallest box around the boxes of each row, (N, 4)."""
    low = np.minimum.reduce([entry[:, :2] for entry in boxes])
    high = np.maximum.reduce([entry[:, 2:] for entry in boxes])
    return np.concatenate([low, high], axis=1)


def velocity(stamps_ns: NDArray[np.int64], centre: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Return the speed of a face in pixels per second, (2,): the line of least squares through its centres.

    Args:
        stamps_ns: (N,) stamps, all different.
        centre: (N, 2).

    Returns:
        None for fewer than two places.
    """
    if len(stamps_ns) < 2:
        return None
    seconds = (stamps_ns - stamps_ns[0]) / 1e9
    seconds = seconds - seconds.mean()
    slope = (seconds[:, None] * (centre - centre.mean(axis=0))).sum(axis=0) / np.square(seconds).sum()
    return np.asarray(slope, np.float64)


def held_places(
    place: Places, speed: NDArray[np.float64] | None, lag_s: NDArray[np.float64], growth: NDArray[np.float64]
) -> tuple[Places, NDArray[np.float32]]:
    """Return where a face most likely is before it was first seen, or after it was last, and all places it may be.

    It may have gone on as it moved, by `_MAX_DRIFT` at most, or have stayed; the hull holds both and all between.

    Args:
        place: The one place where it was seen.
        speed: (2,) pixels per second there; None if nothing is known of it.
        lag_s: (N,) seconds from that place, negative before it.
        growth: (N,) factor on its size.

    Returns:
        N places on its way, and their (N, 4) hulls.
    """
    size = place.size * growth[:, None]
    stays = Places(np.repeat(place.centre, len(lag_s), axis=0), size)
    if speed is None:
        return stays, stays.boxes
    moves = Places(place.centre + _bounded(lag_s[:, None] * speed, place.size), size)
    return moves, hull_of(stays.boxes, moves.boxes)


def places_between(
    ends: Places,
    speeds: tuple[NDArray[np.float64] | None, NDArray[np.float64] | None],
    share: NDArray[np.float64],
    seconds: float,
) -> tuple[Places, NDArray[np.float32]]:
    """Return where a face most likely is between two places where it was seen, and all places where it may be.

    Most likely is even motion. It may be ahead of that or behind, by `_MAX_SLACK` at most, and so near an end for as
    long as a hold keeps it there. And it may leave the first place and reach the second at the speed that it had there,
    on the cubic Hermite curve.

    Args:
        ends: The two places.
        speeds: Pixels per second before the first and after the second; None if unknown, then even motion.
        share: (N,) of the time between them that has passed, 0..1.
        seconds: That time.

    Returns:
        N places, and their (N, 4) hulls.
    """
    even = _on_the_way(ends, share)
    way = ends.centre[1] - ends.centre[0]
    slack = _slack(float(np.linalg.norm(way)), even.size, share)
    leaves, arrives = (np.zeros(2) if speed is None else speed * seconds - way for speed in speeds)
    s = share[:, None]
    aside = s * (1 - s) ** 2 * leaves - s**2 * (1 - s) * arrives
    curved = Places(even.centre + _bounded(aside, even.size), even.size)
    behind = _on_the_way(ends, np.maximum(share - slack, 0.0))
    ahead = _on_the_way(ends, np.minimum(share + slack, 1.0))
    return even, hull_of(even.boxes, curved.boxes, behind.boxes, ahead.boxes)


def _slack(way_px: float, size: NDArray[np.float64], share: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how much of the way a face may be ahead or behind."""
    reach = _MAX_SLACK * np.sqrt(np.prod(size, axis=1)) / max(way_px, 1e-9)
    return np.asarray(np.minimum(reach, _SLACK_RATIO * np.minimum(share, 1 - share)))


def _on_the_way(ends: Places, share: NDArray[np.float64]) -> Places:
    """Interpolate the centre and the logarithm of the size."""
    s = share[:, None]
    log_size = np.log(ends.size)
    return Places(
        ends.centre[0] + s * (ends.centre[1] - ends.centre[0]),
        np.exp(log_size[0] + s * (log_size[1] - log_size[0])),
    )


def _bounded(shift: NDArray[np.float64], size: NDArray[np.float64]) -> NDArray[np.float64]:
    """Shorten shifts that are longer than a box can be followed."""
    length = np.linalg.norm(shift, axis=1, keepdims=True)
    reach = _MAX_DRIFT * np.sqrt(np.prod(size, axis=1, keepdims=True))
    return np.asarray(shift * np.minimum(1.0, reach / np.maximum(length, 1e-9)))


def smoothed(
    places: Places, track: NDArray[np.int64], stamps_ns: NDArray[np.int64], *, window_ns: int
) -> Places:
    """Return the mean of the places of each track around each of them, weights falling to none at the window's end.

    Args:
        places: N places, ordered by track, then time.
        track: (N,) name of the track.
        stamps_ns: (N,).
        window_ns: How far from a place others of its track count.
    """
    values = np.concatenate([places.centre, np.log(places.size)], axis=1)
    total, weights = values.copy(), np.ones((len(values), 1))
    for shift in range(1, len(values)):
        apart_ns = stamps_ns[shift:] - stamps_ns[:-shift]
        is_near = (track[shift:] == track[:-shift]) & (apart_ns < window_ns)
        if not is_near.any():
            break
        weight = np.where(is_near, 1.0 - apart_ns / max(window_ns, 1), 0.0)[:, None]
        total[shift:] += weight * values[:-shift]
        weights[shift:] += weight
        total[:-shift] += weight * values[shift:]
        weights[:-shift] += weight
    mean = total / weights
    return Places(mean[:, :2], np.exp(mean[:, 2:]))
