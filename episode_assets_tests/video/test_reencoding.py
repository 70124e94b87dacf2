from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import av
import numpy as np
import pytest

from episode_assets.errors import BadConfig, BadVideo
from episode_assets.video import (
    DepthEncoderConfig,
    FrameOutOfRange,
    RGBEncoderConfig,
    Trim,
    decode_depth_codes,
    decode_frames,
    encode_frames,
    probe,
    reencode,
)
from episode_assets_tests.video.builders import number_in, numbered_picture, segment, video
from episode_assets_tests.video.foreign import foreign_video

STEADY = {"bf": 0, "sc_threshold": 0}
"""Key frames at the ends of groups only, never where the picture changes much."""

FIVES = RGBEncoderConfig(g=5, extra_options=STEADY)
AV1 = RGBEncoderConfig(vcodec="libsvtav1", g=4, crf=20.0, preset=12, extra_options=())


@pytest.fixture
def source(tmp_path):
    """20 frames at 10 Hz, key frames at 0, 5, 10, 15."""
    path = tmp_path / "source.mp4"
    encode_frames(map(numbered_picture, range(20)), path, FIVES, fps=10)
    return path


def numbers(path):
    return [number_in(picture.y) for _, picture in decode_frames(path)]


def test_another_codec_shows_the_same_frames_at_the_same_times(tmp_path, source):
    done = reencode(source, tmp_path / "out.mp4", AV1)

    assert not done.is_copy
    assert (done.probe.codec, done.probe.rate, done.probe.duration) == ("av1", 10, 2)
    assert done.probe.max_key_gap == 4
    assert numbers(tmp_path / "out.mp4") == list(range(20))


@pytest.mark.parametrize(
    ("trim", "kept"),
    [
        (Trim(), range(20)),
        (Trim(first_frame=3), range(3, 20)),
        (Trim(stop_frame=4), range(4)),
        (Trim(first_frame=3, stop_frame=9), range(3, 9)),
        (Trim(start_s=0.3, stop_s=0.9), range(3, 9)),
        (Trim(start_s=Fraction(3, 10), stop_s=Fraction(9, 10)), range(3, 9)),
        (Trim(start_s=1 / 3 - 1 / 30, stop_s=0.1 + 0.2 + 0.6), range(3, 9)),
        (Trim(start_s=0.31), range(4, 20)),
        (Trim(stop_s=0.31), range(4)),
        (Trim(stop_s=99.0), range(20)),
    ],
)
def test_a_trim_keeps_the_frames_whose_stamps_lie_in_it(tmp_path, source, trim, kept):
    done = reencode(source, tmp_path / "out.mp4", RGBEncoderConfig(), trim=trim)

    assert numbers(tmp_path / "out.mp4") == list(kept)
    assert done.probe.first_pts == 0


@pytest.mark.parametrize(
    "trim",
    [
        Trim(first_frame=5, stop_frame=5),
        Trim(first_frame=-1),
        Trim(stop_frame=21),
        Trim(start_s=2.0),
        Trim(start_s=0.5, stop_s=0.4),
        Trim(start_s=0.31, stop_s=0.39),
    ],
)
def test_a_trim_without_frames_or_beyond_the_end_is_refused(tmp_path, source, trim):
    with pytest.raises(FrameOutOfRange, match="of 20"):
        reencode(source, tmp_path / "out.mp4", AV1, trim=trim)

    assert not (tmp_path / "out.mp4").exists()


def test_frames_and_seconds_do_not_mix(tmp_path, source):
    with pytest.raises(BadConfig, match="either frames or seconds"):
        reencode(source, tmp_path / "out.mp4", AV1, trim=Trim(first_frame=1, stop_s=1.0))


def test_uneven_stamps_are_kept_or_made_even(tmp_path):
    video(tmp_path / "gap.mp4", segment(range(6)), segment(range(6, 10), start_us=10**7))
    before = probe(tmp_path / "gap.mp4").pts_us

    kept = reencode(tmp_path / "gap.mp4", tmp_path / "kept.mp4", AV1, trim=Trim(first_frame=2)).probe
    even = reencode(tmp_path / "gap.mp4", tmp_path / "even.mp4", AV1, fps=15).probe

    assert kept.pts_us.tolist() == (before[2:] - before[2]).tolist()
    assert (even.is_cfr, even.rate, even.frames) == (True, 15, 10)


