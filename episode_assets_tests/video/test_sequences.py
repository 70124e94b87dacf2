"""Colours of videos: whatever matrix and range a stream states, pictures come out limited and BT.601."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
import numpy as np
import pytest

from episode_assets.video import Picture, decode_pictures, picture_to_rgb
from episode_assets_tests.video.builders import smooth_bgr

RGB = smooth_bgr()[:, :, ::-1]
LIMITED, FULL = 1, 2
WEIGHTS = {1: (0.2126, 0.0722), 2: (0.299, 0.114), 6: (0.299, 0.114), 9: (0.2627, 0.0593)}
"""Red and blue weights of BT.709, of no statement, of BT.601 and of BT.2020, by number in ITU-T H.273."""


@dataclass(frozen=True)
class Message:
    data: memoryview
    format: str = "h264"
    width: int | None = None
    height: int | None = None
    step: int | None = None
    is_bigendian: bool = False


@dataclass(frozen=True)
class Step:
    position: int
    message: Message
    starts_group: bool
    is_after_hole: bool = False

    @property
    def stands_alone(self) -> bool:
        return self.starts_group


@dataclass(frozen=True)
class InMemory:
    """A stream that lies in a list."""

    payloads: list[bytes]

    def steps(self, start: int, stop: int) -> Iterator[Step]:
        for position, data in enumerate(self.payloads[:stop]):
            yield Step(position, Message(memoryview(data)), starts_group=position == 0)


def planes(matrix: int, is_full: bool) -> list[np.ndarray]:
    """RGB to Y, U, V by the definition of ITU-T H.273, chroma averaged over four pixels."""
    red, blue = WEIGHTS[matrix]
    r, g, b = np.moveaxis(RGB / 255.0, 2, 0)
    y = red * r + (1 - red - blue) * g + blue * b
    chroma = [(b - y) / (2 - 2 * blue), (r - y) / (2 - 2 * red)]
    quarter = [plane.reshape(90, 2, 160, 2).mean(axis=(1, 3)) for plane in chroma]
    scales = ((255, 0), (255, 128)) if is_full else ((219, 16), (224, 128))
    values = [scales[0][0] * y + scales[0][1], *(scales[1][0] * plane + scales[1][1] for plane in quarter)]
    return [np.clip(np.rint(plane), 0, 255).astype(np.uint8) for plane in values]


def encoded(matrix: int, is_full: bool, *, pix_fmt: str = "yuv420p") -> list[bytes]:
    context: Any = av.CodecContext.create("libx264", "w")
    context.width, context.height, context.pix_fmt = 320, 180, pix_fmt
    context.time_base = Fraction(1, 15)
    context.colorspace, context.color_range = matrix, FULL if is_full else LIMITED
    context.options = {"crf": "4", "bf": "0", "preset": "veryfast"}
    packets = []
    for number in range(2):
        frame = av.VideoFrame.from_ndarray(
            np.concatenate([plane.ravel() for plane in planes(matrix, is_full)]).reshape(270, 320), "yuv420p"
        )
        if pix_fmt != "yuv420p":
            frame = frame.reformat(format=pix_fmt)
        frame.pts, frame.colorspace, frame.color_range = number, matrix, FULL if is_full else LIMITED
        packets += context.encode(frame)
    return [bytes(packet) for packet in [*packets, *context.encode(None)]]


@pytest.mark.parametrize("is_full", [False, True], ids=["limited", "full"])
@pytest.mark.parametrize("matrix", WEIGHTS, ids=["BT.709", "unstated", "BT.601", "BT.2020"])
def test_colours_do_not_depend_on_the_matrix_and_range_of_the_stream(matrix: int, is_full: bool) -> None:
    for _, picture in decode_pictures(InMemory(encoded(matrix, is_full)), 0, 2):
        assert isinstance(picture, Picture)
        difference = np.abs(picture_to_rgb(picture).astype(int) - RGB)
        assert difference.mean() < 1.6
        assert difference.max() <= 10


def test_a_video_of_ten_bits_is_shown_in_eight() -> None:
    for _, picture in decode_pictures(InMemory(encoded(1, is_full=False, pix_fmt="yuv420p10le")), 0, 2):
        assert isinstance(picture, Picture)
        assert np.abs(picture_to_rgb(picture).astype(int) - RGB).mean() < 1.6


def test_planes_of_a_video_belong_to_the_caller() -> None:
    """Decoders keep referring to their own frames."""
    stream = InMemory(encoded(6, is_full=False))
    untouched = [
        picture.y.copy() for _, picture in decode_pictures(stream, 0, 2) if isinstance(picture, Picture)
    ]

    for (_, picture), expected in zip(decode_pictures(stream, 0, 2), untouched, strict=True):
        assert isinstance(picture, Picture)
        assert np.array_equal(picture.y, expected)
        picture.y[:] = 16
