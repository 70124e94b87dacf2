"""What of a dataset may leave with a public copy: the one list.

Gone is what joins rows back to a recording (ids, message numbers, positions in files, digests, times of day) and what
tells a person by the body (shape numbers of a hand). Pictures are the face-blurred ones of the dataset.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

STAMPS = "source.timestamp_ns"
"""Kept, and counted from 0 in every episode."""

_COLUMNS = ("source.message_number", "source.frame_index")
_BODY_SHAPE = "betas"
_RECORD_FIELDS = ("recording_id",)
_RECORD_PREFIX = "source/"
_PROVENANCE = ("schema", "schema_version", "features", "masks", "valid_counts", "never_valid")
_PRIVACY = ("audit", "detectors", "not_removed")


def dropped_columns(keys: Iterable[str]) -> tuple[str, ...]:
    """Return the columns that a public copy does not have."""
    return tuple(key for key in keys if key in _COLUMNS or key.endswith(_BODY_SHAPE))


def is_public_field(name: str, dropped: Iterable[str]) -> bool:
    """Whether a field of an episode's record stays, statistics of dropped columns excluded."""
    if name in _RECORD_FIELDS or name.startswith(_RECORD_PREFIX):
        return False
    return not any(name.startswith(f"stats/{key}/") for key in dropped)


def public_provenance(document: Mapping[str, Any], dropped: Iterable[str]) -> dict[str, Any]:
    """Return the provenance without recordings, order, recipe and keys of files."""
    gone = set(dropped)
    found = {key: document[key] for key in _PROVENANCE if key in document}
    for part in ("features", "masks", "valid_counts", "never_valid"):
        if part in found:
            found[part] = {key: value for key, value in found[part].items() if key not in gone}
    privacy = document.get("privacy", {})
    found["privacy"] = {key: privacy[key] for key in _PRIVACY if key in privacy}
    return {**found, "public": True}
