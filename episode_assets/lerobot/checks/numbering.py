"""Rules of the columns that count: index, frame, episode, and the stamps on the grid."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from episode_assets.lerobot.existing import EpisodeRows, ExistingDataset
from episode_assets.lerobot.problems import Problem

FLOAT32_SECONDS = 1024
"""From here on neighbouring float32 seconds lie further apart than the tolerance of readers, 0.1 ms."""

_TOLERANCE_S = 1e-4
_CLOCK_SHARE = 0.2
"""So many rows off the grid are a clock; fewer are single wrong stamps."""


def counted(_dataset: ExistingDataset, rows: EpisodeRows) -> Iterator[Problem]:
    """index, frame_index and episode_index of every row."""
    episode = rows.episode
    count = np.arange(len(rows))
    expected = {
        "index": ("index", episode.from_index + count),
        "frame_index": ("frame_index", count),
        "episode_index": ("row_episode", np.full(len(rows), episode.episode_index)),
    }
    for key, (code, wanted) in expected.items():
        if key not in rows.table.column_names:
            continue
        found = rows.values(key)
        wrong = np.flatnonzero(found != wanted)
        if len(wrong):
            frame = int(wrong[0])
            detail = f"{key} is {found[frame]}, expected {wanted[frame]} ({len(wrong)} rows)"
            yield Problem(code, detail, episode.number, frame)


def stamped(dataset: ExistingDataset, rows: EpisodeRows) -> Iterator[Problem]:
    """Row i is at float32(i / fps), divided in float64 first; nothing else belongs into this column."""
    if "timestamp" not in rows.table.column_names:
        return
    number = rows.episode.number
    found = rows.values("timestamp")
    if found.dtype.kind != "f":
        return
    grid = np.arange(len(rows)) / dataset.fps
    if not dataset.is_v3 and len(rows) > FLOAT32_SECONDS * dataset.fps:
        yield Problem("episode_too_long", f"{grid[-1]:.0f} s; split it", number)
    wrong = np.flatnonzero(found != grid.astype(found.dtype))
    if not len(wrong):
        return
    frame = int(wrong[0])
    detail = (
        f"timestamp is {found[frame]!s}, expected {grid.astype(found.dtype)[frame]!s} ({len(wrong)} rows)"
    )
    shift = found.astype(np.float64) - grid
    if np.abs(shift - shift[0]).max() < _TOLERANCE_S < abs(shift[0]):
        yield Problem("timestamp_start", f"the stamps start at {found[0]!s} s", number, 0)
    elif len(wrong) > _CLOCK_SHARE * len(rows):
        yield Problem(
            "timestamp_clock", f"{detail}; a clock's stamps belong into a column of their own", number, frame
        )
    else:
        yield Problem("timestamp", detail, number, frame)
