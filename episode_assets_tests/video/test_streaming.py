from __future__ import annotations

import gc
import subprocess
import sys
import threading
import time
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from episode_assets.errors import BadConfig, BadVideo
from episode_assets.video import (
    CameraOutput,
    DepthEncoderConfig,
    RGBEncoderConfig,
    StreamingEncoder,
    decode_depth_codes,
    decode_frames,
    encode_frames,
)
from episode_assets_tests.video.builders import number_in, numbered_picture


def files(folder):
    return sorted(path.name for path in folder.iterdir())


def outputs(folder, *names, config=None):
    return {name: CameraOutput(folder / f"{name}.mp4", config or RGBEncoderConfig()) for name in names}


SLOW = RGBEncoderConfig(preset="placebo", crf=1.0)
"""An encoder that takes longer for a large picture than anybody takes to hand one over."""


def large_picture(number):
    return numbered_picture(number, width=480, height=360)


def test_every_row_fed_is_in_every_video_at_its_time(tmp_path):
    pictures = [large_picture(number) for number in range(20)]
    with StreamingEncoder(outputs(tmp_path, "left", "right", config=SLOW), fps=30, queue_rows=2) as encoder:
        for pair in zip(pictures, reversed(pictures), strict=True):
            assert encoder.feed(dict(zip(("left", "right"), pair, strict=True)), is_owned=True)
        finished = encoder.finish()

    for name, expected in (("left", list(range(20))), ("right", list(range(19, -1, -1)))):
        video = finished[name]
        assert [number_in(p.y) for _, p in decode_frames(tmp_path / f"{name}.mp4")] == expected
        assert (video.probe.frames, video.probe.duration) == (20, Fraction(20, 30))
        assert video.most_waiting == 2
        assert video.frames_per_s > 0
    assert files(tmp_path) == ["left.mp4", "right.mp4"]


def test_the_bytes_are_those_of_one_writer_without_threads(tmp_path):
    pictures = [numbered_picture(number) for number in range(20)]
    encode_frames(pictures, tmp_path / "plain.mp4", RGBEncoderConfig(), fps=15, threads=2)
    with StreamingEncoder(outputs(tmp_path, "ego"), fps=15) as encoder:
        for picture in pictures:
            encoder.feed({"ego": picture})
        encoder.finish()

    assert (tmp_path / "ego.mp4").read_bytes() == (tmp_path / "plain.mp4").read_bytes()


def test_depth_and_colour_stream_side_by_side(tmp_path):
    cameras = {
        "ego": CameraOutput(tmp_path / "ego.mp4", RGBEncoderConfig()),
        "depth": CameraOutput(tmp_path / "depth.mp4", DepthEncoderConfig()),
    }
    codes = [np.full((48, 64), 100 * number, np.uint16) for number in range(8)]
    with StreamingEncoder(cameras, fps=10) as encoder:
        for number, image in enumerate(codes):
            encoder.feed({"ego": numbered_picture(number), "depth": image})
        encoder.finish()

    read = [image for _, image in decode_depth_codes(tmp_path / "depth.mp4")]
    assert all(np.array_equal(*pair) for pair in zip(read, codes, strict=True))


@pytest.mark.parametrize("kind", ["rgb", "planes"])
def test_a_picture_that_is_not_handed_over_may_be_painted_over(tmp_path, kind):
    canvas = np.zeros((360, 480, 3), np.uint8) if kind == "rgb" else large_picture(0)
    with StreamingEncoder(outputs(tmp_path, "ego", config=SLOW), fps=10) as encoder:
        for number in range(6):
            if kind == "rgb":
                canvas[:] = 40 * number
            else:
                canvas.y[:] = round(16 + 40 * number * 219 / 255)
            encoder.feed({"ego": canvas})
        encoder.finish()

    means = [picture.y.mean() for _, picture in decode_frames(tmp_path / "ego.mp4")]
    assert means == pytest.approx([16 + 40 * n * 219 / 255 for n in range(6)], abs=2)


def test_depth_codes_that_are_not_handed_over_may_be_painted_over(tmp_path):
    canvas = np.zeros((480, 640), np.uint16)
    with StreamingEncoder(outputs(tmp_path, "depth", config=DepthEncoderConfig()), fps=10) as encoder:
        for number in range(8):
            canvas[:] = number
            encoder.feed({"depth": canvas})
        encoder.finish()

    codes = [image for _, image in decode_depth_codes(tmp_path / "depth.mp4")]
    assert [int(image.max()) for image in codes] == [int(image.min()) for image in codes] == list(range(8))


