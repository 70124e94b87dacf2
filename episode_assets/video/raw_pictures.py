"""Uncompressed pictures of image messages: which names there are, how their bytes lie, and what becomes of them.

`RAW_FORMATS` is the one table of names; an alias is a line of it. Depth in raw encodings belongs in `recording`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from episode_assets.video.conversion import FULL_RANGE, picture_from
from episode_assets.video.faults import UndecodablePicture
from episode_assets.video.picture import NEUTRAL_CHROMA, Picture, Plane, luma_to_limited

MAX_PIXELS = 1 << 28
"""Largest picture that is decoded (16,384 x 16,384); a header that claims more is damage or an attack."""

Payload = bytes | bytearray | memoryview


@dataclass(frozen=True)
class RawImage:
    """The bytes of one raw image with what its message says about them.

    Attributes:
        data: The bytes; more than needed may be there.
        width: Pixels, at least 1.
        height: Pixels, at least 1.
        step: Bytes from one row to the next.
        is_bigendian: Byte order of 16-bit values.
    """

    data: Payload
    width: int
    height: int
    step: int
    is_bigendian: bool

    def rows(self, row_bytes: int, count: int, *, start: int = 0, step: int | None = None) -> Plane:
        """Return `count` rows of `row_bytes` bytes from byte `start` on, as a read-only view.

        Raises:
            UndecodablePicture: They reach behind the data.
        """
        step = step or self.step
        if start + (count - 1) * step + row_bytes > len(self.data):
            raise UndecodablePicture(
                f"{len(self.data)} bytes do not hold {count} rows of {row_bytes} bytes from byte {start} on"
            )
        flat = np.frombuffer(self.data, np.uint8)[start:]
        return np.lib.stride_tricks.as_strided(flat, (count, row_bytes), (step, 1), writeable=False)

    def values_16(self) -> NDArray[np.uint16]:
        """Return one 16-bit value for each pixel, (H, W) uint16 in native order."""
        rows = np.ascontiguousarray(self.rows(2 * self.width, self.height))
        return rows.view(">u2" if self.is_bigendian else "<u2").astype(np.uint16)


@dataclass(frozen=True)
class RawFormat:
    """How the bytes of one encoding lie, and how they become a picture.

    Attributes:
        row_bytes: Bytes of a packed row of the given width.
        convert: Makes the picture.
        has_chroma_below: Whether half as many rows of chroma lie below the luma rows (4:2:0).
        needs_even_width: Whether pixels share chroma in pairs inside a row.
    """

    row_bytes: Callable[[int], int]
    convert: Callable[[RawImage], Picture]
    has_chroma_below: bool = False
    needs_even_width: bool = False

    def needed_bytes(self, width: int, height: int, step: int) -> int:
        """Return the bytes that a picture needs; the last row may end without its padding."""
        if not self.has_chroma_below:
            return step * (height - 1) + self.row_bytes(width)
        return step * height + step * ((height + 1) // 2 - 1) + _even(width)


def decode_raw(
    format: str,  # noqa: A002  # the word of image messages
    data: Payload,
    *,
    width: int | None,
    height: int | None,
    step: int | None,
    is_bigendian: bool,
) -> Picture:
    """Convert the bytes of one raw image; arguments as those of `decode_picture`.

    Raises:
        UndecodablePicture: The bytes do not fill the stated size.
    """
    raw = RAW_FORMATS[format]
    if not width or not height or width < 1 or height < 1 or width * height > MAX_PIXELS:
        raise UndecodablePicture(f"a {format} image needs a width and a height, found {width} x {height}")
    if raw.needs_even_width and width % 2:
        raise UndecodablePicture(f"a {format} image stores pixels in pairs and cannot be {width} wide")
    row = step or (_even(width) if raw.has_chroma_below else raw.row_bytes(width))
    if row < raw.row_bytes(width) or len(data) < raw.needed_bytes(width, height, row):
        raise UndecodablePicture(
            f"a {format} image of {width} x {height} with rows of {row} bytes needs more than {len(data)} bytes"
        )
    return raw.convert(RawImage(data, width, height, row, is_bigendian))


def _even(length: int) -> int:
    return length + length % 2


def _grey(image: RawImage) -> Picture:
    return _grey_picture(np.ascontiguousarray(image.rows(image.width, image.height)))


def _grey_16(image: RawImage) -> Picture:
    return _grey_picture(_to_8_bits(image.values_16()))


def _grey_picture(grey: Plane) -> Picture:
    picture = Picture.blank(grey.shape[1], grey.shape[0])
    luma_to_limited(grey, picture.y[: grey.shape[0], : grey.shape[1]])
    picture.pad()
    return picture


def _to_8_bits(values: NDArray[np.uint16]) -> Plane:
    """Map 0..65535 to 0..255, rounded."""
    return ((values.astype(np.uint32) + 128) // 257).astype(np.uint8)


def _colour(layout: str, channels: int, image: RawImage) -> Picture:
    rows = image.rows(channels * image.width, image.height)
    return _coloured(np.ascontiguousarray(rows).reshape(image.height, image.width, channels), layout)


def _bgr(image: RawImage) -> Picture:
    rows = np.ascontiguousarray(image.rows(3 * image.width, image.height))
    # libav's direct way from bgr24 to 4:2:0 is twice as far off as the one from rgb24.
    pixels = cv2.cvtColor(rows.reshape(image.height, image.width, 3), cv2.COLOR_BGR2RGB)
    return _coloured(np.asarray(pixels, dtype=np.uint8), "rgb24")


def _coloured(pixels: Plane, layout: str) -> Picture:
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), layout)
    return picture_from(frame, unstated_range=FULL_RANGE)


def _bayer(code: int, image: RawImage) -> Picture:
    mosaic = np.ascontiguousarray(image.rows(image.width, image.height))
    return _coloured(_demosaiced(mosaic, code), "rgb24")


def _bayer_16(code: int, image: RawImage) -> Picture:
    return _coloured(_demosaiced(_to_8_bits(image.values_16()), code), "rgb24")


def _demosaiced(mosaic: Plane, code: int) -> Plane:
    if min(mosaic.shape) < 2:
        raise UndecodablePicture(
            f"a Bayer image of {mosaic.shape[1]} x {mosaic.shape[0]} has not all colours"
        )
    return np.asarray(cv2.cvtColor(mosaic, code), dtype=np.uint8)


def _packed_422(order: str, image: RawImage) -> Picture:
    """Convert pairs of pixels with one U and one V; `order` names the four bytes of a pair, Y twice."""
    width, height = image.width, image.height
    pairs = np.ascontiguousarray(image.rows(2 * width, height)).reshape(height, width // 2, 4)
    picture = Picture.uninitialised(width, height)
    first, second = (at for at, name in enumerate(order) if name == "y")
    luma = picture.y[:height].reshape(height, width // 2, 2)
    luma[:, :, 0], luma[:, :, 1] = pairs[:, :, first], pairs[:, :, second]
    np.copyto(picture.u, _halved(pairs[:, :, order.index("u")]))
    np.copyto(picture.v, _halved(pairs[:, :, order.index("v")]))
    picture.pad()
    return picture


def _halved(chroma: Plane) -> Plane:
    """Return the means of neighbouring rows; the last row of an odd height stands alone."""
    upper = chroma[0::2].astype(np.uint16)
    lower = chroma[1::2].astype(np.uint16)
    if len(lower) < len(upper):
        lower = np.concatenate([lower, upper[-1:]])
    return ((upper + lower + 1) // 2).astype(np.uint8)


def _semi_planar(order: str, image: RawImage) -> Picture:
    """Convert luma rows with rows of interleaved chroma below."""
    picture = _with_luma(image)
    count = picture.u.shape[0]
    start = image.step * image.height
    chroma = image.rows(2 * picture.u.shape[1], count, start=start).reshape(count, -1, 2)
    np.copyto(picture.u, chroma[:, :, order.index("u")])
    np.copyto(picture.v, chroma[:, :, order.index("v")])
    return picture


def _planar(image: RawImage) -> Picture:
    """Convert luma rows with a plane of U and a plane of V below, whose rows are half as long."""
    picture = _with_luma(image)
    count, width = picture.u.shape
    step = (image.step + 1) // 2
    for number, plane in enumerate((picture.u, picture.v)):
        start = image.step * image.height + number * step * count
        np.copyto(plane, image.rows(width, count, start=start, step=step))
    return picture


def _with_luma(image: RawImage) -> Picture:
    picture = Picture.uninitialised(image.width, image.height)
    picture.u.fill(NEUTRAL_CHROMA)
    np.copyto(picture.y[: image.height, : image.width], image.rows(image.width, image.height))
    picture.pad()
    return picture


_RGB = RawFormat(lambda width: 3 * width, partial(_colour, "rgb24", 3))
_BGR = RawFormat(lambda width: 3 * width, _bgr)
_RGBA = RawFormat(lambda width: 4 * width, partial(_colour, "rgba", 4))
_BGRA = RawFormat(lambda width: 4 * width, partial(_colour, "bgra", 4))
_GREY = RawFormat(lambda width: width, _grey)
_GREY_16 = RawFormat(lambda width: 2 * width, _grey_16)
_UYVY = RawFormat(lambda width: 2 * width, partial(_packed_422, "uyvy"), needs_even_width=True)
_YUYV = RawFormat(lambda width: 2 * width, partial(_packed_422, "yuyv"), needs_even_width=True)
_NV12 = RawFormat(lambda width: width, partial(_semi_planar, "uv"), has_chroma_below=True)
_NV21 = RawFormat(lambda width: width, partial(_semi_planar, "vu"), has_chroma_below=True)
_I420 = RawFormat(lambda width: width, _planar, has_chroma_below=True)

_BAYER_CODES = {
    "rggb": cv2.COLOR_BayerRGGB2RGB,
    "bggr": cv2.COLOR_BayerBGGR2RGB,
    "gbrg": cv2.COLOR_BayerGBRG2RGB,
    "grbg": cv2.COLOR_BayerGRBG2RGB,
}

RAW_FORMATS: Mapping[str, RawFormat] = {
    "rgb8": _RGB,
    "bgr8": _BGR,
    "8UC3": _BGR,
    "rgba8": _RGBA,
    "bgra8": _BGRA,
    "8UC4": _BGRA,
    "mono8": _GREY,
    "8UC1": _GREY,
    "mono16": _GREY_16,
    "yuv422": _UYVY,
    "uyvy": _UYVY,
    "yuv422_yuy2": _YUYV,
    "yuyv": _YUYV,
    "nv12": _NV12,
    "nv21": _NV21,
    "i420": _I420,
    "yuv420": _I420,
    **{
        f"bayer_{pattern}8": RawFormat(lambda width: width, partial(_bayer, code))
        for pattern, code in _BAYER_CODES.items()
    },
    **{
        f"bayer_{pattern}16": RawFormat(lambda width: 2 * width, partial(_bayer_16, code))
        for pattern, code in _BAYER_CODES.items()
    },
}
"""Encodings by the names of ROS and Foxglove. Channels without names are B, G, R(, A), as in OpenCV; alpha is left
out; YUV is limited range BT.601, as OpenCV takes it; 16 bits are scaled over their whole range. 16UC1 is missing on
purpose: it has no scale, and as a picture it would be guessed."""