def test_a_fractional_rate_survives(tmp_path):
    rate = Fraction(30000, 1001)
    foreign_video(tmp_path / "ntsc.mp4", rate=rate)

    assert reencode(tmp_path / "ntsc.mp4", tmp_path / "out.mp4", AV1).probe.rate == rate


def test_reordered_frames_come_out_in_order_and_the_sound_is_left(tmp_path):
    foreign_video(tmp_path / "b.mp4", options={"bf": "3"}, has_audio=True)

    done = reencode(tmp_path / "b.mp4", tmp_path / "out.mp4", RGBEncoderConfig())

    assert not done.probe.has_b_frames and not done.probe.has_audio
    assert numbers(tmp_path / "out.mp4") == list(range(20))


def packets(path):
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(video=0) if packet.size]


@pytest.mark.parametrize(
    ("trim", "fps"), [(None, None), (Trim(first_frame=5, stop_frame=18), None), (None, 25)]
)
def test_nothing_is_encoded_where_the_configuration_matches(tmp_path, source, trim, fps):
    done = reencode(
        source,
        tmp_path / "out.mp4",
        FIVES,
        encoded_with=FIVES,
        trim=trim,
        fps=fps,
    )

    part = slice(5, 18) if trim else slice(None)
    assert done.is_copy
    assert packets(tmp_path / "out.mp4") == packets(source)[part]
    assert (done.probe.rate, done.probe.first_pts) == (fps or 10, 0)
    assert done.probe.duration == Fraction(len(packets(source)[part]), fps or 10)


@pytest.mark.parametrize(
    ("config", "trim"),
    [(FIVES, Trim(first_frame=6)), (replace(FIVES, crf=19.0), None)],
)
def test_a_start_inside_a_group_or_other_settings_are_encoded(tmp_path, source, config, trim):
    done = reencode(source, tmp_path / "out.mp4", config, encoded_with=FIVES, trim=trim)

    assert not done.is_copy
    assert numbers(tmp_path / "out.mp4") == list(range(6 if trim else 0, 20))


def test_a_claim_that_the_file_itself_denies_is_not_believed(tmp_path, source):
    assert not reencode(source, tmp_path / "out.mp4", AV1, encoded_with=AV1).is_copy


def test_depth_codes_stay_what_they_are(tmp_path):
    codes = [np.random.default_rng(n).integers(0, 4096, (48, 64)).astype(np.uint16) for n in range(5)]
    encode_frames(codes, tmp_path / "d.mp4", DepthEncoderConfig(), fps=10)

    reencode(tmp_path / "d.mp4", tmp_path / "out.mp4", DepthEncoderConfig(g=2, preset="superfast"))

    found = [image for _, image in decode_depth_codes(tmp_path / "out.mp4")]
    assert all(np.array_equal(*pair) for pair in zip(found, codes, strict=True))


def test_depth_does_not_become_colour_nor_colour_depth(tmp_path, source):
    encode_frames([np.zeros((48, 64), np.uint16)], tmp_path / "d.mp4", DepthEncoderConfig(), fps=10)
    before = sorted(tmp_path.iterdir())

    for path, config in ((source, DepthEncoderConfig()), (tmp_path / "d.mp4", RGBEncoderConfig())):
        with pytest.raises(BadVideo, match="came for an encoder of"):
            reencode(path, tmp_path / "out.mp4", config)
    assert sorted(tmp_path.iterdir()) == before


def test_a_video_may_take_its_own_place(tmp_path, source):
    with pytest.raises(BadVideo, match="exists"):
        reencode(source, source, AV1)

    reencode(source, source, AV1, overwrite=True)

    assert probe(source).codec == "av1"
    assert sorted(tmp_path.iterdir()) == [source]
