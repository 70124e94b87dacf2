"""Rules of features: the columns that every reader needs, names that mean something, and types as declared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from episode_assets.lerobot.existing import ExistingDataset, Feature
from episode_assets.lerobot.problems import Problem

MANDATORY = {
    "timestamp": "float32",
    "frame_index": "int64",
    "episode_index": "int64",
    "index": "int64",
    "task_index": "int64",
}


def features(dataset: ExistingDataset) -> Iterator[Problem]:
    """What info.json declares."""
    for key, dtype in MANDATORY.items():
        found = dataset.features.get(key)
        given = None if found is None else (found.dtype, found.shape, found.names)
        if given not in ((dtype, (1,), None), (dtype, (1,), [key])):
            yield Problem("feature", f"{key} is declared as {given}, expected {(dtype, (1,), None)}")
    for feature in dataset.features.values():
        yield from _name(feature)
        if not feature.is_visual:
            yield from _shape(feature)


def _name(feature: Feature) -> Iterator[Problem]:
    if "/" in feature.key:
        yield Problem("feature_key", f"{feature.key} holds a slash, which separates statistics")
    if "image" in feature.key and not feature.is_visual:
        yield Problem(
            "feature_key", f"{feature.key} is no picture, and its name makes readers take it for one"
        )


def _shape(feature: Feature) -> Iterator[Problem]:
    if len(feature.shape) != 1:
        yield Problem("feature_shape", f"{feature.key} has shape {feature.shape}; a column has one dimension")
        return
    names = feature.names
    if isinstance(names, list) and len(names) == 1 and isinstance(names[0], list):
        names = names[0]
    if isinstance(names, list) and (len(names) != feature.width or len({*map(str, names)}) != len(names)):
        yield Problem(
            "feature_shape",
            f"{feature.key} has {feature.width} elements and {len(names)} names, or names repeat",
        )


def data_schemas(dataset: ExistingDataset) -> Iterator[Problem]:
    """The columns of every data file against info.json; alike files are named once."""
    expected = {feature.key: feature for feature in dataset.columns}
    told: set[str] = set()
    for name in dataset.data_files:
        schema = pq.read_schema(dataset.root / name)
        found = dict(zip(schema.names, schema.types, strict=True))
        for problem in _differences(name, found, expected, is_v3=dataset.is_v3):
            about = f"{problem.code} {problem.detail.partition(': ')[2]}"
            if about not in told:
                told.add(about)
                yield problem


def _differences(
    name: str, found: Mapping[str, Any], expected: Mapping[str, Feature], *, is_v3: bool
) -> Iterator[Problem]:
    for key in sorted(set(found) ^ set(expected)):
        where = "the table" if key in found else "info.json"
        yield Problem("columns", f"{name}: {key} is only in {where}")
    for key in sorted(set(found) & set(expected)):
        feature = expected[key]
        if _fits(found[key], feature):
            continue
        detail = f"{name}: {key} is {found[key]}, declared {feature.dtype} {feature.shape}"
        is_visual = feature.is_visual or feature.dtype == "language"
        if is_visual or not _is_list_of(found[key], _scalar(feature)):
            yield Problem("dtype", detail)
        elif is_v3:  # writers of v2 leave sizes out as a rule; their widths are seen when the rows are read
            yield Problem("list_size", detail)


def _fits(kind: Any, feature: Feature) -> bool:
    if feature.dtype == "image":
        return bool(pa.types.is_struct(kind))
    if feature.dtype == "language":
        return bool(pa.types.is_list(kind))
    if feature.shape == (1,):
        return bool(kind == _scalar(feature))
    is_sized = pa.types.is_fixed_size_list(kind) and kind.list_size == feature.width
    return bool(is_sized and kind.value_type == _scalar(feature))


def _scalar(feature: Feature) -> Any:
    return pa.string() if feature.dtype == "string" else pa.from_numpy_dtype(feature.dtype)


def _is_list_of(kind: Any, scalar: Any) -> bool:
    return pa.types.is_list(kind) and bool(kind.value_type == scalar)
