"""The provenance of a joined dataset, where all parts have one: whose episodes it holds, and what is still true."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from episode_assets.lerobot.existing import ExistingDataset
from episode_assets.lerobot.merging.plan import MergePlan

_SHARED = ("schema", "schema_version", "features", "masks")


def merged_provenance(plan: MergePlan, *, valid_counts: Mapping[str, list[int]]) -> dict[str, Any] | None:
    """Return meta/episode_assets.json of the joined dataset, or None where a part has none.

    Keys of files are left out: no version of a store lends files to it.
    """
    parts = [dataset.provenance for dataset in plan.datasets]
    if not all(parts):
        return None
    found = {key: parts[0][key] for key in _SHARED if key in parts[0]}
    found["recipes"] = [part["recipe"] for part in parts if "recipe" in part]
    for key in ("ledger", "recordings", "left_out"):
        if all(key in part for part in parts):
            found[key] = [item for part in parts for item in part[key]]
    if all("episodes" in part for part in parts):
        entries = [entry for part in parts for entry in part["episodes"]]
        found["episodes"] = [entry | {"episode_index": number} for number, entry in enumerate(entries)]
    found["valid_counts"] = dict(valid_counts)
    found["never_valid"] = never_valid(plan.first, valid_counts)
    found["privacy"] = _privacy([part.get("privacy", {}) for part in parts])
    return found


def never_valid(dataset: ExistingDataset, valid_counts: Mapping[str, Sequence[int]]) -> dict[str, list[str]]:
    """Return the names of the elements that no row has measured, by feature."""
    found = {
        key: [dataset.features[key].element(i) for i, count in enumerate(counts) if not count]
        for key, counts in valid_counts.items()
    }
    return {key: names for key, names in found.items() if names}


def _privacy(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    audits = {part.get("audit") for part in parts}
    return {
        "audit": audits.pop() if len(audits) == 1 else "mixed",
        "recordings": sum(int(part.get("recordings") or 0) for part in parts),
        "detectors": _union(part.get("detectors", ()) for part in parts),
        "frames_with_faces": sum(int(part.get("frames_with_faces") or 0) for part in parts),
        "not_removed": _union(part.get("not_removed", ()) for part in parts),
    }


def _union(lists: Iterable[Iterable[str]]) -> list[str]:
    return list(dict.fromkeys(item for items in lists for item in items))
