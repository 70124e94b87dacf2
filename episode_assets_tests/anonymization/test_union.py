"""Several detectors together: no box of any is lost, each sees its own size, and a blind one is noticed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from episode_assets.anonymization.boxes import Boxes, no_boxes
from episode_assets.anonymization.centerface import CenterFace
from episode_assets.anonymization.detectors import RGB, Label
from episode_assets.anonymization.known_answer import ask
from episode_assets.anonymization.searching import FaceSearch
from episode_assets.anonymization.union import DetectorUnion, joined_boxes
from episode_assets.outcome import ModelUse
from episode_assets.video import decode_picture
from episode_assets_tests.anonymization.stand_ins import Blind


class Fixed:
    """Reports the same boxes, given in shares of the picture, whatever it is shown; wants its own input size."""

    def __init__(
        self,
        shares: list[list[float]],
        *,
        size: tuple[int, int],
        label: Label = Label.FACE,
        name: str = "fixed",
    ) -> None:
        self._shares = np.array(shares, np.float32).reshape(-1, 5)
        self._size = size
        self.label = label
        self.models = (ModelUse(name, "0" * 64, "MIT"),)

    def input_size(self, width: int, height: int, *, min_face_px: float) -> tuple[int, int]:
        return round(self._size[0] * 32 / min_face_px), round(self._size[1] * 32 / min_face_px)

    def detect(self, pictures: Sequence[RGB]) -> list[Boxes]:
        return [
            self._shares * np.array([p.shape[1], p.shape[0], p.shape[1], p.shape[0], 1], np.float32)
            for p in pictures
        ]


def search(*members: Fixed) -> FaceSearch:
    union = DetectorUnion(members)
    return FaceSearch(union, width=200, height=100, min_face_px=32, tile_px=4096, score_threshold=0.2)


def picture():
    return decode_picture("rgb8", bytes(200 * 100 * 3), width=200, height=100, step=600)


box = st.tuples(
    *(st.floats(0, 90, width=32) for _ in range(2)), *(st.floats(1, 60, width=32) for _ in range(2))
)
boxes = st.lists(st.tuples(box, st.floats(0, 1, width=32)), max_size=5).map(
    lambda rows: np.array([[x, y, x + w, y + h, score] for (x, y, w, h), score in rows], np.float32).reshape(
        -1, 5
    )
)


@given(st.lists(boxes, min_size=1, max_size=3))
def test_every_box_of_every_detector_is_covered_by_one_as_certain(found: list[Boxes]) -> None:
    joined = joined_boxes(found)

    for given_box in np.concatenate([no_boxes(), *found]):
        around = (joined[:, :2] <= given_box[:2]).all(1) & (joined[:, 2:] >= given_box[2:]).all(1)
        assert around.any()


@given(boxes)
def test_the_boxes_of_one_detector_are_left_as_they_are(found: Boxes) -> None:
    assert np.array_equal(joined_boxes([found]), found)
    assert np.array_equal(joined_boxes([found, no_boxes()]), found)


def test_two_boxes_of_one_face_become_their_hull_with_the_better_score() -> None:
    left = np.array([[10, 10, 30, 30, 0.4]], np.float32)
    right = np.array([[14, 8, 34, 29, 0.7], [60, 60, 70, 70, 0.3]], np.float32)

    assert joined_boxes([left, right]) == pytest.approx(
        np.array([[10, 8, 34, 30, 0.7], [60, 60, 70, 70, 0.3]])
    )


def test_each_member_sees_its_own_size_and_boxes_come_back_in_source_pixels() -> None:
    coarse = Fixed([[0.1, 0.2, 0.2, 0.6, 0.9]], size=(100, 50), name="coarse")
    fine = Fixed([[0.5, 0.2, 0.6, 0.6, 0.8]], size=(333, 111), name="fine")

    found = search(coarse, fine)

    assert found(picture())[:, :4] == pytest.approx(
        np.array([[20, 20, 40, 60], [100, 20, 120, 60]]), abs=1e-3
    )
    assert found.input_size == (333, 111)
    assert [use.name for use in DetectorUnion((coarse, fine, coarse)).models] == ["coarse", "fine"]


def test_a_face_and_a_plate_in_one_place_stay_apart() -> None:
    face = Fixed([[0.1, 0.2, 0.2, 0.6, 0.9]], size=(200, 100))
    plate = Fixed([[0.1, 0.2, 0.2, 0.6, 0.8]], size=(200, 100), label=Label.PLATE)

    assert len(search(face, plate)(picture())) == 2
    assert len(search(face, face)(picture())) == 1


def test_a_trace_does_not_widen_what_was_found() -> None:
    found = Fixed([[0.1, 0.2, 0.2, 0.6, 0.9]], size=(200, 100))
    trace = Fixed([[0.11, 0.2, 0.25, 0.6, 0.15]], size=(200, 100))

    search_of_both = search(found, trace)

    assert search_of_both(picture())[0, 2] == pytest.approx(40)
    assert search_of_both.traces(picture())[0, 2] == pytest.approx(50)


def test_a_blind_member_fails_the_known_answer_of_the_whole(centerface: CenterFace) -> None:
    plates = Fixed([], size=(50, 25), label=Label.PLATE)

    def passed(*members: object) -> bool:
        return ask(DetectorUnion(members), min_face_px=32, needed_score=0.5).passed  # type: ignore[arg-type]

    assert passed(centerface, plates)
    assert not passed(centerface, Blind())
    assert not passed(Blind(), centerface)
    assert not passed(plates)
