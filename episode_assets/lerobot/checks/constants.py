"""A warning about what policies normalise: measured columns that never change."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from episode_assets.lerobot.existing import ExistingDataset
from episode_assets.lerobot.problems import Problem

_SEEN_BY_POLICIES = ("observation", "action")


def never_changing(dataset: ExistingDataset) -> Iterator[Problem]:
    """Name the elements of states and actions without spread, unless nobody ever measured them."""
    stored = dataset.statistics() or {}
    excused = dataset.provenance.get("never_valid", {})
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
        names = [
            name for name in map(feature.element, still.tolist()) if name not in excused.get(feature.key, ())
        ]
        if names:
            shown = ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")
            yield Problem("constant", f"{feature.key}: {shown} never change")
