from __future__ import annotations

import pickle
from fractions import Fraction

import av
import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from episode_assets.errors import BadConfig, BadVideo
from episode_assets.video import (
    DecoderCache,
    DepthCoder,
    DepthEncoderConfig,
    FrameTimestampError,
    RGBEncoderConfig,
    UndecodableVideo,
    VideoWriter,
    decode_at,
    decode_frames,
    encode_frames,
    iterate_at,
    picture_to_rgb,
)
from episode_assets.video.lookup import nearest_frames
from episode_assets.video.probing import probe
from episode_assets_tests.video.builders import number_in, numbered_picture, segment, smooth_bgr, video


@pytest.fixture(scope="module")
def constant(tmp_path_factory):
    """40 frames at 30 Hz in groups of 7."""
    path = tmp_path_factory.mktemp("lookup") / "constant.mp4"
    encode_frames(map(numbered_picture, range(40)), path, RGBEncoderConfig(g=7), fps=30)
    return path


def numbers(pictures):
    return [number_in(picture[:, :, 1]) for picture in pictures]


def test_unsorted_and_repeated_times_come_in_the_order_asked(constant):
    wanted = [31, 2, 2, 39, 0, 31]

    found = decode_at(constant, [number / 30 for number in wanted])

    assert found.shape == (6, 48, 64, 3) and found.dtype == np.uint8
    assert numbers(found) == wanted


def test_no_time_gives_no_picture(constant):
    assert decode_at(constant, []).shape == (0, 48, 64, 3)
    assert decode_at(constant, [], output="yuv420p").shape == (0, 72, 64)
    assert list(iterate_at(constant, [])) == []


def test_pictures_are_those_of_reading_by_number(constant):
    (picture,) = [picture for _, picture in decode_frames(constant, [17])]

    assert np.array_equal(decode_at(constant, [17 / 30])[0], picture_to_rgb(picture))
    planes = decode_at(constant, [17 / 30], output="yuv420p")[0]
    assert np.array_equal(planes[:48], picture.y)
    assert np.array_equal(planes.ravel()[48 * 64 :].reshape(2, 24, 32), np.stack([picture.u, picture.v]))


def test_floats_are_the_bytes_as_a_share(constant):
    as_float = decode_at(constant, [0.1], as_float=True)

    assert as_float.dtype == np.float32
    assert np.array_equal(as_float, decode_at(constant, [0.1]).astype(np.float32) / np.float32(255))


def test_each_picture_comes_with_the_queries_that_mean_it(constant):
    found = [
        (position, number_in(picture[:, :, 1])) for position, picture in iterate_at(constant, [0.5, 0.1, 0.5])
    ]

    assert found == [(1, 3), (0, 15), (2, 15)]


def test_the_error_names_file_query_frame_and_both_times(constant):
    with pytest.raises(FrameTimestampError) as caught:
        decode_at(constant, [0.0, 0.51], tolerance_s=1e-3)
    error = pickle.loads(pickle.dumps(caught.value))

    for text in ("constant.mp4", "0.51 s", "number 15", "0.5 s", "0.01 s away"):
        assert text in str(error)
    assert isinstance(error, ValueError)
    assert (error.frame, error.frame_s, error.tolerance_s) == (15, Fraction(1, 2), Fraction(1, 1000))
    assert error.query_s == Fraction(0.51)


def test_the_tolerance_is_inclusive_and_exact(constant):
    late = Fraction(1, 30) + Fraction(1, 10_000)

    assert numbers(decode_at(constant, [late], tolerance_s=1e-4)) == [1]
    with pytest.raises(FrameTimestampError):
        decode_at(constant, [late + Fraction(1, 10**12)], tolerance_s=1e-4)
    with pytest.raises(FrameTimestampError):
        decode_at(constant, [0.1], tolerance_s=0)  # as a float it is not a tenth


@pytest.mark.parametrize("time", [-1.0, 1.4, 1e9, -1e-3])
def test_times_outside_of_the_video_are_an_error(constant, time):
    with pytest.raises(FrameTimestampError):
        decode_at(constant, [time])


@pytest.mark.parametrize("time", [float("nan"), float("inf")])
def test_a_time_is_a_number(constant, time):
    with pytest.raises(BadVideo, match="asked for at"):
        decode_at(constant, [time])


def test_a_row_of_a_long_file_is_found_where_float32_would_miss_it(tmp_path):
    """Frame times are compared exactly: beyond 1024 s the steps of float32 are wider than the tolerance."""
    path = tmp_path / "long.mp4"
    with VideoWriter(path, RGBEncoderConfig(), time_base=Fraction(1, 30)) as writer:
        for number in range(6):
            writer.add(numbered_picture(number), pts=number * 10_007)
        writer.finish()

    found = decode_at(path, [number * 10_007 / 30 for number in range(6)], tolerance_s=1e-9)

    assert numbers(found) == list(range(6))


