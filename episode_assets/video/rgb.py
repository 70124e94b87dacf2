"""RGB for whoever needs it: models, histograms, stills. Frames that are only re-encoded never come here."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from episode_assets.errors import BadVideo
from episode_assets.video.picture import BT601_MATRIX, LIMITED_RANGE, Picture, frame_of

_FULL_RANGE = 2


class _Scaler(threading.local):
    """One swscale context per thread: it keeps its tables between pictures of one size."""

    def __init__(self) -> None:
        self.reformatter = VideoReformatter()


_scaler = _Scaler()


def picture_to_rgb(picture: Picture, *, size: tuple[int, int] | None = None) -> NDArray[np.uint8]:
    """Convert a picture to full-range RGB.

    Args:
        picture: The picture; it is only read.
        size: (width, height) of the result; area averaging. The true size if None.

    Returns:
        (height, width, 3) uint8 RGB of the true picture, padding left out.
    """
    odd = (picture.true_width, picture.true_height) != (picture.width, picture.height)
    width, height = (picture.width, picture.height) if size is None or odd else size
    # Never a decoder's own frame: that one says where chroma lies, and scaling would heed it for these pictures alone.
    rgb = _converted(frame_of(picture), size=(width, height), value_range=LIMITED_RANGE)
    if odd:
        rgb = np.ascontiguousarray(rgb[: picture.true_height, : picture.true_width])
        if size is not None and size != (picture.true_width, picture.true_height):
            rgb = np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    return rgb


def frame_to_rgb(frame: Any) -> NDArray[np.uint8]:
    """Convert a decoded frame of any pixel format to (height, width, 3) uint8 full-range RGB.

    The matrix and range are those that the frame states; BT.601 and limited range, for YUV, where it states none.
    """
    name = frame.format.name
    is_full = frame.format.is_rgb or name.startswith(("yuvj", "gray")) or frame.color_range == _FULL_RANGE
    return _converted(
        frame, size=(frame.width, frame.height), value_range=_FULL_RANGE if is_full else LIMITED_RANGE
    )


def _converted(frame: Any, *, size: tuple[int, int], value_range: int) -> NDArray[np.uint8]:
    converted = _scaler.reformatter.reformat(
        frame,
        width=size[0],
        height=size[1],
        format="rgb24",
        src_colorspace=BT601_MATRIX,  # libav takes the matrix that the frame itself states before this one
        dst_colorspace=BT601_MATRIX,
        src_color_range=value_range,
        dst_color_range=_FULL_RANGE,
        interpolation="AREA",
        threads=1,
    )
    return np.asarray(converted.to_ndarray(), dtype=np.uint8)


def picture_from_rgb(rgb: NDArray[np.uint8]) -> Picture:
    """Return (height, width, 3) uint8 full-range RGB as a picture; an odd side is padded by repeating its last line."""
    height, width = rgb.shape[:2]
    padded = rgb
    if height % 2 or width % 2:
        padded = cv2.copyMakeBorder(rgb, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE)
    even_height, even_width = padded.shape[:2]
    # OpenCV gives limited-range BT.601, the three planes one after the other.
    planes = cv2.cvtColor(padded, cv2.COLOR_RGB2YUV_I420).reshape(-1)
    luma, chroma = even_height * even_width, even_height * even_width // 4
    half = (even_height // 2, even_width // 2)
    return Picture(
        y=planes[:luma].reshape(even_height, even_width),
        u=planes[luma : luma + chroma].reshape(half),
        v=planes[luma + chroma :].reshape(half),
        true_width=width,
        true_height=height,
    )


def resized(rgb: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Return RGB at (width, height), by area averaging; the array itself where it has that size."""
    if size == (rgb.shape[1], rgb.shape[0]):
        return rgb
    return np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def write_jpeg(image: Picture | NDArray[np.uint8], path: Path, *, quality: int = 85) -> int:
    """Write a still without metadata and return its size in bytes.

    Args:
        image: A picture, or (height, width, 3) uint8 RGB.
        path: Where to write; replaced if it exists.
        quality: 1 to 100; higher is sharper and larger.
    """
    data = encode_jpeg(image, quality=quality)
    path.write_bytes(data)
    return len(data)


def encode_jpeg(image: Picture | NDArray[np.uint8], *, quality: int = 85) -> bytes:
    """Return the bytes of a JPEG (4:2:0, baseline, no metadata) of a picture or an RGB array."""
    rgb = picture_to_rgb(image) if isinstance(image, Picture) else image
    done, data = cv2.imencode(".jpg", rgb[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise BadVideo(f"an RGB array of shape {rgb.shape} cannot be written as JPEG")
    return data.tobytes()
