"""Rules of our own notes: the source of every row, and the provenance of every episode."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from episode_assets.lerobot.existing import EpisodeRows, ExistingDataset
from episode_assets.lerobot.problems import Problem

_INCREASING = ("source.timestamp_ns", "source.message_number", "source.frame_index")


def steps(dataset: ExistingDataset, rows: EpisodeRows) -> Iterator[Problem]:
    """Stamps and numbers of the source never go back within an episode, and a step is the distance of stamps.

    A resampled episode may show a frame twice, so equal neighbours are no damage.
    """
    for key in _INCREASING:
        if key in dataset.features and key in rows.table.column_names:
            back = np.flatnonzero(np.diff(rows.values(key).astype(np.int64)) < 0)
            if len(back):
                yield Problem("source_stamps", f"{key} goes back", rows.episode.number, int(back[0]) + 1)
    if {"source.dt_ns", "source.timestamp_ns"} <= set(rows.table.column_names):
        stamps, given = rows.values("source.timestamp_ns"), rows.values("source.dt_ns")
        wrong = np.flatnonzero(np.diff(stamps) != given[:-1])
        if len(wrong):
            detail = f"source.dt_ns is {given[wrong[0]]}, the stamps are {np.diff(stamps)[wrong[0]]} apart"
            yield Problem("source_stamps", detail, rows.episode.number, int(wrong[0]))


def provenance(dataset: ExistingDataset) -> Iterator[Problem]:
    """The provenance names the episodes that are there; a public export has none, and others' datasets have none."""
    named = dataset.provenance.get("episodes")
    if named is None:
        return
    if len(named) != len(dataset.episodes):
        yield Problem("provenance", f"it names {len(named)} episodes, {len(dataset.episodes)} are there")
        return
    for episode, entry in zip(dataset.episodes, named, strict=True):
        recording = episode.record.get("recording_id", entry.get("recording_id"))
        if entry.get("length", episode.length) != episode.length or entry.get("recording_id") != recording:
            detail = f"it names {entry.get('length')} rows of {entry.get('recording_id')}"
            yield Problem(
                "provenance", f"{detail}, the record {episode.length} of {recording}", episode.number
            )
    if dataset.provenance.get("privacy", {}).get("audit") != "passed":
        yield Problem("provenance", "it does not say that the audit of the pictures passed")
