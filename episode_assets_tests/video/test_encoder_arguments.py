from __future__ import annotations

from dataclasses import fields

import pytest

from episode_assets.errors import BadConfig
from episode_assets.video import (
    DepthEncoderConfig,
    RGBEncoderConfig,
    config_from_arguments,
    encoder_arguments,
)

CLASSES = [RGBEncoderConfig, DepthEncoderConfig]


@pytest.mark.parametrize("config_class", CLASSES)
def test_every_field_is_a_flag_with_a_unit_or_range_in_its_help(config_class):
    arguments = encoder_arguments(config_class)

    assert [argument.field for argument in arguments] == [item.name for item in fields(config_class)]
    assert all(argument.help for argument in arguments)
    assert len({argument.name for argument in arguments}) == len(arguments)


def test_flags_are_spelled_as_lerobot_spells_them():
    assert "--rgb_encoder.crf" in [argument.flag for argument in encoder_arguments(RGBEncoderConfig)]
    assert "--depth_encoder.use_log" in [argument.flag for argument in encoder_arguments(DepthEncoderConfig)]
    assert "--left.g" in [argument.flag for argument in encoder_arguments(RGBEncoderConfig, prefix="left")]


@pytest.mark.parametrize("config_class", CLASSES)
def test_typing_every_default_asks_for_the_defaults(config_class):
    typed = {argument.name: argument.default for argument in encoder_arguments(config_class)}

    assert config_from_arguments(config_class, typed) == config_class()


def test_flags_change_the_fields_that_they_name_and_no_others():
    base = RGBEncoderConfig(g=5)
    given = {
        "rgb_encoder_crf": "23.5",
        "rgb_encoder_preset": "none",
        "rgb_encoder_extra_options": "bf=0,x264-params=sync-lookahead=0:sliced-threads=0",
        "rgb_encoder_vcodec": None,
        "out": "elsewhere",
    }

    config = config_from_arguments(RGBEncoderConfig, given, base=base)

    assert (config.g, config.crf, config.preset, config.vcodec) == (5, 23.5, None, "h264")
    assert dict(config.extra_options)["x264-params"] == "sync-lookahead=0:sliced-threads=0"


def test_naming_another_codec_leaves_the_speed_and_options_of_the_old_one():
    asked = {"rgb_encoder_vcodec": "av1"}

    for base in (None, RGBEncoderConfig(g=5), RGBEncoderConfig(crf=12.0)):
        config = config_from_arguments(RGBEncoderConfig, asked, base=base)
        assert (config.preset, config.crf, config.extra_options) == (12, 30.0, ())
        assert config.g == (base.g if base else 15)
    assert config_from_arguments(RGBEncoderConfig, {**asked, "rgb_encoder_crf": "20"}).crf == 20


@pytest.mark.parametrize(
    ("name", "typed", "words"),
    [
        ("g", "2.5", "g must be a whole number"),
        ("crf", "good", "crf must be a number"),
        ("crf", "99", "between 0 and 51"),
        ("extra_options", "bf", "name=value"),
        ("fast_decode", "none", "fast_decode must be a whole number"),
    ],
)
def test_a_flag_with_a_wrong_value_is_refused_by_name(name, typed, words):
    with pytest.raises(BadConfig, match=words):
        config_from_arguments(RGBEncoderConfig, {f"rgb_encoder_{name}": typed})


def test_a_truth_is_true_or_false():
    with pytest.raises(BadConfig, match="use_log must be true or false"):
        config_from_arguments(DepthEncoderConfig, {"depth_encoder_use_log": "perhaps"})
    assert not config_from_arguments(DepthEncoderConfig, {"depth_encoder_use_log": "False"}).use_log