def test_a_full_queue_of_a_live_stream_refuses_whole_rows(tmp_path):
    pictures = [large_picture(number) for number in range(40)]
    cameras = outputs(tmp_path, "left", "right", config=SLOW)
    with StreamingEncoder(cameras, fps=30, queue_rows=1, when_full="drop_row") as encoder:
        taken = [
            number
            for number, picture in enumerate(pictures)
            if encoder.feed({"left": picture, "right": picture}, is_owned=True)
        ]
        assert encoder.rows == len(taken) < 40
        encoder.finish()

    for name in ("left", "right"):
        assert [number_in(p.y) for _, p in decode_frames(tmp_path / f"{name}.mp4")] == taken


def test_one_failing_camera_ends_all_and_leaves_no_file(tmp_path):
    encoder = StreamingEncoder(outputs(tmp_path, "left", "right"), fps=10, queue_rows=2)
    with encoder, pytest.raises(BadVideo, match="66 x 48"):
        for number in range(200):
            width = 66 if number == 5 else 64
            encoder.feed({"left": numbered_picture(0), "right": numbered_picture(0, width=width)})
        encoder.finish()

    assert files(tmp_path) == []
    with pytest.raises(BadVideo, match="66 x 48"):
        encoder.finish()


def test_a_failure_of_the_last_picture_is_told_on_finishing(tmp_path):
    with StreamingEncoder(outputs(tmp_path, "left", "right"), fps=10) as encoder:
        encoder.feed({"left": numbered_picture(0), "right": numbered_picture(0)})
        encoder.feed({"left": numbered_picture(0), "right": numbered_picture(0, width=66)})
        with pytest.raises(BadVideo, match="66 x 48"):
            encoder.finish()

    assert files(tmp_path) == []


def test_a_giver_that_waits_hears_of_a_failure(tmp_path):
    """The queue is full for good once its thread has ended: nobody may wait for it."""
    with (
        StreamingEncoder(outputs(tmp_path, "ego"), fps=10, queue_rows=1) as encoder,
        pytest.raises(BadVideo, match="depth codes came for an encoder"),
    ):
        for _ in range(10):
            encoder.feed({"ego": np.zeros((48, 64), np.uint16)})


def test_what_is_no_picture_is_refused_at_once_and_the_row_with_it(tmp_path):
    with StreamingEncoder(outputs(tmp_path, "left", "right"), fps=10) as encoder:
        with pytest.raises(BadVideo, match="neither"):
            encoder.feed({"left": numbered_picture(9), "right": np.zeros((48, 64), np.float32)})
        encoder.feed({"left": numbered_picture(1), "right": numbered_picture(2)})
        encoder.finish()

    assert [number_in(p.y) for _, p in decode_frames(tmp_path / "left.mp4")] == [1]


def test_cancelling_removes_everything_and_can_be_repeated(tmp_path):
    encoder = StreamingEncoder(outputs(tmp_path, "left", "right"), fps=10)
    for number in range(30):
        encoder.feed({"left": numbered_picture(number), "right": numbered_picture(number)})

    encoder.cancel()
    encoder.cancel()

    assert files(tmp_path) == []
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("encode")]
    for call in (encoder.finish, lambda: encoder.feed({"left": None, "right": None}, is_owned=True)):
        with pytest.raises(BadVideo, match="finished or cancelled"):
            call()


def test_what_waits_is_not_encoded_after_cancelling(tmp_path):
    picture = large_picture(1)
    spent = {}
    for ending in ("finish", "cancel"):
        encoder = StreamingEncoder(outputs(tmp_path, "ego", config=SLOW), fps=10, queue_rows=100)
        before = time.process_time()
        for _ in range(40):
            encoder.feed({"ego": picture}, is_owned=True)
        getattr(encoder, ending)()
        spent[ending] = time.process_time() - before

    assert spent["cancel"] < spent["finish"] / 2


def test_an_exception_of_the_giver_leaves_nothing(tmp_path):
    with (
        pytest.raises(RuntimeError, match="camera unplugged"),
        StreamingEncoder(outputs(tmp_path, "ego"), fps=10) as encoder,
    ):
        encoder.feed({"ego": numbered_picture(0)})
        raise RuntimeError("camera unplugged")

    assert files(tmp_path) == []


def test_a_stream_that_is_dropped_clears_up(tmp_path):
    encoder = StreamingEncoder(outputs(tmp_path, "ego"), fps=10)
    encoder.feed({"ego": numbered_picture(0)})

    del encoder
    gc.collect()

    assert files(tmp_path) == []


