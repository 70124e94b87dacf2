"""Statistics of a camera feature from the counts of its pixels and from what its frames share; nothing is decoded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from episode_assets.lerobot.statistics import (
    Statistics,
    colour_statistics,
    level_statistics,
    picture_statistics,
)
from episode_assets.video import LARGEST_CODE, DepthCoder, DepthEncoderConfig

MILLIMETRES = 1 << 16
"""Levels of raw depth: 16-bit millimetres."""


def camera_statistics(counts: NDArray[np.int64], facts: Mapping[str, Any], *, frames: int) -> Statistics:
    """Return the statistics of colour in 0..1 or of depth in mm, holes left out.

    Args:
        counts: (C,) how often each value occurs: 256 of red, green and blue, or the codes or millimetres of depth.
        facts: What the frames of the feature share, as the fragment's document tells.
        frames: Pictures that were counted.
    """
    if not facts["is_depth_map"]:
        return colour_statistics(counts.reshape(3, 256), frames=frames)
    levels = depth_levels_mm(facts["depth"])
    return picture_statistics([level_statistics(counts[1:], levels[1:])], frames=frames)


def depth_levels_mm(depth: Mapping[str, Any]) -> NDArray[np.float64]:
    """Return (C,) what each stored value of depth means, mm; the first is a hole.

    Args:
        depth: The names that info.json has for it; without a range values are millimetres.
    """
    if "video.depth_min" not in depth:
        return np.arange(MILLIMETRES, dtype=np.float64)
    names = ("depth_min", "depth_max", "shift", "use_log")
    config = DepthEncoderConfig(**{name: depth[f"video.{name}"] for name in names})
    codes = np.arange(LARGEST_CODE + 1, dtype=np.uint16)
    return DepthCoder(config).depth(codes, unit="mm").astype(np.float64)


def pictures_counted(episode: Mapping[str, Any], key: str) -> int:
    """Return how many pictures of a camera are behind the counts of one episode: rows, for depth those that have it.

    Args:
        episode: What the fragment's document tells of it.
        key: Name of the feature.
    """
    depth = episode.get("depth", {}).get(key)
    without = 0 if depth is None else int(depth["rows_without_depth"])
    return int(episode["length"]) - without
