"""How often each value occurs in the pictures of a finished dataset: stored by us, or counted by decoding.

Quantiles of a joined dataset cannot be taken from quantiles of its parts; from counts they are exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from episode_assets.anonymization.colour_counts import colour_counts
from episode_assets.lerobot.existing import ExistingDataset, Feature
from episode_assets.lerobot.existing.files import camera_files
from episode_assets.lerobot.statistics import (
    Statistics,
    colour_statistics,
    level_statistics,
    picture_statistics,
)
from episode_assets.progress import Progress
from episode_assets.video import DepthCoder, DepthEncoderConfig, decode_depth_codes, decode_frames

STORED = "picture_counts"
"""Entry of our provenance: counts by camera, per channel."""

_CODES = 4096
_HOLE = 0


def picture_counts(dataset: ExistingDataset, feature: Feature, progress: Progress) -> NDArray[np.int64]:
    """Return (channels, values) int64 counts of one camera over all episodes.

    Colours as `colour_counts` samples them; depth as codes. Without stored counts every picture is decoded, one at a
    time.

    Raises:
        BadVideo: A video cannot be decoded.
    """
    stored = dataset.provenance.get(STORED, {}).get(feature.key)
    if stored is not None:
        return np.asarray(stored, dtype=np.int64)
    total = np.zeros((1, _CODES) if feature.is_depth else (3, 256), dtype=np.int64)
    files = camera_files(dataset, feature)
    for done, path in enumerate(files, start=1):
        if feature.is_depth:
            for _, codes in decode_depth_codes(dataset.root / path):
                total[0] += np.bincount(codes.ravel(), minlength=_CODES)
        else:
            for _, picture in decode_frames(dataset.root / path):
                total += colour_counts(picture)
        progress(f"colours of {feature.key}", done, len(files))
    return total


def statistics_of_counts(feature: Feature, counts: Sequence[NDArray[np.int64]], *, frames: int) -> Statistics:
    """Return the statistics of a camera from the counts of all parts; holes in depth take no part."""
    total = np.sum(counts, axis=0)
    if not feature.is_depth:
        return colour_statistics(total, frames=frames)
    valid = total[0].copy()
    valid[_HOLE] = 0
    return picture_statistics([level_statistics(valid, depth_levels(feature.info))], frames=frames)


def depth_levels(info: Any) -> NDArray[np.float64]:
    """Return the distance of every code in the unit that the camera's statistics have."""
    names = ("depth_min", "depth_max", "shift", "use_log")
    config = DepthEncoderConfig(**{name: info[f"video.{name}"] for name in names})
    metres = DepthCoder(config).depth(np.arange(_CODES, dtype=np.uint16), unit="m").astype(np.float64)
    return metres if info.get("depth_unit", "m") == "m" else metres * 1000
