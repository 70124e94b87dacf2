"""What a face detector is, and what every backend has to say about itself.

A detector sees single pictures; what follows from its boxes over time belongs to `tracks`, how a picture is scaled for
it to `searching`. Which backends there are, and how another one is plugged in, is in `backends`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from episode_assets.anonymization.boxes import Boxes, no_boxes
from episode_assets.errors import BadConfig
from episode_assets.models import Needs
from episode_assets.outcome import ModelUse

RGB = NDArray[np.uint8]
"""(H, W, 3) uint8, channel order red, green, blue."""

CERTAIN = 0.5
"""On the common scale of scores, the one from which on a find is certain. It is CenterFace's scale."""


AUTO = 0.0
"""As the certain score of a model: the one that goes with the model."""


class Label(StrEnum):
    """What a box shows."""

    FACE = "face"
    PLATE = "plate"


LABELS = tuple(Label)
"""Labels by their codes in columns."""


class Found(NamedTuple):
    """What a search found in one picture.

    Attributes:
        boxes: (N, 5) boxes.
        label: (N,) uint8, what each of them shows, a position in `LABELS`.
    """

    boxes: Boxes
    label: NDArray[np.uint8]

    @classmethod
    def of(cls, boxes: Boxes, label: Label = Label.FACE) -> Found:
        """Return boxes of one kind."""
        return cls(boxes, np.full(len(boxes), LABELS.index(label), np.uint8))

    @classmethod
    def joined(cls, parts: Iterable[Found]) -> Found:
        """Return what several searches found; where that is nothing, one and the same object."""
        seen = [part for part in parts if len(part.boxes)]
        return cls(*(np.concatenate(column) for column in zip(*seen, strict=True))) if seen else _NO_FINDS

    def where(self, is_kept: NDArray[np.bool_]) -> Found:
        """Return some of it."""
        return Found(self.boxes[is_kept], self.label[is_kept])


_NO_FINDS = Found.of(no_boxes())


class FaceDetector(Protocol):
    """Finds one kind of thing in upright pictures. One instance lives in one process and is used by one thread."""

    @property
    def label(self) -> Label:
        """What its boxes show."""

    @property
    def models(self) -> tuple[ModelUse, ...]:
        """The weight files that take part."""

    def input_size(self, width: int, height: int, *, min_face_px: float) -> tuple[int, int]:
        """Return the (width, height) to which a picture must be scaled so that small faces are found.

        Args:
            width: Width of the source picture in pixels.
            height: Height of the source picture in pixels.
            min_face_px: Height in source pixels of the smallest face (or plate) that has to be found.
        """

    def detect(self, pictures: Sequence[RGB]) -> list[Boxes]:
        """Return what each picture shows, in pixels of the pictures as given, at least at the set score.

        Scores are on the common scale, so that thresholds mean the same whoever looks; see `to_common_scale`.

        Args:
            pictures: Pictures of one size that `input_size` has returned.
        """


class FaceDetectorFactory(Protocol):
    """Makes a detector that is named by import path; called in each process, never before it is needed.

    A factory may have an attribute `models`, a function without arguments that returns the weight files as `ModelUse`.
    They then count for the fingerprint, so that a changed file gives a new version. Without it only the import path
    counts, and who changes the code or its weights must rename it.
    """

    def __call__(self, *, score_threshold: float) -> FaceDetector:
        """Return a detector that reports boxes from this score on; lower than what counts as a find.

        Raises:
            ModelMissing: A weight file or a package is not there.
        """


class BackendOptions(Needs, Protocol):
    """The settings of one backend."""

    @property
    def labels(self) -> frozenset[Label]:
        """What is found under these settings."""

    def make(self, *, score_threshold: float) -> tuple[FaceDetector, ...]:
        """Load the detectors, which report boxes from this score on.

        Raises:
            ModelMissing: A weight file or a package is not there, or a file is not what it should be.
        """


def scaled_size(
    width: int, height: int, *, min_face_px: float, smallest_px: float, multiple: int = 1
) -> tuple[int, int]:
    """Return the size at which a face of `min_face_px` is `smallest_px` high, sides rounded up to a multiple."""
    scale = smallest_px / min_face_px
    return _rounded_up(width * scale, multiple), _rounded_up(height * scale, multiple)


def to_common_scale(scores: NDArray[np.float32], *, certain: float) -> NDArray[np.float32]:
    """Return a model's own scores 0..1 on the common scale: its `certain` becomes 0.5, linear below and above."""
    return np.interp(scores, (0.0, certain, 1.0), (0.0, CERTAIN, 1.0)).astype(np.float32)


def from_common_scale(score: float, *, certain: float) -> float:
    """Return the model's own score that lies at `score` of the common scale."""
    return float(np.interp(score, (0.0, CERTAIN, 1.0), (0.0, certain, 1.0)))


def check_choice(section: str, name: str, value: object, choices: Sequence[str]) -> None:
    """Refuse a setting of a backend that is none of its words; raises BadConfig."""
    if value not in choices:
        raise BadConfig(f"{section}.{name} must be {' or '.join(choices)}, got {value!r}")


def check_certain(section: str, name: str, value: Any, *, or_auto: bool = False) -> None:
    """Refuse a score that cannot be the certain one of a model; raises BadConfig."""
    if or_auto and value == AUTO and not isinstance(value, bool):
        return
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0.05 <= value <= 0.99:
        raise BadConfig(f"{section}.{name} must be 0.05..0.99, got {value!r}")


def check_path(section: str, name: str, value: object) -> None:
    """Refuse a path that is no text; raises BadConfig."""
    if not isinstance(value, str):
        raise BadConfig(f"{section}.{name} must be the path of a file, got {value!r}")


def _rounded_up(side: float, multiple: int) -> int:
    return max(multiple, math.ceil(round(side, 3) / multiple) * multiple)
