from __future__ import annotations

import multiprocessing
import os
import resource
import signal
from fractions import Fraction

import av
import cv2
import numpy as np
import pytest

from episode_assets.errors import BadConfig, BadVideo
from episode_assets.video import (
    DepthEncoderConfig,
    RGBEncoderConfig,
    VideoWriter,
    decode_depth_codes,
    decode_frames,
    encode_frames,
    picture_to_rgb,
    probe,
)
from episode_assets_tests.video.builders import number_in, numbered_picture

LEROBOT_H264 = RGBEncoderConfig(g=2, crf=30.0, preset=None, extra_options=())


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def numbers(path):
    return [number_in(picture.y) for _, picture in decode_frames(path)]


@pytest.mark.parametrize(
    ("config", "codec"),
    [
        (RGBEncoderConfig(), "h264"),
        (LEROBOT_H264, "h264"),
        (RGBEncoderConfig.lerobot(), "av1"),
        (RGBEncoderConfig(vcodec="hevc", preset="ultrafast", extra_options=()), "hevc"),
    ],
)
@pytest.mark.parametrize("fps", [10, 30])
def test_every_codec_makes_a_file_that_keeps_the_rules_of_datasets(tmp_path, config, codec, fps):
    found = encode_frames(map(numbered_picture, range(20)), tmp_path / "out.mp4", config, fps=fps)

    assert (found.codec, found.frames, found.pix_fmt) == (codec, 20, "yuv420p")
    assert found.is_cfr and found.first_pts == 0 and found.duration == Fraction(20, fps)
    assert found.avg_rate == found.base_rate == fps
    assert found.faststart and not found.has_b_frames and not found.has_audio
    assert numbers(tmp_path / "out.mp4") == list(range(20))
    assert names(tmp_path) == ["out.mp4"]


def test_an_independent_reader_sees_every_frame(tmp_path):
    encode_frames(map(numbered_picture, range(12)), tmp_path / "out.mp4", RGBEncoderConfig(), fps=30)
    capture = cv2.VideoCapture(str(tmp_path / "out.mp4"))

    assert capture.get(cv2.CAP_PROP_FPS) == 30
    assert [number_in(capture.read()[1][:, :, 1]) for _ in range(12)] == list(range(12))
    assert not capture.read()[0]


def test_pictures_arrays_and_frames_of_libav_give_the_same_video(tmp_path):
    pictures = [numbered_picture(number) for number in range(5)]
    rgb = [picture_to_rgb(picture) for picture in pictures]
    frames = [av.VideoFrame.from_ndarray(image, format="rgb24") for image in rgb]

    for name, images in (("pictures", pictures), ("arrays", rgb), ("frames", frames)):
        encode_frames(images, tmp_path / name, RGBEncoderConfig(), fps=10)
        assert numbers(tmp_path / name) == list(range(5))


def test_yuv_never_takes_a_way_over_rgb(tmp_path):
    """With a lossless encoder the very planes come back, also those that no RGB colour has."""
    picture = numbered_picture(5)
    picture.u[:], picture.v[:] = 250, 5
    config = RGBEncoderConfig(crf=0.0, pix_fmt="yuv420p")

    encode_frames([picture], tmp_path / "out.mp4", config, fps=10)
    ((_, found),) = decode_frames(tmp_path / "out.mp4")

    for plane in "yuv":
        assert np.array_equal(getattr(found, plane), getattr(picture, plane))


def test_depth_codes_come_back_bit_by_bit(tmp_path):
    codes = [np.random.default_rng(n).integers(0, 4096, (48, 64)).astype(np.uint16) for n in range(6)]

    for config in (DepthEncoderConfig(), DepthEncoderConfig.lerobot()):
        found = encode_frames(codes, tmp_path / "depth.mp4", config, fps=10)

        assert (found.codec, found.pix_fmt, found.has_b_frames) == ("hevc", "gray12le", False)
        read = [image for _, image in decode_depth_codes(tmp_path / "depth.mp4")]
        assert all(np.array_equal(*pair) for pair in zip(read, codes, strict=True))


