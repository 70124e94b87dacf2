from __future__ import annotations

import json
import random
from fractions import Fraction

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from episode_assets.errors import BadConfig, BadVideo
from episode_assets.video import (
    AudioFacts,
    DepthEncoderConfig,
    RGBEncoderConfig,
    UndecodableVideo,
    config_from_info,
    decode_at,
    encode_frames,
    encoder_block,
    info_block,
    probe,
    video_duration,
)
from episode_assets.video.mp4_boxes import is_faststart, rotation
from episode_assets_tests.video.builders import numbered_picture
from episode_assets_tests.video.foreign import foreign_video

NTSC = Fraction(30000, 1001)


def ours(path, config=None, fps=10):
    return encode_frames(map(numbered_picture, range(10)), path, config or RGBEncoderConfig(), fps=fps)


def test_a_fractional_rate_stays_exact(tmp_path):
    found = probe(foreign_video(tmp_path / "v.mp4", rate=NTSC))

    assert found.rate == NTSC
    assert found.duration == video_duration(tmp_path / "v.mp4") == 20 / NTSC
    assert info_block(found)["video.fps"] == pytest.approx(29.97003)


def test_sound_is_described(tmp_path):
    found = probe(foreign_video(tmp_path / "v.mp4", has_audio=True))

    assert isinstance(found.audio, AudioFacts) and found.has_audio
    block = info_block(found)
    assert (block["has_audio"], block["audio.codec"], block["audio.channel_layout"]) == (
        True,
        "aac",
        "stereo",
    )
    assert (block["audio.channels"], block["audio.sample_rate"], block["audio.bit_depth"]) == (2, 44100, 32)


@pytest.mark.parametrize("turn", [90, -90, 180, 0])
def test_rotation_is_that_which_a_decoder_tells(tmp_path, turn):
    foreign_video(tmp_path / "v.mp4", rotation=turn)
    with av.open(str(tmp_path / "v.mp4")) as container:
        told = next(container.decode(video=0)).rotation

    assert probe(tmp_path / "v.mp4").rotation == -told % 360 == -turn % 360


def test_the_index_of_a_foreign_video_lies_behind_its_pictures(tmp_path):
    assert not probe(foreign_video(tmp_path / "v.mp4")).faststart
    assert ours(tmp_path / "ours.mp4").faststart


def test_bytes_levels_and_channels_are_told(tmp_path):
    found = ours(tmp_path / "ours.mp4")
    with av.open(str(tmp_path / "ours.mp4")) as container:
        encoded = sum(packet.size for packet in container.demux(video=0))

    assert (found.encoded_bytes, found.channels, found.level, found.sample_aspect) == (encoded, 3, 10, 1)
    assert (found.profile, found.color_primaries, found.color_transfer) == ("High", 1, 13)


def test_the_block_holds_every_key_of_the_format(tmp_path):
    block = json.loads(json.dumps(info_block(ours(tmp_path / "v.mp4"), RGBEncoderConfig()), allow_nan=False))

    assert block == {
        "video.height": 48,
        "video.width": 64,
        "video.codec": "h264",
        "video.pix_fmt": "yuv420p",
        "video.fps": 10,
        "video.channels": 3,
        "has_audio": False,
        "video.g": 15,
        "video.crf": 18,
        "video.preset": "veryfast",
        "video.fast_decode": 0,
        "video.video_backend": "pyav",
        "video.extra_options": {"bf": 0},
        "is_depth_map": False,
    }


def test_a_depth_block_holds_its_steps(tmp_path):
    codes = [np.zeros((48, 64), np.uint16)] * 3
    config = DepthEncoderConfig(depth_max=5.0)
    block = info_block(encode_frames(codes, tmp_path / "d.mp4", config, fps=10), config)

    assert (block["is_depth_map"], block["video.channels"], block["video.pix_fmt"]) == (True, 1, "gray12le")
    assert (block["video.depth_min"], block["video.depth_max"]) == (0.01, 5)
    assert (block["video.shift"], block["video.use_log"]) == (3.5, True)


