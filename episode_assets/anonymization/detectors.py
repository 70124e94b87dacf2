"""What a face detector is, which ones exist by name, and how another one is plugged in.

Add a backend by writing a factory and naming it in `DETECTORS`. A detector sees single pictures; what follows from
its boxes over time belongs to `tracks`.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from episode_assets.anonymization.boxes import Boxes
from episode_assets.errors import BadConfig
from episode_assets.outcome import ModelUse

RGB = NDArray[np.uint8]
"""(H, W, 3) uint8, channel order red, green, blue."""


class FaceDetector(Protocol):
    """Finds faces in upright pictures. One instance lives in one process and is used by one thread."""

    @property
    def models(self) -> tuple[ModelUse, ...]:
        """The weight files that take part."""

    def input_size(self, width: int, height: int, *, min_face_px: float) -> tuple[int, int]:
        """Return the (width, height) to which a picture must be scaled so that small faces are found.

        Args:
            width: Width of the source picture in pixels.
            height: Height of the source picture in pixels.
            min_face_px: Height in source pixels of the smallest face that has to be found.
        """

    def detect(self, pictures: Sequence[RGB]) -> list[Boxes]:
        """Return the faces of each picture, in pixels of the pictures as given, at least at the set score.

        Args:
            pictures: Pictures of one size that `input_size` has returned.
        """


class FaceDetectorFactory(Protocol):
    """Makes a detector; called once in each process, and never before a detector is needed."""

    def __call__(self, *, score_threshold: float) -> FaceDetector:
        """Return a detector that reports boxes from this score on; lower than what counts as a find.

        Raises:
            ModelMissing: A weight file or a package is not there.
        """


DETECTORS: Mapping[str, str] = MappingProxyType(
    {"centerface": "episode_assets.anonymization.centerface:make_centerface"}
)
"""Names of the built-in detectors and the import path of each factory."""


def make_detector(name: str, *, score_threshold: float) -> FaceDetector:
    """Return a detector by registered name or by import path `package.module:factory`.

    Raises:
        BadConfig: The name is not registered and the path leads nowhere.
        ModelMissing: A weight file or a package is not there.
    """
    return find_factory(name)(score_threshold=score_threshold)


def find_factory(name: str) -> FaceDetectorFactory:
    """Return the factory behind a registered name or an import path.

    Raises:
        BadConfig: The name is not registered and the path leads nowhere.
    """
    path = DETECTORS.get(name, name)
    module_name, _, attribute = path.partition(":")
    try:
        factory: FaceDetectorFactory = getattr(importlib.import_module(module_name), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        known = ", ".join(sorted(DETECTORS))
        raise BadConfig(
            f"there is no face detector {name!r} ({error})",
            where="detector",
            remedy=f"use one of {known}, or an import path such as package.module:factory",
        ) from error
    return factory
