"""Depth in its encodings, and the size trap of calibrations."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest

from episode_assets.recording import CameraInfoStream, ImageMessage, UndecodableImage, decode_depth

DEPTH = np.array([[0, 400, 65535], [1, 853, 1472]], dtype=np.uint16)


def message(data: bytes, encoding: str, *, width: int | None = 3, height: int | None = 2, step: int | None = None,
            big: bool = False) -> ImageMessage:  # fmt: skip
    return ImageMessage(7, 1, encoding, memoryview(data), width, height, step, big)


def png(picture: Any) -> bytes:
    return cv2.imencode(".png", picture)[1].tobytes()


@pytest.mark.parametrize(
    "given",
    [
        message(DEPTH.astype("<u2").tobytes(), "16UC1", step=6),
        message(DEPTH.astype("<u2").tobytes(), "mono16", step=6),
        message(DEPTH.astype(">u2").tobytes(), "16UC1", step=6, big=True),
        message(b"".join(row.tobytes() + b"pad" for row in DEPTH), "16UC1", step=9),
        message(DEPTH.tobytes() + b"tail", "16UC1", step=6),
        message(png(DEPTH), "png", width=None, height=None),
        message(bytes(12) + png(DEPTH), "compressedDepth png", width=None, height=None),
    ],
    ids=["16UC1", "mono16", "big endian", "padded rows", "trailing bytes", "png", "compressedDepth"],
)
def test_depth_is_the_same_in_every_packing(given: ImageMessage) -> None:
    assert decode_depth(given).tolist() == DEPTH.tolist()


def test_metres_become_millimetres_and_nonsense_becomes_holes() -> None:
    metres = np.array([[1.2344, np.nan, np.inf], [-0.5, 70.0, 0.0]], dtype=np.float32)

    depth = decode_depth(message(metres.tobytes(), "32FC1", step=12))

    assert depth.tolist() == [[1234, 0, 0], [0, 65535, 0]]


@pytest.mark.parametrize(
    "given",
    [
        message(DEPTH.tobytes()[:-1], "16UC1", step=6),
        message(DEPTH.tobytes(), "16UC1", step=4),
        message(b"", "16UC1", width=0, height=0, step=0),
        message(DEPTH.tobytes(), "rgb8", step=6),
        message(b"\x89PNG broken", "png", width=None, height=None),
        message(png(np.zeros((2, 3), np.uint8)), "png", width=None, height=None),
        message(bytes(12) + png(DEPTH), "compressedDepth png 32FC1", width=None, height=None),
    ],
    ids=["short", "small step", "no size", "colour", "broken png", "8 bit", "quantised floats"],
)
def test_depth_that_does_not_fit_its_statement_is_refused_by_name(given: ImageMessage) -> None:
    with pytest.raises(UndecodableImage, match="message 7"):
        decode_depth(given)


def calibration(*sizes: tuple[int, int], focal: float = 100.0) -> CameraInfoStream:
    n = len(sizes)
    K = np.tile(np.array([[focal, 0, 32], [0, focal, 24], [0, 0, 1.0]]), (n, 1, 1))
    return CameraInfoStream(
        np.arange(n, dtype=np.int64) * 100,
        K,
        ((),) * n,
        np.array([w for w, _ in sizes], np.int32),
        np.array([h for _, h in sizes], np.int32),
        ("plumb_bob",) * n,
        "camera",
    )


def test_a_calibration_of_the_capture_buffer_is_scaled_to_the_picture() -> None:
    K, valid, reason = calibration((64, 48)).for_pictures(np.array([5, 9]), width=32, height=24)

    assert valid.all()
    assert reason is None
    assert K[1].tolist() == [[50, 0, 16], [0, 50, 12], [0, 0, 1]]


def test_a_calibration_of_another_picture_is_refused() -> None:
    K, valid, reason = calibration((640, 480)).for_pictures(np.array([5]), width=520, height=360)

    assert not valid.any()
    assert np.isnan(K).all()
    assert reason is not None
    assert "640x480" in reason


def test_each_picture_takes_the_nearest_calibration() -> None:
    K, valid, _ = calibration((64, 48), (128, 96)).for_pictures(np.array([10, 51, 400]), width=64, height=48)

    assert valid.all()
    assert K[:, 0, 0].tolist() == [100, 50, 50]


def test_an_uncalibrated_camera_is_said_to_be_so() -> None:
    _, valid, reason = calibration((64, 48), focal=0.0).for_pictures(np.array([5]), width=64, height=48)

    assert not valid.any()
    assert reason is not None
    assert "no calibration" in reason
