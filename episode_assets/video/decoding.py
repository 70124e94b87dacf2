"""Turning the payload of one image message into a `Picture`, without a detour through RGB for JPEG.

A payload that does not decode completely is refused: libav would fill the missing part with grey and say
nothing. Which messages hold which payloads belongs in `recording`; depth images too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import av
import numpy as np
from av.video.reformatter import VideoReformatter

from episode_assets.video.faults import UndecodablePicture, named_failures
from episode_assets.video.picture import (
    BT601_MATRIX,
    LIMITED_RANGE,
    NEUTRAL_CHROMA,
    Picture,
    Plane,
    chroma_to_limited,
    luma_to_limited,
    picture_of,
    plane_view,
)

MAX_PIXELS = 1 << 28
"""Largest picture that is decoded (16,384 x 16,384); a header that claims more is damage or an attack."""

Payload = bytes | bytearray | memoryview

_FULL_RANGE = 2


def decode_picture(
    format: str,  # noqa: A002  # the word of image messages
    data: Payload,
    *,
    width: int | None = None,
    height: int | None = None,
    step: int | None = None,
) -> Picture:
    """Decode the payload of one colour or grey image.

    Args:
        format: `jpeg`, `png`, `rgb8`, `bgr8` or `mono8`.
        data: The payload; it is only read.
        width: Width in pixels; needed for the raw formats, ignored for the others.
        height: Height in pixels, likewise.
        step: Length of a row in bytes of the raw formats; packed rows if None.

    Returns:
        The picture, limited range BT.601, odd sizes padded to even.

    Raises:
        UndecodablePicture: The payload is cut off or mangled, or the format is not one of the five.
    """
    if format in _COMPRESSED:
        return _COMPRESSED[format](data)
    if format in _RAW_CHANNELS:
        return _decode_raw(format, data, width=width, height=height, step=step)
    raise UndecodablePicture(
        f"image format {format!r} is not one of {', '.join(sorted([*_COMPRESSED, *_RAW_CHANNELS]))}",
        remedy="name the topic with a supported encoding in the topic map",
    )


def _decode_jpeg(data: Payload) -> Picture:
    frame = _decode_one("mjpeg", data)
    if frame.format.name not in ("yuvj420p", "gray"):
        return _reformatted(frame)
    picture = Picture.uninitialised(frame.width, frame.height)
    luma_to_limited(plane_view(frame.planes[0]), picture.y[: frame.height, : frame.width])
    if len(frame.planes) == 3:
        chroma_to_limited(plane_view(frame.planes[1]), picture.u)
        chroma_to_limited(plane_view(frame.planes[2]), picture.v)
    else:
        picture.u.fill(NEUTRAL_CHROMA)
        picture.v.fill(NEUTRAL_CHROMA)
    picture.pad()
    return picture


def _decode_png(data: Payload) -> Picture:
    return _reformatted(_decode_one("png", data))


_COMPRESSED: dict[str, Callable[[Payload], Picture]] = {"jpeg": _decode_jpeg, "png": _decode_png}
_RAW_CHANNELS = {"rgb8": 3, "bgr8": 3, "mono8": 1}


def _decode_one(codec: str, data: Payload) -> Any:
    if len(data) == 0:
        raise UndecodablePicture("the payload is empty")
    # A fresh context costs 0.1 ms and keeps a damaged picture from leaving state for the next one.
    context = av.CodecContext.create(codec, "r")
    context.thread_count = 1
    # Without `explode` a cut-off picture comes back half grey and without an error.
    context.options = {"err_detect": "explode", "max_pixels": str(MAX_PIXELS)}
    with named_failures(
        f"a {codec} picture of {len(data)} bytes does not decode", where="", kind=UndecodablePicture
    ):
        frames = context.decode(av.Packet(bytes(data)))
        frames = frames or context.decode(None)
    if not frames or frames[0].width < 1:
        raise UndecodablePicture(f"a {codec} payload of {len(data)} bytes holds no picture")
    return frames[0]


def _decode_raw(
    format: str,  # noqa: A002
    data: Payload,
    *,
    width: int | None,
    height: int | None,
    step: int | None,
) -> Picture:
    channels = _RAW_CHANNELS[format]
    if not width or not height or width < 1 or height < 1 or width * height > MAX_PIXELS:
        raise UndecodablePicture(f"a {format} image needs a width and a height, found {width} x {height}")
    row = step or width * channels
    if row < width * channels or len(data) < row * (height - 1) + width * channels:
        raise UndecodablePicture(
            f"a {format} image of {width} x {height} with rows of {row} bytes needs more than {len(data)} bytes"
        )
    flat = np.frombuffer(data, np.uint8)
    rows = np.lib.stride_tricks.as_strided(flat, (height, width * channels), (row, 1), writeable=False)
    return _grey(rows) if channels == 1 else _colour(rows.reshape(height, width, 3), format)


def _grey(rows: Plane) -> Picture:
    picture = Picture.blank(rows.shape[1], rows.shape[0])
    luma_to_limited(np.ascontiguousarray(rows), picture.y[: rows.shape[0], : rows.shape[1]])
    picture.pad()
    return picture


def _colour(pixels: Plane, format: str) -> Picture:  # noqa: A002
    layout = {"rgb8": "rgb24", "bgr8": "bgr24"}[format]
    return _reformatted(av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), layout))


def _reformatted(frame: Any) -> Picture:
    """Convert any frame to a picture through swscale; YUV stays YUV, only the sampling and range change."""
    is_rgb = frame.format.is_rgb or frame.format.name.startswith(("pal", "gray", "ya", "mono"))
    source_range = _FULL_RANGE if is_rgb or "yuvj" in frame.format.name else frame.color_range or _FULL_RANGE
    with named_failures(
        f"{frame.format.name} cannot be turned into yuv420p", where="", kind=UndecodablePicture
    ):
        converted = VideoReformatter().reformat(
            frame,
            format="yuv420p",
            src_colorspace=BT601_MATRIX,
            dst_colorspace=BT601_MATRIX,
            src_color_range=source_range,
            dst_color_range=LIMITED_RANGE,
            interpolation="AREA",
            threads=1,
        )
    return picture_of(converted)
