"""Names of tracks across chunks: what each chunk numbered for itself becomes one numbering of the recording.

Neighbouring chunks look at the same pictures in their margins and find the same boxes there; tracks that share a
box are one track. Which boxes exist was settled in the chunks and is not changed here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from episode_assets.anonymization.tracks import TrackBoxes


@dataclass(frozen=True)
class NamedBoxes:
    """Boxes of one chunk as its tracks gave them.

    Attributes:
        position: (B,) int64 positions in the stream.
        tracks: The boxes.
        is_own: (B,) bool, true for pictures that the chunk writes.
    """

    position: NDArray[np.int64]
    tracks: TrackBoxes
    is_own: NDArray[np.bool_]


def join_track_names(chunks: Sequence[NamedBoxes]) -> list[NDArray[np.int64]]:
    """Return for each chunk the recording's track number of each of its boxes, (B,) int64.

    Numbers count from 0 in the order in which tracks first appear among the chunks' own boxes.
    """
    names = _SharedNames()
    for index, chunk in enumerate(chunks):
        for row in np.flatnonzero(chunk.tracks.detection >= 0):
            box = (int(chunk.position[row]), chunk.tracks.box[row].tobytes())
            names.unite((index, int(chunk.tracks.track[row])), box)
    numbers: dict[object, int] = {}
    joined: list[NDArray[np.int64]] = []
    for index, chunk in enumerate(chunks):
        roots = [names.root((index, int(track))) for track in chunk.tracks.track]
        for root, own in zip(roots, chunk.is_own, strict=True):
            if own:
                numbers.setdefault(root, len(numbers))
        joined.append(np.array([numbers.get(root, -1) for root in roots], np.int64))
    return joined


class _SharedNames:
    """Union-find over tracks of chunks and the boxes that they hold."""

    def __init__(self) -> None:
        self._parent: dict[object, object] = {}

    def root(self, item: object) -> object:
        path = [item]
        while (parent := self._parent.get(path[-1], path[-1])) != path[-1]:
            path.append(parent)
        for passed in path:
            self._parent[passed] = path[-1]
        return path[-1]

    def unite(self, left: object, right: object) -> None:
        self._parent[self.root(right)] = self.root(left)
