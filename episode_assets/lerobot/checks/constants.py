"""A warning about what policies normalise: measured columns that never change."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from episode_assets.lerobot.existing import ExistingDataset, Feature
from episode_assets.lerobot.problems import Problem

_SEEN_BY_POLICIES = ("observation", "action")


def never_changing(dataset: ExistingDataset) -> Iterator[Problem]:
    """Name the elements of states and actions without spread, unless nobody ever measured them."""
    stored = dataset.statistics() or {}
    for feature in dataset.columns:
        entry = stored.get(feature.key, {})
        if not feature.is_numeric or not feature.key.startswith(_SEEN_BY_POLICIES):
            continue
        low, high = entry.get("q01", entry.get("min")), entry.get("q99", entry.get("max"))
        if (
            low is None
            or high is None
            or np.shape(low) != (feature.width,)
            or np.shape(high) != (feature.width,)
        ):
            continue
        still = np.flatnonzero(np.asarray(low) == np.asarray(high))
        excused = _excused(dataset, feature)
        names = [feature.element(i) for i in still.tolist() if i not in excused]
        if names:
            shown = ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")
            yield Problem("constant", f"{feature.key}: {shown} never change")


def _excused(dataset: ExistingDataset, feature: Feature) -> set[int]:
    """Return the elements that nobody measured, and those that are constant by definition."""
    about = dataset.provenance.get("features", {}).get(feature.key, {})
    pads = [group["elements"] for group in about.get("groups", ()) if group.get("quantity") == "pad"]
    never = dataset.provenance.get("never_valid", {}).get(feature.key, ())
    return {i for start, stop in pads for i in range(start, stop)} | {
        i for i in range(feature.width) if feature.element(i) in never
    }
