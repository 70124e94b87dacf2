"""Rules of mp4 files: one frame per row at exactly i / fps, readable at random, as info.json describes them.

Files are walked packet by packet and nothing is decoded, except where that is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from episode_assets.errors import EpisodeAssetsError
from episode_assets.lerobot.checks.numbering import FLOAT32_SECONDS
from episode_assets.lerobot.existing import ExistingDataset, ExistingEpisode, Feature
from episode_assets.lerobot.existing.files import camera_files
from episode_assets.lerobot.problems import Problem
from episode_assets.video import VideoProbe, probe
from episode_assets.video.reading import decode_raw_frames

_KEY_GAP_S = 2.0
_OFFSET_TOLERANCE_S = 1e-6


def videos(dataset: ExistingDataset) -> Iterator[Problem]:
    """Every file of every camera."""
    for feature in dataset.cameras:
        for path, episodes in camera_files(dataset, feature).items():
            first = episodes[0].number
            try:
                found = probe(dataset.root / path)
            except EpisodeAssetsError as error:
                yield Problem("video_unreadable", f"{path}: {error.what}", first)
                continue
            for problem in _file(dataset, feature, found, episodes):
                yield Problem(
                    problem.code,
                    f"{path}: {problem.detail}",
                    first if problem.episode is None else problem.episode,
                    problem.frame,
                )


def decodable(dataset: ExistingDataset) -> Iterator[Problem]:
    """Decode every picture; slow, and the only way to see a packet that was overwritten."""
    for feature in dataset.cameras:
        for path, episodes in camera_files(dataset, feature).items():
            count = 0
            try:
                for _ in _frames(dataset.root / path):
                    count += 1
            except EpisodeAssetsError as error:
                yield Problem("video_unreadable", f"{path}: {error.what}", *_place(episodes, count))


def _frames(path: Path) -> Iterator[Any]:
    """Decode a video of whatever pixel format it has."""
    return decode_raw_frames(path, None, (probe(path).pix_fmt,))


def _place(episodes: Sequence[ExistingEpisode], frame: int) -> tuple[int, int]:
    for episode in episodes:
        if frame < episode.length:
            return episode.number, frame
        frame -= episode.length
    return episodes[-1].number, episodes[-1].length - 1


def _file(
    dataset: ExistingDataset, feature: Feature, found: VideoProbe, episodes: Sequence[ExistingEpisode]
) -> Iterator[Problem]:
    rows = sum(episode.length for episode in episodes)
    if found.frames != rows:
        yield Problem("frame_count", f"{found.frames} frames, its episodes have {rows} rows")
    yield from _times(dataset.fps, found, episodes)
    if found.has_b_frames:
        yield Problem("reordered_frames", "its frames are not stored in the order in which they are shown")
    if found.has_audio:
        yield Problem("sound", "it holds sound")
    if found.max_key_gap > _KEY_GAP_S * dataset.fps:
        yield Problem("key_gap", f"{found.max_key_gap} frames between key frames")
    if len(episodes) > 1 and rows > FLOAT32_SECONDS * dataset.fps:
        yield Problem("video_length", f"{rows / dataset.fps:.0f} s with {len(episodes)} episodes")
    yield from _facts(feature, found)
    yield from _offsets(dataset, feature, found, episodes)


def _times(fps: int, found: VideoProbe, episodes: Sequence[ExistingEpisode]) -> Iterator[Problem]:
    seconds = found.pts * float(found.time_base)
    off = found.pts * found.time_base.numerator * fps != np.arange(found.frames) * found.time_base.denominator
    wrong = np.flatnonzero(off)
    if found.first_pts:
        yield Problem("video_start", f"the first frame is at {seconds[0]:.6f} s", episodes[0].number, 0)
    elif len(wrong):
        frame = int(wrong[0])
        detail = f"frame {frame} is at {seconds[frame]:.6f} s, not {frame / fps:.6f} s ({len(wrong)} frames)"
        yield Problem("video_stamps", detail, *_place(episodes, frame))
    if found.avg_rate != fps or found.duration * fps != found.frames:
        detail = f"it states {found.avg_rate} Hz and lasts {float(found.duration):.6f} s"
        yield Problem("video_rate", f"{detail}, expected {fps} Hz and {found.frames / fps:.6f} s")


def _facts(feature: Feature, found: VideoProbe) -> Iterator[Problem]:
    info: Mapping[str, Any] = feature.info
    for name, value in (("video.codec", found.codec), ("video.pix_fmt", found.pix_fmt)):
        if info.get(name, value) != value:
            yield Problem("codec", f"{name} is {value}, info.json says {info[name]} of {feature.key}")
    sizes = {"shape": feature.shape[:2], "info": _stated_size(info)}
    for where, size in sizes.items():
        if size is not None and size != (found.height, found.width):
            detail = f"{found.height} x {found.width}, {where} of {feature.key} says {size[0]} x {size[1]}"
            yield Problem("video_size", detail)


def _stated_size(info: Mapping[str, Any]) -> tuple[int, int] | None:
    if "video.height" not in info or "video.width" not in info:
        return None
    return int(info["video.height"]), int(info["video.width"])


def _offsets(
    dataset: ExistingDataset, feature: Feature, found: VideoProbe, episodes: Sequence[ExistingEpisode]
) -> Iterator[Problem]:
    fps, first = dataset.fps, 0
    for episode in episodes:
        part = episode.videos[feature.key]
        expected = (first / fps, (first + episode.length) / fps)
        given = (part.start_s, expected[1] if part.stop_s is None else part.stop_s)
        if max(abs(a - b) for a, b in zip(given, expected, strict=True)) > _OFFSET_TOLERANCE_S:
            detail = f"from and to are {given}, expected frames {first} to {first + episode.length}"
            yield Problem("video_offset", detail, episode.number)
        if first not in found.key_frames:
            detail = f"its first frame, {first} of the file, is no key frame"
            yield Problem("key_frame", detail, episode.number, 0)
        first += episode.length
