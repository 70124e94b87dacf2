"""Frames that a fragment keeps itself, because a recipe wants them otherwise than the bundle has them.

One mp4 per feature holds the episodes one after another, each from a key frame on. Pictures come from the bundle's
blurred video and from nowhere else; a few are in memory at a time. What changes a picture is in `picture_change`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from episode_assets.anonymization.colour_counts import colour_counts
from episode_assets.freed_memory import return_freed_memory
from episode_assets.lerobot.picture_change import PictureChange
from episode_assets.lerobot.time_grid import Indices
from episode_assets.progress import Progress
from episode_assets.video import (
    CameraOutput,
    Picture,
    RGBEncoderConfig,
    StreamingEncoder,
    decode_frames,
    resolved,
)

_CAMERA = "colour"
_ENCODER_THREADS = 2
"""A fixed number, whatever the machine: the bytes of libx264 depend on it. Two keep up with the decoder."""

Encoder = TypeVar("Encoder", bound=RGBEncoderConfig)


def encode_colour(
    video: Path,
    episodes: Sequence[Indices],
    out: Path,
    *,
    change: PictureChange,
    config: RGBEncoderConfig,
    fps: int,
    progress: Progress,
) -> NDArray[np.int64]:
    """Encode the pictures of episodes anew and count their colours meanwhile.

    Args:
        video: The bundle's blurred video.
        episodes: Frame of each row per episode, in order of time; a frame may be shown by several rows.
        out: The mp4 to write.
        change: What is done to each picture.
        config: How to encode.
        fps: Rate of the rows.
        progress: Told after every episode.

    Returns:
        (E, 768) counts per episode: how often each of the 256 values of red, green and blue occurs.

    Raises:
        BadVideo: The video does not decode, or the result does not read back as planned.
        BadConfig: The encoder does not open.
    """
    counts = np.zeros((len(episodes), 3 * 256), dtype=np.int64)
    pictures = shown_pictures(video, np.concatenate(episodes))
    return_freed_memory()  # the tables read so far must not add to the encoder's peak, nor that to what follows
    # Decoding and encoding go on at once; full queues make the decoder wait, so that no frame is ever dropped.
    output = CameraOutput(out, config)
    with StreamingEncoder({_CAMERA: output}, fps=fps, threads=_ENCODER_THREADS) as encoder:
        for number, frames in enumerate(episodes):
            for row in range(len(frames)):
                picture = change.apply(next(pictures))
                counts[number] += colour_counts(picture).reshape(-1)
                encoder.feed({_CAMERA: picture}, is_owned=True, force_key=row == 0)
            progress("lerobot pictures", number + 1, len(episodes))
        encoder.finish()
    return_freed_memory()
    return counts


def shown_pictures(video: Path, frames: Indices) -> Iterator[Picture]:
    """Decode a video once and yield the picture of every row.

    Args:
        video: The bundle's blurred video.
        frames: (N,) frame of each row, never decreasing.
    """
    wanted, times = np.unique(frames, return_counts=True)
    for (_, picture), count in zip(decode_frames(video, wanted.tolist()), times.tolist(), strict=True):
        for _ in range(count):
            yield picture


def seekable(config: Encoder, *, fps: int) -> Encoder:
    """Return a configuration whose key frames are at most 2 s apart, so that a single row is found quickly."""
    longest = 2 * fps
    return config if config.g is not None and config.g <= longest else replace(config, g=longest)


def codec_of(config: RGBEncoderConfig) -> str:
    """Return the codec that a configuration gives, by the name that files have for it."""
    name = resolved(config).vcodec
    return next(codec for codec in ("h264", "hevc", "av1") if codec in name)
