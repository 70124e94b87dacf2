"""Rules of values: nothing is null or NaN, and the masks that are named can be read."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from episode_assets.lerobot.existing import EpisodeRows, ExistingDataset
from episode_assets.lerobot.problems import Problem


def finite(dataset: ExistingDataset, rows: EpisodeRows) -> Iterator[Problem]:
    """Every element of every number is there and finite, and rows are as wide as declared."""
    for feature in dataset.columns:
        if feature.key not in rows.table.column_names or not feature.is_numeric:
            continue
        values = rows.values(feature.key)
        if values.dtype.kind == "O":
            yield _nulls_or_widths(feature.key, values.tolist(), rows.episode.number)
            continue
        table = values.reshape(len(values), -1)
        if len(feature.shape) == 1 and table.shape[1] != feature.width:
            detail = f"{feature.key} has {table.shape[1]} elements, info.json says {feature.width}"
            yield Problem("feature_shape", detail, rows.episode.number)
        if table.dtype.kind == "f":
            frames, elements = np.nonzero(~np.isfinite(table))
            if len(frames):
                detail = (
                    f"{feature.element(int(elements[0]))} is NaN or infinite ({len(np.unique(frames))} rows)"
                )
                yield Problem("not_finite", f"{feature.key}: {detail}", rows.episode.number, int(frames[0]))


def _nulls_or_widths(key: str, values: list[object], episode: int) -> Problem:
    for frame, value in enumerate(values):
        if value is None or (isinstance(value, list) and None in value):
            return Problem("null", f"{key} holds nulls", episode, frame)
    return Problem("feature_shape", f"{key} has rows of different widths", episode)


def masks(dataset: ExistingDataset, rows: EpisodeRows) -> Iterator[Problem]:
    """Masks are bool columns wide enough for the element that is named; said once, for the first episode."""
    if rows.episode.number:
        return
    for feature in dataset.columns:
        for mask in feature.masks:
            other = dataset.features.get(mask.column)
            if other is None or other.dtype != "bool" or not 0 <= mask.index < other.width:
                yield Problem(
                    "mask", f"{feature.key} names the mask {mask.column}[{mask.index}], which is no bool"
                )
            elif not 0 <= mask.start < mask.stop <= feature.width:
                yield Problem("mask", f"{mask.column} covers {mask.start} to {mask.stop} of {feature.key}")
