"""Which weak finds of the audit are dismissed after another look, and which never are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from episode_assets.anonymization.boxes import Boxes, no_boxes
from episode_assets.anonymization.closer import CloserLook
from episode_assets.anonymization.detectors import RGB, Label
from episode_assets.anonymization.groups import Auditor
from episode_assets.anonymization.searching import FaceSearch
from episode_assets.outcome import ModelUse
from episode_assets.video import Picture, decode_picture

NOTHING = np.zeros((0, 4), np.int32)
FACE = (100, 60)
AUDIT, FINER, CLOSER = 200, 240, 96
"""Width of the picture as the audit sees it, at the detector's scale, and of a closer look."""


class Scripted:
    """Reports one box of a given height at (100, 60), with a score for each width of what it is shown.

    A closer look, at the scale of the picture, has it in the middle.
    """

    label = Label.FACE
    models: tuple[ModelUse, ...] = ()

    def __init__(self, height: int, scores: dict[int, float]) -> None:
        self._height = height
        self._scores = scores

    def input_size(self, width: int, height: int, *, min_face_px: float) -> tuple[int, int]:
        return round(width * 12 / min_face_px), round(height * 12 / min_face_px)

    def detect(self, pictures: Sequence[RGB]) -> list[Boxes]:
        return [self._detect(picture.shape[1]) for picture in pictures]

    def _detect(self, width: int) -> Boxes:
        if width not in self._scores:
            return no_boxes()
        side = np.array([0.8, 1]) * self._height
        corner = (width - side) / 2 if width == CLOSER else np.array(FACE)
        box = np.concatenate([corner, corner + side]) * (1 if width == CLOSER else width / 400)
        return np.append(box, self._scores[width]).astype(np.float32)[None]


def judged(
    height: int, scores: dict[int, float], *, hidden: np.ndarray = NOTHING, source: bool = False
) -> tuple[int, int]:
    """How many finds stand and how many are dismissed, in a picture of 400x300."""
    detector = Scripted(height, scores)
    every, again = (
        FaceSearch(detector, width=400, height=300, min_face_px=face, tile_px=1280, score_threshold=0.2)
        for face in (24, 20)
    )
    picture = decode_picture("rgb8", bytes(400 * 300 * 3), width=400, height=300, step=1200)

    def decoded() -> Picture:
        return picture

    closer = CloserLook(detector, (400, 300), reached_face_px=24, score_threshold=0.4)
    auditor = Auditor(every, None, again, closer, doubt_below=0.5)
    stands, dismissed = auditor.judged(picture, hidden, decoded if source else None, is_first=False)
    return len(stands.boxes), len(dismissed.boxes)


def test_a_large_weak_find_that_the_other_scale_does_not_have_is_dismissed() -> None:
    assert judged(40, {AUDIT: 0.3}) == (0, 1)
    assert judged(50, {AUDIT: 0.3, FINER: 0.19}) == (0, 1)


@pytest.mark.parametrize(
    ("height", "scores"),
    [
        (40, {AUDIT: 0.3, FINER: 0.21, CLOSER: 0.21}),
        (50, {AUDIT: 0.3, FINER: 0.21}),
        (40, {AUDIT: 0.5}),
        (29, {AUDIT: 0.3, CLOSER: 0.21}),
    ],
    ids=[
        "traces",
        "too large for a closer look",
        "a strong find",
        "too small for the other scale to be sure",
    ],
)
def test_other_finds_stand(height: int, scores: dict[int, float]) -> None:
    assert judged(height, scores) == (1, 0)


@pytest.mark.parametrize("height", [29, 40])
def test_a_weak_find_without_a_trace_in_a_closer_look_is_dismissed(height: int) -> None:
    assert judged(height, {AUDIT: 0.3, FINER: 0.21, CLOSER: 0.19}, source=True) == (0, 1)


def test_a_small_weak_find_beside_the_blur_stands_where_the_source_shows_it_or_is_not_there() -> None:
    beside = np.array([[60, 60, 104, 100]], np.int32)

    assert judged(29, {AUDIT: 0.3, CLOSER: 0.21}, hidden=beside) == (1, 0)
    # The source here is the picture itself, and shows the same box.
    assert judged(29, {AUDIT: 0.3, CLOSER: 0.21}, hidden=beside, source=True) == (1, 0)
