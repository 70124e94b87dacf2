"""Taking the blurred video over byte for byte, and checking it against the picture table."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np

from episode_assets.errors import ArtifactDamaged
from episode_assets.footage import REMEDY, FrameTable
from episode_assets.video import VideoProbe, probe

LARGEST_PTS_ERROR_US = 5


def adopt_video(source: Path, out: Path, frames: FrameTable) -> VideoProbe:
    """Hard-link (or, on another file system, copy) the video and check every packet's time against the stamps.

    Raises:
        ArtifactDamaged: The video is missing, or its packets are not the frames of the table.
        BadVideo: The file is not a video.
    """
    if not source.is_file() or source.stat().st_size == 0:
        raise ArtifactDamaged("the blurred video is missing or empty", where=source.name, remedy=REMEDY)
    link_or_copy(source, out)
    video = probe(out)
    check_video(video, frames)
    return video


def link_or_copy(source: Path, out: Path) -> None:
    """Give a published file a second name, or copy it where the file system has no hard links."""
    try:
        os.link(source, out)
    except OSError:
        shutil.copyfile(source, out)


def check_video(video: VideoProbe, frames: FrameTable) -> None:
    """Raise ArtifactDamaged unless the video has exactly the frames of the table, each at its stamp."""
    if video.frames != len(frames):
        raise ArtifactDamaged(
            f"the video has {video.frames} frames, the table of pictures {len(frames)}",
            where="rgb.mp4",
            remedy=REMEDY,
        )
    expected_us = (frames.stamp_ns - frames.stamp_ns[0]) / 1000.0
    error_us = float(np.max(np.abs(np.asarray(video.pts_us, dtype=np.float64) - expected_us)))
    if error_us > LARGEST_PTS_ERROR_US:
        raise ArtifactDamaged(
            f"a frame is shown {error_us:.0f} us away from its stamp, at most {LARGEST_PTS_ERROR_US} are allowed",
            where="rgb.mp4",
            remedy=REMEDY,
        )
    if video.width < frames.width or video.height < frames.height:
        raise ArtifactDamaged(
            f"the video is {video.width}x{video.height}, its pictures {frames.width}x{frames.height}",
            where="rgb.mp4",
            remedy=REMEDY,
        )
