"""A face that is missed stays covered as long as if it were alone, whatever other face appears beside it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from episode_assets.anonymization.config import FaceBlurConfig
from episode_assets.anonymization.redactions import redact, within
from episode_assets.anonymization.tracks import Detections

CONFIG = FaceBlurConfig()
SIZE = (1280, 720)
FRAMES = 60
LAST = 10
"""Number of the last picture in which the first face is found."""
STAMPS_NS = 5_000_000_000 + 33_333_333 * np.arange(FRAMES, dtype=np.int64)

Rows = list[tuple[int, float, float]]


def found(*faces: Rows, score: float = 0.8) -> Detections:
    """Square faces of 40 px: for each the number of a picture, and the left and upper edge of its box."""
    boxes: list[list[tuple[float, ...]]] = [[] for _ in range(FRAMES)]
    for frame, x, y in (row for rows in faces for row in rows):
        boxes[frame].append((x, y, x + 40, y + 40, score))
    return Detections.of([np.array(rows, np.float32).reshape(-1, 5) for rows in boxes])


def covered(faces: Detections, x: float, y: float) -> set[int]:
    """Return the pictures in which a face of 40 px at x, y lies under one rectangle."""
    frames = np.arange(FRAMES)
    redactions = redact(frames, STAMPS_NS, faces, config=CONFIG, size=SIZE)
    return {
        frame
        for frame, rectangles in zip(frames.tolist(), redactions.at(frames), strict=True)
        if ((rectangles[:, :2] <= (x, y)) & (rectangles[:, 2:] >= (x + 40, y + 40))).all(axis=1).any()
    }


def staying(frames: range, x: float) -> Rows:
    return [(frame, x, 100.0) for frame in frames]


@pytest.mark.parametrize(
    ("first_frame", "x", "score"),
    [
        (LAST + 1, 130, 0.3),  # two certain faces in neighbouring pictures are taken for one
        *((LAST + step, x, score) for step, x in ((2, 160), (3, 155), (6, 150)) for score in (0.3, 0.8)),
    ],
)
def test_a_second_face_beside_it_takes_no_cover_from_a_face_that_is_missed(
    first_frame: int, x: float, score: float
) -> None:
    missed, other = staying(range(LAST + 1), 100), staying(range(first_frame, 40), x)

    alone = covered(found(missed, score=score), 100, 100)

    assert max(alone) == LAST + 9
    assert covered(found(missed, other, score=score), 100, 100) >= alone


@pytest.mark.parametrize(("last_frame", "x"), [(18, 160), (17, 155)])
def test_nor_from_a_face_that_was_missed_before_its_first_find(last_frame: int, x: float) -> None:
    missed, other = staying(range(20, 40), 100), staying(range(5, last_frame + 1), x)

    alone = covered(found(missed), 100, 100)

    assert min(alone) == 11
    assert covered(found(missed, other), 100, 100) >= alone


def test_a_face_at_rest_that_is_missed_for_a_while_stays_held_although_it_is_found_again() -> None:
    """It turns a little meanwhile: what a hold would have covered is covered in the hole too."""
    rows = staying(range(LAST + 1), 100)
    again = staying(range(LAST + 15, 40), 100)
    ends = redact(np.arange(FRAMES), STAMPS_NS, found(rows), config=CONFIG, size=SIZE).at(np.arange(11, 20))

    filled = redact(np.arange(FRAMES), STAMPS_NS, found(rows, again), config=CONFIG, size=SIZE)

    for (end,), (whole,) in zip(ends, filled.at(np.arange(11, 20)), strict=True):
        # Jitter of a box smooths away in the middle of a track, and even coordinates round it.
        assert (whole[:2] <= end[:2] + 2).all()
        assert (whole[2:] >= end[2:] - 2).all()


moves = st.lists(st.tuples(st.integers(0, FRAMES - 1), st.integers(0, 12)), max_size=60)


@settings(max_examples=40)
@given(moves, st.sampled_from([0.0, 0.3, 1.0]), st.sampled_from([0.0, 0.1, 0.5]), st.integers(1, 30))
def test_holds_around_links_depend_on_no_picture_beyond_the_margin(
    rows: list[tuple[int, int]], fill_s: float, hold_s: float, length: int
) -> None:
    config = FaceBlurConfig(fill_s=fill_s, hold_s=hold_s, smooth_s=0.1)
    faces, frames = found([(frame, 100.0 + 13 * x, 100.0) for frame, x in set(rows)]), np.arange(FRAMES)
    whole = redact(frames, STAMPS_NS, faces, config=config, size=SIZE)

    for start in range(0, FRAMES, length):
        own = frames[start : start + length]
        first = int(np.searchsorted(STAMPS_NS, STAMPS_NS[own[0]] - config.margin_ns))
        stop = int(np.searchsorted(STAMPS_NS, STAMPS_NS[own[-1]] + config.margin_ns, side="right"))
        part = redact(
            frames[first:stop],
            STAMPS_NS[first:stop],
            within(faces, first, stop),
            config=config,
            size=SIZE,
        )
        assert all(map(np.array_equal, part.at(own), whole.at(own)))
