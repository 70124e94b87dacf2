"""Reading boxed hands with a network of the MANO family: crop, normalise, mirror left hands and their answers.

The file is called with (1, 3, 256, 256) float32: a square of the picture, RGB, ImageNet's mean off, over its deviation.
It cuts the columns that its backbone uses by itself, as the published code does, and answers by name with `pred_cam`,
`global_orient`, `hand_pose`, `betas` and `pred_keypoints_3d`, whose 21 joints are in the order of this package.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from episode_assets.hands.box_backend import BoxReadings, HandBoxes
from episode_assets.hands.mano import (
    COLUMNS,
    CROP_PX,
    WIDTH,
    mirrored_camera,
    mirrored_points,
    pixels_of,
)
from episode_assets.hands.network_files import load_network, misfit

Floats = NDArray[np.float64]

MEAN = np.array([0.485, 0.456, 0.406]) * 255
DEVIATION = np.array([0.229, 0.224, 0.225]) * 255
BOX_SCALE = 2.0
_WIDTH_TO_HEIGHT = 192 / 256
_BLUR_FROM = 1.1
_JOINTS = "pred_keypoints_3d"
_SIZES = {**{name: part.stop - part.start for name, part in COLUMNS.items()}, _JOINTS: 63}
_EXPECTED = f"answers a 1x3x{CROP_PX}x{CROP_PX} crop by name: " + ", ".join(
    f"{name} ({size} numbers)" for name, size in _SIZES.items()
)


class ManoReader:
    """Reads boxed hands; see `box_backend.BoxReader`.

    Args:
        path: The exported network.
        setting: Name of the setting that it comes from.

    Raises:
        ModelMissing: The file or its package is not there, or it answers otherwise than such a network.
    """

    def __init__(self, path: str, *, setting: str) -> None:
        self._path = path
        self._network = load_network(path, setting=setting)
        self._answer(np.zeros((1, 3, CROP_PX, CROP_PX), np.float32))

    def read(self, rgb: NDArray[np.uint8], hands: HandBoxes) -> BoxReadings:
        """Read the hand in each box of a picture."""
        regions = squares_around(hands.boxes)
        mano, joints = np.zeros((len(hands), WIDTH), np.float32), np.zeros((len(hands), 21, 3))
        for index, (region, is_right) in enumerate(zip(regions, hands.is_right, strict=True)):
            crop = cut_out(rgb, region, is_mirrored=not is_right)
            mano[index], joints[index] = self._answer(normalised(crop))
        joints = mirrored_points(joints, hands.is_right)
        camera = mirrored_camera(mano[:, COLUMNS["pred_cam"]].astype(np.float64), hands.is_right)
        return BoxReadings(regions, pixels_of(joints, camera, regions), joints, mano)

    def _answer(self, crop: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return the MANO row and the (21, 3) joints of one crop, in the space of a right hand."""
        outputs = self._network(crop)
        for name, size in _SIZES.items():
            if name not in outputs:
                raise misfit(self._path, f"gives {', '.join(outputs)}, no {name}", expected=_EXPECTED)
            if outputs[name].size != size:
                what = f"gives {outputs[name].size} numbers as {name}"
                raise misfit(self._path, what, expected=_EXPECTED)
        row = np.concatenate([outputs[name].ravel() for name in COLUMNS]).astype(np.float32)
        return row, outputs[_JOINTS].reshape(21, 3)


def squares_around(boxes: Floats) -> Floats:
    """Return (N, 4) regions: twice the boxes, widened to 192:256, of which the longer side makes the square."""
    width, height = ((boxes[:, 2:] - boxes[:, :2]) * BOX_SCALE).T
    side = np.maximum(height, width / _WIDTH_TO_HEIGHT)
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2
    return np.concatenate([centre, side[:, None], np.zeros((len(boxes), 1))], axis=1)


def cut_out(rgb: NDArray[np.uint8], region: Floats, *, is_mirrored: bool) -> NDArray[np.uint8]:
    """Return the (256, 256, 3) square of a picture, black outside of it; smoothed first where it is scaled down."""
    scale = CROP_PX / region[2]
    across = -scale if is_mirrored else scale
    half = CROP_PX / 2
    crop_from_picture = np.array(
        [[across, 0.0, half - across * region[0]], [0.0, scale, half - scale * region[1]]]
    )
    warped = cv2.warpAffine(
        _smoothed(rgb, region),
        crop_from_picture,
        (CROP_PX, CROP_PX),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
    )
    return np.asarray(warped, np.uint8)


def normalised(crop: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return a (256, 256, 3) RGB crop as the network's (1, 3, 256, 256) input."""
    values = (crop.astype(np.float64) - MEAN) / DEVIATION
    return np.ascontiguousarray(values.transpose(2, 0, 1)[None], np.float32)


def _smoothed(rgb: NDArray[np.uint8], region: Floats) -> NDArray[np.uint8]:
    shrinking = region[2] / CROP_PX / 2
    if shrinking <= _BLUR_FROM:
        return rgb
    return np.asarray(cv2.GaussianBlur(rgb, (0, 0), (shrinking - 1) / 2), np.uint8)
