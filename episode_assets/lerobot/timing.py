"""From true stamps to a grid of whole frames per second, in integers.

Re-timing keeps every frame and gives frame i of an episode the time i/fps. It is allowed as long as, inside any 2 s,
grid and stamps stay within half a period of each other; a slow clock drift over minutes is no reason to encode anew.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

WINDOW_NS = 2_000_000_000
RATE_TOLERANCE = 0.02
_SECOND_NS = 1_000_000_000


@dataclass(frozen=True)
class LeftOut:
    """Why a recording contributes nothing: a stable word for scripts, and a sentence with values."""

    code: str
    detail: str


def choose_fps(stamps_ns: NDArray[np.int64], *, asked: int, is_resampled: bool = False) -> int | LeftOut:
    """Return the grid's rate: the one asked for, or the nearest whole number; the recording must be within 2 % of it.

    Args:
        stamps_ns: Sorted picture stamps, ns.
        asked: Rate demanded by the recipe; 0 leaves it to the recording.
        is_resampled: Frames are held and dropped, so that any rate will do.
    """
    if len(stamps_ns) < 2:
        return LeftOut("too_few_frames", f"{len(stamps_ns)} frames have no frame rate")
    median_ns = float(np.median(np.diff(stamps_ns)))
    if median_ns <= 0:
        return LeftOut("no_frame_rate", "most pictures share one time stamp")
    rate = _SECOND_NS / median_ns
    fps = asked or round(rate)
    if is_resampled:
        return max(fps, 1)
    if fps < 1 or abs(rate - fps) > RATE_TOLERANCE * fps:
        wanted = f"the {asked} Hz of the recipe" if asked else "a whole number"
        return LeftOut(
            "resampling_needed",
            f"the median frame rate is {rate:.3f} Hz, not within 2 % of {wanted}; timing: resample would do",
        )
    return fps


def grid_drift(stamps_ns: NDArray[np.int64], *, fps: int) -> NDArray[np.int64]:
    """Return how far each stamp runs ahead of the grid that starts at the first one, in units of ns/fps (exact)."""
    steps = np.arange(len(stamps_ns), dtype=np.int64)
    return np.asarray((stamps_ns - stamps_ns[0]) * fps - steps * _SECOND_NS, dtype=np.int64)


def grid_breaks(stamps_ns: NDArray[np.int64], *, fps: int) -> list[int]:
    """Return the positions at which a new episode has to begin so that every episode may be re-timed.

    An episode is extended as long as, for any two of its frames at most 2 s apart, the true distance and the
    distance on the grid differ by no more than half a period.
    """
    if not len(stamps_ns):
        return []
    drift = grid_drift(stamps_ns, fps=fps).tolist()
    stamps = stamps_ns.tolist()
    breaks: list[int] = []
    highs: deque[int] = deque()
    lows: deque[int] = deque()
    for here, value in enumerate(drift):
        for line, sign in ((highs, 1), (lows, -1)):
            while line and stamps[here] - stamps[line[0]] > WINDOW_NS:
                line.popleft()
            while line and sign * drift[line[-1]] <= sign * value:
                line.pop()
            line.append(here)
        if 2 * (drift[highs[0]] - drift[lows[0]]) > _SECOND_NS:
            breaks.append(here)
            highs, lows = deque([here]), deque([here])
    return breaks


def step_fits(step_ns: int, *, fps: int) -> bool:
    """Return whether one step between two frames is a period long, give or take half a period."""
    return abs(step_ns * fps - _SECOND_NS) * 2 <= _SECOND_NS
