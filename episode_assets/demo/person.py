"""The person who passes behind the table: an upright cut-out of a photo, always turned to the camera.

The photo is scikit-image's astronaut picture (NASA, public domain), which ships inside that package's wheel. Outline
and boxes are given in pixels of the crop. Where in the scene things are painted stands in `film`.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from episode_assets.demo.renderer import View, project
from episode_assets.demo.scene import Surface
from episode_assets.errors import ModelMissing

Array = NDArray[np.float64]

_CROP = np.s_[0:320, 60:400]
_METRES_PER_PX = 0.0015
_EXTRA_ROWS = 140
_HEM_ROWS = 22
_HEAD_CENTRE_PX = (167.0, 112.0)
_FACE_BOX_PX = (121.0, 62.0, 214.0, 182.0)
_HEAD_BOX_PX = (92.0, 12.0, 243.0, 186.0)
_OUTLINE_PX = (
    *((94, 88), (93, 66), (104, 45), (130, 27), (165, 14), (200, 20), (226, 38), (241, 66), (242, 96)),
    *((230, 120), (219, 130), (211, 142), (203, 160), (195, 175), (213, 186), (234, 206), (243, 236)),
    *((258, 244), (280, 266), (291, 303), (292, 360), (284, 460), (26, 460), (10, 360), (4, 290), (10, 252)),
    *((30, 228), (54, 207), (53, 190), (71, 166), (91, 153), (124, 150), (122, 134), (112, 120), (99, 112)),
)
_MARKS_PX = ((142, 140), (190, 141), (165, 168))

_DISTANCE_Z_M = -1.62
_HEAD_Y_M = -0.30
_SWEEP_M = 1.25
_PERIOD_S = 11.0
_START_RAD = -0.55


@dataclass(frozen=True)
class Person:
    """A cut-out: texture (H,W,4) u8, RGB and opacity."""

    texture: NDArray[np.uint8]

    def surface(self, t_s: float, view: View) -> Surface:
        """Where the cut-out stands at a time, turned about the vertical to face the camera."""
        head = _head_position(t_s)
        toward = view.position - head
        toward[1] = 0
        right = np.cross([0.0, 1.0, 0.0], toward / np.linalg.norm(toward))
        height, width = self.texture.shape[:2]
        corner = head + _METRES_PER_PX * (
            _HEAD_CENTRE_PX[1] * np.array([0.0, 1.0, 0.0]) - _HEAD_CENTRE_PX[0] * right
        )
        down = np.array([0.0, -1.0, 0.0]) * height * _METRES_PER_PX
        return Surface(corner, right * width * _METRES_PER_PX, down, self.texture, is_one_sided=False)

    def face_box(self, surface: Surface, view: View) -> Array:
        """(4,) box of the face in pixels, not clipped."""
        return self._box(_FACE_BOX_PX, surface, view)

    def head_box(self, surface: Surface, view: View) -> Array:
        """(4,) box of face and hair in pixels, not clipped."""
        return self._box(_HEAD_BOX_PX, surface, view)

    def _box(self, box_px: tuple[float, float, float, float], surface: Surface, view: View) -> Array:
        height, width = self.texture.shape[:2]
        a, b = np.array(box_px[0::2]) / width, np.array(box_px[1::2]) / height
        corners = (
            surface.origin + a[:, None, None] * surface.along_width + b[None, :, None] * surface.along_height
        )
        pixels = project(view.K, view.points(corners.reshape(-1, 3)))
        return np.concatenate([pixels.min(axis=0), pixels.max(axis=0)])


def build_person(*, marker: tuple[int, int, int] | None) -> Person:
    """Cut the person out of the photo.

    Args:
        marker: Colour of the marks on cheeks and chin, or None.

    Raises:
        ModelMissing: The photo does not come with the installed scikit-image.
    """
    photo = _photo()[_CROP].copy()
    for mark in _MARKS_PX if marker is not None else ():
        cv2.circle(photo, mark, 7, marker, -1, cv2.LINE_AA)
    # The photo ends at the chest: its last rows go on, back and forth, down behind the table.
    swing = np.abs((np.arange(_EXTRA_ROWS) + _HEM_ROWS) % (2 * _HEM_ROWS) - _HEM_ROWS)
    texture = np.concatenate([photo, photo[len(photo) - 1 - swing]])
    alpha = np.zeros(texture.shape[:2], dtype=np.uint8)
    cv2.fillPoly(alpha, [np.array(_OUTLINE_PX, dtype=np.int32)], 255, cv2.LINE_AA)
    return Person(np.dstack([texture, cv2.GaussianBlur(alpha, (5, 5), 0)]))


def _photo() -> NDArray[np.uint8]:
    try:
        from skimage import data

        photo: NDArray[np.uint8] = data.astronaut()
    except (ImportError, OSError, ValueError) as error:
        raise ModelMissing(
            f"the photo for the demo's person cannot be read: {error}",
            where="scikit-image, skimage.data.astronaut",
            remedy="install scikit-image, or make the demo without a face",
        ) from error
    return photo


def _head_position(t_s: float) -> Array:
    across = _SWEEP_M * np.sin(2 * np.pi * t_s / _PERIOD_S + _START_RAD)
    nod = 0.012 * np.sin(2 * np.pi * 0.8 * t_s)
    return np.array([across, _HEAD_Y_M + nod, _DISTANCE_Z_M])
