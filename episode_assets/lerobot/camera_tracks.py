"""The camera features of one fragment: where the frames of each episode lie, what they share, and their statistics.

Frames of the bundle's video are referred to wherever a copy of them is what the recipe wants; else the fragment keeps
its own. How the features come about is in `video_tracks` and `image_tracks`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from episode_assets.errors import ArtifactDamaged
from episode_assets.lerobot.depth_feature import DepthAccount
from episode_assets.lerobot.statistics import Statistics
from episode_assets.lerobot.time_grid import Indices
from episode_assets.outcome import Json
from episode_assets.video import RGBEncoderConfig, VideoProbe, probe

BUNDLE_VIDEO = "rgb.mp4"
FROM_BUNDLE: Literal["bundle"] = "bundle"
FROM_FRAGMENT: Literal["own"] = "own"
"""Where the frames of an episode lie: in the video of the bundle, or in a file of the fragment."""

Record = dict[str, Json]


@dataclass(frozen=True)
class VideoFile:
    """A video with the size of each of its packets.

    Attributes:
        probe: Its facts.
        sizes: (F,) bytes of each frame.
    """

    probe: VideoProbe
    sizes: NDArray[np.int64]

    def reference(self, *, origin: str, name: str, start: int, stop: int) -> Record:
        """Return the record of frames [start, stop) for the fragment's document."""
        return {
            "from": origin,
            "file": name,
            "frame_start": start,
            "frame_stop": stop,
            "bytes": int(self.sizes[start:stop].sum()),
            "parameters": self.probe.extradata_sha256,
        }


@dataclass(frozen=True)
class CameraTrack:
    """One camera feature of a fragment.

    Attributes:
        key: Name of the feature.
        facts: What all its frames share.
        references: Where the frames of each episode lie; empty where they lie in the rows.
        counts: (E, C) int64, how often each value of its pixels occurs in each episode.
        statistics: Statistics of each episode.
        files: Files of the fragment that belong to it.
        depth: What became of the depth of each episode; empty for colour.
    """

    key: str
    facts: Record
    references: tuple[Record, ...]
    counts: NDArray[np.int64]
    statistics: tuple[Statistics, ...]
    files: tuple[str, ...] = ()
    depth: tuple[DepthAccount, ...] = ()


def read_video(path: Path, *, frames: int | None = None) -> VideoFile:
    """Return a video's facts and the sizes of its packets; nothing is decoded.

    Args:
        path: The mp4.
        frames: How many frames it has to have.

    Raises:
        BadVideo: It cannot be read.
        ArtifactDamaged: It has another number of frames.
    """
    found = probe(path)
    if frames is not None and found.frames != frames:
        raise ArtifactDamaged(
            f"the video holds {found.frames} frames, the table {frames}",
            where=path.name,
            remedy="materialise episode_bundle of this recording again",
        )
    return VideoFile(found, found.sizes)


def video_facts(found: VideoProbe, encoder: RGBEncoderConfig | None) -> Record:
    """Return what all frames of a feature share; `encoder` is None where they were not encoded here."""
    return {
        "codec": found.codec,
        "width": found.width,
        "height": found.height,
        "pix_fmt": found.pix_fmt,
        "color_range": found.color_range,
        "color_matrix": found.color_matrix,
        "parameters": found.extradata_sha256,
        "is_depth_map": False,
        "encoder": None if encoder is None else encoder.to_mapping(),
        "depth": None,
    }


def references(
    episodes: Sequence[Indices],
    reasons: Sequence[str | None],
    *,
    video: VideoFile,
    own: VideoFile | None,
    name: str,
) -> tuple[Record, ...]:
    """Return where the frames of each episode lie; `reasons` tell why they are not copied from the bundle."""
    references, start = [], 0
    for frames, reason in zip(episodes, reasons, strict=True):
        if reason is not None and own is not None:
            stop = start + len(frames)
            found = own.reference(origin=FROM_FRAGMENT, name=name, start=start, stop=stop)
            references.append({**found, "encoded_because": reason})
            start = stop
        else:
            first, last = int(frames[0]), int(frames[-1])
            references.append(
                video.reference(origin=FROM_BUNDLE, name=BUNDLE_VIDEO, start=first, stop=last + 1)
            )
    return tuple(references)
