"""Where points in front of a camera appear in its picture, through the lens that the recording describes.

Distortion models are those of ROS CameraInfo (REP 104 and image_geometry), computed by OpenCV.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from episode_assets.footage.intrinsics import Intrinsics

BROWN = frozenset({"", "plumb_bob", "rational_polynomial", "brown_conrady", "radtan"})
FISHEYE = frozenset({"equidistant", "fisheye", "kannala_brandt"})
BROWN_LENGTHS = frozenset({4, 5, 8, 12, 14})
FISHEYE_LENGTH = 4

BEYOND = 1.3
"""Polynomials fold far points back into the picture: points are not followed farther out than this many times the
half diagonal that the picture would have without distortion."""

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Lens:
    """A camera's projection for one picture.

    Attributes:
        K: (3, 3) float64 pixels.
        D: (n,) float64 distortion coefficients, empty for a pinhole.
        is_fisheye: Which model the coefficients belong to.
        size: Width and height of the picture.
    """

    K: NDArray[np.float64]
    D: NDArray[np.float64]
    is_fisheye: bool
    size: tuple[int, int]

    @property
    def focal_px(self) -> float:
        """Focal length along the width."""
        return float(self.K[0, 0])

    def pixels(self, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        """Return columns and rows (N,) of rays (x, y, 1); NaN where the lens model does not hold."""
        if len(self.D) == 0 or len(x) == 0:
            u = self.K[0, 0] * x + self.K[0, 2]
            v = self.K[1, 1] * y + self.K[1, 2]
            return u.astype(np.float32), v.astype(np.float32)
        points = np.stack([x, y, np.ones_like(x)], axis=1).astype(np.float64)[:, None]
        nothing = np.zeros(3)
        project = cv2.fisheye.projectPoints if self.is_fisheye else cv2.projectPoints
        places, _ = project(points, nothing, nothing, self.K, self.D)
        places = places.reshape(-1, 2).astype(np.float32)
        places[np.hypot(x, y) > BEYOND * self._half_diagonal] = np.nan
        return places[:, 0], places[:, 1]

    def rays(self, pixels: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return (x, y) of the rays (x, y, 1) of pixels (N, 2); where the model has no way back, not finite."""
        places = np.asarray(pixels, np.float64)[:, None]
        if len(self.D) == 0:
            return np.asarray((places[:, 0] - self.K[:2, 2]) / np.diag(self.K)[:2])
        undistort = cv2.fisheye.undistortPoints if self.is_fisheye else cv2.undistortPoints
        return np.asarray(undistort(places, self.K, self.D)[:, 0], np.float64)

    @property
    def _half_diagonal(self) -> float:
        (width, height), K = self.size, self.K
        return float(
            np.hypot(max(K[0, 2], width - K[0, 2]) / K[0, 0], max(K[1, 2], height - K[1, 2]) / K[1, 1])
        )


def lens_at(intrinsics: Intrinsics, frame: int) -> Lens:
    """Return the lens for one picture; `is_known` must hold."""
    is_plain = not np.any(intrinsics.D)
    return Lens(
        intrinsics.K[frame],
        np.empty(0) if is_plain else intrinsics.D,
        intrinsics.distortion_model.lower() in FISHEYE,
        (intrinsics.width, intrinsics.height),
    )


def is_known(intrinsics: Intrinsics) -> bool:
    """Return whether the distortion is none, or of a model that is computed here."""
    count, model = len(intrinsics.D), intrinsics.distortion_model.lower()
    if not np.any(intrinsics.D):
        return True
    if not np.isfinite(intrinsics.D).all():
        return False
    return (model in BROWN and count in BROWN_LENGTHS) or (model in FISHEYE and count == FISHEYE_LENGTH)
