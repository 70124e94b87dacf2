"""Tracks bridge missed frames, end where faces end, and do not depend on how a stream is cut."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from episode_assets.anonymization.config import FaceBlurConfig
from episode_assets.anonymization.redaction import redaction_rectangles
from episode_assets.anonymization.redactions import Redactions, joined, redact, within
from episode_assets.anonymization.track_building import build_tracks
from episode_assets.anonymization.tracks import Detections, Source, TrackBoxes
from episode_assets.chunks import plan_chunks

STEP_NS = 66_666_667
CONFIG = FaceBlurConfig()
SIZE = (640, 480)


def stamps(count: int) -> np.ndarray:
    return 5_000_000_000 + STEP_NS * np.arange(count, dtype=np.int64)


def face(x: float, y: float, *, size: float = 60.0, score: float = 0.8) -> tuple[float, ...]:
    return (x, y, x + size, y + size * 1.25, score)


def track(frames: list[list[tuple[float, ...]]]) -> TrackBoxes:
    found = [np.array(rows, np.float32).reshape(-1, 5) for rows in frames]
    return tracked(found, stamps(len(found)))


def tracked(found: list[np.ndarray], stamps_ns: np.ndarray) -> TrackBoxes:
    return build_tracks(
        Detections.of(found),
        stamps_ns,
        fill_s=1.0,
        hold_s=0.3,
        hold_growth=0.03,
        smooth_s=0.2,
        strong_score=0.5,
        size=SIZE,
    )


@pytest.mark.parametrize("missed", [1, 3, 7, 13])
def test_a_moving_face_missed_for_up_to_a_second_stays_covered(missed: int) -> None:
    moving = [[face(40 + 9 * frame, 100 + 2 * frame)] for frame in range(40)]
    seen = [[] if 12 <= frame < 12 + missed else rows for frame, rows in enumerate(moving)]

    boxes = track(seen)

    for frame in range(40):
        rectangles = redaction_rectangles(boxes.box[boxes.frame == frame], scale=1.5, width=640, height=480)
        x0, y0, x1, y1 = moving[frame][0][:4]
        assert any(r[0] <= x0 and r[1] <= y0 and r[2] >= x1 and r[3] >= y1 for r in rectangles), frame
    assert set(boxes.track) == {0}


def test_filled_boxes_lie_on_the_way_and_carry_no_score() -> None:
    boxes = track([[face(0, 0)], [], [], [face(30, 60)]])

    filled = boxes.source == Source.INTERPOLATED
    assert boxes.frame[filled].tolist() == [1, 2]
    assert boxes.box[filled][:, :2] == pytest.approx(np.array([[10, 20], [20, 40]]), abs=1e-3)
    assert np.isnan(boxes.score[filled]).all()


def test_a_hole_longer_than_a_second_is_not_filled_but_held_at_both_ends() -> None:
    boxes = track([[face(50, 50)], *[[] for _ in range(20)], [face(50, 50)]])

    assert boxes.frame[boxes.source == Source.HELD].tolist() == [1, 2, 3, 4, 17, 18, 19, 20]
    assert not (boxes.source == Source.INTERPOLATED).any()
    assert len(set(boxes.track)) == 2


def test_a_held_box_grows_with_every_frame() -> None:
    boxes = track([[face(50, 50)], [], [], [], [], []])

    width = boxes.box[:, 2] - boxes.box[:, 0]
    assert width == pytest.approx(60 * 1.03 ** np.arange(5), rel=1e-5)


@pytest.mark.parametrize("is_leaving", [True, False])
def test_a_face_cut_by_the_edge_keeps_the_height_it_had_inside(is_leaving: bool) -> None:
    inside = [[face(480 + 20 * frame, 100)] for frame in range(5)]
    # At the edge the detector fits the upper part of what is left only.
    at_edge = [[(600.0 + 12 * frame, 100.0, 639.0, 130.0 - 3 * frame, 0.4)] for frame in range(3)]
    frames = [*inside, *at_edge] if is_leaving else [*at_edge[::-1], *inside[::-1]]

    boxes = track(frames)

    cut = [5, 6, 7] if is_leaving else [0, 1, 2]
    heights = (boxes.box[:, 3] - boxes.box[:, 1])[
        np.isin(boxes.frame, cut) & (boxes.source == Source.DETECTED)
    ]
    assert heights == pytest.approx([75.0, 75.0, 75.0])
    assert len(set(boxes.track)) == 1
    whole = boxes.box[(boxes.frame == 2) & (boxes.source == Source.DETECTED)]
    frame_2 = inside[2] if is_leaving else None
    assert frame_2 is None or whole.tolist() == [list(frame_2[0][:4])]


def test_a_weak_single_box_is_kept_and_held_too() -> None:
    boxes = track([[], [face(50, 50, score=0.21)], []])

    assert boxes.source.tolist() == [Source.HELD, Source.DETECTED, Source.HELD]


def test_two_faces_that_pass_each_other_keep_their_sizes_apart() -> None:
    frames = [[face(20 + 12 * f, 50), face(300 - 12 * f, 180)] for f in range(20)]

    boxes = track(frames)

    assert len(set(boxes.track)) == 2
    assert all(len({box.tobytes() for box in boxes.box[boxes.track == t]}) == 20 for t in (0, 1))


sparse_faces = st.lists(
    st.lists(
        st.tuples(
            st.integers(0, 8), st.integers(0, 4), st.sampled_from([30.0, 45.0, 80.0]), st.floats(0.2, 1.0)
        ),
        max_size=2,
        unique_by=lambda row: row[:2],
    ),
    min_size=2,
    max_size=70,
)


@settings(max_examples=60)
@given(sparse_faces, st.integers(1, 30), st.sets(st.integers(0, 69), max_size=20))
def test_cutting_a_stream_into_units_changes_no_box(
    rows: list[list[tuple]], length: int, left_out: set[int]
) -> None:
    """With its margin a unit of any length gets the boxes of the whole run, whatever pictures are left out."""
    position = np.array([i for i in range(len(rows)) if i not in left_out], np.int64)
    found = [
        np.array([face(40.0 * x, 40.0 * y, size=s, score=p) for x, y, s, p in rows[i]], np.float32)
        for i in position
    ]
    faces = Detections.of([boxes.reshape(-1, 5) for boxes in found])
    faces = replace(faces, frame=position[faces.frame])
    stamps_ns = stamps(len(rows))
    whole = redacted(position, stamps_ns, faces)

    for unit in plan_chunks(stamps_ns, np.zeros(len(rows), bool), length=length, margin_ns=CONFIG.margin_ns):
        seen = position[(position >= unit.lead_start) & (position < unit.tail_stop)]
        part = redacted(seen, stamps_ns, within(faces, unit.lead_start, unit.tail_stop))
        own = position[(position >= unit.start) & (position < unit.stop)]
        assert all(map(np.array_equal, part.at(own), whole.at(own)))


def redacted(position: np.ndarray, stamps_ns: np.ndarray, faces: Detections) -> Redactions:
    return redact(position, stamps_ns[position], faces, config=CONFIG, size=(640, 480))


def test_tracks_of_several_runs_get_names_of_their_own() -> None:
    faces = Detections.of([face_rows(face(50, 50)), face_rows(face(52, 50)), face_rows(face(300, 90))])
    stamps_ns = stamps(3)
    runs = [
        redacted(np.arange(start, stop), stamps_ns, within(faces, start, stop))
        for start, stop in ((0, 2), (2, 3))
    ]

    both = joined(runs)

    assert both.tracks.frame.tolist() == [0, 1, 2]
    assert both.tracks.track.tolist() == [0, 0, 1]


def test_a_box_beside_the_picture_is_no_redaction_and_takes_no_name() -> None:
    faces = Detections.of([face_rows(face(-200, 50), face(300, 90))])

    redactions = joined([redacted(np.arange(1), stamps(1), faces)])

    assert redactions.tracks.track.tolist() == [0]
    assert [len(rectangles) for rectangles in redactions.at(np.arange(1))] == [1]


def face_rows(*rows: tuple[float, ...]) -> np.ndarray:
    return np.array(rows, np.float32)
