"""Hand regions: the rotated squares that a landmark network looks at, and the way into them and back.

A region is a row `(centre_x, centre_y, side, rotation)`, pixels and radians. Pixel coordinates count from the centre
of the upper left pixel, x right and y down, as intrinsics do. Rotation 0 means that the fingers point up in the
picture; it grows clockwise. Networks do not belong here.
"""

from __future__ import annotations

from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

Regions: TypeAlias = NDArray[np.float64]
"""(N, 4) float64: centre_x px, centre_y px, side px, rotation rad in [-pi, pi)."""

CROP_PX = 224
"""Side of the square that the landmark networks take."""

STEADY_JOINTS = (0, 1, 2, 3, 5, 6, 9, 10, 13, 14, 17, 18)
"""Joints that place the next region: palm and first finger bones. Fingertips move too fast to carry a region."""


def wrap_angle(angle: NDArray[np.float64]) -> NDArray[np.float64]:
    """Bring angles into [-pi, pi)."""
    wrapped: NDArray[np.float64] = np.mod(angle + np.pi, 2 * np.pi) - np.pi
    return wrapped


def pointing(start: NDArray[np.float64], end: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the rotation that turns "up" into the direction from `start` to `end`, both (N, 2) px."""
    step = end - start
    return wrap_angle(np.pi / 2 - np.arctan2(-step[:, 1], step[:, 0]))


def regions_from_palms(boxes: NDArray[np.float64], keypoints: NDArray[np.float64]) -> Regions:
    """Place a region on each palm: along wrist to middle knuckle, half a box towards the fingers, 2.6 times its size.

    Args:
        boxes: (N, 4) x0, y0, x1, y1 in pixels.
        keypoints: (N, 7, 2) pixels; 0 is the wrist, 2 the middle knuckle.
    """
    rotation = pointing(keypoints[:, 0], keypoints[:, 2])
    width, height = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    centre_x = (boxes[:, 0] + boxes[:, 2]) / 2 + 0.5 * height * np.sin(rotation)
    centre_y = (boxes[:, 1] + boxes[:, 3]) / 2 - 0.5 * height * np.cos(rotation)
    return np.stack([centre_x, centre_y, 2.6 * np.maximum(width, height), rotation], axis=1)


def regions_from_joints(joints_px: NDArray[np.float64]) -> Regions:
    """Place the next region from the joints of this frame, (N, 21, 2 or more) px.

    The rotation runs from the wrist to a point between the knuckles of index, middle and ring finger; the square is
    twice the upright box of the steady joints in the turned frame, moved a tenth of its height towards the fingers.
    """
    points = joints_px[:, :, :2]
    middle = ((points[:, 5] + points[:, 13]) / 2 + points[:, 9]) / 2
    rotation = pointing(points[:, 0], middle)
    cos, sin = np.cos(rotation)[:, None], np.sin(rotation)[:, None]
    steady = points[:, STEADY_JOINTS]
    turned_x = steady[..., 0] * cos + steady[..., 1] * sin
    turned_y = -steady[..., 0] * sin + steady[..., 1] * cos
    low = np.stack([turned_x.min(1), turned_y.min(1)], axis=1)
    high = np.stack([turned_x.max(1), turned_y.max(1)], axis=1)
    middle_x, middle_y = ((low + high) / 2).T
    width, height = (high - low).T
    c, s = cos[:, 0], sin[:, 0]
    centre_x = middle_x * c - middle_y * s + 0.1 * height * s
    centre_y = middle_x * s + middle_y * c - 0.1 * height * c
    return np.stack([centre_x, centre_y, 2.0 * np.maximum(width, height), rotation], axis=1)


def crop_to_picture(points: NDArray[np.float64], regions: Regions) -> NDArray[np.float64]:
    """Carry (N, J, 3) points from the crop (224 px units) into the picture; z is scaled like x and y."""
    scale = (regions[:, 2] / CROP_PX)[:, None]
    x, y = (points[..., 0] - CROP_PX / 2) * scale, (points[..., 1] - CROP_PX / 2) * scale
    turned = turn(np.stack([x, y, points[..., 2] * scale], axis=-1), regions[:, 3])
    turned[..., :2] += regions[:, None, :2]
    return turned


def turn(points: NDArray[np.float64], rotation: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rotate x and y of (N, J, 3) points by (N,) angles; z stays."""
    cos, sin = np.cos(rotation)[:, None], np.sin(rotation)[:, None]
    x, y = points[..., 0], points[..., 1]
    return np.stack([x * cos - y * sin, x * sin + y * cos, points[..., 2]], axis=-1)


def warp_regions(rgb: NDArray[np.uint8], regions: Regions) -> NDArray[np.float32]:
    """Cut the regions out of an (H, W, 3) picture as upright (N, 224, 224, 3) float32 crops in 0..1.

    Bilinear; pixels outside the picture repeat its edge.
    """
    crops = np.empty((len(regions), CROP_PX, CROP_PX, 3), np.float32)
    for crop, region in zip(crops, regions, strict=True):
        warped = cv2.warpAffine(
            rgb,
            _picture_from_crop(region),
            (CROP_PX, CROP_PX),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
        np.multiply(warped, np.float32(1 / 255), out=crop)
    return crops


def _picture_from_crop(region: NDArray[np.float64]) -> NDArray[np.float64]:
    # The centre of the crop lies between its pixels 111 and 112: at 111.5 when pixels are counted by their centres.
    centre_x, centre_y, side, rotation = region
    cos, sin = np.cos(rotation) * side / CROP_PX, np.sin(rotation) * side / CROP_PX
    half = (CROP_PX - 1) / 2
    return np.array(
        [[cos, -sin, centre_x - half * (cos - sin)], [sin, cos, centre_y - half * (sin + cos)]], np.float64
    )


def overlap(first: Regions, second: Regions) -> NDArray[np.float64]:
    """Return (N, M) intersection over union of the regions as upright squares; rotation is ignored."""
    return box_overlap(_upright(first), _upright(second))


def box_overlap(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (N, M) intersection over union of boxes (N, 4) and (M, 4), x0, y0, x1, y1."""
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    common = np.prod(np.clip(high - low, 0, None), axis=-1)
    area_first = np.prod(first[:, 2:] - first[:, :2], axis=-1)[:, None]
    area_second = np.prod(second[:, 2:] - second[:, :2], axis=-1)[None, :]
    joined = area_first + area_second - common
    result: NDArray[np.float64] = np.divide(common, joined, out=np.zeros_like(common), where=joined > 0)
    return result


def _upright(regions: Regions) -> NDArray[np.float64]:
    half = regions[:, 2:3] / 2
    return np.concatenate([regions[:, :2] - half, regions[:, :2] + half], axis=1)
