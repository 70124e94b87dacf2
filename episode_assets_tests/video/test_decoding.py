from __future__ import annotations

import random

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from episode_assets.errors import BadVideo
from episode_assets.video import UndecodablePicture, decode_picture, encode_jpeg, picture_to_rgb, write_jpeg
from episode_assets_tests.video.builders import jpeg, smooth_bgr


def as_opencv_sees_it(data: bytes) -> np.ndarray:
    return cv2.cvtColor(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


@pytest.mark.parametrize("sampling", [0x411111, 0x221111, 0x211111, 0x121111, 0x111111])
def test_a_jpeg_of_any_sampling_shows_the_same_colours_as_in_opencv(sampling):
    data = jpeg(smooth_bgr(), cv2.IMWRITE_JPEG_SAMPLING_FACTOR, sampling)

    rgb = picture_to_rgb(decode_picture("jpeg", data))

    difference = np.abs(rgb.astype(int) - as_opencv_sees_it(data))
    assert difference.mean() < 1.5
    assert difference.max() <= 12


@pytest.mark.parametrize("options", [(cv2.IMWRITE_JPEG_PROGRESSIVE, 1), (cv2.IMWRITE_JPEG_RST_INTERVAL, 4)])
def test_progressive_and_restart_jpegs_decode(options):
    data = jpeg(smooth_bgr(), *options)

    rgb = picture_to_rgb(decode_picture("jpeg", data))

    assert np.abs(rgb.astype(int) - as_opencv_sees_it(data)).mean() < 1.5


def test_luma_of_a_jpeg_is_mapped_to_limited_range():
    white, black = np.full((16, 16, 3), 255, np.uint8), np.zeros((16, 16, 3), np.uint8)

    assert decode_picture("jpeg", jpeg(white)).y.tolist() == [[235] * 16] * 16
    assert decode_picture("jpeg", jpeg(black)).y.tolist() == [[16] * 16] * 16


def test_a_grey_jpeg_has_neutral_chroma():
    picture = decode_picture("jpeg", jpeg(smooth_bgr()[:, :, 0]))

    assert set(np.unique(picture.u)) == set(np.unique(picture.v)) == {128}


@pytest.mark.parametrize(("width", "height"), [(33, 18), (32, 17), (33, 17), (1, 1)])
@pytest.mark.parametrize("kind", ["jpeg", "png", "rgb8"])
def test_odd_sizes_are_padded_by_repeating_the_edge(kind, width, height):
    image = smooth_bgr(width, height)
    data = {"jpeg": jpeg(image), "png": cv2.imencode(".png", image)[1].tobytes(), "rgb8": image.tobytes()}[
        kind
    ]

    picture = decode_picture(kind, data, width=width, height=height)

    assert (picture.true_width, picture.true_height) == (width, height)
    assert picture.y.shape == (height + height % 2, width + width % 2)
    assert picture.u.shape == (picture.height // 2, picture.width // 2)
    if width % 2:
        assert (picture.y[:height, -1] == picture.y[:height, -2]).all()
    if height % 2:
        assert (picture.y[-1] == picture.y[-2]).all()
    assert picture_to_rgb(picture).shape == (height, width, 3)


def test_planes_belong_to_the_caller():
    data = jpeg(smooth_bgr())
    picture = decode_picture("jpeg", data)

    picture.y[10:20, 10:20] = 16

    assert (decode_picture("jpeg", data).y[10:20, 10:20] != 16).any()


def test_raw_rows_may_be_longer_than_the_picture():
    image = smooth_bgr(20, 10)
    padded = np.zeros((10, 80), np.uint8)
    padded[:, :60] = image.reshape(10, 60)
    cut = padded.tobytes()[: 9 * 80 + 60]

    picture = decode_picture("bgr8", memoryview(cut), width=20, height=10, step=80)

    assert np.array_equal(picture.y, decode_picture("bgr8", image.tobytes(), width=20, height=10).y)


def test_rgb_and_bgr_are_told_apart():
    image = np.zeros((8, 8, 3), np.uint8)
    image[:, :, 0] = 250

    red = picture_to_rgb(decode_picture("rgb8", image.tobytes(), width=8, height=8))
    blue = picture_to_rgb(decode_picture("bgr8", image.tobytes(), width=8, height=8))

    assert red[4, 4, 0] > 240
    assert red[4, 4, 2] < 10
    assert blue[4, 4, 2] > 240
    assert blue[4, 4, 0] < 10


def test_transparent_grey_and_deep_png_decode():
    image = smooth_bgr()
    for variant in (image[:, :, 0], np.dstack([image, image[:, :, :1]]), image.astype(np.uint16) * 257):
        data = cv2.imencode(".png", variant)[1].tobytes()

        rgb = picture_to_rgb(decode_picture("png", data))

        assert np.abs(rgb.astype(int) - as_opencv_sees_it(data)).mean() < 3


@pytest.mark.parametrize("share", [0.0, 0.01, 0.2, 0.5, 0.9])
@pytest.mark.parametrize("kind", [".jpg", ".png"])
def test_a_truncated_picture_is_refused(kind, share):
    noise = np.random.default_rng(1).integers(0, 255, (90, 160, 3), np.uint8)
    data = cv2.imencode(kind, noise)[1].tobytes()

    with pytest.raises(UndecodablePicture):
        decode_picture({".jpg": "jpeg", ".png": "png"}[kind], data[: int(len(data) * share)])


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), kind=st.sampled_from(["jpeg", "png"]))
def test_mangled_bytes_give_a_picture_or_a_named_error(seed, kind):
    chance = random.Random(seed)
    image = smooth_bgr(48, 32)
    data = bytearray(jpeg(image) if kind == "jpeg" else cv2.imencode(".png", image)[1].tobytes())
    for _ in range(chance.randint(1, 20)):
        data[chance.randrange(len(data))] = chance.randrange(256)

    try:
        picture = decode_picture(kind, bytes(data))
    except UndecodablePicture as error:
        assert "\n" not in str(error)
    else:
        assert picture.y.shape[0] % 2 == 0


