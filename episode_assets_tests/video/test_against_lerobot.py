"""The real LeRobot shows our videos with our own bytes of pixels, tells encoders what we tell them, and writes for us.

Needs the environment of `make verify-lerobot`.
"""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest

from episode_assets.video import (
    DepthCoder,
    DepthEncoderConfig,
    RGBEncoderConfig,
    UndecodableVideo,
    decode_at,
    decode_depth_codes,
    encode_frames,
    info_block,
    picture_to_rgb,
    probe,
    reencode,
)
from episode_assets.video.codecs import ENCODERS, quality_options
from episode_assets_tests.lerobot.lerobots_environment import run_there
from episode_assets_tests.video.builders import number_in, numbered_picture

pytestmark = [pytest.mark.lerobot, pytest.mark.timeout(600)]

FRAMES, NUMBERS = 20, [0, 7, 19, 11, 7]
CONFIGS = {
    "h264": RGBEncoderConfig(),
    "av1": RGBEncoderConfig.lerobot(),
    "hevc": RGBEncoderConfig.from_mapping({"vcodec": "hevc", "preset": "ultrafast"}),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """What LeRobot is asked about; its answers are in `answers`, its own files beside ours."""
    folder = tmp_path_factory.mktemp("lerobot")
    np.save(folder / "pictures.npy", [picture_to_rgb(numbered_picture(number)) for number in range(FRAMES)])
    (folder / "options.json").write_text(json.dumps(list(cases())))
    both = {"rgb": RGBEncoderConfig.lerobot(), "depth": DepthEncoderConfig.lerobot()}
    (folder / "defaults.json").write_text(
        json.dumps({name: item.to_mapping() for name, item in both.items()})
    )
    (folder / "info.json").write_text(json.dumps(dict(written(folder))))
    (folder / "answers").write_text(run_there("video.with_lerobot", folder))
    return folder


def cases():
    """Every codec with every kind of quality, speed, tuning and threads."""
    choices = itertools.product(ENCODERS, (None, 0, 23.5, 60), (None, 4), (0, 1, 5), (None, 3))
    for vcodec, crf, preset, fast_decode, threads in choices:
        if vcodec == "libaom-av1" and preset is not None:
            continue  # ours is `cpu-used`; LeRobot's `preset` is no option of that encoder
        fields = {"vcodec": vcodec, "crf": crf, "preset": preset, "fast_decode": fast_decode}
        options = quality_options(**fields, threads=threads)
        yield {"fields": fields, "threads": threads, "options": options}


def written(folder):
    """Write videos of ours and yield what we say of them."""
    pictures = [numbered_picture(number, width=128, height=96) for number in range(FRAMES)]
    times = [number / 10 for number in NUMBERS]
    for name, config in CONFIGS.items():
        found = encode_frames(pictures, folder / f"{name}.mp4", config, fps=10)
        np.save(folder / f"{name}.npy", decode_at(folder / f"{name}.mp4", times))
        yield (
            name,
            {"numbers": NUMBERS, "duration": float(found.duration), "block": info_block(found, config)},
        )
    coder = DepthCoder(DepthEncoderConfig())
    np.save(folder / "codes.npy", coder.codes(np.arange(11, 10_001, dtype=np.uint16)[None])[0])
    depth = [np.full((48, 64), 400 * number, np.uint16) for number in range(FRAMES)]
    found = encode_frames(map(coder.codes, depth), folder / "depth.mp4", coder.config, fps=10)
    np.save(folder / "depth.npy", coder.depth(decode_at(folder / "depth.mp4", times, output="gray12le")))
    block = info_block(found, coder.config)
    yield "depth", {"numbers": NUMBERS, "duration": float(found.duration), "block": block}


def test_lerobot_finds_no_difference(folder):
    assert (folder / "answers").read_text() == ""


def numbers(path):
    facts = probe(path)
    pictures = decode_at(path, [int(pts) * facts.time_base for pts in facts.pts])
    return [number_in(picture[:, :, 1]) for picture in pictures]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("lerobot", [*range(20)]),
        ("lerobot_h264", [*range(20)]),
        ("lerobot_twice", [*range(20), *range(20)]),
    ],
)
def test_videos_that_lerobot_wrote_are_read_frame_by_frame(folder, name, expected):
    assert numbers(folder / f"{name}.mp4") == expected


def test_a_trim_of_lerobot_has_no_times_and_is_refused_by_name(folder):
    """Its trim takes the stamps away, and the encoder gives every frame the first one."""
    with pytest.raises(UndecodableVideo, match="frames 0 and 1 have the same stamp"):
        decode_at(folder / "lerobot_cut.mp4", [0.0])


def test_a_video_of_lerobot_is_put_right(folder, tmp_path):
    before = probe(folder / "lerobot_h264.mp4")
    after = reencode(folder / "lerobot_h264.mp4", tmp_path / "out.mp4", RGBEncoderConfig(), fps=10).probe

    assert before.has_b_frames and not before.faststart
    assert not after.has_b_frames and after.faststart
    assert numbers(tmp_path / "out.mp4") == [*range(20)]


def test_depth_of_lerobot_is_read_in_millimetres(folder):
    coder = DepthCoder(DepthEncoderConfig.lerobot())

    depth = [coder.depth(codes) for _, codes in decode_depth_codes(folder / "lerobot_depth.mp4")]

    assert [int(image[5, 5]) for image in depth] == pytest.approx([500 + 700 * n for n in range(5)], abs=1)
