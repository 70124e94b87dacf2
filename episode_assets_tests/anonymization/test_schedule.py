"""Which pictures are searched how far, and that small faces stay covered on those that are searched less far."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from episode_assets.anonymization import FaceBlurConfig, blur_recording
from episode_assets.anonymization.looking import Seeker, lonely_pictures
from episode_assets.anonymization.searching import FaceSearch
from episode_assets.anonymization.upright import Upright
from episode_assets.recording import Attitude
from episode_assets.video import decode_frames, decode_picture
from episode_assets_tests.anonymization.material import Scene, record
from episode_assets_tests.anonymization.measures import lost_share
from episode_assets_tests.anonymization.test_tiles import Bright, picture_with

FRAMES = 20


def widths_seen(
    *, stride: int, far_stride: int, roll: Attitude, lonely: tuple[int, ...] = ()
) -> list[list[int]]:
    """For each picture the widths that the detector was given: 128 px far, 64 px near."""
    detector = Bright()
    far, near = (
        FaceSearch(detector, width=128, height=96, min_face_px=face, tile_px=512, score_threshold=0.2)
        for face in (16, 32)
    )
    upright = Upright(roll, key_stride=6)
    is_lonely = np.isin(np.arange(len(roll.roll_rad)), lonely)
    seek = Seeker(
        far, near, near, 0.5, stride=stride, far_stride=far_stride, upright=upright, is_lonely=is_lonely
    )
    seen = []
    for position in range(len(roll.roll_rad)):
        detector.seen.clear()
        seek(position, picture_with((128, 96), (0, 0, 0, 0)))
        seen.append([max(size) for size in detector.seen])
    return seen


def test_every_nth_picture_is_searched_fully_and_those_between_for_larger_faces() -> None:
    level = Attitude(np.zeros(5), "pose")

    assert widths_seen(stride=1, far_stride=2, roll=level) == [[128], [64], [128], [64], [128]]
    assert widths_seen(stride=2, far_stride=2, roll=level) == [[128], [], [64], [], [128]]
    assert widths_seen(stride=1, far_stride=1, roll=level) == [[128]] * 5


def test_pictures_that_no_track_reaches_are_searched_fully() -> None:
    level = Attitude(np.zeros(6), "pose")

    assert widths_seen(stride=2, far_stride=2, roll=level, lonely=(1, 2)) == [
        [128],
        [128],
        [128],
        [],
        [128],
        [],
    ]


def test_no_track_reaches_ends_gaps_and_steps_longer_than_a_hold() -> None:
    stamps_ns = np.cumsum([0, 1, 1, 1, 4, 1, 1, 1, 1]) * 100_000_000
    gap_before = np.array([1, 0, 0, 0, 0, 0, 0, 1, 0], bool)

    lonely = lonely_pictures(stamps_ns, gap_before, hold_s=0.3)

    assert np.flatnonzero(lonely).tolist() == [0, 3, 4, 6, 7, 8]


def test_pictures_on_the_grid_of_unknown_roll_are_searched_fully_at_all_right_angles() -> None:
    unknown = Attitude.unknown(8)

    assert widths_seen(stride=5, far_stride=2, roll=unknown) == [
        *([128] * 4, [], [], [], [], [64], [128] * 4, [])
    ]


@pytest.mark.usefixtures("weights")
def test_a_face_that_only_far_pictures_show_is_covered_between_them(tmp_path: Path) -> None:
    """At 28 px it is found at the full reach alone, and the audit, which would see it, may blur nothing itself."""
    scene = Scene(faces={frame: (40 + 3.0 * frame, 60 + frame) for frame in range(4, 17)}, face_px=28)
    (tmp_path / "artifact").mkdir()
    config = FaceBlurConfig(near_face_px=100, far_stride=3, hold_s=0.1, audit_rounds=0)

    outcome = blur_recording(
        record(tmp_path, [scene.jpeg(frame) for frame in range(FRAMES)]),
        tmp_path / "artifact",
        config=config,
    )

    rows = pq.read_table(tmp_path / "artifact" / "faces.parquet").to_pylist()
    assert {row["frame_index"] for row in rows if row["source"] == "detected"} <= set(range(0, FRAMES, 3))
    assert outcome.audit_passed
    for frame, picture in decode_frames(tmp_path / "artifact" / "rgb.mp4", range(6, 16)):
        source = decode_picture("jpeg", scene.jpeg(frame))
        assert lost_share(source.y, picture.y, scene.face_box(frame)) > 0.95, frame
