from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from episode_assets.errors import BadVideo
from episode_assets.video import ParameterSetMismatch, RGBEncoderConfig, decode_frames, join_segments, probe
from episode_assets_tests.video.builders import STEP_US, number_in, segment, video


def test_stamps_are_kept_to_the_microsecond_across_a_gap(tmp_path):
    first, second = segment(range(10), start_us=123_456), segment(range(10, 20), start_us=8_123_457)

    found = video(tmp_path / "joined.mp4", first, second)

    expected = np.asarray([*first.pts_us, *second.pts_us]) - first.pts_us[0]
    assert found.pts.tolist() == expected.tolist()
    assert found.time_base == Fraction(1, 1_000_000)
    assert found.duration * 1_000_000 == expected[-1] + STEP_US
    assert not found.is_cfr


def test_each_segment_begins_with_a_key_frame_and_shows_its_own_pictures(tmp_path):
    found = video(tmp_path / "joined.mp4", *(segment(range(start, start + 7)) for start in (0, 7, 14)))

    assert {0, 7, 14} <= set(found.key_frames.tolist())
    assert [number_in(picture.y) for _, picture in decode_frames(tmp_path / "joined.mp4")] == list(range(21))


def test_the_index_lies_first_and_nothing_tells_who_wrote_it_or_when(tmp_path):
    found = video(tmp_path / "joined.mp4", segment(range(5)))
    content = (tmp_path / "joined.mp4").read_bytes()

    assert found.faststart
    assert b"elst" not in content
    assert b"Lavf" not in content
    with av.open(str(tmp_path / "joined.mp4")) as container:
        assert "creation_time" not in container.metadata
        assert "encoder" not in container.metadata


def test_joining_twice_gives_equal_bytes(tmp_path):
    parts = [segment(range(6)), segment(range(6, 12))]
    video(tmp_path / "a.mp4", *parts)
    video(tmp_path / "b.mp4", *parts)

    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()


def test_colours_are_tagged_as_limited_range_with_the_bt601_matrix(tmp_path):
    found = video(tmp_path / "joined.mp4", segment(range(5)))

    assert (found.color_range, found.color_matrix, found.pix_fmt) == (1, 6, "yuv420p")


def test_a_single_frame_makes_a_video(tmp_path):
    assert video(tmp_path / "one.mp4", segment([0])).frames == 1


@pytest.mark.parametrize(("hours", "ticks"), [(0.5, 1_000_000), (1, 90_000), (10, 1_000)])
def test_a_hole_of_hours_costs_resolution_but_no_frame(tmp_path, hours, ticks):
    late = segment(range(3, 6), start_us=int(hours * 3600e6))

    found = video(tmp_path / "long.mp4", segment(range(3)), late)

    assert found.frames == 6
    assert found.time_base.denominator == ticks
    assert abs(int(found.pts_us[3]) - late.pts_us[0]) <= 500_000 // ticks + 1


def test_segments_of_other_settings_are_refused_before_anything_is_written(tmp_path):
    with pytest.raises(ParameterSetMismatch):
        video(
            tmp_path / "bad.mp4", segment(range(5)), segment(range(5, 9), config=RGBEncoderConfig(crf=30.0))
        )

    assert not (tmp_path / "bad.mp4").exists()


def test_segments_out_of_order_are_refused(tmp_path):
    with pytest.raises(BadVideo, match="does not advance"):
        video(tmp_path / "bad.mp4", segment(range(5, 9)), segment(range(5)))


def test_nothing_to_join_is_refused(tmp_path):
    with pytest.raises(BadVideo, match="no segment"):
        join_segments([], tmp_path / "none.mp4")


@settings(max_examples=10, deadline=None)
@given(st.lists(st.lists(st.integers(1, 10**7), min_size=1, max_size=6), min_size=1, max_size=4))
def test_any_split_into_segments_gives_the_same_stamps(tmp_path_factory, runs):
    directory = tmp_path_factory.mktemp("join")
    parts, now, expected = [], 0, []
    for run in runs:
        stamps = []
        for step in run:
            now += step
            stamps.append(now)
        expected += stamps
        made = segment(range(len(run)))
        parts.append(type(made)(**{**made.__dict__, "pts_us": tuple(stamps)}))

    video(directory / "v.mp4", *parts)

    assert probe(directory / "v.mp4").pts.tolist() == [stamp - expected[0] for stamp in expected]
