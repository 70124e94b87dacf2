"""Cuts episodes that formats before v3.0 cannot hold.

Their readers compare neighbouring float32 times with 1/fps to within 0.1 ms, and beyond 1024 s float32 is coarser than
that. A part begins on a key frame of all its videos. It keeps the reference frame of the whole episode, and for its
pictures the statistics of the whole episode stand.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from episode_assets.lerobot.plan import EpisodePart
from episode_assets.lerobot.shards import VIDEO_SECONDS_MAX
from episode_assets.video import probe


def parts_within_limit(part: EpisodePart, *, seconds: int = VIDEO_SECONDS_MAX) -> Sequence[EpisodePart]:
    """Return the parts of an episode, each at most `seconds` long, in order; nearly always the episode itself."""
    limit = seconds * part.reader.fps
    if part.length <= limit:
        return (part,)
    starts, places = [part.start], _possible_starts(part)
    while part.stop - starts[-1] > limit:
        within = places[(places > starts[-1]) & (places <= starts[-1] + limit)]
        if not len(within):
            break
        starts.append(int(within[-1]))
    return [replace(part, start=a, stop=b) for a, b in zip(starts, [*starts[1:], part.stop], strict=True)]


def _possible_starts(part: EpisodePart) -> NDArray[np.int64]:
    """Return the rows on which all videos have a key frame, sorted."""
    rows = [np.arange(part.start, part.stop, dtype=np.int64)]
    for key in part.reader.video_keys:
        span = part.span(key)
        rows.append(probe(span.path).key_frames - span.first_frame + part.start)
    return reduce(np.intersect1d, rows)
