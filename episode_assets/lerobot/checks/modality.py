"""Rules of modality.json, by which a GR00T reader finds its parts in a v2.x dataset."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from episode_assets.lerobot.existing import ExistingDataset, Feature
from episode_assets.lerobot.existing.v2 import MODALITY
from episode_assets.lerobot.problems import Problem
from episode_assets.lerobot.strict_json import read_json

_COLUMNS = {"state": "observation.state", "action": "action"}
_ROTATION_WIDTHS = {"axis_angle": 3, "quaternion": 4, "rotation_6d": 6, "matrix": 9}
_EULER = tuple(f"euler_angles_{order}" for order in ("rpy", "ryp", "pry", "pyr", "yrp", "ypr"))
_STATISTICS = ("max", "min", "mean", "std", "q01", "q99")


def modality(dataset: ExistingDataset) -> Iterator[Problem]:
    """Slices within their columns, cameras and annotations that are there, statistics that the reader keeps."""
    path = dataset.root / MODALITY
    if dataset.is_v3 or not path.exists():
        return
    document = read_json(path)
    used: set[str] = set()
    for part, default in _COLUMNS.items():
        for name, entry in document.get(part, {}).items():
            key = entry.get("original_key", default)
            used.add(key)
            yield from _slice(f"{part}.{name}", entry, dataset.features.get(key), key)
    for name, entry in document.get("video", {}).items():
        yield from _camera(dataset, name, entry.get("original_key", name))
    for name, entry in document.get("annotation", {}).items():
        key = (entry or {}).get("original_key", f"annotation.{name}")
        if key not in dataset.features:
            yield Problem("modality", f"annotation.{name} is read from {key}, which is no column")
    for feature in dataset.columns:
        if feature.dtype == "string":
            yield Problem("modality", f"{feature.key} holds text, on which the reader's statistics fail")
    yield from _statistics(dataset, used)


def _slice(name: str, entry: Mapping[str, Any], feature: Feature | None, key: str) -> Iterator[Problem]:
    if feature is None or not feature.is_numeric:
        yield Problem("modality", f"{name} is read from {key}, which is no column of numbers")
        return
    start, end = entry.get("start"), entry.get("end")
    if not isinstance(start, int) or not isinstance(end, int) or not 0 <= start < end <= feature.width:
        yield Problem("modality_slice", f"{name} takes {start} to {end} of {feature.width} elements of {key}")
        return
    kind = entry.get("rotation_type")
    width = 3 if kind in _EULER else _ROTATION_WIDTHS.get(kind or "")
    if kind is not None and width != end - start:
        yield Problem("modality_slice", f"{name} has {end - start} elements and rotation type {kind!r}")


def _camera(dataset: ExistingDataset, name: str, key: str) -> Iterator[Problem]:
    feature = dataset.features.get(key)
    if feature is None or not feature.is_visual:
        yield Problem("modality", f"video.{name} is read from {key}, which is no camera")
    elif feature.is_video and "video.fps" not in feature.info:
        yield Problem("modality", f"{key} does not state video.fps, which the reader takes without asking")


def _statistics(dataset: ExistingDataset, used: set[str]) -> Iterator[Problem]:
    stored = dataset.statistics() or {}
    for key in sorted(used & set(dataset.features)):
        entry = stored.get(key, {})
        missing = [name for name in _STATISTICS if name not in entry]
        if missing:
            detail = (
                f"{key} has no {', '.join(missing)}: the reader takes new ones over all rows and writes them"
            )
            yield Problem("modality_statistics", detail)
        if "count" in entry:
            yield Problem("modality_statistics", f"{key} has a count, which the reader slices like a vector")
