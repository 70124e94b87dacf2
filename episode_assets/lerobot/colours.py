"""Sums the per-frame colour histograms of the published video, so that no picture is decoded for statistics."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from episode_assets.errors import ArtifactDamaged
from episode_assets.lerobot.cuts import Span

FILE = "rgb_stats.parquet"
_CHANNELS = ("hist_r", "hist_g", "hist_b")
_BATCH_ROWS = 1024


def sum_histograms(
    blurred: Path, message_number: NDArray[np.int64], spans: Sequence[Span]
) -> NDArray[np.int64]:
    """Return (episodes, 3, 256) int64 counts, summed over the frames of each span.

    Args:
        blurred: Directory of the blurred_rgb artifact.
        message_number: (F,) messages of the bundle's frames; rows of the table are matched by them.
        spans: Episodes as ranges of frame positions.

    Raises:
        ArtifactDamaged: The table is missing or unreadable, or a frame of an episode has no row in it.
    """
    episode_of = np.full(len(message_number), -1, dtype=np.int64)
    for episode, span in enumerate(spans):
        episode_of[span.start : span.stop] = episode
    order = np.argsort(message_number)
    sums = np.zeros((len(spans), 3, 256), dtype=np.int64)
    counted = 0
    try:
        # One batch of rows at a time: 3 kB per frame add up to 40 MB in a quarter of an hour.
        with pq.ParquetFile(blurred / FILE) as file:
            for batch in file.iter_batches(_BATCH_ROWS, columns=["message_number", *_CHANNELS]):
                numbers = batch["message_number"].to_numpy()
                found = np.clip(np.searchsorted(message_number, numbers, sorter=order), 0, len(order) - 1)
                position = order[found]
                episodes = np.where(message_number[position] == numbers, episode_of[position], -1)
                counted += int(np.count_nonzero(episodes >= 0))
                _add(sums, batch, episodes)
    except (OSError, pa.ArrowException, KeyError) as error:
        raise ArtifactDamaged(
            f"the colour histograms cannot be read: {error}",
            where=FILE,
            remedy="materialise blurred_rgb again",
        ) from error
    expected = sum(len(span) for span in spans)
    if counted != expected:
        raise ArtifactDamaged(
            f"{counted} of {expected} frames have a colour histogram",
            where=FILE,
            remedy="materialise blurred_rgb and episode_bundle again",
        )
    return sums


def _add(sums: NDArray[np.int64], batch: pa.RecordBatch, episode: NDArray[np.int64]) -> None:
    wanted = episode >= 0
    if not wanted.any():
        return
    # Frames of an episode stand together, so whole runs of rows are added at once.
    found = episode[wanted]
    starts = np.flatnonzero(np.diff(found, prepend=-1))
    for channel, name in enumerate(_CHANNELS):
        counts = batch[name].flatten().to_numpy().reshape(-1, 256)
        # Below 90,000 pixels are counted of a picture, so that the sum over a batch fits into its own 32 bits.
        runs = np.add.reduceat(counts if wanted.all() else counts[wanted], starts, axis=0)
        np.add.at(sums[:, channel], found[starts], runs)
