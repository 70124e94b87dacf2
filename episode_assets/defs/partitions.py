"""The one partition of the graph: a recording, by its id.

Keys are made by the registry, which keeps them to letters, digits, dot, dash and underscore, because Dagster accepts
any text as a dynamic key and breaks on it later.
"""

from __future__ import annotations

from collections.abc import Iterable

import dagster as dg

RECORDING = dg.DynamicPartitionsDefinition(name="recording")

ADD_AT_ONCE = 10_000
"""Largest number of keys in one insertion; SQLite limits the variables of a statement."""


def add_recordings(instance: dg.DagsterInstance, recording_ids: Iterable[str]) -> int:
    """Register partition keys that are not known yet; return how many were new."""
    assert RECORDING.name is not None
    known = set(instance.get_dynamic_partitions(RECORDING.name))
    fresh = [key for key in dict.fromkeys(recording_ids) if key not in known]
    for start in range(0, len(fresh), ADD_AT_ONCE):
        instance.add_dynamic_partitions(RECORDING.name, fresh[start : start + ADD_AT_ONCE])
    return len(fresh)