def test_a_forgotten_stream_ends_with_its_process(tmp_path):
    script = f"""
from pathlib import Path
import numpy as np
from episode_assets.video import CameraOutput, RGBEncoderConfig, StreamingEncoder
encoder = StreamingEncoder({{"ego": CameraOutput(Path({str(tmp_path / "ego.mp4")!r}), RGBEncoderConfig())}}, fps=10)
encoder.feed({{"ego": np.zeros((48, 64, 3), np.uint8)}})
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, timeout=60, check=False)

    assert (done.returncode, done.stderr) == (0, b"")
    assert files(tmp_path) == []


def test_a_stream_without_rows_is_an_error_and_leaves_nothing(tmp_path):
    with (
        StreamingEncoder(outputs(tmp_path, "ego"), fps=10) as encoder,
        pytest.raises(BadVideo, match="at least one"),
    ):
        encoder.finish()

    assert files(tmp_path) == []


def test_old_videos_stay_when_one_camera_cannot_be_written(tmp_path):
    (tmp_path / "left.mp4").write_bytes(b"old")
    (tmp_path / "right.mp4").write_bytes(b"old")
    with StreamingEncoder(outputs(tmp_path, "left", "right"), fps=10) as encoder:
        encoder.feed({"left": numbered_picture(0), "right": np.zeros((48, 64), np.uint16)})
        with pytest.raises(BadVideo):
            encoder.finish()

    assert (tmp_path / "left.mp4").read_bytes() == (tmp_path / "right.mp4").read_bytes() == b"old"
    with pytest.raises(BadVideo, match="exists"):
        StreamingEncoder(outputs(tmp_path, "new", "right"), fps=10, overwrite=False)
    assert files(tmp_path) == ["left.mp4", "right.mp4"]


@pytest.mark.parametrize(
    "choices", [{"fps": 0}, {"queue_rows": 0}, {"when_full": "drop"}, {"fps": 29.97}, {"cameras": {}}]
)
def test_choices_that_cannot_be_are_refused(tmp_path, choices):
    cameras = choices.pop("cameras", outputs(tmp_path, "ego"))
    with pytest.raises(BadConfig):
        StreamingEncoder(cameras, **{"fps": 10, **choices})

    assert files(tmp_path) == []


def test_a_row_brings_a_picture_of_every_camera(tmp_path):
    with (
        StreamingEncoder(outputs(tmp_path, "left", "right"), fps=10) as encoder,
        pytest.raises(BadVideo, match="left"),
    ):
        encoder.feed({"left": numbered_picture(0)})


@settings(max_examples=20, deadline=None)
@given(
    cameras=st.integers(1, 3),
    queue_rows=st.integers(1, 4),
    rows=st.integers(1, 30),
    when_full=st.sampled_from(["wait", "drop_row"]),
)
def test_rows_and_frames_are_always_equally_many(tmp_path_factory, cameras, queue_rows, rows, when_full):
    folder = tmp_path_factory.mktemp("stream")
    names = [f"camera{number}" for number in range(cameras)]
    picture = numbered_picture(1)
    with StreamingEncoder(
        outputs(folder, *names), fps=10, queue_rows=queue_rows, when_full=when_full
    ) as encoder:
        taken = sum(encoder.feed(dict.fromkeys(names, picture)) for _ in range(rows))
        finished = encoder.finish()

    assert taken == encoder.rows == (rows if when_full == "wait" else taken)
    assert [video.probe.frames for video in finished.values()] == [taken] * cameras
    assert all(video.most_waiting <= queue_rows for video in finished.values())


def test_rows_of_several_givers_stay_whole(tmp_path):
    with StreamingEncoder(outputs(tmp_path, "left", "right"), fps=10, queue_rows=1) as encoder:

        def give(numbers):
            for number in numbers:
                encoder.feed({"left": numbered_picture(number), "right": numbered_picture(number)})

        givers = [threading.Thread(target=give, args=(range(start, start + 10),)) for start in (0, 20, 40)]
        for giver in givers:
            giver.start()
        for giver in givers:
            giver.join()
        encoder.finish()

    seen = [
        [number_in(p.y) for _, p in decode_frames(tmp_path / f"{name}.mp4")] for name in ("left", "right")
    ]
    assert seen[0] == seen[1]
    assert sorted(seen[0]) == [*range(10), *range(20, 30), *range(40, 50)]
