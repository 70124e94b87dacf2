"""Detectors that take magenta for a face, named by import path; they answer the known-answer test like real ones."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np

from benchmarks import no_faces
from episode_assets.anonymization.boxes import Boxes, no_boxes
from episode_assets.anonymization.detectors import RGB, Label
from episode_assets.outcome import ModelUse

MARKS = f"{__name__}:make_marks"
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


class Restless(Marks):
    """Finds a face in every picture, each time somewhere else."""

    def found(self, picture: np.ndarray) -> Boxes:
        height, width = picture.shape[:2]
        if width < 300:  # a closer look, or a picture at another scale
            return no_boxes()
        draw = np.random.default_rng(zlib.crc32(picture.astype(np.uint8).tobytes()))
        x, y = draw.uniform(0, 0.7, 2) * (width, height)
        return np.array([[x, y, x + 30, y + 30, 0.9]], np.float32)


def make_marks(*, score_threshold: float) -> Marks:
    return Marks()


def make_restless(*, score_threshold: float) -> Restless:
    return Restless()


def _around(is_shown: np.ndarray) -> Boxes:
    rows, columns = np.flatnonzero(is_shown.any(axis=1)), np.flatnonzero(is_shown.any(axis=0))
    if not len(rows):
        return no_boxes()
    return np.array([[columns[0], rows[0], columns[-1] + 1, rows[-1] + 1, 0.9]], np.float32)
