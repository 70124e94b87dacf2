"""The pinhole matrices of pictures and depth images, one per frame.

Choosing the nearest CameraInfo and scaling it to the picture size belongs to `recording`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from episode_assets.recording import CameraInfoStream, RecordingView, nearest

OWN, SCALED = "camera_info", "scaled_rgb"
"""Where intrinsics come from: the image's own calibration messages, or those of the pictures."""

SAME_ASPECT_RATIO = 0.01
"""Largest relative difference of aspect ratios at which depth may borrow the pictures' intrinsics."""


@dataclass(frozen=True)
class Intrinsics:
    """The pinhole matrices of F images of one size.

    Attributes:
        K: (F, 3, 3) float64 pixels, NaN where not valid.
        valid: (F,) bool.
        D: (n,) float64 distortion coefficients of the first valid frame, n may be 0.
        distortion_model: The recorder's word for D, may be empty.
        width: Image width the matrices hold for, pixels.
        height: Image height.
        source: `camera_info`, or `scaled_rgb` where depth has none of its own.
    """

    K: NDArray[np.float64]
    valid: NDArray[np.bool_]
    D: NDArray[np.float64]
    distortion_model: str
    width: int
    height: int
    source: str

    @property
    def representative(self) -> NDArray[np.float64]:
        """Median matrix over the valid frames, (3, 3)."""
        return np.median(self.K[self.valid], axis=0)

    @property
    def compact(self) -> NDArray[np.float64]:
        """The matrices as they are stored: (1, 3, 3) where all frames agree, else (F, 3, 3)."""
        return self.K[:1] if bool(np.all(self.K[0] == self.K)) else self.K


def picture_intrinsics(
    info: CameraInfoStream | None, stamps_ns: NDArray[np.int64], *, width: int, height: int
) -> tuple[Intrinsics | None, str | None]:
    """Return the intrinsics at every stamp for images of this size, and in words why some are missing."""
    if info is None:
        return None, "the recording has no CameraInfo for these images"
    K, valid, reason = info.for_pictures(stamps_ns, width=width, height=height)
    if not np.any(valid):
        return None, reason or "no CameraInfo fits these images"
    if not valid.all():
        K = np.where(valid[:, None, None], K, np.nan)
    first = int(nearest(info.stamp_ns, stamps_ns[valid][:1])[0])
    D = np.asarray(info.D[first], dtype=np.float64)
    return Intrinsics(K, valid, D, info.distortion_model[first], width, height, OWN), reason


def depth_intrinsics(
    raw: RecordingView,
    rgb: Intrinsics | None,
    stamps_ns: NDArray[np.int64],
    *,
    width: int,
    height: int,
) -> Intrinsics | None:
    """Return depth's own intrinsics, or those of the pictures scaled by the ratio of the sizes.

    None where neither is known, as for depth that shows another field of view than the pictures. The plain ratio
    (not about pixel centres) is what the recorders use for depth themselves.
    """
    own, _ = picture_intrinsics(raw.depth_camera_info, stamps_ns, width=width, height=height)
    if own is not None or rgb is None:
        return own
    if abs((width / height) / (rgb.width / rgb.height) - 1.0) > SAME_ASPECT_RATIO:
        return None
    scale = np.array([width / rgb.width, height / rgb.height, 1.0])[:, None]
    K = np.broadcast_to(rgb.K[:1] * scale, rgb.K.shape) if len(rgb.compact) == 1 else rgb.K * scale
    return Intrinsics(K, rgb.valid, rgb.D, rgb.distortion_model, width, height, SCALED)
