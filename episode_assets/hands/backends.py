"""What a hand backend is: something that proposes regions and something that reads hands in them, chosen by name.

A new backend is a module with a factory and one line in `BACKENDS`. Tracking, sides and anchoring know only the two
protocols. Factories run inside worker processes, so a backend is named by an import path, never passed as an object.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Protocol, cast

import numpy as np
from numpy.typing import NDArray

from episode_assets import models
from episode_assets.errors import BadConfig
from episode_assets.hands.config import HandPoseConfig
from episode_assets.hands.landmarks import LandmarkEstimator, Readings
from episode_assets.hands.palms import PalmDetector
from episode_assets.hands.regions import Regions


class HandDetector(Protocol):
    """Proposes where hands could be; false proposals are cheap, misses are not."""

    def detect(self, rgb: NDArray[np.uint8]) -> Regions:
        """Return (N, 4) regions of an (H, W, 3) picture, best first, each hand once."""


class HandEstimator(Protocol):
    """Reads the hands in given regions."""

    def estimate(self, rgb: NDArray[np.uint8], regions: Regions) -> Readings:
        """Return one reading for each of (N, 4) regions of an (H, W, 3) picture; N may be 0."""

    def next_regions(self, readings: Readings) -> Regions:
        """Return the (N, 4) regions in which these hands should be looked for next."""


@dataclass(frozen=True)
class Backend:
    """A detector and an estimator that belong together."""

    detector: HandDetector
    estimator: HandEstimator


BACKENDS: dict[str, str] = {"mediapipe": "episode_assets.hands.backends:mediapipe"}
"""Backend name to `module:factory`; a factory takes a `HandPoseConfig` and returns a `Backend`."""


def load_backend(config: HandPoseConfig) -> Backend:
    """Load the backend that the configuration names, or gives as `module:factory`.

    Raises:
        BadConfig: There is no such backend.
        ModelMissing: A weight file or the runtime is not there.
    """
    module, _, name = BACKENDS.get(config.backend, config.backend).partition(":")
    try:
        factory = cast("Callable[[HandPoseConfig], Backend]", getattr(import_module(module), name))
    except (ImportError, AttributeError, ValueError) as error:
        known = ", ".join(sorted(BACKENDS))
        raise BadConfig(
            f"no hand backend is called {config.backend!r}", remedy=f"use one of: {known}, or module:factory"
        ) from error
    return factory(config)


def weight_names(config: HandPoseConfig) -> tuple[str, ...]:
    """Return the registry names of the weight files that a configuration uses."""
    return (config.palm_model, config.landmark_model) if config.backend == "mediapipe" else ()


def mediapipe(config: HandPoseConfig) -> Backend:
    """Load MediaPipe's palm and landmark networks."""
    return Backend(
        PalmDetector(
            models.find(config.palm_model), threshold=config.palm_threshold, squares=config.palm_squares
        ),
        LandmarkEstimator(models.find(config.landmark_model), mirrored_input=config.mirrored_input),
    )
