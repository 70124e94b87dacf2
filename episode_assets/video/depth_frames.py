"""Depth codes into libav's 12-bit grey frames and out of them, row by row: rows of a frame are padded."""

from __future__ import annotations

from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from episode_assets.errors import BadVideo
from episode_assets.video.depth_codes import Codes
from episode_assets.video.picture import padded_size, tag

DEPTH_PIX_FMT = "gray12le"


def frame_of_codes(codes: Codes) -> Any:
    """Copy codes, (H, W) uint16, into a new frame of even size; the padding is code 0.

    Raises:
        BadVideo: A code is too large.
    """
    if codes.max(initial=0) >= 1 << 12:
        raise BadVideo(f"a depth code of {int(codes.max())} does not fit into 12 bits")
    height, width = codes.shape
    frame = av.VideoFrame(*padded_size(width, height), DEPTH_PIX_FMT)
    plane = _plane_view(frame.planes[0])
    plane[height:], plane[:, width:] = 0, 0
    np.copyto(plane[:height, :width], codes)
    tag(frame)
    return frame


def codes_of_frame(frame: Any) -> Codes:
    """Copy the codes of a 12-bit grey frame, (H, W) uint16."""
    return _plane_view(frame.planes[0]).copy()


def _plane_view(plane: Any) -> NDArray[np.uint16]:
    rows: NDArray[np.uint16] = np.frombuffer(plane, "<u2")[: plane.height * plane.line_size // 2]
    return rows.reshape(plane.height, plane.line_size // 2)[:, : plane.width]
