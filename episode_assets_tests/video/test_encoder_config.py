from __future__ import annotations

import pytest

from episode_assets.errors import BadConfig
from episode_assets.video import DepthEncoderConfig, RGBEncoderConfig, SegmentEncoder, resolved
from episode_assets.video.encoder_config import AUTO_ORDER


def test_the_default_is_short_closed_groups_without_reordering():
    assert dict(RGBEncoderConfig().options(threads=1)) == {
        "bf": "0",
        "crf": "18",
        "g": "15",
        "preset": "veryfast",
        "threads": "1",
    }


def test_av1_is_another_name_of_libsvtav1():
    config = RGBEncoderConfig(vcodec="av1", preset=10, fast_decode=2, extra_options=())

    assert config.vcodec == "libsvtav1"
    assert dict(config.options(threads=2))["svtav1-params"] == "fast-decode=2:lp=2"


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"vcodec": "h264_nvenc", "preset": "p4"}, {"rc": "0", "qp": "18", "preset": "p4"}),
        ({"vcodec": "h264_vaapi", "pix_fmt": "vaapi"}, {"qp": "18"}),
        ({"vcodec": "hevc", "fast_decode": 1}, {"crf": "18", "preset": "veryfast", "tune": "fastdecode"}),
        ({"vcodec": "h264", "crf": 20.5}, {"crf": "20.5", "preset": "veryfast"}),
    ],
)
def test_quality_is_told_to_each_codec_in_its_own_words(fields, expected):
    try:
        config = RGBEncoderConfig(**{"extra_options": (), "g": None, **fields})
    except BadConfig as error:
        if "not built into" in str(error):
            pytest.skip(str(error))
        raise

    assert dict(config.options()) == expected


def test_an_extra_option_never_overrides_a_field():
    config = RGBEncoderConfig(crf=23.0, extra_options=(("crf", "1"), ("bf", "0")))

    assert dict(config.options())["crf"] == "23"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"vcodec": "h265x"}, "unknown vcodec 'h265x'"),
        ({"pix_fmt": "yuv42p"}, "did you mean 'yuv4"),
        ({"pix_fmt": "gray"}, "1 component"),
        ({"g": 0}, "g must be"),
        ({"g": True}, "g must be"),
        ({"crf": 99.0}, "between 0 and 51"),
        ({"preset": "veryfst"}, "did you mean 'veryfast'"),
        ({"fast_decode": -1}, "fast_decode"),
        ({"video_backend": "opencv"}, "video_backend"),
        ({"extra_options": (("bff", "0"),)}, "no option 'bff', did you mean 'bf'"),
        ({"extra_options": (("bf", "many"),)}, "must be a number"),
        ({"extra_options": (("bf", "1.5"),)}, "whole number"),
        ({"extra_options": (("x264-params", "a=b=c"),)}, "key=value"),
    ],
)
def test_a_wrong_option_is_refused_with_its_name(fields, words):
    with pytest.raises(BadConfig, match=words):
        RGBEncoderConfig(**fields)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"depth_min": 3.0, "depth_max": 2.0}, "must lie below"),
        ({"depth_min": -4.0}, "must be positive"),
        ({"pix_fmt": "yuv9"}, "pix_fmt"),
    ],
)
def test_wrong_depth_settings_are_refused(fields, words):
    with pytest.raises(BadConfig, match=words):
        DepthEncoderConfig(**fields)


def test_depth_is_lossless_grey_by_default():
    assert dict(DepthEncoderConfig().options())["x265-params"].startswith("lossless=1")


@pytest.mark.parametrize("size", [(63, 48), (64, 47), (0, 48)])
def test_halved_chroma_needs_even_sizes(size):
    with pytest.raises(BadConfig):
        RGBEncoderConfig().check_size(*size)


def test_an_option_that_the_encoder_itself_refuses_is_bad_configuration():
    config = RGBEncoderConfig(extra_options=(("bf", "0"), ("profile", "baseline9")))

    with pytest.raises(BadConfig, match="does not open"):
        SegmentEncoder(config, true_width=64, true_height=48)


def test_auto_takes_an_encoder_that_works_here():
    config = resolved(RGBEncoderConfig(vcodec="auto", preset=None, extra_options=()))

    assert config.vcodec in AUTO_ORDER
    assert resolved(config) is config


def test_auto_names_every_encoder_it_tried():
    with pytest.raises(BadConfig, match=r"libsvtav1: .*whole number|libsvtav1: .*must be a number"):
        resolved(RGBEncoderConfig(vcodec="auto", preset="veryfast"))
