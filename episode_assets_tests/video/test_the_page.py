"""The page about video: its snippets run, its tables are true, and each name of LeRobot leads to one that exists."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

from episode_assets import video
from episode_assets.video import DepthCoder, DepthEncoderConfig, RGBEncoderConfig, encoder_arguments

PAGE = (Path(__file__).parents[2] / "docs" / "video.md").read_text(encoding="utf-8")
SNIPPETS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
NAMES = dict(
    re.findall(
        r"^\| `([\w.]+)` \| (?:`([\w.]+)`|-) \|", PAGE.partition("## LeRobot's names")[2], re.MULTILINE
    )
)

LEROBOT = """
decode_video_frames decode_video_frames_pyav decode_video_frames_torchcodec FrameTimestampError
VideoDecoderCache VideoDecoderCache.get_decoder VideoDecoderCache.clear VideoDecoderCache.size
DEFAULT_DECODER_CACHE_SIZE encode_video_frames reencode_video concatenate_video_files StreamingVideoEncoder
StreamingVideoEncoder.start_episode StreamingVideoEncoder.feed_frame StreamingVideoEncoder.finish_episode
StreamingVideoEncoder.cancel_episode StreamingVideoEncoder.close VideoEncodingManager VideoFrame
get_audio_info get_video_info get_video_duration_in_s FFMPEG_NUMERIC_OPTION_TYPES FFMPEG_INTEGER_OPTION_TYPES
write_u16_plane get_pix_fmt_channels get_codec detect_available_encoders_pyav
check_video_encoder_parameters_pyav MM_PER_METRE quantize_depth dequantize_depth HW_VIDEO_CODECS
VALID_VIDEO_CODECS VIDEO_CODECS_ALIASES LIBSVTAV1_DEFAULT_PRESET VIDEO_ENCODER_INFO_FIELD_NAMES
VIDEO_ENCODER_INFO_KEYS DEPTH_QUANT_BITS DEPTH_QMAX DEFAULT_DEPTH_MIN DEFAULT_DEPTH_MAX DEFAULT_DEPTH_SHIFT
DEFAULT_DEPTH_USE_LOG DEFAULT_DEPTH_PIX_FMT DEPTH_METER_UNIT DEPTH_MILLIMETER_UNIT DEFAULT_DEPTH_UNIT
infer_depth_unit DEPTH_ENCODER_INFO_FIELD_NAMES VideoEncoderConfig VideoEncoderConfig.from_video_info
VideoEncoderConfig.detect_available_encoders VideoEncoderConfig.validate VideoEncoderConfig.resolve_vcodec
VideoEncoderConfig.get_codec_options RGBEncoderConfig rgb_encoder_defaults DepthEncoderConfig
depth_encoder_defaults encoder_config_from_video_info AsyncImageWriter AsyncImageWriter.save_image
AsyncImageWriter.wait_until_done AsyncImageWriter.stop safe_stop_image_writer write_image save_kwargs_for_path
image_array_to_pil_image squeeze_single_channel worker_thread_loop worker_process
"""
"""Public names of LeRobot 0.6.1: datasets.video_utils, .pyav_utils, .depth_utils, .image_writer and configs.video."""


def found(name: str) -> object:
    if name.startswith("episode_assets."):
        module, _, attribute = name.rpartition(".")
        return getattr(importlib.import_module(module), attribute)
    thing: object = video
    for part in name.split("."):
        thing = getattr(thing, part)
    return thing


def test_every_name_of_lerobot_leads_to_one_of_ours_that_exists():
    assert sorted(NAMES) == sorted(LEROBOT.split())
    assert all(found(ours) is not None for ours in NAMES.values() if ours)


def test_a_name_without_one_of_ours_says_why():
    rows = re.findall(r"^\| `[\w.]+` \| - \| (.*) \|$", PAGE, re.MULTILINE)

    assert len(rows) == sum(not ours for ours in NAMES.values())
    assert all(rows)


def test_what_the_page_uses_is_public():
    used = {name.split(".")[0] for name in NAMES.values() if name and not name.startswith("episode_assets")}

    assert used <= set(video.__all__)


def test_the_snippets_do_what_their_comments_say(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    scope: dict[str, object] = {}
    for snippet in SNIPPETS:
        exec(snippet, scope)

        told = re.findall(r"print\(.*\)  # (.*)", snippet)
        assert capsys.readouterr().out.splitlines() == told
    assert len(SNIPPETS) == 3


@pytest.mark.parametrize(
    ("column", "config"),
    [
        (1, RGBEncoderConfig()),
        (2, DepthEncoderConfig()),
        (3, RGBEncoderConfig.lerobot()),
        (4, DepthEncoderConfig.lerobot()),
    ],
)
def test_the_table_of_defaults_is_the_code(column, config):
    part = PAGE.partition("Two sets of defaults:")[2].partition("Groups of 2 frames")[0]
    rows = [
        [cell.strip() for cell in line.split("|")[1:-1]]
        for line in part.splitlines()
        if line.startswith("| `")
    ]
    shown = {}
    for row in rows:
        names, values = re.findall(r"`(\w+)`", row[0]), row[column].split(", ")
        shown |= dict(zip(names, values if len(names) > 1 else [row[column]], strict=False))
    stated = {name: text for name, text in shown.items() if hasattr(config, name)}

    by_field = {item.name: getattr(config, item.name) for item in config.__dataclass_fields__.values()}
    assert stated == {name: _shown(value) for name, value in by_field.items()}


def _shown(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return ",".join(f"{name}={text}" for name, text in value)
    return format(value, "g") if isinstance(value, float) else str(value)


@pytest.mark.parametrize(("row", "use_log"), [("logarithmic", True), ("linear", False)])
def test_the_stated_depth_errors_are_those_of_the_coder(row, use_log):
    coder = DepthCoder(DepthEncoderConfig(use_log=use_log))
    distances = [
        float(text) for text in re.findall(r"([\d.]+) m\b", PAGE.partition("| distance |")[2].split("\n")[0])
    ]
    (line,) = (line for line in PAGE.splitlines() if line.startswith(f"| largest error, {row}"))
    stated = [float(text) for text in re.findall(r"([\d.]+) mm", line)]

    assert len(distances) == 8
    assert stated == pytest.approx([1000 * coder.largest_error_m(at) for at in distances], abs=0.006)


def test_every_flag_that_the_page_names_is_there():
    flags = {
        argument.flag
        for kind in (RGBEncoderConfig, DepthEncoderConfig)
        for argument in encoder_arguments(kind)
    }

    assert set(re.findall(r"`(--[\w.]+)`", PAGE)) <= flags
