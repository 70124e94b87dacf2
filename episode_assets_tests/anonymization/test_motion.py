"""A face that is missed stays covered where its motion leads, and nothing that was measured is ever cut."""

from __future__ import annotations

from collections.abc import Callable, Collection

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from episode_assets.anonymization.config import FaceBlurConfig
from episode_assets.anonymization.redaction import Shape, hiding_rectangles
from episode_assets.anonymization.redactions import Redactions, redact, within
from episode_assets.anonymization.track_building import build_tracks
from episode_assets.anonymization.tracks import Detections, Source, TrackBoxes
from episode_assets.chunks import plan_chunks

STEP_NS = 66_666_667
SIZE = (1280, 720)
FACE = np.array([60.0, 75.0])
FILL = 13
"""Most pictures that lie between two others less than a second apart, at 15 Hz."""
HOLD = 4
"""Pictures within 0.3 s."""

Path = Callable[[int], tuple[float, float]]


def stamps(count: int) -> np.ndarray:
    return 5_000_000_000 + STEP_NS * np.arange(count, dtype=np.int64)


def steady(frame: int) -> tuple[float, float]:
    return 100 + 21.0 * frame, 200 + 3.0 * frame


def turning(frame: int) -> tuple[float, float]:
    """To one side and back, fastest in the middle: up to a third of a face from frame to frame."""
    return 400 + 260 * np.sin(frame / 13), 300 + 60 * np.cos(frame / 13)


def starting(frame: int) -> tuple[float, float]:
    """At rest, then three faces aside within half a second, then at rest."""
    share = np.clip((frame - 18) / 8, 0, 1)
    return 300 + 180 * (1 - np.cos(np.pi * share)) / 2, 200.0


def true_box(path: Path, frame: int) -> np.ndarray:
    centre = np.array(path(frame))
    return np.concatenate([centre - FACE / 2, centre + FACE / 2])


def tracked(
    path: Path, count: int, missed: Collection[int], *, jitter_px: float = 0.0, score: float = 0.8
) -> TrackBoxes:
    random = np.random.default_rng(5)
    found = []
    for frame in range(count):
        box = true_box(path, frame) + random.uniform(-jitter_px, jitter_px, 4)
        found.append(np.array([[*box, score]] if frame not in missed else [], np.float32).reshape(-1, 5))
    return build_tracks(
        Detections.of(found),
        stamps(count),
        fill_s=1.0,
        hold_s=0.3,
        hold_growth=0.03,
        smooth_s=0.2,
        strong_score=0.5,
        size=SIZE,
    )


def hidden(boxes: TrackBoxes, frame: int, shape: Shape = "box") -> np.ndarray:
    rows = boxes.frame == frame
    return hiding_rectangles(
        boxes.hull[rows], boxes.side[rows], scale=1.5, shape=shape, width=SIZE[0], height=SIZE[1]
    )


def is_covered(box: np.ndarray, rectangles: np.ndarray) -> bool:
    return any((r[:2] <= box[:2]).all() and (r[2:] >= box[2:]).all() for r in rectangles)


@pytest.mark.parametrize("path", [steady, turning, starting])
@pytest.mark.parametrize("missed", [1, 5, 12, FILL])
@pytest.mark.parametrize("first", [10, 15, 20])
def test_a_moving_face_missed_for_up_to_the_fill_time_stays_covered(
    path: Path, missed: int, first: int
) -> None:
    boxes = tracked(path, 45, range(first, first + missed), jitter_px=1.5)

    bare = [frame for frame in range(45) if not is_covered(true_box(path, frame), hidden(boxes, frame))]

    assert bare == []
    assert set(boxes.track) == {0}


@pytest.mark.parametrize("path", [steady, turning])
@pytest.mark.parametrize("missed", [1, HOLD])
def test_a_moving_face_missed_before_its_first_and_after_its_last_find_stays_covered(
    path: Path, missed: int
) -> None:
    unseen = [*range(missed), *range(30 - missed, 30)]
    boxes = tracked(path, 30, unseen, jitter_px=1.5)

    assert all(is_covered(true_box(path, frame), hidden(boxes, frame)) for frame in unseen)


@pytest.mark.parametrize("step_px", [0, 30, 50])
def test_a_doubtful_face_that_is_sought_in_every_other_picture_is_covered_between(step_px: int) -> None:
    def path(frame: int) -> tuple[float, float]:
        return 60 + step_px * frame, 300.0

    boxes = tracked(path, 17, range(1, 17, 2), score=0.3)

    assert all(is_covered(true_box(path, frame), hidden(boxes, frame)) for frame in range(17))


