"""Which recordings of an archive hold the same scene, from the fingerprints that their reports store.

Four methods, the surest first; each pair is named once. Nothing is decoded, so all of them have limits, and those are
said where results are shown (`METHODS`).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Literal

import numpy as np

from episode_assets.qc.archive_entry import ArchiveEntry
from episode_assets.qc.fingerprint import POINTS, SKETCH, read_curve

Method = Literal["equal files", "shared pictures", "same course of light", "overlapping time"]

METHODS: Mapping[Method, str] = {
    "equal files": "The recordings have the same SHA-256.",
    "shared pictures": (
        "Compressed pictures with equal digests: copies that were cut, split or packed anew. The share is an estimate "
        "from 64 digests; a cut of less than about a twentieth of the other recording may be missed."
    ),
    "same course of light": (
        "Brightness and contrast go the same way over the whole length: copies whose pictures were coded anew. Copies "
        "that were also cut, cropped or mirrored are missed, and so are scenes in which the light hardly changes."
    ),
    "overlapping time": (
        "Stamps of the wall clock overlap by more than half of the shorter recording: maybe the same event, maybe two "
        "cameras. Recordings without such a clock are left out."
    ),
}

_LEAST_SHARED = 3
_LENGTH_TOLERANCE = 0.02
_LEAST_VARIATION = 0.5
_MOST_RESIDUE = 0.12
_MOST_OFFSET = 4.0
_MOST_CONTRAST = 2.5
_LEAST_OVERLAP = 0.5
_MOST_PAIRS = 500
_MOST_OWNERS = 50


@dataclass(frozen=True)
class Duplicate:
    """Two recordings that seem to hold the same, in order of their ids.

    Attributes:
        first: Recording id.
        second: Recording id.
        method: How that was seen.
        share: How much, 0 to 1, in the terms of the method.
    """

    first: str
    second: str
    method: Method
    share: float


def find_duplicates(entries: Sequence[ArchiveEntry]) -> tuple[Duplicate, ...]:
    """Return at most 500 pairs, the surest method first, then the largest share."""
    found: dict[tuple[str, str], Duplicate] = {}
    for method in (_equal_files, _shared_pictures, _same_light, _overlapping):
        for item in method(entries):
            found.setdefault((item.first, item.second), item)
    order = {method: place for place, method in enumerate(METHODS)}
    ranked = sorted(
        found.values(), key=lambda item: (order[item.method], -item.share, item.first, item.second)
    )
    return tuple(ranked[:_MOST_PAIRS])


def _pair(a: ArchiveEntry, b: ArchiveEntry, method: Method, share: float) -> Duplicate:
    first, second = sorted((a.recording_id, b.recording_id))
    return Duplicate(first, second, method, round(min(share, 1.0), 2))


def _equal_files(entries: Sequence[ArchiveEntry]) -> Iterator[Duplicate]:
    by_digest: dict[str, list[ArchiveEntry]] = defaultdict(list)
    for entry in entries:
        if entry.sha256:
            by_digest[entry.sha256].append(entry)
    for same in by_digest.values():
        yield from (_pair(a, b, "equal files", 1.0) for a, b in pairwise(same))


def _shared_pictures(entries: Sequence[ArchiveEntry]) -> Iterator[Duplicate]:
    owners: dict[str, list[int]] = defaultdict(list)
    for place, entry in enumerate(entries):
        for digest in entry.sketch:
            owners[digest].append(place)
    shared: Counter[tuple[int, int]] = Counter()
    for places in owners.values():
        # A digest that very many recordings have is a picture of nothing, such as a black one.
        if len(places) <= _MOST_OWNERS:
            shared.update(combinations(places, 2))
    for (i, j), count in shared.items():
        if count >= _LEAST_SHARED:
            yield _pair(entries[i], entries[j], "shared pictures", _containment(entries[i], entries[j]))


def _containment(a: ArchiveEntry, b: ArchiveEntry) -> float:
    """Estimate which share of the smaller set of pictures lies in the other, from two bottom-k sketches."""
    smallest = sorted({*a.sketch, *b.sketch})[:SKETCH]
    both = {*a.sketch} & {*b.sketch}
    alike = sum(digest in both for digest in smallest) / max(len(smallest), 1)
    common = alike / (1 + alike) * (a.pictures + b.pictures)
    return common / max(min(a.pictures, b.pictures), 1)


def _same_light(entries: Sequence[ArchiveEntry]) -> Iterator[Duplicate]:
    usable = sorted(
        (entry for entry in entries if len(entry.brightness) == len(entry.contrast) == 4 * POINTS),
        key=lambda entry: (entry.duration_s, entry.recording_id),
    )
    if not usable:
        return
    light = np.array([read_curve(entry.brightness) for entry in usable])
    contrast = np.array([read_curve(entry.contrast) for entry in usable])
    lengths, varies = np.array([entry.duration_s for entry in usable]), light.std(axis=1)
    for i in np.flatnonzero(varies >= _LEAST_VARIATION):
        stop = int(np.searchsorted(lengths, lengths[i] * (1 + _LENGTH_TOLERANCE), side="right"))
        difference = light[i + 1 : stop] - light[i]
        residue = difference.std(axis=1) / varies[i]
        is_near = (
            (residue <= _MOST_RESIDUE)
            & (np.abs(difference.mean(axis=1)) <= _MOST_OFFSET)
            & (np.abs(contrast[i + 1 : stop] - contrast[i]).mean(axis=1) <= _MOST_CONTRAST)
        )
        for j in np.flatnonzero(is_near):
            yield _pair(usable[i], usable[i + 1 + j], "same course of light", 1 - float(residue[j]))


def _overlapping(entries: Sequence[ArchiveEntry]) -> Iterator[Duplicate]:
    timed = [
        (entry.start_ns, entry.end_ns, entry)
        for entry in entries
        if entry.start_ns is not None and entry.end_ns is not None and entry.end_ns > entry.start_ns
    ]
    timed.sort(key=lambda item: (item[0], item[1], item[2].recording_id))
    for place, (start, end, entry) in enumerate(timed):
        for other_start, other_end, other in timed[place + 1 :]:
            if other_start >= end:
                break
            share = (min(end, other_end) - other_start) / min(end - start, other_end - other_start)
            if share > _LEAST_OVERLAP:
                yield _pair(entry, other, "overlapping time", share)
