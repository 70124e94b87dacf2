"""Rules of camera features: what policies and readers look for in their description."""

from __future__ import annotations

from collections.abc import Iterator

from episode_assets.lerobot.existing import ExistingDataset, Feature
from episode_assets.lerobot.problems import Problem

_CHANNEL_WORDS = ("channels", "channel")
_V3_FACTS = ("video.height", "video.width", "video.codec", "video.pix_fmt", "video.fps", "has_audio")
_DEPTH_UNITS = ("m", "mm")


def described(dataset: ExistingDataset) -> Iterator[Problem]:
    """Shape, names and facts of every camera."""
    for feature in dataset.features.values():
        if feature.is_visual:
            yield from _names(feature)
        if feature.is_video:
            yield from _facts(dataset, feature)
            if feature.is_depth:
                yield from _depth(feature)


def _names(feature: Feature) -> Iterator[Problem]:
    names = feature.names
    is_known = isinstance(names, list) and names[:2] == ["height", "width"] and names[2:3] != []
    if len(feature.shape) != 3 or not is_known or names[2] not in _CHANNEL_WORDS:
        detail = f"{feature.key} has shape {feature.shape} and names {names}"
        yield Problem("camera_info", f"{detail}, expected height, width, channels")
    elif feature.shape[2] != (1 if feature.is_depth else 3):
        yield Problem("camera_info", f"{feature.key} has {feature.shape[2]} channels")


def _facts(dataset: ExistingDataset, feature: Feature) -> Iterator[Problem]:
    missing = [name for name in _V3_FACTS if name not in feature.info] if dataset.is_v3 else []
    if missing:
        yield Problem("camera_info", f"{feature.key} does not state {', '.join(missing)}")
    fps = feature.info.get("video.fps", dataset.fps)
    if fps != dataset.fps:
        yield Problem("video_fps", f"{feature.key} states {fps} Hz, the dataset {dataset.fps} Hz")


def _depth(feature: Feature) -> Iterator[Problem]:
    info = feature.info
    if info.get("depth_unit", "m") not in _DEPTH_UNITS:
        yield Problem("depth", f"{feature.key}: depth_unit is {info['depth_unit']!r}")
    given = [info.get(f"video.{name}") for name in ("depth_min", "depth_max", "shift")]
    numbers = [float(number) for number in given if isinstance(number, int | float)]
    if len(numbers) < len(given) or "video.use_log" not in info:
        yield Problem("depth", f"{feature.key} does not state depth_min, depth_max, shift and use_log")
    elif not 0 <= numbers[0] < numbers[1] or numbers[0] + numbers[2] <= 0:
        yield Problem("depth", f"{feature.key}: depth_min, depth_max, shift are {numbers}")
    if info.get("video.pix_fmt") not in ("gray12le", "gray16le"):
        yield Problem(
            "depth", f"{feature.key}: pixel format {info.get('video.pix_fmt')!r} holds no 12-bit codes"
        )
