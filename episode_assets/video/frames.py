"""Whatever holds one picture, as a frame that an encoder takes.

YUV stays YUV: a `Picture` and a frame of 8-bit 4:2:0 never become RGB on their way. Reading files of pictures belongs
in `image_folder`.
"""

from __future__ import annotations

from typing import Any, TypeAlias, cast

import av
import numpy as np
from numpy.typing import NDArray

from episode_assets.errors import BadVideo
from episode_assets.video.conversion import picture_from
from episode_assets.video.depth_codes import Codes
from episode_assets.video.depth_frames import DEPTH_PIX_FMT, codes_of_frame, frame_of_codes
from episode_assets.video.picture import LIMITED_RANGE, Picture, frame_of
from episode_assets.video.rgb import picture_from_rgb

Image: TypeAlias = "Picture | NDArray[np.uint8] | NDArray[np.uint16] | av.VideoFrame"
"""A `Picture`; (H, W, 3) uint8 full-range RGB; (H, W) uint16 depth codes below 4096; or a frame of libav."""


def size_of(image: Image) -> tuple[int, int]:
    """Return the true width and height of an image, before any padding."""
    if isinstance(image, Picture):
        return image.true_width, image.true_height
    if isinstance(image, np.ndarray):
        return int(image.shape[1]), int(image.shape[0])
    return int(image.width), int(image.height)


def encodable(image: Image, pix_fmt: str) -> Any:
    """Return an image as a new frame of even size for an encoder of this pixel format.

    Raises:
        BadVideo: The image is none of the kinds, or colour came for depth or the other way round.
    """
    if _is_codes(image):
        _require(pix_fmt == DEPTH_PIX_FMT, "depth codes", pix_fmt)
        return frame_of_codes(cast(Codes, image) if isinstance(image, np.ndarray) else codes_of_frame(image))
    _require(pix_fmt != DEPTH_PIX_FMT, "colour", pix_fmt)
    return frame_of(_picture(image))


def ready(image: Image, *, is_owned: bool) -> Image:
    """Return an image as planes or codes that nobody else will change.

    Args:
        image: The image.
        is_owned: Nobody will change it as it is, so planes and codes need no copy.

    Raises:
        BadVideo: It is none of the kinds.
    """
    if _is_codes(image):
        codes = image if isinstance(image, np.ndarray) else codes_of_frame(image)
        return codes if is_owned or codes is not image else codes.copy()
    picture = _picture(image)
    return picture if is_owned or picture is not image else picture.copy()


def _is_codes(image: Image) -> bool:
    if isinstance(image, np.ndarray):
        return image.dtype == np.uint16 and image.ndim == 2
    return not isinstance(image, Picture) and image.format.name == DEPTH_PIX_FMT


def _picture(image: Image) -> Picture:
    if isinstance(image, Picture):
        return image
    if not isinstance(image, np.ndarray):
        return picture_from(image, unstated_range=LIMITED_RANGE)
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise BadVideo(
            f"an array of shape {image.shape} and type {image.dtype} is neither (H, W, 3) uint8 RGB nor "
            "(H, W) uint16 depth codes"
        )
    return picture_from_rgb(cast(NDArray[np.uint8], image))


def _require(holds: bool, what: str, pix_fmt: str) -> None:
    if not holds:
        raise BadVideo(f"{what} came for an encoder of {pix_fmt}")
