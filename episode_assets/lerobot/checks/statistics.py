"""Rules of statistics: which entries there are, their shapes, and whether they are those of the rows.

Masked features are measured over their valid rows only, by the masks that our provenance names. Of datasets that
others wrote, moments are compared with some slack and quantiles only for their order: LeRobot's are means of episode
quantiles, which no row count reproduces.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from episode_assets.lerobot.checks.features import MANDATORY
from episode_assets.lerobot.existing import EpisodeRows, ExistingDataset, Feature, episode_rows
from episode_assets.lerobot.problems import Problem
from episode_assets.lerobot.statistics import MOMENTS, QUANTILES, column_statistics, element_masks
from episode_assets.lerobot.whole_statistics import statistics_of_rows

_EXACT = 1e-6
_FOREIGN_SLACK = 1e-3
"""Others add up in float32; relative to the range of the values."""

_PASS_BYTES = 128 * 2**20
"""Columns are read in groups of at most this size, so that memory does not follow the width of the table."""

Stored = Mapping[str, Any]


def dataset_statistics(dataset: ExistingDataset) -> Iterator[Problem]:
    """Check stats.json: every feature, every entry, every value."""
    stored = dataset.statistics()
    if stored is None:
        if dataset.version != "v2.1":
            yield Problem("statistics_missing", "there is no meta/stats.json")
        return
    for key in sorted(set(stored) - set(dataset.features)):
        yield Problem("statistics_missing", f"stats.json has {key}, info.json does not")
    for feature in _measured(dataset):
        yield from _form(dataset, feature, stored.get(feature.key))
    yield from _against_rows(dataset, stored)


def _measured(dataset: ExistingDataset) -> list[Feature]:
    # GR00T's statistics leave cameras out, and no reader of v2.0 misses them.
    needs_cameras = dataset.version != "v2.0"
    return [f for f in dataset.features.values() if f.is_numeric or (f.is_visual and needs_cameras)]


def _form(dataset: ExistingDataset, feature: Feature, entry: Stored | None) -> Iterator[Problem]:
    """Check that all entries of a feature are there, in its shape and in order."""
    if entry is None:
        yield Problem("statistics_missing", f"{feature.key} has no statistics")
        return
    needed = [*MOMENTS, *(["count"] if dataset.version != "v2.0" else [])]
    missing = [name for name in needed if name not in entry]
    if missing:
        yield Problem("statistics_missing", f"{feature.key} has no {', '.join(missing)}")
    lost = [name for name in QUANTILES if name not in entry]
    if dataset.is_v3 and lost:
        yield Problem("statistics_quantile", f"{feature.key} has no {', '.join(lost)}")
    found = {
        name: np.asarray(entry[name], dtype=np.float64) for name in (*MOMENTS, *QUANTILES) if name in entry
    }
    code = "image_statistics" if feature.is_visual else "statistics_shape"
    shape = (feature.shape[-1], 1, 1) if feature.is_visual else (feature.width,)
    wrong = [name for name, value in found.items() if value.shape != shape]
    if wrong:
        yield Problem(code, f"{feature.key} {wrong[0]} has shape {found[wrong[0]].shape}, expected {shape}")
        return
    yield from _order(feature, found)


def _order(feature: Feature, found: Mapping[str, NDArray[Any]]) -> Iterator[Problem]:
    levels = [found[name] for name in ("min", *QUANTILES, "max") if name in found]
    slack = _EXACT * (1 + np.abs(levels[-1] - levels[0]))
    if any((after < before - slack).any() for before, after in pairwise(levels)):
        yield Problem("statistics_quantile", f"{feature.key}: min, quantiles and max are not in order")
    if (
        feature.is_visual
        and not feature.is_depth
        and (levels[0].min() < -_EXACT or levels[-1].max() > 1 + _EXACT)
    ):
        yield Problem("image_statistics", f"{feature.key} reaches beyond 0 to 1")


def _against_rows(dataset: ExistingDataset, stored: Mapping[str, Stored]) -> Iterator[Problem]:
    is_whole = all((dataset.root / episode.data).exists() for episode in dataset.episodes)
    if not is_whole:
        return
    features = [f for f in dataset.columns if f.is_numeric and f.key in stored and _has_masks(dataset, f)]
    for group in _groups(dataset, features):
        for feature, found in _taken(dataset, group):
            yield from _compare(dataset, feature, stored[feature.key], found)


def _taken(dataset: ExistingDataset, group: Sequence[Feature]) -> Iterator[tuple[Feature, Stored]]:
    """Yield the statistics of some features over all rows; nothing where a file has other rows than it should."""
    if len(group) == 1 and _bytes(dataset, group[0]) > _PASS_BYTES:
        files = [dataset.root / name for name in dataset.data_files]
        found, _ = statistics_of_rows(files, [group[0].column])
        yield group[0], found[group[0].key]
        return
    rows = _gather(dataset, group)
    for feature in group if rows else ():
        if rows[feature.key].dtype.kind != "O":
            yield feature, column_statistics(rows[feature.key], element_masks(feature.column, rows))


def _groups(dataset: ExistingDataset, features: Sequence[Feature]) -> Iterator[list[Feature]]:
    group: list[Feature] = []
    size = 0
    for feature in features:
        own = _bytes(dataset, feature)
        if group and size + own > _PASS_BYTES:
            yield group
            group, size = [], 0
        group.append(feature)
        size += own
    if group:
        yield group


def _bytes(dataset: ExistingDataset, feature: Feature) -> int:
    return 8 * feature.width * sum(episode.length for episode in dataset.episodes)


def _gather(dataset: ExistingDataset, group: Sequence[Feature]) -> dict[str, NDArray[Any]]:
    """Return whole columns with their masks, or nothing where a file has other rows than it should."""
    names = [*{name: None for feature in group for name in _needed(feature)}]
    parts: dict[str, list[NDArray[Any]]] = {name: [] for name in names}
    for rows in episode_rows(dataset, columns=names):
        if not isinstance(rows, EpisodeRows):
            return {}
        for name in names:
            parts[name].append(rows.values(name))
    return {name: np.concatenate(found) for name, found in parts.items() if found}


def _has_masks(dataset: ExistingDataset, feature: Feature) -> bool:
    """Whether the masks of a feature can be read; that they can is a rule of `values`."""
    return all(mask.column in dataset.features for mask in feature.masks)


def _needed(feature: Feature) -> tuple[str, ...]:
    return (feature.key, *(mask.column for mask in feature.masks))


def _compare(dataset: ExistingDataset, feature: Feature, entry: Stored, found: Stored) -> Iterator[Problem]:
    is_ours = bool(dataset.provenance)
    names = (*MOMENTS, *QUANTILES, "count") if is_ours else MOMENTS
    for name in names:
        if name in entry and not _agrees(entry[name], found[name], found, is_ours=is_ours):
            code = _code("statistics", feature, is_ours=is_ours)
            yield Problem(code, f"{feature.key} {name} is not that of the rows")


def _code(code: str, feature: Feature, *, is_ours: bool) -> str:
    """Return the code of a wrong statistic; editors of others leave those of counters as they were."""
    return code if is_ours or feature.key not in MANDATORY else "counter_statistics"


def _agrees(given: Any, wanted: Any, found: Stored, *, is_ours: bool) -> bool:
    a, b = np.asarray(given, dtype=np.float64), np.asarray(wanted, dtype=np.float64)
    if a.shape != b.shape:
        return True  # told by its shape
    spread = np.asarray(found["max"], np.float64) - np.asarray(found["min"], np.float64)
    slack = (_EXACT if is_ours else _FOREIGN_SLACK) * spread
    return bool((np.abs(a - b) <= slack + _EXACT * np.abs(b) + 1e-9).all())


def episode_statistics(dataset: ExistingDataset) -> Iterator[Problem]:
    """Check the statistics of every episode against its rows."""
    stored = dataset.episode_statistics()
    if dataset.version == "v2.0" and not (dataset.root / "meta/episodes_stats.jsonl").exists():
        yield Problem("no_episode_statistics", "there is no meta/episodes_stats.jsonl")
        return
    walk = iter(episode_rows(dataset))
    rows = next(walk, None)
    told: set[str] = set()
    for number, entry in stored:
        while isinstance(rows, EpisodeRows) and _number(dataset, rows) < number:
            yield Problem("statistics_missing", "the episode has no statistics", rows.episode.number)
            rows = next(walk, None)
        if not isinstance(rows, EpisodeRows):
            return
        if _number(dataset, rows) == number:
            yield from _of_episode(dataset, rows, entry, told)
            rows = next(walk, None)
    if isinstance(rows, EpisodeRows):
        yield Problem("statistics_missing", "the episode has no statistics", rows.episode.number)


def _number(dataset: ExistingDataset, rows: EpisodeRows) -> int:
    return rows.episode.number if dataset.is_v3 else rows.episode.episode_index


def _of_episode(
    dataset: ExistingDataset, rows: EpisodeRows, entry: Mapping[str, Stored], told: set[str]
) -> Iterator[Problem]:
    """Check one episode; a feature whose form is wrong is named for the first episode only."""
    for feature in _measured(dataset):
        for problem in _form(dataset, feature, entry.get(feature.key)):
            about = f"{problem.code} {feature.key}"
            if about not in told:
                told.add(about)
                yield Problem(problem.code, problem.detail, rows.episode.number)
        if (
            feature.is_numeric
            and feature.key in entry
            and set(_needed(feature)) <= set(rows.table.column_names)
        ):
            yield from _moments_agree(dataset, feature, entry[feature.key], rows)


def _moments_agree(
    dataset: ExistingDataset, feature: Feature, entry: Stored, rows: EpisodeRows
) -> Iterator[Problem]:
    values = {name: rows.values(name) for name in _needed(feature)}
    if any(found.dtype.kind == "O" for found in values.values()):
        return
    found = moments(values[feature.key], element_masks(feature.column, values))
    for name, value in found.items():
        if name in entry and not _agrees(entry[name], value, found, is_ours=bool(dataset.provenance)):
            code = _code("episode_statistics", feature, is_ours=bool(dataset.provenance))
            yield Problem(code, f"{feature.key} {name} is not that of its rows", rows.episode.number)


def moments(values: NDArray[Any], valid: NDArray[np.bool_]) -> dict[str, NDArray[Any]]:
    """Return min, max, mean, std (D,) and count (1,) over the valid elements.

    A column that is never valid counts as its first row, with std 0. Exact enough to compare with; quantiles are
    left to `column_statistics`.

    Args:
        values: (N,) or (N, D), N >= 1.
        valid: (N, D) bool.
    """
    table = values.reshape(len(values), -1)
    # Whole numbers such as stamps exceed what float64 can hold; their distance from the first row does not.
    origin = table[:1].copy() if table.dtype.kind in "iu" else np.zeros((1, table.shape[1]))
    x = (table - origin).astype(np.float64)
    used = valid | ~valid.any(axis=0) & (np.arange(len(x)) == 0)[:, None]
    count = used.sum(axis=0)
    mean = np.where(used, x, 0).sum(axis=0) / count
    spread = np.sqrt(np.where(used, (x - mean) ** 2, 0).sum(axis=0) / count)
    shift = origin[0].astype(np.float64)
    return {
        "min": np.where(used, x, np.inf).min(axis=0) + shift,
        "max": np.where(used, x, -np.inf).max(axis=0) + shift,
        "mean": mean + shift,
        "std": spread,
        "count": np.array([valid.any(axis=1).sum()]),
    }
