from __future__ import annotations

import json

import pytest

from episode_assets.errors import BadConfig
from episode_assets.lerobot import Recipe
from episode_assets.video import DepthEncoderConfig, RGBEncoderConfig, SegmentEncoder, resolved
from episode_assets.video.codecs import AUTO_ORDER, quality_options
from episode_assets.video.encoding import library_words


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


def test_lerobots_defaults_are_those_of_its_release():
    assert dict(RGBEncoderConfig.lerobot().options()) == {
        "crf": "30",
        "g": "2",
        "preset": "12",
        "svtav1-params": "fast-decode=0",
    }
    assert dict(DepthEncoderConfig.lerobot().options()) == {
        "crf": "30",
        "g": "2",
        "x265-params": "lossless=1",
    }


def test_libsvtav1_without_a_preset_takes_the_fast_one():
    assert RGBEncoderConfig(vcodec="libsvtav1", preset=None, extra_options=()).preset == 12


@pytest.mark.parametrize("config_class", [RGBEncoderConfig, DepthEncoderConfig])
def test_a_configuration_travels_as_a_plain_mapping(config_class):
    for config in (config_class(), config_class.lerobot(), config_class(g=None, crf=None)):
        assert config_class.from_mapping(json.loads(json.dumps(config.to_mapping()))) == config


def test_a_codec_alone_is_a_whole_choice():
    for vcodec in ("av1", "libsvtav1"):
        config = RGBEncoderConfig.from_mapping({"vcodec": vcodec})
        assert (config.preset, config.crf, config.g, config.extra_options) == (12, 30.0, 15, ())
    assert RGBEncoderConfig.from_mapping({"vcodec": "hevc"}).preset == "veryfast"
    assert RGBEncoderConfig.from_mapping({"vcodec": "h264"}) == RGBEncoderConfig()
    assert resolved(RGBEncoderConfig.from_mapping({"vcodec": "auto"})).vcodec in AUTO_ORDER
    assert RGBEncoderConfig.from_mapping({"vcodec": "av1", "crf": 18, "preset": 8}).crf == 18


def test_an_unknown_key_names_the_nearest_field():
    with pytest.raises(BadConfig, match=r"unknown encoder key 'present'.*did you mean 'preset'"):
        RGBEncoderConfig.from_mapping({"present": "fast"})


@pytest.mark.parametrize(
    "fields",
    [
        {"crf": True},
        {"crf": float("nan")},
        {"crf": "18"},
        {"preset": True},
        {"preset": 1.5},
        {"vcodec": 264},
        {"vcodec": ["h264"]},
        {"fast_decode": 1.5},
        {"extra_options": {"bf": False}},
        {"extra_options": "bf=0"},
        {"extra_options": (("bf",),)},
        {"extra_options": {"forced-idr": "perhaps"}},
    ],
)
def test_a_value_of_the_wrong_kind_is_refused(fields):
    for make in (RGBEncoderConfig.from_mapping, lambda given: RGBEncoderConfig(**given)):
        with pytest.raises(BadConfig):
            make(fields)


@pytest.mark.parametrize(
    "fields", [{"use_log": 1}, {"depth_min": float("nan")}, {"shift": "3.5"}, {"depth_max": True}]
)
def test_a_depth_value_of_the_wrong_kind_is_refused(fields):
    with pytest.raises(BadConfig):
        DepthEncoderConfig(**fields)


def test_further_parameters_of_svt_stand_beside_those_of_the_fields():
    extra = {"svtav1-params": "fast-decode=2:tune=0"}
    config = RGBEncoderConfig(vcodec="av1", preset=10, extra_options=extra)

    assert dict(config.options(threads=3))["svtav1-params"] == "fast-decode=0:lp=3:tune=0"


@pytest.mark.parametrize(
    ("vcodec", "expected"),
    [
        ("h264", {"crf": "20", "preset": "4", "threads": "3", "tune": "fastdecode"}),
        ("hevc", {"crf": "20", "preset": "4", "threads": "3", "tune": "fastdecode"}),
        ("libsvtav1", {"crf": "20", "preset": "4", "svtav1-params": "fast-decode=2:lp=3"}),
        ("libaom-av1", {"crf": "20", "cpu-used": "4", "threads": "3", "row-mt": "1"}),
        ("h264_videotoolbox", {"q:v": "60"}),
        ("hevc_videotoolbox", {"q:v": "60"}),
        ("h264_nvenc", {"rc": "0", "qp": "20", "preset": "4"}),
        ("hevc_nvenc", {"rc": "0", "qp": "20", "preset": "4"}),
        ("h264_vaapi", {"qp": "20"}),
        ("h264_qsv", {"global_quality": "20", "preset": "4"}),
    ],
)
def test_every_codec_of_the_table_has_its_own_words(vcodec, expected):
    assert quality_options(vcodec, crf=20.0, preset=4, fast_decode=7, threads=3) == expected
    nothing = quality_options(vcodec, crf=None, preset=None, fast_decode=0, threads=None)
    assert nothing in ({}, {"rc": "0"}, {"svtav1-params": "fast-decode=0"})


@pytest.mark.parametrize(("crf", "quality"), [(0, "100"), (49.5, "1"), (60, "1")])
def test_videotoolbox_quality_stays_between_1_and_100(crf, quality):
    words = quality_options("h264_videotoolbox", crf=crf, preset=None, fast_decode=0, threads=None)

    assert words == {"q:v": quality}
    assert library_words(tuple(words.items())) == ({"global_quality": str(118 * int(quality))}, 2)


def test_only_the_quality_of_a_command_line_needs_other_words():
    told = RGBEncoderConfig().options()

    assert library_words(told) == (dict(told), 0)


def test_a_codec_alone_is_a_whole_choice_in_a_recipe_too():
    recipe = Recipe.from_mapping({"camera_view": {"encoder": {"vcodec": "av1", "g": 30}}})

    assert recipe.camera_view.encoder == RGBEncoderConfig.from_mapping({"vcodec": "av1", "g": 30})
    assert Recipe.from_mapping(recipe.to_mapping()) == recipe