def test_stamps_of_any_time_base_are_kept(tmp_path):
    stamps = [0, 3, 4, 50]
    with VideoWriter(tmp_path / "out.mp4", RGBEncoderConfig(), time_base=Fraction(1001, 30000)) as writer:
        for number, pts in enumerate(stamps):
            writer.add(numbered_picture(number), pts=pts)
        found = writer.finish()

    assert [Fraction(int(pts)) * found.time_base for pts in found.pts] == [
        Fraction(1001 * pts, 30000) for pts in stamps
    ]


@pytest.mark.parametrize("vcodec", ["h264", "hevc", "av1"])
def test_a_forced_key_frame_begins_a_group(tmp_path, vcodec):
    config = RGBEncoderConfig.from_mapping({"vcodec": vcodec})
    with VideoWriter(tmp_path / "out.mp4", config, fps=10) as writer:
        for number in range(12):
            writer.add(numbered_picture(3), force_key=number == 7)
        assert writer.finish().key_frames.tolist() == [0, 7]


def test_a_forced_key_frame_begins_a_group_of_depth(tmp_path):
    with VideoWriter(tmp_path / "out.mp4", DepthEncoderConfig(), fps=10) as writer:
        for number in range(12):
            writer.add(np.full((48, 64), number, np.uint16), force_key=number == 7)
        assert writer.finish().key_frames.tolist() == [0, 7]


@pytest.mark.parametrize(("vcodec", "changes"), [("h264", True), ("hevc", False), ("av1", False)])
def test_the_number_of_threads_changes_the_bytes_of_x264_only(tmp_path, vcodec, changes):
    config = RGBEncoderConfig.from_mapping({"vcodec": vcodec})
    blocks = np.random.default_rng(0).integers(0, 255, (30, 40, 3))
    texture = np.kron(blocks, np.ones((8, 8, 1))).astype(np.uint8)
    content = []
    for threads in (1, 2):
        rolled = (np.ascontiguousarray(np.roll(texture, number, axis=1)) for number in range(20))
        encode_frames(rolled, tmp_path / "out.mp4", config, fps=10, threads=threads)
        content.append((tmp_path / "out.mp4").read_bytes())

    assert (content[0] != content[1]) == changes


def test_equal_pictures_give_equal_bytes(tmp_path):
    for name in ("one.mp4", "two.mp4"):
        encode_frames(
            map(numbered_picture, range(20)), tmp_path / name, RGBEncoderConfig(), fps=15, threads=2
        )

    assert (tmp_path / "one.mp4").read_bytes() == (tmp_path / "two.mp4").read_bytes()


def failing():
    yield numbered_picture(0)
    yield numbered_picture(1)
    raise RuntimeError("the source broke off")


@pytest.mark.parametrize(
    ("images", "kind", "words"),
    [
        (failing(), RuntimeError, "broke off"),
        ([], BadVideo, "at least one picture"),
        (
            [numbered_picture(0), numbered_picture(1, width=66)],
            BadVideo,
            r"frame 1 is 66 x 48 and the first 64 x 48",
        ),
        ([np.zeros((48, 64), np.uint16)], BadVideo, "depth codes came for an encoder of yuv420p"),
        ([np.zeros((48, 64), np.float32)], BadVideo, "neither"),
        ([np.zeros((48, 64, 4), np.uint8)], BadVideo, "neither"),
    ],
)
def test_nothing_is_left_of_a_video_that_fails(tmp_path, images, kind, words):
    with pytest.raises(kind, match=words):
        encode_frames(images, tmp_path / "out.mp4", RGBEncoderConfig(), fps=10)

    assert names(tmp_path) == []


def test_colour_is_refused_where_depth_is_encoded(tmp_path):
    with pytest.raises(BadVideo, match="colour came for an encoder of gray12le"):
        encode_frames([numbered_picture(0)], tmp_path / "out.mp4", DepthEncoderConfig(), fps=10)


def test_a_failed_video_leaves_the_old_one_alone(tmp_path):
    (tmp_path / "out.mp4").write_bytes(b"old")
    with pytest.raises(RuntimeError):
        encode_frames(failing(), tmp_path / "out.mp4", RGBEncoderConfig(), fps=10)

    assert (tmp_path / "out.mp4").read_bytes() == b"old"


