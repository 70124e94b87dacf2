"""Choosing and writing the picture that stands for a recording, from the blurred video only.

The choice uses the numbers that were taken before blurring; no unblurred pixel is looked at here.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from episode_assets.footage import (
    REMEDY,
    FaceBoxes,
    FrameTable,
    int_column,
    read_table,
    require_columns,
    rows_of_messages,
)
from episode_assets.video import decode_frames, write_jpeg

SIGNALS = ["message_number", "mean", "laplacian_variance", "dark_ratio", "bright_ratio"]
WELL_EXPOSED_MEAN = (50.0, 205.0)
LARGEST_EXTREME_RATIO = 0.5
"""A picture with more than half of its pixels black or burnt out is not a good first impression."""


def choose_frame(signals: Path, frames: FrameTable, boxes: FaceBoxes) -> int:
    """Return the sharpest well exposed key frame, those without a blurred face first.

    Only key frames are looked at, which decode without their neighbours. Where no key frame is well exposed all of
    them compete; where the signals say nothing the middle one wins.

    Raises:
        ArtifactDamaged: The table of signals is unreadable.
    """
    table = read_table(signals, SIGNALS, remedy=REMEDY)
    require_columns(table, SIGNALS, where=signals.name, remedy=REMEDY)
    row = rows_of_messages(int_column(table, "message_number"), frames)
    columns = {name: np.full(len(frames), np.nan) for name in SIGNALS[1:]}
    for name, values in columns.items():
        values[row[row >= 0]] = table[name].cast("float64").to_numpy(zero_copy_only=False)[row >= 0]
    candidates = _preferred(np.flatnonzero(frames.is_key), columns, boxes)
    sharpness = columns["laplacian_variance"][candidates]
    if np.all(np.isnan(sharpness)):
        return int(candidates[len(candidates) // 2])
    return int(candidates[np.nanargmax(sharpness)])


def _preferred(
    keys: NDArray[np.int64], columns: dict[str, NDArray[np.float64]], boxes: FaceBoxes
) -> NDArray[np.int64]:
    keys = keys if len(keys) else np.zeros(1, dtype=np.int64)
    low, high = WELL_EXPOSED_MEAN
    mean = columns["mean"][keys]
    is_good = (mean >= low) & (mean <= high)
    for name in ("dark_ratio", "bright_ratio"):
        is_good &= ~(columns[name][keys] > LARGEST_EXTREME_RATIO)
    chosen = keys[is_good] if np.any(is_good) else keys
    faceless = chosen[~np.isin(chosen, boxes.frame_index)]
    return faceless if len(faceless) else chosen


def write_thumbnail(video: Path, frame: int, out: Path, *, quality: int) -> None:
    """Decode one frame of the blurred video and write it as a JPEG of the true picture size.

    Raises:
        BadVideo: The frame does not decode.
    """
    for _, picture in decode_frames(video, [frame]):
        write_jpeg(picture, out, quality=quality)
