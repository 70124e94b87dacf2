"""Depth images as 16-bit PNG, fast: the differences of neighbouring rows, deflated with little effort.

OpenCV writes the same kind of file at a fifth of the speed. Depth in the annotation file is in `depth`.
"""

from __future__ import annotations

import struct
import zlib

import numpy as np
from numpy.typing import NDArray

from episode_assets.bundle.depth import DEFLATE

MEDIA_TYPE = "image/png"

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_GREY_16_BIT = (16, 0, 0, 0, 0)
"""Bit depth, colour type grey, and the only compression, filter method and interlacing that matter here."""
_UP = 2
"""PNG's filter that stores the difference to the row above, byte by byte."""


def depth_png(image_mm: NDArray[np.uint16]) -> bytes:
    """Return a depth image (H, W) in mm as a PNG (ISO/IEC 15948), losslessly."""
    height, width = image_mm.shape
    rows = np.ascontiguousarray(image_mm, dtype=">u2").view(np.uint8).reshape(height, 2 * width)
    filtered = np.empty((height, 2 * width + 1), np.uint8)
    filtered[:, 0] = _UP
    filtered[0, 1:] = rows[0]
    np.subtract(rows[1:], rows[:-1], out=filtered[1:, 1:])
    header = struct.pack(">II5B", width, height, *_GREY_16_BIT)
    body = DEFLATE(filtered.data, 1)
    return _SIGNATURE + _part(b"IHDR", header) + _part(b"IDAT", body) + _part(b"IEND", b"")


def _part(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