def test_an_existing_video_is_replaced_only_when_allowed(tmp_path):
    (tmp_path / "out.mp4").write_bytes(b"old")
    with pytest.raises(BadVideo, match="exists"):
        VideoWriter(tmp_path / "out.mp4", RGBEncoderConfig(), fps=10, overwrite=False)

    encode_frames([numbered_picture(1)], tmp_path / "out.mp4", RGBEncoderConfig(), fps=10)
    assert numbers(tmp_path / "out.mp4") == [1]


def test_two_writers_of_one_file_do_not_meet(tmp_path):
    with VideoWriter(tmp_path / "out.mp4", RGBEncoderConfig(), fps=10) as first:
        first.add(numbered_picture(0))
        with pytest.raises(BadVideo, match="another process"):
            VideoWriter(tmp_path / "out.mp4", RGBEncoderConfig(), fps=10)
        first.finish()

    assert numbers(tmp_path / "out.mp4") == [0]


def _killed_while_writing(path):
    writer = VideoWriter(path, RGBEncoderConfig(), fps=10)
    for number in range(60):
        writer.add(numbered_picture(number))
    os.kill(os.getpid(), signal.SIGKILL)


def test_the_next_run_clears_what_a_killed_one_left(tmp_path):
    process = multiprocessing.get_context("spawn").Process(
        target=_killed_while_writing, args=(tmp_path / "out.mp4",)
    )
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert names(tmp_path) == [".out.mp4.part"]

    encode_frames([numbered_picture(9)], tmp_path / "out.mp4", RGBEncoderConfig(), fps=10)

    assert names(tmp_path) == ["out.mp4"]
    assert numbers(tmp_path / "out.mp4") == [9]


def _limited(path, told):
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
    noise = np.random.default_rng(1).integers(0, 255, (30, 96, 128, 3)).astype(np.uint8)
    try:
        encode_frames(noise, path, RGBEncoderConfig(), fps=10)
    except BadVideo as error:
        told.send(str(error))


def test_a_file_that_cannot_grow_leaves_nothing(tmp_path):
    """As on a full disk: the container fails in the middle, and fails again when it is closed."""
    spawning = multiprocessing.get_context("spawn")
    heard, told = spawning.Pipe()
    process = spawning.Process(target=_limited, args=(tmp_path / "out.mp4", told))
    process.start()
    process.join()

    assert process.exitcode == 0
    assert "File too large" in heard.recv()
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    "clock",
    [
        {},
        {"fps": 10, "time_base": Fraction(1, 10)},
        {"fps": 0},
        {"fps": 29.97},
        {"fps": True},
        {"time_base": Fraction(-1, 10)},
    ],
)
def test_a_clock_that_cannot_be_is_refused(tmp_path, clock):
    with pytest.raises(BadConfig):
        VideoWriter(tmp_path / "out.mp4", RGBEncoderConfig(), **clock)

    assert names(tmp_path) == []


def test_stamps_belong_to_videos_without_a_rate(tmp_path):
    with VideoWriter(tmp_path / "out.mp4", RGBEncoderConfig(), time_base=Fraction(1, 1000)) as writer:
        with pytest.raises(BadVideo, match="no stamp"):
            writer.add(numbered_picture(0))
        writer.add(numbered_picture(0), pts=5)
        with pytest.raises(BadVideo, match="advance"):
            writer.add(numbered_picture(1), pts=5)
    with (
        VideoWriter(tmp_path / "out.mp4", RGBEncoderConfig(), fps=10) as writer,
        pytest.raises(BadVideo, match="stamps come from the rate"),
    ):
        writer.add(numbered_picture(0), pts=0)


def test_a_cancelled_writer_takes_nothing_more(tmp_path):
    writer = VideoWriter(tmp_path / "out.mp4", RGBEncoderConfig(), fps=10)
    writer.cancel()
    with pytest.raises(BadVideo, match="cancelled"):
        writer.add(numbered_picture(0))
    writer.cancel()

    assert names(tmp_path) == []


def test_a_finished_writer_takes_nothing_more(tmp_path):
    with VideoWriter(tmp_path / "out.mp4", RGBEncoderConfig(), fps=10) as writer:
        writer.add(numbered_picture(0))
        writer.finish()
        with pytest.raises(BadVideo, match="finished"):
            writer.add(numbered_picture(1))
        writer.cancel()

    assert probe(tmp_path / "out.mp4").frames == 1
