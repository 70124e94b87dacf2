"""Following boxed hands through one run of pictures, every one of which is searched.

Boxes of one side that overlap from one picture to the next are one hand. Joining over holes and cuts, and judging whose
hands they are, happens afterwards.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from episode_assets.hands.box_backend import BoxBackend, HandBoxes
from episode_assets.hands.config import HandPoseConfig
from episode_assets.hands.regions import box_overlap
from episode_assets.hands.sightings import Sightings, join_sightings

_SAME_HAND_OVERLAP = 0.3


class BoxFollower:
    """Follows the hands that a detector boxes in every picture; see `following.Follower`."""

    def __init__(self, backend: BoxBackend, config: HandPoseConfig) -> None:
        self._backend = backend
        self._config = config
        self._rows: list[Sightings] = []
        self._last: tuple[HandBoxes, list[int]] | None = None
        self._tracks = 0
        self.key_positions: list[int] = []

    def feed(self, position: int, stamp_ns: int, rgb: NDArray[np.uint8]) -> None:
        """Find and read the hands of the next picture."""
        del stamp_ns
        hands = self._backend.detector.detect(rgb)
        hands = hands.take(np.arange(min(len(hands), self._config.max_hands)))
        tracks = self._numbers(hands)
        self.key_positions.append(position)
        self._last = hands, tracks
        if not len(hands):
            return
        readings = self._backend.reader.read(rgb, hands)
        right = hands.is_right ^ self._config.mirrored_input
        self._rows.append(
            Sightings(
                np.array(tracks, np.int64),
                np.full(len(hands), position, np.int64),
                readings.regions.astype(np.float32),
                readings.joints_px.astype(np.float32),
                readings.shape_m.astype(np.float32),
                hands.score.astype(np.float32),
                right.astype(np.float32),
                np.full((len(hands), 21), np.nan, np.float32),
                readings.mano,
            )
        )

    def sightings(self) -> Sightings:
        """Return all rows so far, ordered by track and frame."""
        return join_sightings(self._rows).sorted()

    def forget_before(self, position: int) -> None:
        """Let go of rows before a position, for those who read them as they go."""
        self._rows = [rows for rows in self._rows if rows.position[0] >= position]
        self.key_positions = [at for at in self.key_positions if at >= position]

    def _numbers(self, hands: HandBoxes) -> list[int]:
        """Return the track of each box: that of the box of the same side that it overlaps most, or a new one."""
        numbers = [-1] * len(hands)
        for own, other in self._pairs(hands):
            assert self._last is not None
            number = self._last[1][other]
            if numbers[own] < 0 and number not in numbers:
                numbers[own] = number
        for index, number in enumerate(numbers):
            if number < 0:
                numbers[index] = self._tracks
                self._tracks += 1
        return numbers

    def _pairs(self, hands: HandBoxes) -> list[tuple[int, int]]:
        """Return (box, box of the last picture) that may be one hand, closest first."""
        if self._last is None:
            return []
        last = self._last[0]
        shared = box_overlap(hands.boxes, last.boxes)
        shared[hands.is_right[:, None] != last.is_right] = 0
        order = np.argsort(-shared, axis=None, kind="stable")
        own, other = np.unravel_index(order, shared.shape)
        return [
            (int(a), int(b)) for a, b in zip(own, other, strict=True) if shared[a, b] >= _SAME_HAND_OVERLAP
        ]
