"""RGB for whoever needs it: models, histograms, stills. Frames that are only re-encoded never come here."""

from __future__ import annotations

import threading
from pathlib import Path

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
    converted = _scaler.reformatter.reformat(
        frame_of(picture),
        width=width,
        height=height,
        format="rgb24",
        src_colorspace=BT601_MATRIX,
        dst_colorspace=BT601_MATRIX,
        src_color_range=LIMITED_RANGE,
        dst_color_range=_FULL_RANGE,
        interpolation="AREA",
        threads=1,
    )
    rgb = np.asarray(converted.to_ndarray(), dtype=np.uint8)
    if odd:
        rgb = np.ascontiguousarray(rgb[: picture.true_height, : picture.true_width])
        if size is not None and size != (picture.true_width, picture.true_height):
            rgb = np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    return rgb


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
