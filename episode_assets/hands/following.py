"""Following the hands of one run of pictures, whatever kind of backend looks at them."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from episode_assets.hands.backends import Loaded
from episode_assets.hands.box_backend import BoxBackend
from episode_assets.hands.box_following import BoxFollower
from episode_assets.hands.config import HandPoseConfig
from episode_assets.hands.sightings import Sightings, no_sightings
from episode_assets.hands.tracking import Tracker


class Follower(Protocol):
    """Is shown the pictures of a run in order and says afterwards which hands it followed."""

    @property
    def key_positions(self) -> list[int]:
        """Positions of the pictures that were searched as a whole."""

    def feed(self, position: int, stamp_ns: int, rgb: NDArray[np.uint8]) -> None:
        """Look at the next picture, (H, W, 3) RGB, at this position of the stream."""

    def sightings(self) -> Sightings:
        """Return all rows so far, ordered by track and frame, in pixels of the pictures that were fed."""

    def forget_before(self, position: int) -> None:
        """Let go of rows before a position, for those who read them as they go."""


class NoFollower:
    """Looks at nothing: for hands that are given."""

    def __init__(self) -> None:
        self.key_positions: list[int] = []

    def feed(self, position: int, stamp_ns: int, rgb: NDArray[np.uint8]) -> None:
        """Pass."""

    def sightings(self) -> Sightings:
        """Return nothing."""
        return no_sightings()

    def forget_before(self, position: int) -> None:
        """Pass."""


def follower_of(backend: Loaded, config: HandPoseConfig) -> Follower:
    """Return a follower for a run of pictures."""
    if isinstance(backend, BoxBackend):
        return BoxFollower(backend, config)
    return NoFollower() if backend is None else Tracker(backend, config)
