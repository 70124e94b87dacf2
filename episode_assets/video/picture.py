"""A decoded picture as three planes, the form in which frames travel from decoder to encoder.

The planes are limited range with the BT.601 matrix, always, so that no function has to ask. Decoding bytes
belongs in `decoding`, RGB for models in `rgb`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.uint8]

LIMITED_RANGE = 1
"""libav's AVCOL_RANGE_MPEG."""

BT601_MATRIX = 6
"""libav's AVCOL_SPC_SMPTE170M: the BT.601 matrix, which JPEG uses too."""

BT709_PRIMARIES = 1
"""libav's AVCOL_PRI_BT709. JPEG pictures without a profile are sRGB, and sRGB has the primaries of BT.709."""

SRGB_TRANSFER = 13
"""libav's AVCOL_TRC_IEC61966_2_1."""

BLACK_LUMA = 16
NEUTRAL_CHROMA = 128


@dataclass(frozen=True)
class Picture:
    """One 4:2:0 picture. The planes belong to the caller and may be written to, unless they are read-only.

    Attributes:
        y: Luma, (H, W) uint8, limited range (16 black, 235 white); H and W are even.
        u: Blue difference, (H/2, W/2) uint8, limited range around 128.
        v: Red difference, (H/2, W/2) uint8.
        true_width: Width of the picture before padding in pixels, W or W - 1.
        true_height: Height before padding, H or H - 1. Padding repeats the last column and row.
    """

    y: Plane
    u: Plane
    v: Plane
    true_width: int
    true_height: int

    @property
    def width(self) -> int:
        """Even width of the planes in luma pixels."""
        return int(self.y.shape[1])

    @property
    def height(self) -> int:
        """Even height of the planes in luma pixels."""
        return int(self.y.shape[0])

    @classmethod
    def blank(cls, true_width: int, true_height: int) -> Picture:
        """Return a black picture, padded to even size."""
        picture = cls.uninitialised(true_width, true_height)
        picture.y.fill(BLACK_LUMA)
        picture.u.fill(NEUTRAL_CHROMA)
        picture.v.fill(NEUTRAL_CHROMA)
        return picture

    @classmethod
    def uninitialised(cls, true_width: int, true_height: int) -> Picture:
        """Return a picture whose planes hold arbitrary bytes, to be filled by the caller."""
        width, height = padded_size(true_width, true_height)
        y = np.empty((height, width), np.uint8)
        u, v = (np.empty((height // 2, width // 2), np.uint8) for _ in range(2))
        return cls(y, u, v, true_width, true_height)

    def copy(self) -> Picture:
        """Return a picture with planes of its own."""
        return Picture(self.y.copy(), self.u.copy(), self.v.copy(), self.true_width, self.true_height)

    def pad(self) -> None:
        """Repeat the last true luma column and row into the padding; chroma has its size rounded up already."""
        if self.width > self.true_width:
            self.y[:, -1] = self.y[:, -2]
        if self.height > self.true_height:
            self.y[-1, :] = self.y[-2, :]


def padded_size(width: int, height: int) -> tuple[int, int]:
    """Return the size rounded up to even numbers, which 4:2:0 chroma needs."""
    return width + width % 2, height + height % 2


def frame_of(picture: Picture) -> Any:
    """Copy a picture into a new `av.VideoFrame`, tagged limited range and BT.601."""
    frame = av.VideoFrame(picture.width, picture.height, "yuv420p")
    for plane, source in zip(frame.planes, (picture.y, picture.u, picture.v), strict=True):
        np.copyto(plane_view(plane), source)
    tag(frame)
    return frame


def tag(target: Any) -> None:
    """Write the colour tags of a `Picture` on a frame or a codec context."""
    target.color_range = LIMITED_RANGE
    target.colorspace = BT601_MATRIX
    target.color_primaries = BT709_PRIMARIES
    target.color_trc = SRGB_TRANSFER


def picture_of(frame: Any, *, true_width: int | None = None, true_height: int | None = None) -> Picture:
    """Copy a decoded limited-range `yuv420p` frame into a picture."""
    picture = Picture.uninitialised(true_width or frame.width, true_height or frame.height)
    for plane, target in zip(frame.planes, (picture.y, picture.u, picture.v), strict=True):
        np.copyto(target[: plane.height, : plane.width], plane_view(plane))
    picture.pad()
    return picture


def shared_picture_of(frame: Any) -> Picture:
    """Return a decoded limited-range `yuv420p` frame of even size as a picture, without copying it.

    The planes are the frame's, which the decoder may still need: they are read-only.
    """
    y, u, v = (plane_view(plane) for plane in frame.planes)
    for view in (y, u, v):
        view.flags.writeable = False
    return Picture(y, u, v, frame.width, frame.height)


def plane_view(plane: Any) -> Plane:
    """Return a plane of a frame as an array without copying; its rows may lie farther apart than its width."""
    rows: Plane = np.frombuffer(plane, np.uint8)[: plane.height * plane.line_size]
    return rows.reshape(plane.height, plane.line_size)[:, : plane.width]


_LUMA_SCALE, _LUMA_OFFSET = 219 / 255, 16.0
_CHROMA_SCALE = 224 / 255
_CHROMA_OFFSET = NEUTRAL_CHROMA * (1 - _CHROMA_SCALE)


def luma_to_limited(full: Plane, out: Plane) -> None:
    """Map full-range luma to limited range (ITU-T H.273: 219/255 + 16) into `out`."""
    _scale(full, _LUMA_SCALE, _LUMA_OFFSET, out)


def chroma_to_limited(full: Plane, out: Plane) -> None:
    """Map full-range chroma to limited range (ITU-T H.273: 224/255 around 128) into `out`."""
    _scale(full, _CHROMA_SCALE, _CHROMA_OFFSET, out)


def _scale(full: Plane, scale: float, offset: float, out: Plane) -> None:
    # Scaling and rounding has vector code and is three times as fast as looking every pixel up.
    if out.flags.c_contiguous:
        cv2.convertScaleAbs(full, dst=out, alpha=scale, beta=offset)
    else:  # a plane with padding; OpenCV would write into an array of its own
        np.copyto(out, cv2.convertScaleAbs(full, alpha=scale, beta=offset))