@pytest.mark.parametrize(
    "config",
    [
        RGBEncoderConfig(),
        RGBEncoderConfig.lerobot(),
        RGBEncoderConfig(vcodec="hevc", preset=None, crf=None, extra_options={"x265-params": "psy-rd=1"}),
        DepthEncoderConfig(),
        DepthEncoderConfig.lerobot(),
        DepthEncoderConfig(depth_max=5.0, use_log=False),
    ],
)
def test_a_configuration_is_read_back_from_its_block(tmp_path, config):
    is_depth = isinstance(config, DepthEncoderConfig)
    images = [np.zeros((48, 64), np.uint16)] if is_depth else [numbered_picture(1)]
    block = json.loads(
        json.dumps(info_block(encode_frames(images, tmp_path / "v.mp4", config, fps=10), config))
    )

    found = config_from_info(block)

    expected = config if config.crf is not None else type(config)(**{**config.to_mapping(), "crf": 30.0})
    assert (type(found), found) == (type(config), expected)


def test_a_block_that_says_nothing_means_lerobots_defaults():
    assert config_from_info({}) == RGBEncoderConfig.lerobot()
    assert config_from_info({"video.is_depth_map": True}) == DepthEncoderConfig.lerobot()
    merged = {"video.codec": "h264", "video.g": None, "video.crf": 23, "video.extra_options": {}}
    assert config_from_info(merged) == RGBEncoderConfig(g=2, crf=23, preset=None, extra_options=())
    depth = {"is_depth_map": True, "video.extra_options": {}, "video.depth_max": 5.0}
    assert dict(config_from_info(depth).extra_options) == {"x265-params": "lossless=1"}
    with pytest.raises(BadConfig, match="mpeg4"):
        config_from_info({"video.codec": "mpeg4"})


def test_the_keys_of_an_encoder_are_those_of_lerobot():
    assert set(encoder_block(RGBEncoderConfig())) == {
        "video.g",
        "video.crf",
        "video.preset",
        "video.fast_decode",
        "video.extra_options",
        "video.video_backend",
    }


@pytest.mark.parametrize("claimed", [1, 10**6])
def test_a_header_that_lies_about_the_duration_is_not_believed(tmp_path, claimed):
    path = tmp_path / "v.mp4"
    true = ours(path).duration
    content = bytearray(path.read_bytes())
    for name, at in ((b"mdhd", 20), (b"tkhd", 24), (b"mvhd", 20)):
        begin = content.index(name) + at
        content[begin : begin + 4] = claimed.to_bytes(4, "big")
    path.write_bytes(content)

    assert video_duration(path) == true == 1


def test_frames_that_share_a_stamp_are_told_and_not_guessed(tmp_path):
    path = tmp_path / "v.mp4"
    ours(path)
    content = bytearray(path.read_bytes())
    step = content.index(b"stts") + 16
    content[step : step + 4] = bytes(4)
    path.write_bytes(content)
    found = probe(path)

    assert (found.frames, found.is_cfr, found.last_pts) == (10, False, 0)
    assert found.rate is None or found.rate > 0
    with pytest.raises(UndecodableVideo, match=r"frames 0 and 1 have the same stamp .*v\.mp4"):
        decode_at(path, [0.0])


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), content=st.one_of(st.none(), st.binary(max_size=200)))
def test_no_bytes_confuse_the_reader_of_boxes(tmp_path_factory, seed, content):
    base = tmp_path_factory.getbasetemp() / "boxes.mp4"
    if not base.exists():
        foreign_video(base, 3, rotation=90)
    chance, path = random.Random(seed), base.with_name("broken.mp4")
    if content is None:
        content = bytearray(base.read_bytes())
        for _ in range(chance.randint(1, 12)):
            content[chance.randrange(len(content))] = chance.choice([0, 1, 8, 255, chance.randrange(256)])
    path.write_bytes(content)

    assert is_faststart(path) in (True, False)
    assert 0 <= rotation(path) < 360
    try:
        probe(path)
    except BadVideo as error:
        assert "broken.mp4" in str(error)


def test_boxes_inside_boxes_without_end_are_left(tmp_path):
    """A folder of boxes inside a folder of boxes, 20,000 deep."""
    path = tmp_path / "deep.mp4"
    path.write_bytes(b"".join((8 * depth).to_bytes(4, "big") + b"moov" for depth in range(20_000, 0, -1)))

    assert (is_faststart(path), rotation(path)) == (True, 0)
