"""A face detector that costs next to nothing and finds no face in a recording, to measure everything around it.

It still answers the known-answer test, without which nothing is published: it knows that picture by its grey border.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from episode_assets.anonymization.boxes import Boxes, no_boxes
from episode_assets.anonymization.detectors import RGB, Label, scaled_size
from episode_assets.outcome import ModelUse

SMALLEST_PX = 4.0
GREY, TOLERANCE = 128, 4
FACE_IN_CROP = np.array([0.291, 0.221, 0.691, 0.721])
"""Where the face lies in what the test picture shows on its grey: x0, y0, x1, y1 as shares of width and height."""


class NoFaces:
    """Finds the face of the test picture and no other."""

    label = Label.FACE
    models: tuple[ModelUse, ...] = ()

    def input_size(self, width: int, height: int, *, min_face_px: float) -> tuple[int, int]:
        """Return a size that is cheap to make."""
        return scaled_size(width, height, min_face_px=min_face_px, smallest_px=SMALLEST_PX)

    def detect(self, pictures: Sequence[RGB]) -> list[Boxes]:
        """Return the face of test pictures."""
        return [test_face(picture) for picture in pictures]


def test_face(picture: RGB) -> Boxes:
    border = np.concatenate([picture[0], picture[-1], picture[:, 0], picture[:, -1]])
    if np.abs(border.astype(np.int16) - GREY).max() > TOLERANCE:
        return no_boxes()
    is_shown = (np.abs(picture.astype(np.int16) - GREY) > TOLERANCE).any(axis=2)
    rows, columns = np.flatnonzero(is_shown.any(axis=1)), np.flatnonzero(is_shown.any(axis=0))
    if not len(rows):
        return no_boxes()
    corner = np.array([columns[0], rows[0]] * 2)
    size = np.array([columns[-1] + 1 - columns[0], rows[-1] + 1 - rows[0]] * 2)
    return np.append(corner + FACE_IN_CROP * size, 0.95).astype(np.float32)[None]


def make(*, score_threshold: float) -> NoFaces:  # noqa: ARG001  # what every factory is called with
    return NoFaces()
