"""Decoded frames of any pixel format, range and matrix to `Picture`: 4:2:0, limited range, BT.601.

Which bytes give a frame belongs in `decoding` and `sequences`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

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

FULL_RANGE = 2
"""libav's AVCOL_RANGE_JPEG."""

_RED_AND_BLUE_WEIGHTS: Mapping[int, tuple[float, float]] = {
    1: (0.2126, 0.0722),  # BT.709
    4: (0.30, 0.11),  # FCC
    7: (0.212, 0.087),  # SMPTE 240M
    9: (0.2627, 0.0593),  # BT.2020, non-constant luminance
}
"""Matrices of ITU-T H.273 that differ from BT.601, by libav's number; everything else is taken for BT.601."""

_BT601_WEIGHTS = (0.299, 0.114)


def picture_from(frame: Any, *, unstated_range: int) -> Picture:
    """Copy a decoded frame into a picture.

    Args:
        frame: An `av.VideoFrame` of any pixel format that swscale knows.
        unstated_range: Range of a YUV frame that states none: full for stills, limited for video.

    Raises:
        UndecodablePicture: The pixel format cannot be converted.
    """
    name = frame.format.name
    is_full = name.startswith("yuvj") or (frame.color_range or unstated_range) == FULL_RANGE
    if name in ("yuvj420p", "yuv420p", "gray"):
        picture = _from_full(frame) if is_full else _from_limited(frame)
    else:
        picture = _reformatted(frame, is_full=is_full)
    if name.startswith("yuv") and frame.colorspace in _RED_AND_BLUE_WEIGHTS:
        _to_bt601(picture, _RED_AND_BLUE_WEIGHTS[frame.colorspace])
    return picture


def _from_full(frame: Any) -> Picture:
    picture = Picture.uninitialised(frame.width, frame.height)
    luma_to_limited(plane_view(frame.planes[0]), picture.y[: frame.height, : frame.width])
    if len(frame.planes) == 3:
        chroma_to_limited(plane_view(frame.planes[1]), picture.u)
        chroma_to_limited(plane_view(frame.planes[2]), picture.v)
    else:
        _without_colour(picture)
    picture.pad()
    return picture


def _from_limited(frame: Any) -> Picture:
    return picture_of(frame) if len(frame.planes) == 3 else _grey(plane_view(frame.planes[0]))


def _grey(luma: Plane) -> Picture:
    picture = Picture.uninitialised(luma.shape[1], luma.shape[0])
    np.copyto(picture.y[: luma.shape[0], : luma.shape[1]], luma)
    _without_colour(picture)
    picture.pad()
    return picture


def _without_colour(picture: Picture) -> None:
    picture.u.fill(NEUTRAL_CHROMA)
    picture.v.fill(NEUTRAL_CHROMA)


def _reformatted(frame: Any, *, is_full: bool) -> Picture:
    """Convert any frame through swscale; YUV stays YUV, only sampling, depth and range change."""
    is_rgb = frame.format.is_rgb or frame.format.name.startswith(("pal", "gray", "ya", "mono"))
    with named_failures(
        f"{frame.format.name} cannot be turned into yuv420p", where="", kind=UndecodablePicture
    ):
        converted = VideoReformatter().reformat(
            frame,
            format="yuv420p",
            src_colorspace=BT601_MATRIX,
            dst_colorspace=BT601_MATRIX,
            src_color_range=FULL_RANGE if is_rgb or is_full else LIMITED_RANGE,
            dst_color_range=LIMITED_RANGE,
            interpolation="AREA",
            threads=1,
        )
    return picture_of(converted)


def _to_bt601(picture: Picture, weights: tuple[float, float]) -> None:
    """Change the matrix in place; swscale leaves planes alone when both sides are YUV.

    Grey is the same in every matrix, so luma changes by a mixture of the chroma planes only.
    """
    change = _rgb_to_yuv(_BT601_WEIGHTS) @ np.linalg.inv(_rgb_to_yuv(weights))
    u = picture.u.astype(np.float32) - NEUTRAL_CHROMA
    v = picture.v.astype(np.float32) - NEUTRAL_CHROMA
    # Chroma steps are 224, luma steps 219 to the unit.
    luma_change = (change[0, 1] * u + change[0, 2] * v) * np.float32(219 / 224)
    size = (picture.width, picture.height)
    drawn = cv2.resize(luma_change, size, interpolation=cv2.INTER_LINEAR)
    picture.y[:] = np.clip(np.rint(picture.y + drawn), 0, 255).astype(np.uint8)
    for plane, row in ((picture.u, 1), (picture.v, 2)):
        mixed = change[row, 1] * u + change[row, 2] * v + NEUTRAL_CHROMA
        plane[:] = np.clip(np.rint(mixed), 0, 255).astype(np.uint8)


def _rgb_to_yuv(weights: tuple[float, float]) -> NDArray[np.float64]:
    red, blue = weights
    luma = np.array([red, 1 - red - blue, blue])
    return np.stack(
        [luma, (np.array([0, 0, 1]) - luma) / (2 - 2 * blue), (np.array([1, 0, 0]) - luma) / (2 - 2 * red)]
    )
