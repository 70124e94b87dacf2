"""Raw encodings, against OpenCV's own conversions."""

from __future__ import annotations

import av
import cv2
import numpy as np
import pytest

from episode_assets.video import UndecodablePicture, decode_picture, picture_to_rgb
from episode_assets.video.raw_pictures import RAW_FORMATS
from episode_assets_tests.video.builders import smooth_bgr

WIDTH, HEIGHT = 320, 240
BGR = smooth_bgr(WIDTH, HEIGHT)
RGB = BGR[:, :, ::-1]
GREY = cv2.cvtColor(BGR, cv2.COLOR_BGR2GRAY)


def yuv_420() -> np.ndarray:
    return cv2.cvtColor(BGR, cv2.COLOR_BGR2YUV_I420)


def packed_422(order: str) -> np.ndarray:
    """Pack with libav's converter, which is not the one under test."""
    layout = {"uyvy": "uyvy422", "yuyv": "yuyv422"}[order]
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(RGB), "rgb24").reformat(format=layout)
    return np.frombuffer(frame.planes[0], np.uint8).reshape(HEIGHT, -1)[:, : 2 * WIDTH]


def semi_planar(first: str) -> np.ndarray:
    planes = yuv_420()
    u, v = planes[HEIGHT:].reshape(2, HEIGHT // 2, WIDTH // 2)
    chroma = np.dstack([u, v] if first == "u" else [v, u]).reshape(HEIGHT // 2, WIDTH)
    return np.concatenate([planes[:HEIGHT], chroma])


def mosaic(pattern: str) -> np.ndarray:
    """Keep one colour of each pixel, as a sensor with this pattern does."""
    channel = np.array(["rgb".index(letter) for letter in pattern]).reshape(2, 2)
    return np.take_along_axis(RGB, np.tile(channel, (HEIGHT // 2, WIDTH // 2))[:, :, None], axis=2)[:, :, 0]


CASES: dict[str, tuple[np.ndarray, np.ndarray]] = {
    "rgb8": (RGB, RGB),
    "bgr8": (BGR, RGB),
    "8UC3": (BGR, RGB),
    "rgba8": (np.dstack([RGB, GREY]), RGB),
    "bgra8": (np.dstack([BGR, GREY]), RGB),
    "8UC4": (np.dstack([BGR, GREY]), RGB),
    "mono8": (GREY, np.dstack([GREY] * 3)),
    "8UC1": (GREY, np.dstack([GREY] * 3)),
    "mono16": (GREY.astype(np.uint16) * 257, np.dstack([GREY] * 3)),
    "nv12": (semi_planar("u"), cv2.cvtColor(semi_planar("u"), cv2.COLOR_YUV2RGB_NV12)),
    "nv21": (semi_planar("v"), cv2.cvtColor(semi_planar("v"), cv2.COLOR_YUV2RGB_NV21)),
    "i420": (yuv_420(), cv2.cvtColor(yuv_420(), cv2.COLOR_YUV2RGB_I420)),
    "yuv420": (yuv_420(), cv2.cvtColor(yuv_420(), cv2.COLOR_YUV2RGB_I420)),
}
for _name, _order, _code in (
    ("yuv422", "uyvy", cv2.COLOR_YUV2RGB_UYVY),
    ("uyvy", "uyvy", cv2.COLOR_YUV2RGB_UYVY),
    ("yuv422_yuy2", "yuyv", cv2.COLOR_YUV2RGB_YUYV),
    ("yuyv", "yuyv", cv2.COLOR_YUV2RGB_YUYV),
):
    CASES[_name] = packed_422(_order), cv2.cvtColor(packed_422(_order).reshape(HEIGHT, WIDTH, 2), _code)
for _pattern in ("rggb", "bggr", "gbrg", "grbg"):
    CASES[f"bayer_{_pattern}8"] = mosaic(_pattern), RGB
    CASES[f"bayer_{_pattern}16"] = mosaic(_pattern).astype(np.uint16) * 257, RGB


def rows_of(stored: np.ndarray) -> np.ndarray:
    """The bytes of each row, (rows, row bytes)."""
    return np.ascontiguousarray(stored).view(np.uint8).reshape(stored.shape[0], -1)


def worst(found: np.ndarray, expected: np.ndarray) -> tuple[float, int]:
    """Mean and largest difference, the outermost pixels left out, where demosaicing has no neighbours."""
    difference = np.abs(found.astype(int) - expected)[2:-2, 2:-2]
    return float(difference.mean()), int(difference.max())


def test_every_encoding_of_the_table_is_tried_here() -> None:
    assert set(CASES) == set(RAW_FORMATS)


@pytest.mark.parametrize("name", CASES)
def test_a_raw_picture_shows_the_colours_that_opencv_sees(name: str) -> None:
    stored, expected = CASES[name]

    rgb = picture_to_rgb(decode_picture(name, stored.tobytes(), width=WIDTH, height=HEIGHT))

    mean, largest = worst(rgb, expected)
    assert mean < 2.0
    assert largest <= 14


@pytest.mark.parametrize("name", CASES)
def test_padding_behind_rows_and_bytes_behind_the_picture_change_nothing(name: str) -> None:
    rows = rows_of(CASES[name][0])
    packed = decode_picture(name, rows.tobytes(), width=WIDTH, height=HEIGHT)
    if name in ("i420", "yuv420"):  # rows of chroma are half as long, padding included
        luma = np.pad(rows[:HEIGHT], ((0, 0), (0, 16)), constant_values=7)
        chroma = np.pad(rows[HEIGHT:].reshape(HEIGHT, WIDTH // 2), ((0, 0), (0, 8)), constant_values=7)
        padded = luma.tobytes() + chroma.tobytes()
    else:
        padded = np.pad(rows, ((0, 0), (0, 16)), constant_values=7).tobytes()

    step = rows.shape[1] + 16
    picture = decode_picture(name, padded + b"tail", width=WIDTH, height=HEIGHT, step=step)

    assert np.array_equal(picture.y, packed.y)
    assert np.array_equal(picture.u, packed.u)
    assert np.array_equal(picture.v, packed.v)


@pytest.mark.parametrize("name", ["mono16", "bayer_rggb16"])
def test_the_byte_order_of_16_bits_is_heeded(name: str) -> None:
    stored = CASES[name][0].astype(np.uint16) - 100
    little = decode_picture(name, stored.astype("<u2").tobytes(), width=WIDTH, height=HEIGHT)

    big = decode_picture(name, stored.astype(">u2").tobytes(), width=WIDTH, height=HEIGHT, is_bigendian=True)

    assert np.array_equal(big.y, little.y)
    assert not np.array_equal(
        decode_picture(name, stored.astype(">u2").tobytes(), width=WIDTH, height=HEIGHT).y, little.y
    )


@pytest.mark.parametrize("name", CASES)
def test_a_byte_too_few_is_refused(name: str) -> None:
    data = CASES[name][0].tobytes()

    with pytest.raises(UndecodablePicture, match=f"needs more than {len(data) - 1} bytes"):
        decode_picture(name, data[:-1], width=WIDTH, height=HEIGHT)


@pytest.mark.parametrize("name", ["uyvy", "yuyv", "yuv422", "yuv422_yuy2"])
def test_an_odd_width_cannot_be_stored_in_pairs(name: str) -> None:
    with pytest.raises(UndecodablePicture, match="63 wide"):
        decode_picture(name, bytes(64 * 48 * 2), width=63, height=48)


@pytest.mark.parametrize("name", ["nv12", "nv21", "i420"])
@pytest.mark.parametrize(("width", "height"), [(7, 6), (8, 5), (7, 5), (1, 1)])
def test_odd_sizes_of_planar_pictures_round_chroma_up(name: str, width: int, height: int) -> None:
    step, chroma_rows = width + width % 2, (height + 1) // 2
    luma = np.arange(step * height, dtype=np.uint8).reshape(height, step)
    data = luma.tobytes() + np.full((chroma_rows, step), 77, np.uint8).tobytes()

    picture = decode_picture(name, data, width=width, height=height, step=step)

    assert np.array_equal(picture.y[:height, :width], luma[:, :width])
    assert (picture.true_width, picture.true_height) == (width, height)
    assert set(np.unique([*picture.u.ravel(), *picture.v.ravel()])) == {77}


def test_limited_range_yuv_reaches_the_picture_untouched() -> None:
    planes = yuv_420()

    picture = decode_picture("i420", planes.tobytes(), width=WIDTH, height=HEIGHT)

    assert np.array_equal(
        np.concatenate([picture.y.ravel(), picture.u.ravel(), picture.v.ravel()]), planes.ravel()
    )


@pytest.mark.parametrize("name", ["16UC1", "32FC1", "theora", ""])
def test_what_is_no_colour_picture_is_refused_by_name(name: str) -> None:
    with pytest.raises(UndecodablePicture, match=f"'{name}' is not one of"):
        decode_picture(name, bytes(4 * WIDTH * HEIGHT), width=WIDTH, height=HEIGHT)


@pytest.mark.parametrize("quality", [101, 80])
def test_webp_decodes_as_in_opencv(quality: int) -> None:
    data = cv2.imencode(".webp", BGR, [cv2.IMWRITE_WEBP_QUALITY, quality])[1].tobytes()

    rgb = picture_to_rgb(decode_picture("webp", data))

    expected = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[:, :, ::-1]
    assert worst(rgb, expected)[0] < 1.5


def test_avif_decodes_as_in_opencv() -> None:
    if not cv2.haveImageWriter(".avif"):
        pytest.skip("this OpenCV writes no AVIF")
    data = cv2.imencode(".avif", BGR)[1].tobytes()

    rgb = picture_to_rgb(decode_picture("avif", data))

    expected = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[:, :, ::-1]
    assert worst(rgb, expected)[0] < 1.5
    with pytest.raises(UndecodablePicture):
        decode_picture("avif", data[: len(data) // 2])


def test_planes_that_reach_behind_the_message_are_refused() -> None:
    with pytest.raises(UndecodablePicture, match="do not hold"):
        decode_picture("i420", bytes(44), width=4, height=4, step=8)
