"""Depth survives as 12-bit video: to within half a step, with every hole where it was."""

from __future__ import annotations

import math
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from episode_assets.errors import BadConfig, BadVideo
from episode_assets.video import (
    HOLE_CODE,
    LARGEST_CODE,
    DepthCoder,
    DepthEncoderConfig,
    DepthVideoWriter,
    decode_depth_codes,
)

CONFIG = DepthEncoderConfig()
LINEAR = DepthEncoderConfig(use_log=False)


def lerobot_code(metres: float) -> int:
    """The formula of LeRobot 0.6.1 with its default range, written down once more."""
    low, high = math.log(0.01 + 3.5), math.log(10.0 + 3.5)
    return round(4095 * (math.log(metres + 3.5) - low) / (high - low))


@pytest.mark.parametrize("metres", [0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 7.0, 10.0])
def test_codes_are_those_of_the_logarithmic_quantiser_of_lerobot(metres: float) -> None:
    coder = DepthCoder(CONFIG)

    assert coder.codes(np.array([[metres]]))[0, 0] == lerobot_code(metres)
    assert coder.codes(np.array([[round(1000 * metres)]], np.uint16))[0, 0] == lerobot_code(metres)


@given(st.sampled_from([CONFIG, LINEAR, DepthEncoderConfig(depth_max=5.0)]), st.integers(20, 5000))
def test_no_distance_moves_by_more_than_half_a_step(config: DepthEncoderConfig, mm: int) -> None:
    coder = DepthCoder(config)
    codes = coder.codes(np.array([[mm]], np.uint16))

    metres = float(coder.depth(codes, unit="m")[0, 0])
    whole = float(coder.depth(codes)[0, 0])

    allowed = coder.largest_error_m(mm / 1000)
    assert abs(metres - mm / 1000) <= allowed * 1.001 + 1e-6
    assert whole == round(1000 * metres)


def test_the_stated_errors_are_those_of_the_table_of_the_format() -> None:
    errors_mm = [1000 * DepthCoder(CONFIG).largest_error_m(u) for u in (0.25, 1.0, 3.0, 10.0)]

    assert np.allclose(errors_mm, [0.62, 0.74, 1.07, 2.22], atol=0.01)
    assert math.isclose(1000 * DepthCoder(LINEAR).largest_error_m(1.0), 1.22, abs_tol=0.01)


def test_what_was_not_measured_stays_a_hole_and_nothing_else_becomes_one() -> None:
    coder = DepthCoder(CONFIG)
    metres = np.array([[0.0, np.nan, np.inf, -1.0, 0.01, 10.0]])

    codes = coder.codes(metres)

    assert codes.tolist() == [[HOLE_CODE] * 4 + [1, LARGEST_CODE]]
    assert coder.depth(codes).tolist() == [[0.0] * 4 + [11.0, 10_000.0]]


def test_depth_out_of_range_is_a_hole_or_the_nearer_end() -> None:
    image = np.array([[5, 9_999, 10_001, 65_535]], np.uint16)
    hole, clamp = DepthCoder(CONFIG), DepthCoder(CONFIG, outside="clamp")

    assert (hole.codes(image) == HOLE_CODE).tolist() == [[True, False, True, True]]
    assert clamp.codes(image)[0, [0, 2, 3]].tolist() == [1, LARGEST_CODE, LARGEST_CODE]
    assert hole.count_outside(image) == clamp.count_outside(image) == 3
    with pytest.raises(BadConfig, match="'hole' or 'clamp'"):
        DepthCoder(CONFIG, outside="keep")  # type: ignore[arg-type]


def images(count: int, height: int, width: int) -> list[np.ndarray]:
    rng = np.random.default_rng(height)
    slope = np.add.outer(np.arange(height), np.arange(width)) * 11 + 300
    noisy = [(slope + 40 * i + rng.integers(0, 30, slope.shape)).astype(np.uint16) for i in range(count)]
    return [np.where(rng.random(slope.shape) < 0.1, 0, image).astype(np.uint16) for image in noisy]


@pytest.mark.parametrize(("height", "width"), [(144, 256), (33, 47)])
def test_a_lossless_video_gives_every_code_back_in_any_order(tmp_path: Path, height: int, width: int) -> None:
    coder, shown = DepthCoder(CONFIG), images(20, height, width)
    with DepthVideoWriter(tmp_path / "depth.mp4", config=CONFIG, width=width, height=height) as writer:
        for index, image in enumerate(shown):
            writer.add(index * 66_667, coder.codes(image))
        facts = writer.finish()

    read = dict(decode_depth_codes(tmp_path / "depth.mp4", [17, 3, 4]))

    assert facts.pts_us.tolist() == [index * 66_667 for index in range(20)]
    assert sorted(read) == [3, 4, 17]
    for index, codes in read.items():
        assert np.array_equal(codes[:height, :width], coder.codes(shown[index]))
        assert np.array_equal(coder.depth(codes[:height, :width]) == 0, shown[index] == 0)
    assert list(tmp_path.iterdir()) == [tmp_path / "depth.mp4"]


def test_another_reader_sees_twelve_bit_grey(tmp_path: Path) -> None:
    coder, (image,) = DepthCoder(CONFIG), images(1, 48, 64)
    with DepthVideoWriter(tmp_path / "depth.mp4", config=CONFIG, width=64, height=48) as writer:
        writer.add(0, coder.codes(image))
        writer.finish()

    with av.open(str(tmp_path / "depth.mp4")) as container:
        codec = container.streams.video[0].codec_context.name
        (frame,) = container.decode(video=0)

    assert (codec, frame.format.name) == ("hevc", "gray12le")
    assert np.array_equal(frame.to_ndarray(), coder.codes(image))


def test_a_video_is_refused_what_it_cannot_hold(tmp_path: Path) -> None:
    writer = DepthVideoWriter(tmp_path / "depth.mp4", config=CONFIG, width=64, height=48)
    with writer, pytest.raises(BadVideo, match="does not fit into 12 bits"):
        writer.add(0, np.full((48, 64), 4096, np.uint16))
    eight_bit = DepthEncoderConfig(pix_fmt="gray")
    with (
        DepthVideoWriter(tmp_path / "depth.mp4", config=eight_bit, width=64, height=48) as narrow,
        pytest.raises(BadConfig, match="gray12le"),
    ):
        narrow.add(0, np.zeros((48, 64), np.uint16))
    assert list(tmp_path.iterdir()) == []
