"""Detectors that take magenta for a face, named by import path; they answer the known-answer test like real ones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchmarks import no_faces
from episode_assets.anonymization.boxes import Boxes, no_boxes
from episode_assets.anonymization.detectors import RGB, Label
from episode_assets.outcome import ModelUse

MARKS = f"{__name__}:make_marks"
COUNTED = f"{__name__}:make_counted"
UNSURE = f"{__name__}:make_unsure"
INTERRUPTED = f"{__name__}:make_interrupted"
RESTLESS = f"{__name__}:make_restless"
MAGENTA = (255, 0, 255)


class Marks:
    """Finds one box around all that is magenta."""

    label = Label.FACE
    models: tuple[ModelUse, ...] = ()

    def input_size(self, width: int, height: int, *, min_face_px: float) -> tuple[int, int]:
        return width, height

    def detect(self, pictures: Sequence[RGB]) -> list[Boxes]:
        return [self._seen(picture) for picture in pictures]

    def _seen(self, picture: RGB) -> Boxes:
        known = no_faces.test_face(picture)
        return known if len(known) else self.found(picture.astype(int))

    def found(self, picture: np.ndarray) -> Boxes:
        return _around((abs(picture - MAGENTA) < 90).all(axis=2))


class Counted(Marks):
    """Counts the pictures that it is shown."""

    pictures = 0

    def found(self, picture: np.ndarray) -> Boxes:
        Counted.pictures += 1
        return super().found(picture)


class Interrupted(Marks):
    """Is interrupted, as by a key, once after so many pictures; does its work from then on."""

    after = 0

    def found(self, picture: np.ndarray) -> Boxes:
        Interrupted.after -= 1
        if Interrupted.after == 0:
            raise KeyboardInterrupt
        return super().found(picture)


class Unsure(Marks):
    """Is never sure of a mark."""

    def found(self, picture: np.ndarray) -> Boxes:
        boxes = super().found(picture)
        boxes[:, 4] = 0.45
        return boxes


class Restless(Marks):
    """Takes whatever has most detail for a face, so that there is another one wherever nothing is hidden yet."""

    def found(self, picture: np.ndarray) -> Boxes:
        side = 30
        rows, columns = picture.shape[0] // side, picture.shape[1] // side
        blocks = picture[: rows * side, : columns * side].reshape(rows, side, columns, side, 3)
        detail = blocks.std(axis=(1, 3)).mean(axis=2)
        if detail.size == 0 or detail.max() < 3:
            return no_boxes()
        row, column = np.unravel_index(detail.argmax(), detail.shape)
        return np.array([[*(side * np.array([column, row, column + 1, row + 1])), 0.9]], np.float32)


def make_marks(*, score_threshold: float) -> Marks:
    return Marks()


def make_counted(*, score_threshold: float) -> Counted:
    return Counted()


def make_interrupted(*, score_threshold: float) -> Interrupted:
    return Interrupted()


def make_unsure(*, score_threshold: float) -> Unsure:
    return Unsure()


def make_restless(*, score_threshold: float) -> Restless:
    return Restless()


def _around(is_shown: np.ndarray) -> Boxes:
    rows, columns = np.flatnonzero(is_shown.any(axis=1)), np.flatnonzero(is_shown.any(axis=0))
    if not len(rows):
        return no_boxes()
    return np.array([[columns[0], rows[0], columns[-1] + 1, rows[-1] + 1, 0.9]], np.float32)