def test_a_header_that_claims_a_giant_picture_is_refused():
    data = bytearray(jpeg(smooth_bgr(16, 16)))
    at = data.index(b"\xff\xc0")
    data[at + 5 : at + 9] = b"\xff\xf0\xff\xf0"

    with pytest.raises(UndecodablePicture):
        decode_picture("jpeg", bytes(data))


@pytest.mark.parametrize(
    ("kind", "data", "size", "words"),
    [
        ("16UC1", bytes(8), {"width": 2, "height": 2}, "'16UC1' is not one of"),
        ("webp", b"RIFF", {}, "does not decode"),
        ("rgb8", b"123", {"width": 1, "height": 2}, "needs more than 3 bytes"),
        ("rgb8", b"123", {}, "needs a width and a height"),
        ("mono8", b"1234", {"width": 4, "height": 1, "step": 2}, "rows of 2 bytes"),
        ("jpeg", b"", {}, "empty"),
        ("png", b"not a picture", {}, "does not decode"),
    ],
)
def test_a_bad_payload_says_what_is_wrong(kind, data, size, words):
    with pytest.raises(UndecodablePicture, match=words):
        decode_picture(kind, data, **size)


def test_undecodable_pictures_are_bad_video():
    assert issubclass(UndecodablePicture, BadVideo)


def test_scaling_averages_areas():
    checker = (np.indices((64, 64)).sum(axis=0) % 2 * 255).astype(np.uint8)
    picture = decode_picture("mono8", checker.tobytes(), width=64, height=64)

    rgb = picture_to_rgb(picture, size=(16, 16))

    assert rgb.shape == (16, 16, 3)
    assert np.abs(rgb.astype(int) - 127).max() <= 3


def test_scaling_an_odd_picture_leaves_the_padding_out():
    image = smooth_bgr(325, 181)
    picture = decode_picture("bgr8", image.tobytes(), width=325, height=181)

    rgb = picture_to_rgb(picture, size=(65, 37))

    expected = cv2.resize(image[:, :, ::-1], (65, 37), interpolation=cv2.INTER_AREA)
    assert np.abs(rgb.astype(int) - expected).mean() < 3


def test_a_still_is_written_with_equal_bytes_each_time(tmp_path):
    picture = decode_picture("jpeg", jpeg(smooth_bgr()))

    size = write_jpeg(picture, tmp_path / "still.jpg", quality=80)

    assert (tmp_path / "still.jpg").read_bytes() == encode_jpeg(picture_to_rgb(picture), quality=80)
    assert size == (tmp_path / "still.jpg").stat().st_size
    assert as_opencv_sees_it((tmp_path / "still.jpg").read_bytes()).shape == (180, 320, 3)
