"""A number painted into a picture, and its reader.

Sixteen blocks at the middle of the lower border, most significant bit first, white for one and black for zero.
The place is free of face and hands; it survives JPEG and H.264 because each block is one macroblock large.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from episode_assets.demo.config import BARCODE_BLOCK_PX, BARCODE_BLOCKS

_BLACK_MAX = 80
_WHITE_MIN = 175


def paint_barcode(picture: NDArray[np.uint8], number: int) -> None:
    """Paint the low 16 bits of a number into an (H,W,3) picture."""
    bits = (number >> np.arange(BARCODE_BLOCKS)[::-1]) & 1
    row = np.repeat(bits * 255, BARCODE_BLOCK_PX).astype(np.uint8)
    top, left = _corner(picture)
    picture[top : top + BARCODE_BLOCK_PX, left : left + len(row)] = row[None, :, None]


def read_barcode(rgb: NDArray[np.uint8]) -> int | None:
    """Read the number out of an (H,W,3) or grey (H,W) picture of the recording's size; None where there is none."""
    if rgb.shape[1] < BARCODE_BLOCKS * BARCODE_BLOCK_PX or rgb.shape[0] < BARCODE_BLOCK_PX:
        return None
    top, left = _corner(rgb)
    strip = rgb[top : top + BARCODE_BLOCK_PX, left : left + BARCODE_BLOCKS * BARCODE_BLOCK_PX]
    grey = strip.reshape(BARCODE_BLOCK_PX, BARCODE_BLOCKS, BARCODE_BLOCK_PX, -1)
    margin = BARCODE_BLOCK_PX // 4
    levels = grey[margin:-margin, :, margin:-margin].mean(axis=(0, 2, 3))
    if not np.all((levels < _BLACK_MAX) | (levels > _WHITE_MIN)):
        return None
    return int("".join("1" if level > _WHITE_MIN else "0" for level in levels), 2)


def _corner(picture: NDArray[np.uint8]) -> tuple[int, int]:
    height, width = picture.shape[:2]
    # Even numbers keep the blocks aligned with the half-size chroma planes.
    left = (width - BARCODE_BLOCKS * BARCODE_BLOCK_PX) // 4 * 2
    return (height - BARCODE_BLOCK_PX) // 2 * 2, left
