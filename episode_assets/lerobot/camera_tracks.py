"""The camera features of one fragment: where the frames of each episode lie, what they share, and their statistics.

Frames of the bundle's video are referred to wherever a copy of them is what the recipe wants; else the fragment keeps
its own. Encoding is in `own_video` and `depth_feature`, images inside the rows in `stored_images`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from episode_assets.bundle import EpisodeBundle
from episode_assets.errors import ArtifactDamaged
from episode_assets.lerobot.colours import sum_histograms
from episode_assets.lerobot.cuts import Span
from episode_assets.lerobot.depth_feature import DepthAccount, DepthImages, depth_facts, encode_depth
from episode_assets.lerobot.own_video import codec_of, encode_colour, seekable
from episode_assets.lerobot.picture_change import PictureChange
from episode_assets.lerobot.recipe import Recipe
from episode_assets.lerobot.source import EpisodeSource
from episode_assets.lerobot.statistics import Statistics, colour_statistics
from episode_assets.lerobot.time_grid import Indices
from episode_assets.outcome import Json
from episode_assets.progress import Progress
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


def why_encode(recipe: Recipe, video: VideoProbe, change: PictureChange) -> str | None:
    """Return why no frame of the bundle's video can be copied into a dataset of this recipe; None if they can."""
    view = recipe.camera_view
    if view.encode == "always":
        return "the recipe encodes always"
    if not change.is_identity:
        return "pictures are turned, cropped, resized or padded"
    if codec_of(view.encoder) != video.codec or view.encoder.pix_fmt != video.pix_fmt:
        return f"the bundle has {video.codec} {video.pix_fmt}, the recipe {view.encoder.vcodec} {view.encoder.pix_fmt}"
    return None


def colour_track(
    bundle: EpisodeBundle,
    blurred: Path,
    directory: Path,
    source: EpisodeSource,
    episodes: Sequence[Indices],
    *,
    recipe: Recipe,
    video: VideoFile,
    change: PictureChange,
    fps: int,
    progress: Progress,
) -> CameraTrack:
    """Return the colour feature, and encode into `directory` what cannot be copied.

    Args:
        bundle: The opened bundle; its blurred video is the only source of pictures.
        blurred: Directory of the blurred_rgb artifact, whose histograms describe copied frames.
        directory: The fragment.
        source: The frames of the bundle.
        episodes: Frame of each row per episode.
        recipe: What is wanted.
        video: The bundle's video.
        change: What is done to the pictures.
        fps: Rate of the rows.
        progress: Told after every episode.

    Raises:
        ArtifactDamaged: A frame that is copied has no histogram.
        BadVideo: The video does not decode.
        BadConfig: The encoder does not open.
    """
    key, config = recipe.video_key, seekable(recipe.camera_view.encoder, fps=fps)
    everywhere = why_encode(recipe, video.probe, change)
    reasons = [everywhere or _why_encode_episode(frames, source) for frames in episodes]
    own = [number for number, reason in enumerate(reasons) if reason is not None]
    copied = [number for number, reason in enumerate(reasons) if reason is None]
    counts = np.zeros((len(episodes), 3 * 256), dtype=np.int64)
    if copied:
        spans = [Span(int(episodes[i][0]), int(episodes[i][-1]) + 1) for i in copied]
        counts[copied] = sum_histograms(blurred, source.message_number, spans).reshape(len(copied), -1)
    name, file = f"{key}.mp4", None
    if own:
        out, shown = directory / name, [episodes[i] for i in own]
        counts[own] = encode_colour(
            bundle.video_path, shown, out, change=change, config=config, fps=fps, progress=progress
        ).counts
        file = read_video(out, frames=sum(map(len, shown)))
    facts = video_facts(video.probe, None)
    if file is not None and not copied:
        facts = video_facts(file.probe, config)
    return CameraTrack(
        key,
        facts,
        _references(episodes, reasons, video=video, own=file, name=name),
        counts,
        _colour_statistics(counts, episodes),
        (name,) if own else (),
    )


def _why_encode_episode(frames: Indices, source: EpisodeSource) -> str | None:
    """Return why the frames of one episode cannot be copied although others can; None if they can."""
    if (np.diff(frames) != 1).any():
        return "frames are held or dropped"
    return None if source.is_key[frames[0]] else "the episode starts between two key frames"


def depth_track(
    images: DepthImages,
    directory: Path,
    episodes: Sequence[Indices],
    *,
    recipe: Recipe,
    fps: int,
    progress: Progress,
) -> CameraTrack:
    """Encode the depth feature into `directory` and return it; arguments as those of `colour_track`."""
    key, name = recipe.depth_key, f"{recipe.depth_key}.mp4"
    config = seekable(recipe.depth.encoder, fps=fps)
    encoded = encode_depth(images, episodes, directory / name, config=config, fps=fps, progress=progress)
    file = read_video(directory / name, frames=sum(map(len, episodes)))
    facts = video_facts(file.probe, config) | depth_facts(recipe.depth)
    return CameraTrack(
        key,
        facts,
        _references(episodes, ["depth is told in codes"] * len(episodes), video=file, own=file, name=name),
        encoded.counts,
        tuple(images.statistics(number) for number in range(len(episodes))),
        (name,),
        tuple(images.accounts),
    )


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


def _colour_statistics(counts: NDArray[np.int64], episodes: Sequence[Indices]) -> tuple[Statistics, ...]:
    return tuple(
        colour_statistics(counts[number].reshape(3, 256), frames=len(frames))
        for number, frames in enumerate(episodes)
    )


def _references(
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