def test_the_nearer_of_two_frames_is_found_between_the_ticks(tmp_path):
    """One tick from frame to frame: times between them fall onto the same tick."""
    path = tmp_path / "ticks.mp4"
    with VideoWriter(path, RGBEncoderConfig(), time_base=Fraction(1, 30)) as writer:
        for number in range(4):
            writer.add(numbered_picture(number), pts=number)
        facts = writer.finish()
    times = [(number + Fraction(part, 10)) / 30 for number in range(3) for part in (4, 5, 6)]

    found = nearest_frames(facts, times, tolerance_s=1, where="")

    assert facts.time_base == Fraction(1, 30)
    assert found.tolist() == [0, 0, 1, 1, 1, 2, 2, 2, 3]


def test_uneven_stamps_are_found_by_their_time(tmp_path):
    video(tmp_path / "gap.mp4", segment(range(12)), segment(range(12, 20), start_us=10**7))
    times = probe(tmp_path / "gap.mp4").pts_us / 1e6

    assert numbers(decode_at(tmp_path / "gap.mp4", times)) == list(range(20))
    with pytest.raises(FrameTimestampError):
        decode_at(tmp_path / "gap.mp4", [5.0])


def test_reordered_frames_of_foreign_videos_are_found(tmp_path):
    path = tmp_path / "reordered.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=15, options={"bf": "3", "g": "12"})
        stream.width, stream.height = 64, 48
        for number in range(30):
            frame = av.VideoFrame.from_ndarray(cv2.merge([numbered_picture(number).y] * 3), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    facts = probe(path)
    start = Fraction(facts.first_pts) * facts.time_base
    wanted = [29, 3, 14, 11, 12, 13]

    assert facts.has_b_frames
    assert numbers(decode_at(path, [start + Fraction(number, 15) for number in wanted])) == wanted


@settings(max_examples=30, deadline=None)
@given(
    wanted=st.lists(st.integers(0, 39), max_size=8),
    off=st.fractions(min_value=Fraction(-1, 61), max_value=Fraction(1, 61)),
)
def test_any_time_near_a_frame_gives_that_frame(constant, wanted, off):
    times = [Fraction(number, 30) + off for number in wanted]

    found = nearest_frames(probe(constant), times, tolerance_s=Fraction(1, 60), where="")

    assert found.tolist() == wanted


def test_depth_comes_as_codes_and_back_in_metres(tmp_path):
    coder = DepthCoder(DepthEncoderConfig())
    depth = [np.full((48, 64), 400 * number, np.uint16) for number in range(1, 6)]
    encode_frames([coder.codes(image) for image in depth], tmp_path / "d.mp4", coder.config, fps=10)

    codes = decode_at(tmp_path / "d.mp4", [0.3, 0.0], output="gray12le")

    assert codes.dtype == np.uint16 and codes.shape == (2, 48, 64)
    assert np.abs(coder.depth(codes) - np.stack([depth[3], depth[0]])).max() <= 1
    assert decode_at(tmp_path / "d.mp4", [], output="gray12le").dtype == np.uint16
    with pytest.raises(UndecodableVideo, match="rgb24 was asked for and the video is gray12le"):
        decode_at(tmp_path / "d.mp4", [0.0])


@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv444p", "yuv420p10le", "yuv422p"])
@pytest.mark.parametrize(("matrix", "value_range"), [(1, 1), (6, 1), (1, 2)])
def test_colours_come_back_whatever_format_matrix_and_range(tmp_path, pix_fmt, matrix, value_range):
    rgb = np.ascontiguousarray(smooth_bgr(64, 48)[:, :, ::-1])
    path = tmp_path / "colour.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10, options={"crf": "4"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, pix_fmt
        context = stream.codec_context
        context.colorspace, context.color_range = matrix, value_range
        frame = av.VideoFrame.from_ndarray(rgb, format="rgb24").reformat(
            format=pix_fmt, dst_colorspace=matrix, dst_color_range=value_range
        )
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))

    found = decode_at(path, [0.0])[0]

    # A wrong matrix or range moves colours by 8 on average, halved chroma alone by 3.
    assert np.abs(found.astype(int) - rgb)[4:-4, 4:-4].mean() < 4


def test_codes_are_refused_of_colour_and_floats_of_codes(constant):
    with pytest.raises(UndecodableVideo, match="gray12le was asked for"):
        decode_at(constant, [0.0], output="gray12le")
    for choices in ({"output": "bgr24"}, {"output": "gray12le", "as_float": True}, {"tolerance_s": -1}):
        with pytest.raises(BadConfig):
            decode_at(constant, [0.0], **choices)


def test_a_kept_decoder_gives_the_same_pictures(constant):
    cache = DecoderCache(2)
    for times in ([1.0, 0.2], [0.1], [1.3], [0.0]):
        assert np.array_equal(decode_at(constant, times, cache=cache), decode_at(constant, times))
    assert (cache.hits, cache.misses) == (3, 1)
