"""Rules of datasets that keep pictures in their rows instead of in videos."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from episode_assets.lerobot.existing import EpisodeRows, ExistingDataset, Feature
from episode_assets.lerobot.problems import Problem


def images(dataset: ExistingDataset, rows: EpisodeRows) -> Iterator[Problem]:
    """Every row has a picture, and the first and the last one of an episode can be read and have the right size."""
    for feature in dataset.columns:
        if feature.dtype != "image" or feature.key not in rows.table.column_names:
            continue
        column = rows.table[feature.key]
        empty = [i for i, item in enumerate(column.to_pylist()) if not _has_content(item)]
        if empty:
            yield Problem("image", f"{feature.key} holds no picture", rows.episode.number, empty[0])
            continue
        for frame in sorted({0, len(rows) - 1}):
            wrong = _wrong(feature, column[frame].as_py())
            if wrong:
                yield Problem("image", f"{feature.key}: {wrong}", rows.episode.number, frame)


def _has_content(item: Any) -> bool:
    return item is not None and bool(item.get("bytes"))


def _wrong(feature: Feature, item: Any) -> str | None:
    import cv2
    import numpy as np

    picture = cv2.imdecode(np.frombuffer(item["bytes"], np.uint8), cv2.IMREAD_UNCHANGED)
    if picture is None:
        return "it cannot be decoded"
    if picture.shape[:2] != feature.shape[:2]:
        return f"it is {picture.shape[0]} x {picture.shape[1]}, info.json says {feature.shape[:2]}"
    return None
