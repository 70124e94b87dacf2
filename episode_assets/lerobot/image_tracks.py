"""Camera features whose pictures lie in the rows: colour as PNG, depth as TIFF of raw millimetres.

Both come from the same places as their videos would: colour from the bundle's blurred video, depth from the bundle.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from episode_assets.anonymization.colour_counts import colour_counts
from episode_assets.lerobot.camera_tracks import CameraTrack
from episode_assets.lerobot.depth_feature import DepthImages, depth_facts, tiff_bytes
from episode_assets.lerobot.own_video import shown_pictures
from episode_assets.lerobot.recipe import Recipe
from episode_assets.lerobot.sight import Sight
from episode_assets.lerobot.statistics import colour_statistics
from episode_assets.lerobot.stored_images import FILE, ImageWriter, png_bytes
from episode_assets.lerobot.time_grid import Indices
from episode_assets.outcome import Json
from episode_assets.progress import Progress
from episode_assets.video import picture_to_rgb

SUFFIXES = {"colour": "png", "depth": "tiff"}


def image_tracks(
    sight: Sight,
    directory: Path,
    episodes: Sequence[Indices],
    *,
    recipe: Recipe,
    depth: DepthImages | None,
    progress: Progress,
) -> tuple[CameraTrack, ...]:
    """Write the images of all features that the recipe stores so into `directory`, and return the features.

    Args:
        sight: The pictures, and what is done to them.
        directory: The fragment.
        episodes: Frame of each row per episode; at least one.
        recipe: What is wanted.
        depth: The depth of the bundle; None where it does not lie in the rows.
        progress: Told after every episode.

    Raises:
        BadVideo: The video does not decode.
    """
    keys = recipe.image_keys
    colours = {key: _Colours(sight, key, episodes) for key in keys if key in sight.changes}
    suffixes = [SUFFIXES["depth" if key == recipe.depth_key else "colour"] for key in keys]
    with ImageWriter(directory / FILE, keys, suffixes) as writer:
        for number, frames in enumerate(episodes):
            sources = [colour.of_episode(len(frames)) for colour in colours.values()]
            if depth is not None:
                sources.append(tiff_bytes(image) for image in depth.of_episode(frames))
            for images in zip(*sources, strict=True):
                writer.add(dict(zip(keys, images, strict=True)))
            writer.end_episode()
            progress("lerobot images", number + 1, len(episodes))
    tracks = [colour.track(key) for key, colour in colours.items()]
    if depth is not None:
        tracks.append(_depth_track(depth, recipe))
    return tuple(tracks)


class _Colours:
    """The colour pictures row by row as PNG, counted meanwhile."""

    def __init__(self, sight: Sight, key: str, episodes: Sequence[Indices]) -> None:
        self._pictures = shown_pictures(sight.bundle.video_path, np.concatenate(episodes))
        self._change = sight.changes[key]
        self._frames: list[int] = []
        self._counts: list[NDArray[np.int64]] = []

    def of_episode(self, rows: int) -> Iterator[bytes]:
        counts = np.zeros((3, 256), dtype=np.int64)
        for _ in range(rows):
            picture = self._change.apply(next(self._pictures))
            counts += colour_counts(picture)
            yield png_bytes(picture_to_rgb(picture))
        self._frames.append(rows)
        self._counts.append(counts)

    def track(self, key: str) -> CameraTrack:
        statistics = tuple(
            colour_statistics(counts, frames=frames)
            for counts, frames in zip(self._counts, self._frames, strict=True)
        )
        counts = np.stack(self._counts).reshape(len(self._counts), -1)
        return CameraTrack(key, _facts(self._change.size, 3), (), counts, statistics, (FILE,))


def _depth_track(depth: DepthImages, recipe: Recipe) -> CameraTrack:
    facts = _facts(depth.size, 1) | depth_facts(recipe.depth)
    statistics = tuple(depth.statistics(number) for number in range(len(depth.accounts)))
    return CameraTrack(recipe.depth_key, facts, (), depth.counts, statistics, (FILE,), tuple(depth.accounts))


def _facts(size: tuple[int, int], channels: int) -> dict[str, Json]:
    return {
        "width": size[0],
        "height": size[1],
        "channels": channels,
        "is_depth_map": False,
        "depth": None,
    }
