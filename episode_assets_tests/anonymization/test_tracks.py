"""Tracks bridge missed frames, end where faces end, and do not depend on how a stream is cut."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from episode_assets.anonymization.joined_tracks import NamedBoxes, join_track_names
from episode_assets.anonymization.redaction import redaction_rectangles
from episode_assets.anonymization.tracks import Detections, Source, TrackBoxes, build_tracks
from episode_assets.chunks import plan_chunks

STEP_NS = 66_666_667
MARGIN_NS = 1_300_000_000


def stamps(count: int) -> np.ndarray:
    return 5_000_000_000 + STEP_NS * np.arange(count, dtype=np.int64)


def face(x: float, y: float, *, size: float = 60.0, score: float = 0.8) -> tuple[float, ...]:
    return (x, y, x + size, y + size * 1.25, score)


def track(frames: list[list[tuple[float, ...]]]) -> TrackBoxes:
    found = [np.array(rows, np.float32).reshape(-1, 5) for rows in frames]
    return tracked(found, stamps(len(found)))


def tracked(found: list[np.ndarray], stamps_ns: np.ndarray) -> TrackBoxes:
    return build_tracks(
        Detections.of(found), stamps_ns, fill_s=1.0, hold_s=0.3, hold_growth=0.03, strong_score=0.5
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


@settings(max_examples=60, deadline=None)
@given(sparse_faces, st.integers(5, 30))
def test_cutting_a_stream_into_chunks_changes_no_box(rows: list[list[tuple]], length: int) -> None:
    """Every chunk sees its margin; then neither a box nor the name of a track depends on the cut."""
    found = [
        np.array([face(40.0 * x, 40.0 * y, size=s, score=p) for x, y, s, p in frame], np.float32).reshape(
            -1, 5
        )
        for frame in rows
    ]
    stamps_ns = stamps(len(found))
    whole = tracked(found, stamps_ns)
    chunks = plan_chunks(stamps_ns, np.zeros(len(found), bool), length=length, margin_ns=MARGIN_NS)

    named: list[NamedBoxes] = []
    for chunk in chunks:
        part = tracked(
            found[chunk.lead_start : chunk.tail_stop], stamps_ns[chunk.lead_start : chunk.tail_stop]
        )
        position = part.frame + chunk.lead_start
        named.append(NamedBoxes(position, part, (position >= chunk.start) & (position < chunk.stop)))
    names = join_track_names(named)

    def keys(frame: np.ndarray, boxes: TrackBoxes, name: np.ndarray) -> list[tuple]:
        return sorted(
            (int(f), int(s), box.tobytes(), int(n))
            for f, s, box, n in zip(frame, boxes.source, boxes.box, name, strict=True)
        )

    in_parts = [
        key
        for chunk, name in zip(named, names, strict=True)
        for key in keys(chunk.position[chunk.is_own], _only(chunk.tracks, chunk.is_own), name[chunk.is_own])
    ]
    numbers = _renumbered(sorted(in_parts), keys(whole.frame, whole, whole.track))
    assert numbers[0] == numbers[1]


def _only(boxes: TrackBoxes, rows: np.ndarray) -> TrackBoxes:
    return TrackBoxes(*(getattr(boxes, name)[rows] for name in TrackBoxes.__dataclass_fields__))


def _renumbered(*lists: list[tuple]) -> list[list[tuple]]:
    """Give both lists track numbers by first use, so that only the grouping is compared."""
    result = []
    for rows in lists:
        first: dict[int, int] = {}
        result.append([(*row[:3], first.setdefault(row[3], len(first))) for row in sorted(rows)])
    return result
