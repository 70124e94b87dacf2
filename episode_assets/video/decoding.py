"""Turning the payload of one image message into a `Picture`, without a detour through RGB for JPEG.

A payload that does not decode completely is refused: libav would fill the missing part with grey and say
nothing. Uncompressed payloads belong in `raw_pictures`, video in `sequences`. Which messages hold which payloads
belongs in `recording`; depth images too.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from itertools import islice
from typing import Any

import av

from episode_assets.video.conversion import FULL_RANGE, picture_from
from episode_assets.video.faults import UndecodablePicture, named_failures
from episode_assets.video.picture import Picture
from episode_assets.video.raw_pictures import MAX_PIXELS, RAW_FORMATS, Payload, decode_raw

STRICT_DECODING = {"err_detect": "explode", "max_pixels": str(MAX_PIXELS)}
"""Options of every decoder. Without `explode` a cut-off picture comes back half grey and without an error."""


def decode_picture(
    format: str,  # noqa: A002  # the word of image messages
    data: Payload,
    *,
    width: int | None = None,
    height: int | None = None,
    step: int | None = None,
    is_bigendian: bool = False,
) -> Picture:
    """Decode the payload of one colour or grey image.

    Args:
        format: `jpeg`, `png`, `webp`, `avif`, or a raw encoding by the name of ROS or Foxglove (`RAW_FORMATS`).
        data: The payload; it is only read.
        width: Width in pixels; needed for the raw formats, ignored for the others.
        height: Height in pixels, likewise.
        step: Length of a row in bytes of the raw formats; packed rows if None.
        is_bigendian: Byte order of raw formats of 16 bits.

    Returns:
        The picture, limited range BT.601, odd sizes padded to even.

    Raises:
        UndecodablePicture: The payload is cut off or mangled, or the format is not known.
    """
    if format in _COMPRESSED:
        return _COMPRESSED[format](data)
    if format in RAW_FORMATS:
        return decode_raw(format, data, width=width, height=height, step=step, is_bigendian=is_bigendian)
    raise UndecodablePicture(
        f"image format {format!r} is not one of {', '.join(sorted([*_COMPRESSED, *RAW_FORMATS]))}",
        remedy="name the topic with a supported encoding in the topic map",
    )


def _still(codec: str, data: Payload) -> Picture:
    return picture_from(_decode_one(codec, data), unstated_range=FULL_RANGE)


def _decode_one(codec: str, data: Payload) -> Any:
    _require_bytes(data)
    # A fresh context costs 0.1 ms and keeps a damaged picture from leaving state for the next one.
    context = av.CodecContext.create(codec, "r")
    context.thread_count = 1
    context.options = dict(STRICT_DECODING)
    with named_failures(
        f"a {codec} picture of {len(data)} bytes does not decode", where="", kind=UndecodablePicture
    ):
        frames = context.decode(av.Packet(data))
        frames = frames or context.decode(None)
    return _the_one(frames, codec, data)


def _avif(data: Payload) -> Picture:
    _require_bytes(data)
    with (
        named_failures(
            f"an avif picture of {len(data)} bytes does not decode", where="", kind=UndecodablePicture
        ),
        av.open(io.BytesIO(data), format="avif", options=STRICT_DECODING) as container,
    ):
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        frame = _the_one(list(islice(container.decode(stream), 1)), "avif", data)
        return picture_from(frame, unstated_range=FULL_RANGE)


def _require_bytes(data: Payload) -> None:
    if len(data) == 0:
        raise UndecodablePicture("the payload is empty")


def _the_one(frames: list[Any], codec: str, data: Payload) -> Any:
    if not frames or frames[0].width < 1:
        raise UndecodablePicture(f"a {codec} payload of {len(data)} bytes holds no picture")
    return frames[0]


_COMPRESSED: dict[str, Callable[[Payload], Picture]] = {
    "jpeg": lambda data: _still("mjpeg", data),
    "png": lambda data: _still("png", data),
    "webp": lambda data: _still("webp", data),
    "avif": _avif,
}
