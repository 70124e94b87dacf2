"""Pictures of nobody's recording: what any search finds in them is hidden before anything reaches a disk."""

from dataclasses import replace

import numpy as np
import pytest

from episode_assets.anonymization.picture_series import blur_series
from episode_assets.errors import NothingToExport
from episode_assets.video import decode_frames, join_segments, picture_to_rgb, probe
from episode_assets.video.rgb import picture_from_rgb
from episode_assets_tests.scripting.conftest import MARK_BLUR
from episode_assets_tests.scripting.stand_ins import MAGENTA, RESTLESS

BLUR = replace(MARK_BLUR, g=5, preset="ultrafast", fill_s=1.0, hold_s=0.0, smooth_s=0.0)
SIZE = (320, 180)


def scene(*, marked, count=12):
    """Return pictures with a moving grey block, and a mark in some of them."""

    def pictures():
        for number in range(count):
            rgb = np.full((180, 320, 3), 90, np.uint8)
            rgb[120:160, 10 * number : 10 * number + 40] = 160
            if number in marked:
                rgb[40:100, 50:110] = MAGENTA
            yield picture_from_rgb(rgb)

    return pictures


def shown(series, tmp_path):
    join_segments(series.segments, tmp_path / "out.mp4")
    return [picture_to_rgb(picture).astype(int) for _, picture in decode_frames(tmp_path / "out.mp4")]


def is_marked(rgb):
    return bool((abs(rgb - MAGENTA) < 60).all(axis=2).any())


def test_marks_are_hidden_and_the_rest_stays(tmp_path):
    series = blur_series(scene(marked={2, 3, 9}), tmp_path, size=SIZE, fps=10, config=BLUR)

    pictures = shown(series, tmp_path)
    assert len(pictures) == series.frames == 12
    assert not any(is_marked(rgb) for rgb in pictures)
    assert pictures[5][140, 60] == pytest.approx([160, 160, 160], abs=6)
    assert series.privacy["audit"] == "passed" and series.privacy["frames_with_faces"] == 3


def test_a_face_that_is_missed_for_a_moment_stays_covered(tmp_path):
    """Faces are followed over time: what is found before and after a hole of half a second is hidden in it."""
    calls = []

    def halves():
        calls.append(1)
        # Only the search is lied to; what is encoded shows the mark all the time.
        return scene(marked=set(range(12)) - ({5} if len(calls) == 1 else set()))()

    careless = replace(BLUR, audit_detector="benchmarks.no_faces:make")

    series = blur_series(halves, tmp_path, size=SIZE, fps=10, config=careless)

    assert not any(is_marked(rgb) for rgb in shown(series, tmp_path))


def test_what_only_the_audit_finds_is_blurred_in_another_round(tmp_path):
    blind = replace(BLUR, detector="benchmarks.no_faces:make")

    series = blur_series(scene(marked={7}), tmp_path, size=SIZE, fps=10, config=blind)

    assert not any(is_marked(rgb) for rgb in shown(series, tmp_path))


def test_a_picture_whose_finds_stay_is_painted_over_as_a_whole(tmp_path):
    noise = np.random.default_rng(1).integers(0, 255, (180, 320, 1), np.uint8).repeat(3, axis=2)

    series = blur_series(
        lambda: (picture_from_rgb(noise) for _ in range(3)),
        tmp_path,
        size=SIZE,
        fps=10,
        config=replace(BLUR, audit_detector=RESTLESS),
    )

    assert series.privacy["frames_painted"] == 3
    assert max(picture.std() for picture in shown(series, tmp_path)) < 3


def test_wanted_key_frames_are_there(tmp_path):
    told = []

    series = blur_series(
        scene(marked=set()),
        tmp_path,
        size=SIZE,
        fps=10,
        key_at={0, 3, 7},
        config=BLUR,
        on_group=lambda start, colours: told.append((start, len(colours))),
    )

    join_segments(series.segments, tmp_path / "out.mp4")
    assert probe(tmp_path / "out.mp4").key_frames.tolist() == [0, 3, 7]
    assert told == [(0, 3), (3, 4), (7, 5)]


def test_no_picture_is_no_series(tmp_path):
    with pytest.raises(NothingToExport):
        blur_series(lambda: iter(()), tmp_path, size=SIZE, fps=10, config=BLUR)