def test_a_face_missed_for_one_picture_more_than_the_fill_time_is_held_at_both_ends_only() -> None:
    boxes = tracked(steady, 45, range(10, 10 + FILL + 1))

    assert not (boxes.source == Source.INTERPOLATED).any()
    assert np.unique(boxes.frame[boxes.source == Source.HELD]).tolist() == [10, 11, 12, 13, 20, 21, 22, 23]


def test_a_face_that_stops_where_it_was_last_found_stays_covered_too() -> None:
    """Where it goes is not known, so where it was is kept."""
    boxes = tracked(steady, 30, range(20, 30))

    for frame in range(20, 20 + HOLD):
        assert is_covered(true_box(steady, 19), hidden(boxes, frame))


def test_a_held_face_is_followed_by_its_own_size_at_most() -> None:
    boxes = tracked(lambda frame: (100 + 25.0 * frame, 300.0), 30, range(20, 30))

    held = boxes.hull[boxes.source == Source.HELD]
    assert (held[:, 2] - held[:, 0]).max() < 2.5 * FACE[0]


def test_a_face_at_rest_is_covered_no_farther_than_it_grows() -> None:
    boxes = tracked(lambda frame: (300.0, 300.0), 30, [*range(8, 14), *range(25, 30)])

    filled = boxes.source == Source.INTERPOLATED
    filled_widths = boxes.hull[filled, 2] - boxes.hull[filled, 0]
    assert filled_widths == pytest.approx(FACE[0] * 1.03 ** np.array([1, 2, 4, 4, 2, 1]), rel=1e-3)
    widths = (boxes.hull[:, 2] - boxes.hull[:, 0])[boxes.frame > 24]
    assert widths == pytest.approx(FACE[0] * 1.03 ** np.arange(1, 5), rel=0.02)


def test_a_box_that_shrinks_for_one_picture_keeps_most_of_its_size() -> None:
    """A detector that fits half a face now and then must not uncover the other half."""
    found = [np.array([[300, 200, 360, 275, 0.8]], np.float32) for _ in range(11)]
    found[5] = np.array([[300, 200, 330, 275, 0.8]], np.float32)

    boxes = build_tracks(
        Detections.of(found),
        stamps(11),
        fill_s=1.0,
        hold_s=0.0,
        hold_growth=0.0,
        smooth_s=0.2,
        strong_score=0.5,
        size=SIZE,
    )

    assert boxes.box[5].tolist() == [300, 200, 330, 275]
    assert boxes.hull[5, 0] <= 300
    assert boxes.hull[5, 2] > 345


boxes_in_frames = st.lists(
    st.lists(
        st.tuples(
            st.floats(0, 400), st.floats(0, 300), st.floats(10, 90), st.floats(10, 90), st.floats(0.2, 1.0)
        ),
        max_size=2,
    ),
    min_size=1,
    max_size=40,
)


def detections(rows: list[list[tuple[float, ...]]]) -> Detections:
    return Detections.of(
        [
            np.array([(x, y, x + w, y + h, p) for x, y, w, h, p in frame], np.float32).reshape(-1, 5)
            for frame in rows
        ]
    )


@settings(max_examples=60, deadline=None)
@given(boxes_in_frames, st.sampled_from(["box", "ellipse"]))
def test_no_measured_box_is_ever_cut(rows: list[list[tuple[float, ...]]], shape: Shape) -> None:
    found = detections(rows)
    config = FaceBlurConfig(shape=shape)

    redactions = redact(np.arange(len(rows)), stamps(len(rows)), found, config=config, size=SIZE)

    for frame, box in zip(found.frame, found.box, strict=True):
        (rectangles,) = redactions.at(np.array([frame]))
        assert is_covered(box, rectangles)


@settings(max_examples=60, deadline=None)
@given(
    boxes_in_frames,
    st.integers(1, 12),
    st.sampled_from([0.0, 0.2, 0.5]),
    st.sampled_from([0.0, 0.3, 0.9]),
    st.sampled_from([0.0, 0.1, 0.4]),
)
def test_no_setting_lets_a_box_depend_on_pictures_beyond_the_margin(
    rows: list[list[tuple[float, ...]]], length: int, fill_s: float, hold_s: float, smooth_s: float
) -> None:
    config = FaceBlurConfig(fill_s=fill_s, hold_s=hold_s, smooth_s=smooth_s)
    found, stamps_ns, position = detections(rows), stamps(len(rows)), np.arange(len(rows))

    def rectangles(start: int, stop: int) -> Redactions:
        part = position[start:stop]
        return redact(part, stamps_ns[start:stop], within(found, start, stop), config=config, size=SIZE)

    whole = rectangles(0, len(rows))
    for unit in plan_chunks(stamps_ns, np.zeros(len(rows), bool), length=length, margin_ns=config.margin_ns):
        own = position[unit.start : unit.stop]
        part = rectangles(unit.lead_start, unit.tail_stop)
        assert all(map(np.array_equal, part.at(own), whole.at(own)))
