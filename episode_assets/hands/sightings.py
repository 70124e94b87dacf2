"""Rows of "this hand was read in this frame" as columns: what chunk workers return and everything later works on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Sightings:
    """Hands read in frames, N rows, in any order.

    Attributes:
        track: (N,) int64 number of the track; a track has at most one row per frame.
        position: (N,) int64 position of the frame in the sorted table of pictures.
        region: (N, 4) float32 centre x, centre y, side px, rotation rad.
        joints_px: (N, 21, 2) float32 pixels of the recorded picture; whole numbers are pixel centres.
        shape_m: (N, 21, 3) float32 metres in camera directions, origin in the hand; the size is a prior.
        presence: (N,) float32 in 0..1: that a hand is there as the network that read it says, see `is_boxed`.
        right: (N,) float32 in 0..1, how much it looks like a right hand.
        depth_m: (N, 21) float32 metres from the camera plane to the skin at each joint; NaN where unknown.
        mano: (N, 157) float32 as in `box_backend.BoxReadings`, or (N, 0) from backends without such numbers.
    """

    track: NDArray[np.int64]
    position: NDArray[np.int64]
    region: NDArray[np.float32]
    joints_px: NDArray[np.float32]
    shape_m: NDArray[np.float32]
    presence: NDArray[np.float32]
    right: NDArray[np.float32]
    depth_m: NDArray[np.float32]
    mano: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.track)

    @property
    def is_boxed(self) -> bool:
        """Whether a box backend read them: then presence is the score of the box, which its own threshold judged."""
        return bool(self.mano.shape[1])

    def take(self, kept: NDArray[np.intp] | NDArray[np.bool_] | slice) -> Sightings:
        """Return the rows at the given positions, or where the mask is true."""
        return Sightings(*(getattr(self, item.name)[kept] for item in fields(self)))

    def renumbered(self, track: NDArray[np.int64]) -> Sightings:
        """Return the same rows under other track numbers."""
        return replace(self, track=track)

    def sorted(self) -> Sightings:
        """Return the rows ordered by track, then by frame."""
        return self.take(np.lexsort((self.position, self.track)))


def whole_tracks(track: NDArray[np.int64], *, most_rows: int = 4096) -> Iterator[slice]:
    """Yield the rows of ordered tracks (N,) in parts of `most_rows`, or of one track where it alone has more.

    What is computed of tracks holds many times their rows at once; in parts it does not grow with the recording.
    """
    starts = np.flatnonzero(np.diff(track, prepend=-1))
    ends = [*starts[1:].tolist(), len(track)]
    begin = stop = 0
    for end in ends:
        if end - begin > most_rows and stop > begin:
            yield slice(begin, stop)
            begin = stop
        stop = end
    yield slice(begin, stop)


def no_sightings() -> Sightings:
    """Return an empty table."""
    empty = np.zeros(0)
    return Sightings(
        empty.astype(np.int64),
        empty.astype(np.int64),
        np.zeros((0, 4), np.float32),
        np.zeros((0, 21, 2), np.float32),
        np.zeros((0, 21, 3), np.float32),
        empty.astype(np.float32),
        empty.astype(np.float32),
        np.zeros((0, 21), np.float32),
        np.zeros((0, 0), np.float32),
    )


def join_sightings(parts: Sequence[Sightings]) -> Sightings:
    """Put tables one under the other."""
    # Empty tables do not know how many numbers of MANO the others have.
    rows = [part for part in parts if len(part)] or [no_sightings()]
    return Sightings(
        *(np.concatenate([getattr(part, item.name) for part in rows]) for item in fields(Sightings))
    )
