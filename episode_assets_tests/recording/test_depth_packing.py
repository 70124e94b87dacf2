"""Depth as `compressedDepth` transports it: RVL and quantised floats, written here from their descriptions."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from episode_assets.recording import ImageMessage, RecordingView, UndecodableImage, decode_depth
from episode_assets_tests.recording.rig import EPOCH_NS, Rig, compressed_image, jpeg

HEAD = bytes(12)


def message(data: bytes, name: str) -> ImageMessage:
    return ImageMessage(7, 1, name, memoryview(data), None, None, None, False)


def groups_of(number: int) -> Iterator[int]:
    while number > 7:
        yield number & 7 | 8
        number >>= 3
    yield number


def rvl(depth: np.ndarray) -> bytes:
    """Pack depth value by value, as the paper describes it."""
    values, nibbles, at, previous = depth.ravel().astype(np.int16).tolist(), [], 0, 0
    while at < len(values):
        zeros = next((n for n, value in enumerate(values[at:]) if value), len(values) - at)
        run = values[at + zeros :]
        others = next((n for n, value in enumerate(run) if not value), len(run))
        nibbles += [*groups_of(zeros), *groups_of(others)]
        for value in run[:others]:
            difference = value - previous
            nibbles += groups_of(2 * difference if difference >= 0 else -2 * difference - 1)
            previous = value
        at += zeros + others
    nibbles += [0] * (-len(nibbles) % 8)
    words = [int("".join(f"{n:x}" for n in nibbles[i : i + 8]), 16) for i in range(0, len(nibbles), 8)]
    return struct.pack(f"<{len(words)}I", *words)


def packed(depth: np.ndarray) -> bytes:
    height, width = depth.shape
    return HEAD + struct.pack("<II", width, height) + rvl(depth)


@settings(max_examples=60, deadline=None)
@given(
    arrays(
        np.uint16,
        st.tuples(st.integers(1, 9), st.integers(1, 9)),
        elements=st.sampled_from([0, 0, 1, 400, 401, 853, 32767, 32768, 65535]),
    )
)
def test_rvl_gives_back_every_value(depth: np.ndarray) -> None:
    assert decode_depth(message(packed(depth), "compressedDepth rvl")).tolist() == depth.tolist()


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=120), st.integers(0, 40), st.integers(0, 40))
def test_any_rvl_bytes_give_the_stated_size_or_a_named_error(data: bytes, width: int, height: int) -> None:
    given_bytes = HEAD + struct.pack("<II", width, height) + data
    try:
        depth = decode_depth(message(given_bytes, "compressedDepth rvl"))
    except UndecodableImage as error:
        assert "message 7" in str(error)
    else:
        assert depth.shape == (height, width)


@pytest.mark.parametrize("size", [(1 << 31, 1 << 31), (0, 5), (4097, 4096)])
def test_an_absurd_size_is_refused_before_memory_is_taken(size: tuple[int, int]) -> None:
    with pytest.raises(UndecodableImage, match="claims"):
        decode_depth(message(HEAD + struct.pack("<II", *size) + bytes(64), "compressedDepth rvl"))


def test_an_absurd_png_is_refused_before_memory_is_taken() -> None:
    data = bytearray(cv2.imencode(".png", np.zeros((2, 2), np.uint16))[1].tobytes())
    data[16:24] = struct.pack(">II", 60_000, 60_000)

    with pytest.raises(UndecodableImage, match="60000 x 60000"):
        decode_depth(message(bytes(data), "png"))


@pytest.mark.parametrize("packing", ["png", "rvl"])
def test_quantised_floats_become_millimetres(packing: str) -> None:
    metres = np.array([[0.5, 1.0, 2.0], [4.0, 0.0, 8.0]])
    a, b = (
        100.0 * 101.0,
        1.0 - 101.0,
    )  # as compressed_depth_image_transport makes them of depth 10 and quantisation 100
    values = np.where(metres > 0, a / np.where(metres > 0, metres, 1) + b, 0).astype(np.uint16)
    head = struct.pack("<iff", 0, a, b)
    body = packed(values)[12:] if packing == "rvl" else cv2.imencode(".png", values)[1].tobytes()

    depth = decode_depth(message(head + body, f"compressedDepth {packing} 32FC1"))

    assert depth[1, 1] == 0
    assert np.abs(depth - metres * 1000).max() <= 8  # the last step of the quantisation is 8 mm at 8 m
    assert np.abs(depth - metres * 1000)[0].max() <= 1


def test_the_packing_of_a_topic_is_told_from_its_messages(
    tmp_path: Path, view_of: Callable[..., RecordingView]
) -> None:
    depth = np.array([[0, 400, 853], [1472, 0, 9]], np.uint16)
    rig = Rig(tmp_path / "rig.mcap")
    rig.add("/camera/color/compressed", compressed_image(EPOCH_NS, jpeg(0)))
    rig.add(
        "/camera/depth/compressedDepth",
        compressed_image(EPOCH_NS, packed(depth), name="16UC1; compressedDepth rvl"),
    )

    view = view_of(rig.close())

    assert view.depth is not None
    assert decode_depth(next(view.depth.read())).tolist() == depth.tolist()


def test_a_png_behind_the_header_is_found_whatever_the_text_says(
    tmp_path: Path, view_of: Callable[..., RecordingView]
) -> None:
    depth = np.array([[0, 400, 853], [1472, 0, 9]], np.uint16)
    rig = Rig(tmp_path / "rig.mcap")
    rig.add("/depth", compressed_image(EPOCH_NS, HEAD + cv2.imencode(".png", depth)[1].tobytes(), name="png"))

    view = view_of(rig.close())

    assert view.depth is not None
    assert decode_depth(next(view.depth.read())).tolist() == depth.tolist()
