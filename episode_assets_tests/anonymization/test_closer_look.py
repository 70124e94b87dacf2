"""Faint marks of small faces are looked at closely, whatever lies beside them."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from episode_assets.anonymization.boxes import Boxes
from episode_assets.anonymization.closer import CloserLook
from episode_assets.anonymization.detectors import RGB, Label, scaled_size
from episode_assets.anonymization.groups import Auditor
from episode_assets.anonymization.searching import FaceSearch
from episode_assets.outcome import ModelUse
from episode_assets.video import Picture, decode_picture

SIZE = (640, 360)
NOTHING = np.zeros((0, 4), np.int32)
CROP_PX = 200
"""Pictures narrower than this are crops of a closer look."""


class Squares:
    """Takes white squares for faces: faint ones in whole pictures, and in crops with the score that it is given.

    Large ones are weak textures, which are there in the audit's own scale alone.
    """

    label = Label.FACE
    models: tuple[ModelUse, ...] = ()

    def __init__(self, closely: float) -> None:
        self._closely = closely

    def input_size(self, width: int, height: int, *, min_face_px: float) -> tuple[int, int]:
        return scaled_size(width, height, min_face_px=min_face_px, smallest_px=16)

    def detect(self, pictures: Sequence[RGB]) -> list[Boxes]:
        return [self._detect(picture) for picture in pictures]

    def _detect(self, picture: RGB) -> Boxes:
        white = (picture[:, :, 0] > 200).astype(np.uint8)
        _, _, places, _ = cv2.connectedComponentsWithStats(white)
        rows = [(x, y, x + w, y + h, self._score(h, picture.shape)) for x, y, w, h, _ in places[1:]]
        return np.array([row for row in rows if row[4] > 0], np.float32).reshape(-1, 5)

    def _score(self, height: int, shape: tuple[int, ...]) -> float:
        if shape[1] < CROP_PX:
            return self._closely
        if height / shape[0] > 1 / 6:
            return 0.3 if shape[1] == round(640 * 16 / 24) else 0.0
        return 0.05


def picture_of(*squares: tuple[int, int, int]) -> Picture:
    canvas = np.full((360, 640, 3), 90, np.uint8)
    for x, y, side in squares:
        canvas[y : y + side, x : x + side] = 255
    return decode_picture("rgb8", canvas.tobytes(), width=640, height=360, step=1920)


def kept(
    picture: Picture, source: Picture, *, closely: float, hidden: np.ndarray = NOTHING
) -> list[tuple[float, ...]]:
    detector = Squares(closely)
    every, again = (
        FaceSearch(detector, width=640, height=360, min_face_px=px, tile_px=1280, score_threshold=0.2)
        for px in (24, 20)
    )
    closer = CloserLook(detector, SIZE, reached_face_px=24, score_threshold=0.4)
    auditor = Auditor(every, None, again, closer, doubt_below=0.5)
    stands, _ = auditor.judged(picture, hidden, lambda: source, is_first=False)
    return [tuple(np.round(box[:2])) for box in stands.boxes]


def test_a_faint_mark_is_a_find_where_a_closer_look_sees_a_face() -> None:
    picture = picture_of((300, 200, 24))

    assert kept(picture, picture, closely=0.45) == [(300, 200)]
    assert kept(picture, picture, closely=0.35) == []


def test_beside_the_blur_the_source_decides() -> None:
    beside = np.array([[328, 190, 400, 260]], np.int32)
    picture = picture_of((300, 200, 24))

    assert kept(picture, picture, closely=0.45, hidden=beside) == [(300, 200)]
    assert kept(picture, picture_of(), closely=0.45, hidden=beside) == []


def test_a_texture_that_is_dismissed_hides_no_mark_beside_it() -> None:
    picture = picture_of((300, 200, 80), (385, 240, 28))

    assert (385, 240) in kept(picture, picture, closely=0.7)
