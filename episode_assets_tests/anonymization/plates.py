"""A detector of licence plates, which are red here; named by import path so that worker processes can load it too."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from episode_assets.anonymization.boxes import Boxes, no_boxes
from episode_assets.anonymization.detectors import RGB, Label
from episode_assets.outcome import ModelUse

PLATES = f"{__name__}:make_plates"
NO_PLATES = f"{__name__}:make_no_plates"
RED = (235, 10, 10)


class Plates:
    """Finds red areas."""

    label = Label.PLATE
    models: tuple[ModelUse, ...] = ()

    def input_size(self, width: int, height: int, *, min_face_px: float) -> tuple[int, int]:
        return width, height

    def detect(self, pictures: Sequence[RGB]) -> list[Boxes]:
        return [self._boxes(picture) for picture in pictures]

    def _boxes(self, picture: RGB) -> Boxes:
        red, others = picture[..., 0], picture[..., 1:].max(axis=2)
        is_red = ((red > 180) & (others < 80)).astype(np.uint8)
        _, _, stats, _ = cv2.connectedComponentsWithStats(is_red)
        rows = [(x, y, x + w, y + h, 0.9) for x, y, w, h, area in stats[1:] if area > 60]
        return np.array(rows, np.float32).reshape(-1, 5)


def make_plates(*, score_threshold: float) -> Plates:
    return Plates()


class NoPlates(Plates):
    """Misses them all."""

    def detect(self, pictures: Sequence[RGB]) -> list[Boxes]:
        return [no_boxes() for _ in pictures]


def make_no_plates(*, score_threshold: float) -> NoPlates:
    return NoPlates()
