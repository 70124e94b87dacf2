"""How far a video lies from the pictures of its recording: luma PSNR over every n-th picture, and its bytes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from episode_assets.recording import RecordingView
from episode_assets.video import Picture, decode_frames, decode_picture

EVERY = 7


class PictureError(NamedTuple):
    """PSNR in dB of the mean squared error of limited-range luma over all compared pictures, and how many these are."""

    psnr_db: float
    pictures: int


def picture_error(view: RecordingView, video: Path) -> PictureError:
    """Compare a video whose frame i shows picture i of the recording; every picture must be in it."""
    compared = range(0, len(view.rgb), EVERY)
    shown = decode_frames(video, list(compared))
    errors = [
        _squared_error(source, picture)
        for source, (_, picture) in zip(_sources(view, compared), shown, strict=True)
    ]
    return PictureError(float(10 * np.log10(255**2 / np.mean(errors))), len(errors))


def _sources(view: RecordingView, positions: range) -> Iterator[Picture]:
    for position, message in zip(range(len(view.rgb)), view.rgb.read(), strict=True):
        if position in positions:
            yield decode_picture(message.format, message.data)


def _squared_error(source: Picture, shown: Picture) -> float:
    height, width = source.true_height, source.true_width
    difference = source.y[:height, :width].astype(np.float32) - shown.y[:height, :width]
    return float(np.mean(difference**2))
