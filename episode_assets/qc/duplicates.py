"""Which recordings of an archive hold the same scene, from the fingerprints that their reports store.

Four methods, the surest first; each pair is named once. Nothing is decoded, so all of them have limits, and those are
said where results are shown (`METHODS`).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, islice, pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from episode_assets.qc.archive_entry import ArchiveEntry
from episode_assets.qc.fingerprint import POINTS, SKETCH, read_curve

Floats = NDArray[np.float64]
Places = NDArray[np.int64]
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
MOST_PAIRS = 500
"""Pairs that are shown."""

_MOST_OWNERS = 50
_LEAST_SHARE = 0.01
_BLOCK = 512
_PAIRS_AT_ONCE = 8192
_ENOUGH_PAIRS = 50_000


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
    """Return pairs, the surest method first, then the largest share.

    There are at most `MOST_PAIRS` and one: the last one tells that there are more than are shown.
    """
    ordered = sorted(entries, key=lambda entry: entry.recording_id)
    found: dict[tuple[str, str], Duplicate] = {}
    for method in (_equal_files, _shared_pictures, _same_light, _overlapping):
        if len(found) > MOST_PAIRS:
            break
        # A pair may be one that a surer method has named, so that many more are looked at.
        for item in islice(method(ordered), MOST_PAIRS + 1 + len(found)):
            found.setdefault((item.first, item.second), item)
    return tuple(found.values())[: MOST_PAIRS + 1]


def _pair(a: ArchiveEntry, b: ArchiveEntry, method: Method, share: float) -> Duplicate:
    first, second = sorted((a.recording_id, b.recording_id))
    return Duplicate(first, second, method, round(min(max(share, _LEAST_SHARE), 1.0), 2))


class _Pairs:
    """Pairs of places in a list of entries, gathered until there are far more than are ever shown."""

    def __init__(self) -> None:
        self._parts: list[tuple[Places, Places, Floats]] = []
        self._count = 0

    def add(self, i: Places, j: Places, share: Floats) -> None:
        self._parts.append((np.minimum(i, j), np.maximum(i, j), share))
        self._count += len(share)

    @property
    def are_enough(self) -> bool:
        """Whether more are of no use: they would be the more of an archive of copies."""
        return self._count > _ENOUGH_PAIRS

    def ranked(self, entries: Sequence[ArchiveEntry], method: Method) -> Iterator[Duplicate]:
        """Yield the pairs, the largest share first, then in order of the ids."""
        if not self._count:
            return
        low, high, share = (np.concatenate(column) for column in zip(*self._parts, strict=True))
        for place in np.lexsort((high, low, -np.round(share, 2))):
            yield _pair(entries[low[place]], entries[high[place]], method, float(share[place]))


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
    found = _Pairs()
    for (i, j), count in sorted(shared.items()):
        if count >= _LEAST_SHARED:
            share = _containment(entries[i], entries[j])
            found.add(np.array([i]), np.array([j]), np.array([share]))
    yield from found.ranked(entries, "shared pictures")


def _containment(a: ArchiveEntry, b: ArchiveEntry) -> float:
    """Estimate which share of the smaller set of pictures lies in the other, from two bottom-k sketches."""
    smallest = sorted({*a.sketch, *b.sketch})[:SKETCH]
    both = {*a.sketch} & {*b.sketch}
    alike = sum(digest in both for digest in smallest) / max(len(smallest), 1)
    common = alike / (1 + alike) * (a.pictures + b.pictures)
    return common / max(min(a.pictures, b.pictures), 1)


def _same_light(entries: Sequence[ArchiveEntry]) -> Iterator[Duplicate]:
    usable = [i for i, item in enumerate(entries) if len(item.brightness) == len(item.contrast) == 4 * POINTS]
    light = np.array([read_curve(entries[i].brightness) for i in usable]).reshape(-1, POINTS)
    varies = light.std(axis=1) >= _LEAST_VARIATION
    places = np.array(usable, np.int64)[varies]
    light = light[varies]
    contrast = np.array([read_curve(entries[i].contrast) for i in places]).reshape(-1, POINTS)
    seconds = np.array([entries[i].duration_s for i in places])
    found = _Pairs()
    for i, j in _alike(light):
        difference = light[j] - light[i]
        residue = difference.std(axis=1) / np.minimum(light[i].std(axis=1), light[j].std(axis=1))
        longer, shorter = np.maximum(seconds[i], seconds[j]), np.minimum(seconds[i], seconds[j])
        is_near = (
            (residue <= _MOST_RESIDUE)
            & (np.abs(difference.mean(axis=1)) <= _MOST_OFFSET)
            & (np.abs(contrast[j] - contrast[i]).mean(axis=1) <= _MOST_CONTRAST)
            & (longer <= (1 + _LENGTH_TOLERANCE) * shorter)
        )
        found.add(places[i[is_near]], places[j[is_near]], 1 - residue[is_near])
        if found.are_enough:
            break
    yield from found.ranked(entries, "same course of light")


def _alike(curves: Floats) -> Iterator[tuple[Places, Places]]:
    """Yield a few thousand pairs at a time of curves that may differ by little besides an offset.

    Curves whose residue is at most r times the spread of either have a correlation of at least 1 - r^2 / 2, as
    var(a - b) = var a + var b - 2 cov(a, b), and var a + var b is at least twice the product of their spreads.
    """
    centred = curves - curves.mean(axis=1, keepdims=True)
    unit = (centred / np.linalg.norm(centred, axis=1, keepdims=True)).astype(np.float32)
    least = 1 - _MOST_RESIDUE**2 / 2 - 1e-4
    for start in range(0, len(unit), _BLOCK):
        i, j = np.nonzero(unit[start : start + _BLOCK] @ unit[start:].T >= least)
        is_ahead = j > i
        i, j = i[is_ahead] + start, j[is_ahead] + start
        for first in range(0, len(i), _PAIRS_AT_ONCE):
            yield i[first : first + _PAIRS_AT_ONCE], j[first : first + _PAIRS_AT_ONCE]


def _overlapping(entries: Sequence[ArchiveEntry]) -> Iterator[Duplicate]:
    timed = [
        (entry.start_ns, entry.end_ns, place)
        for place, entry in enumerate(entries)
        if entry.start_ns is not None and entry.end_ns is not None and entry.end_ns > entry.start_ns
    ]
    start, end, place = np.array(sorted(timed), np.int64).reshape(-1, 3).T
    found = _Pairs()
    for row, stop in enumerate(np.searchsorted(start, end).tolist()):
        later = slice(row + 1, stop)
        both = np.minimum(end[row], end[later]) - start[later]
        share = both / np.minimum(end[row] - start[row], end[later] - start[later])
        is_much = share > _LEAST_OVERLAP
        others = place[later][is_much]
        found.add(np.full(len(others), place[row]), others, share[is_much])
        if found.are_enough:
            break
    yield from found.ranked(entries, "overlapping time")
