"""Overlaps, suppression and coverage of boxes, and the rectangles that follow from them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from episode_assets.anonymization.boxes import covered_share, keep_best, no_boxes, overlap_ratios
from episode_assets.anonymization.redaction import redaction_rectangles


def boxes(*rows: tuple[float, ...]) -> np.ndarray:
    return np.array(rows, np.float32).reshape(-1, 5)


def test_overlap_is_shared_area_over_united_area() -> None:
    left = boxes((0, 0, 10, 10, 1))
    right = boxes((5, 0, 15, 10, 1), (20, 20, 30, 30, 1), (0, 0, 10, 10, 1))

    assert overlap_ratios(left, right)[0] == pytest.approx([1 / 3, 0, 1])


def test_the_better_of_two_overlapping_boxes_is_kept() -> None:
    kept = keep_best(boxes((0, 0, 10, 10, 0.4), (1, 0, 11, 10, 0.9), (50, 0, 60, 10, 0.3)), max_overlap=0.3)

    assert kept[:, 4] == pytest.approx([0.9, 0.3])
    assert len(keep_best(no_boxes(), max_overlap=0.3)) == 0


def test_coverage_counts_the_union_of_rectangles_once() -> None:
    rectangles = np.array([[0, 0, 6, 10], [4, 0, 8, 10]], np.int32)

    share = covered_share(boxes((0, 0, 10, 10, 1), (90, 90, 99, 99, 1)), rectangles, width=50, height=50)

    assert share == pytest.approx([0.8, 1.0])  # a box without a pixel in the picture hides nothing


corner = st.floats(-50, 400, width=32)
side = st.floats(0.5, 200, width=32)


crowd = st.lists(
    st.tuples(*[st.integers(0, 40)] * 2, *[st.integers(0, 30)] * 2, st.integers(0, 9)), max_size=30
)


@given(crowd, st.sampled_from([0.0, 0.25, 0.4, 1.0]))
def test_what_is_kept_stands_apart_and_what_is_dropped_lies_on_a_better_one(
    rows: list[tuple[int, ...]], max_overlap: float
) -> None:
    given_boxes = boxes(*((x, y, x + w, y + h, score / 9) for x, y, w, h, score in rows))

    kept = keep_best(given_boxes, max_overlap=max_overlap)

    between = overlap_ratios(kept, kept) - np.eye(len(kept))
    assert (between <= max_overlap).all()
    assert (np.diff(kept[:, 4]) <= 0).all()
    for box in given_boxes:
        better = kept[kept[:, 4] >= box[4]]
        assert (better == box).all(axis=1).any() or (overlap_ratios(box[None], better) > max_overlap).any()


@given(corner, corner, side, side, st.integers(16, 333), st.integers(16, 251))
def test_a_redaction_covers_its_box_with_even_corners(
    x: float, y: float, w: float, h: float, width: int, height: int
) -> None:
    box = np.array([[x, y, x + w, y + h]], np.float32)

    ((x0, y0, x1, y1),) = redaction_rectangles(box, scale=1.5, width=width, height=height).tolist()

    assert all(value % 2 == 0 for value in (x0, y0, x1, y1))
    even = np.array([width + width % 2, height + height % 2] * 2)
    assert 0 <= x0 <= x1 <= even[0]
    assert 0 <= y0 <= y1 <= even[1]
    assert ([x0, y0] <= np.clip(box[0, :2], 0, even[:2])).all()
    assert ([x1, y1] >= np.clip(box[0, 2:], 0, even[2:])).all()
