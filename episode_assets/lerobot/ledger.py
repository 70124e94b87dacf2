"""The order of recordings in a dataset, handed on from version to version.

The first pack sorts by start time, then by id. Later recordings are appended whatever their start time, a new
version of a recording keeps its place, and a removed one closes the gap; so an append renumbers nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from episode_assets.errors import ArtifactDamaged

PROVENANCE = "meta/episode_assets.json"


def continue_ledger(previous: Iterable[str], start_ns: Mapping[str, int]) -> tuple[str, ...]:
    """Return the order of the recordings in `start_ns` (first stamp by recording id), old ones first."""
    kept = [recording for recording in dict.fromkeys(previous) if recording in start_ns]
    added = sorted(set(start_ns) - set(kept), key=lambda recording: (start_ns[recording], recording))
    return (*kept, *added)


def read_ledger(dataset: Path) -> tuple[str, ...]:
    """Return the order of recordings of a packed dataset; with splits, all roots carry the same one.

    Raises:
        ArtifactDamaged: The dataset does not carry a readable ledger.
    """
    try:
        if not (dataset / PROVENANCE).is_file():
            dataset = min(path.parents[1] for path in dataset.glob(f"*/{PROVENANCE}"))
        document = json.loads((dataset / PROVENANCE).read_text(encoding="utf-8"))
        return tuple(str(recording) for recording in document["ledger"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ArtifactDamaged(
            f"the dataset has no readable order of recordings: {error}", where=PROVENANCE
        ) from error
