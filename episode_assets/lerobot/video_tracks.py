"""Camera features whose frames lie in videos: copied from the bundle's wherever that is what the recipe wants.

The rest is encoded, in `own_video` and `depth_feature`; what a feature is told by is in `camera_tracks`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from episode_assets.lerobot.camera_tracks import CameraTrack, read_video, references, video_facts
from episode_assets.lerobot.colours import sum_histograms
from episode_assets.lerobot.cuts import Span
from episode_assets.lerobot.depth_feature import DepthImages, depth_facts, encode_depth
from episode_assets.lerobot.own_video import encode_colour, seekable
from episode_assets.lerobot.recipe import Recipe
from episode_assets.lerobot.sight import Sight
from episode_assets.lerobot.source import EpisodeSource
from episode_assets.lerobot.statistics import colour_statistics
from episode_assets.lerobot.time_grid import Indices
from episode_assets.progress import Progress


def colour_track(
    sight: Sight,
    key: str,
    directory: Path,
    episodes: Sequence[Indices],
    *,
    recipe: Recipe,
    fps: int,
    progress: Progress,
) -> CameraTrack:
    """Return the colour feature, and encode into `directory` what cannot be copied.

    Args:
        sight: The pictures, and what is done to them.
        key: Name of the feature.
        directory: The fragment.
        episodes: Frame of each row per episode.
        recipe: What is wanted.
        fps: Rate of the rows.
        progress: Told after every episode.

    Raises:
        ArtifactDamaged: A frame that is copied has no histogram.
        BadVideo: The video does not decode.
        BadConfig: The encoder does not open.
    """
    source, change = sight.source, sight.changes[key]
    config = seekable(recipe.colour_views[key].encoder, fps=fps)
    reasons = [sight.why_encode[key] or _why_encode_episode(frames, source) for frames in episodes]
    own = [number for number, reason in enumerate(reasons) if reason is not None]
    copied = [number for number, reason in enumerate(reasons) if reason is None]
    counts = np.zeros((len(episodes), 3 * 256), dtype=np.int64)
    if copied:
        spans = [Span(int(episodes[i][0]), int(episodes[i][-1]) + 1) for i in copied]
        counts[copied] = sum_histograms(sight.blurred, source.message_number, spans).reshape(len(copied), -1)
    name, file = f"{key}.mp4", None
    if own:
        out, shown = directory / name, [episodes[i] for i in own]
        counts[own] = encode_colour(
            sight.bundle.video_path, shown, out, change=change, config=config, fps=fps, progress=progress
        )
        file = read_video(out, frames=sum(map(len, shown)))
    facts = video_facts(sight.video.probe, None)
    if file is not None and not copied:
        facts = video_facts(file.probe, config)
    return CameraTrack(
        key,
        facts,
        references(episodes, reasons, video=sight.video, own=file, name=name),
        counts,
        tuple(
            colour_statistics(counts[number].reshape(3, 256), frames=len(frames))
            for number, frames in enumerate(episodes)
        ),
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
    encode_depth(images, episodes, directory / name, config=config, fps=fps, progress=progress)
    file = read_video(directory / name, frames=sum(map(len, episodes)))
    facts = video_facts(file.probe, config) | depth_facts(recipe.depth)
    return CameraTrack(
        key,
        facts,
        references(episodes, ["depth is told in codes"] * len(episodes), video=file, own=file, name=name),
        images.counts,
        tuple(images.statistics(number) for number in range(len(episodes))),
        (name,),
        tuple(images.accounts),
    )
