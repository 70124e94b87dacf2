"""What is held while pictures are encoded or stored anew does not grow with their number."""

import tracemalloc

import numpy as np
import pytest

from episode_assets.lerobot.own_video import encode_colour
from episode_assets.lerobot.picture_change import plan_change
from episode_assets.lerobot.recipe_camera import CameraView
from episode_assets.lerobot.stored_images import ImageWriter
from episode_assets.progress import silent
from episode_assets.video import Picture, RGBEncoderConfig, encode_frames

SIZE = (320, 240)
FAST = RGBEncoderConfig(preset="ultrafast", crf=30)
PICTURE_BYTES = SIZE[0] * SIZE[1] * 3 // 2


def peak_of(work):
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    path = tmp_path_factory.mktemp("video") / "rgb.mp4"
    encode_frames((Picture.blank(*SIZE) for _ in range(160)), path, FAST, fps=15)
    return path


def test_encoding_four_times_as_many_pictures_holds_no_more_of_them(video, tmp_path):
    change = plan_change(CameraView(), SIZE, quarter_turns=2)

    def encode(frames):
        encode_colour(
            video,
            [np.arange(frames)],
            tmp_path / "out.mp4",
            change=change,
            config=FAST,
            fps=15,
            progress=silent,
        )

    encode(8)  # tables that are made once
    few, many = peak_of(lambda: encode(40)), peak_of(lambda: encode(160))

    assert many < few + 4 * PICTURE_BYTES
    assert few > PICTURE_BYTES


def test_storing_images_holds_one_group_of_them(tmp_path):
    def store(rows):
        with ImageWriter(tmp_path / "images.parquet", ["a"], ["png"]) as writer:
            for row in range(rows):
                writer.add({"a": bytes([row % 256]) * 50_000})
            writer.end_episode()

    store(8)
    few, many = peak_of(lambda: store(100)), peak_of(lambda: store(800))
    assert many < few + 1_000_000
