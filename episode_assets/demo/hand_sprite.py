"""The hand's picture: skin over bones, lit and drawn once per finger pose by a small camera of its own.

Flesh is a union of tapered capsules between the joints; their common depth picture is smoothed a little, and shading
follows from its slope. A sprite keeps colour, opacity, depth and joints of one pose; `hand_motion` decides when and
where it is shown.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Grey = NDArray[np.float32]

_FINGER_RADII_M = (
    (0.0150, 0.0125, 0.0108, 0.0088),
    (0.0112, 0.0094, 0.0082, 0.0068),
    (0.0114, 0.0096, 0.0084, 0.0070),
    (0.0108, 0.0090, 0.0079, 0.0066),
    (0.0098, 0.0080, 0.0071, 0.0060),
)
_SKIN = np.array([214.0, 160.0, 132.0], dtype=np.float32)
_SLEEVE = np.array([70.0, 84.0, 118.0], dtype=np.float32)
_NAIL = np.array([236.0, 190.0, 172.0], dtype=np.float32)
_LIGHT = np.array([-0.35, -0.45, -0.82], dtype=np.float32)
_SLEEVE_FROM_M = 0.10
_FOREARM_M = 0.17
_SMOOTH_M = 0.0026


@dataclass(frozen=True)
class HandSprite:
    """A right hand seen by a camera whose optical axis meets it.

    Attributes:
        rgba: (h,w,4) u8, the fourth channel is the opacity.
        depth_m: f4 along the optical axis at every second pixel of every second row; 0 outside the hand.
        K: (3,3) intrinsics of this picture, pixel centres at whole numbers.
        joints: (21,3) metres in this camera's optical frame.
    """

    rgba: NDArray[np.uint8]
    depth_m: Grey
    K: Array
    joints: Array


@dataclass(frozen=True)
class _Limb:
    """A tapered capsule from `start` to `end` (3,) with radii in metres."""

    start: Array
    end: Array
    start_radius_m: float
    end_radius_m: float
    is_sleeve: bool = False


def draw_hand(joints_cam: Array, elbow_direction: Array, *, focal_px: float) -> HandSprite:
    """Draw a right hand and its forearm.

    Args:
        joints_cam: (21,3) joints in the optical frame of the sprite's camera, metres.
        elbow_direction: (3,) from the wrist to the elbow in the same frame.
        focal_px: Focal length of the sprite's camera.
    """
    limbs = _limbs(joints_cam, elbow_direction / np.linalg.norm(elbow_direction))
    K, size = _frame_limbs(limbs, focal_px)
    depth, sleeve = _union_depth(limbs, K, size)
    mask = (depth > 0).astype(np.float32)
    smooth = _smooth_depth(depth, mask, focal_px)
    shade = _shading(smooth, mask, focal_px)
    colour = _albedo(joints_cam, sleeve, smooth, K) * shade[..., None]
    # Colour runs on beyond the outline, so that warping never mixes in black.
    rgb = _extend(np.clip(colour, 0, 255), mask).astype(np.uint8)
    alpha = cv2.GaussianBlur(mask * 255, (3, 3), 0).astype(np.uint8)
    return HandSprite(rgba=np.dstack([rgb, alpha]), depth_m=depth[::2, ::2].copy(), K=K, joints=joints_cam)


def _limbs(joints: Array, elbow: Array) -> list[_Limb]:
    wrist, knuckles = joints[0], joints[[5, 9, 13, 17]]
    across = (knuckles[3] - knuckles[0]) / np.linalg.norm(knuckles[3] - knuckles[0])
    limbs = []
    for number, radii in enumerate(_FINGER_RADII_M):
        chain = joints[1 + 4 * number : 5 + 4 * number]
        pairs = zip(chain[:-1], chain[1:], radii[:-1], radii[1:], strict=True)
        limbs += [_Limb(a, b, ra, rb) for a, b, ra, rb in pairs]
    for position, knuckle in enumerate(knuckles):
        root = wrist + elbow * 0.005 + across * (position - 1.5) * 0.0120
        limbs.append(_Limb(root, knuckle, 0.0165, 0.0122))
    for a, b in pairwise(knuckles):
        limbs.append(_Limb(a, b, 0.0104, 0.0104))
        limbs.append(_Limb(0.5 * (a + wrist), 0.5 * (b + wrist), 0.0128, 0.0128))
    limbs.append(_Limb(wrist - across * 0.012, joints[1], 0.0165, 0.0160))
    limbs.append(_Limb(joints[1], joints[2], 0.0165, 0.0130))
    limbs.append(_Limb(0.6 * joints[2] + 0.4 * joints[1], 0.45 * wrist + 0.55 * knuckles[0], 0.0095, 0.0115))
    for side in (-1.0, 1.0):
        a = wrist + elbow * 0.010 + across * side * 0.0105
        b = wrist + elbow * _FOREARM_M + across * side * 0.022
        cuff = a + (b - a) * _SLEEVE_FROM_M / _FOREARM_M
        limbs.append(_Limb(a, a + 0.9 * (cuff - a), 0.0155, 0.0210))
        limbs.append(_Limb(cuff, b, 0.0310, 0.0400, is_sleeve=True))
    return limbs


def _frame_limbs(limbs: list[_Limb], focal_px: float) -> tuple[Array, tuple[int, int]]:
    """Intrinsics and (width, height) of the smallest picture that holds all limbs."""
    ends = np.array([end for limb in limbs for end in (limb.start, limb.end)])
    radii = np.array([radius for limb in limbs for radius in (limb.start_radius_m, limb.end_radius_m)])
    pixels, spread = focal_px * ends[:, :2] / ends[:, 2:], focal_px * radii[:, None] / ends[:, 2:]
    low = np.floor((pixels - spread).min(axis=0)) - 3
    high = np.ceil((pixels + spread).max(axis=0)) + 4
    K = np.array([[focal_px, 0, -low[0]], [0, focal_px, -low[1]], [0, 0, 1.0]])
    return K, (int(high[0] - low[0]), int(high[1] - low[1]))


def _union_depth(limbs: list[_Limb], K: Array, size: tuple[int, int]) -> tuple[Grey, NDArray[np.bool_]]:
    """Nearest depth of all limbs (h,w), 0 outside, and where it belongs to the sleeve."""
    depth = np.full((size[1], size[0]), np.inf, dtype=np.float32)
    sleeve = np.zeros(depth.shape, dtype=bool)
    for limb in limbs:
        patch, z = _limb_depth(limb, K, size)
        nearer = z < depth[patch]
        np.copyto(depth[patch], z, where=nearer)
        np.copyto(sleeve[patch], limb.is_sleeve, where=nearer)
    depth[np.isinf(depth)] = 0
    return depth, sleeve


def _limb_depth(limb: _Limb, K: Array, size: tuple[int, int]) -> tuple[tuple[slice, slice], Grey]:
    """Front depth of one capsule over its patch; infinite beside it.

    Each pixel takes the sphere of the capsule's axis that lies nearest to it in the picture.
    """
    f, centre = K[0, 0], K[:2, 2]
    a, b = (f * end[:2] / end[2] + centre for end in (limb.start, limb.end))
    reach = f * np.array([limb.start_radius_m / limb.start[2], limb.end_radius_m / limb.end[2]])
    low = np.maximum(np.floor(np.minimum(a - reach[0], b - reach[1])), 0).astype(int)
    high = np.minimum(np.ceil(np.maximum(a + reach[0], b + reach[1])) + 1, size).astype(int)
    x = np.arange(low[0], high[0], dtype=np.float32)[None, :]
    y = np.arange(low[1], high[1], dtype=np.float32)[:, None]
    axis = (b - a).astype(np.float32)
    along = ((x - np.float32(a[0])) * axis[0] + (y - np.float32(a[1])) * axis[1]) / max(
        float(axis @ axis), 1e-6
    )
    along = np.clip(along, 0, 1)
    z = np.float32(limb.start[2]) + along * np.float32(limb.end[2] - limb.start[2])
    radius = np.float32(limb.start_radius_m) + along * np.float32(limb.end_radius_m - limb.start_radius_m)
    dx, dy = x - (np.float32(a[0]) + along * axis[0]), y - (np.float32(a[1]) + along * axis[1])
    rise = radius**2 - (dx**2 + dy**2) * (z / np.float32(f)) ** 2
    front = np.where(rise > 0, z - np.sqrt(np.maximum(rise, 0)), np.float32(np.inf))
    return (slice(low[1], high[1]), slice(low[0], high[0])), front.astype(np.float32)


def _smooth_depth(depth: Grey, mask: Grey, focal_px: float) -> Grey:
    """Round off the seams between limbs, inside the outline only."""
    sigma = max(0.6, _SMOOTH_M * focal_px / 0.45)
    weight = cv2.GaussianBlur(mask, (0, 0), sigma)
    blurred = cv2.GaussianBlur(depth, (0, 0), sigma) / np.maximum(weight, 1e-4)
    return np.where(mask > 0, blurred, 0).astype(np.float32)


def _shading(depth: Grey, mask: Grey, focal_px: float) -> Grey:
    """Light on each pixel: a lamp from the upper left, light from all around, and shade in the hollows."""
    filled = _extend(depth[..., None], mask)[..., 0]
    metres_per_px = np.maximum(filled, 0.05) / focal_px
    slope_x = cv2.Sobel(filled, cv2.CV_32F, 1, 0, ksize=3, scale=1 / 8) / metres_per_px
    slope_y = cv2.Sobel(filled, cv2.CV_32F, 0, 1, ksize=3, scale=1 / 8) / metres_per_px
    length = np.sqrt(slope_x**2 + slope_y**2 + 1)
    light = _LIGHT / np.linalg.norm(_LIGHT)
    lambert = (slope_x * light[0] + slope_y * light[1] - light[2]) / length
    wide = max(1.0, 0.008 * focal_px / 0.45)
    hollow = np.clip((filled - cv2.GaussianBlur(filled, (0, 0), wide)) / 0.006, -0.5, 1.0)
    light_sum = 0.46 + 0.62 * np.clip(lambert, 0, 1) - 0.20 * hollow - 0.12 * (1 - 1 / length)
    shade: Grey = light_sum.astype(np.float32)
    return shade


def _albedo(joints: Array, sleeve: NDArray[np.bool_], depth: Grey, K: Array) -> Grey:
    """Colour of the surface without light: skin with redder knuckles and nails, and the sleeve."""
    height, width = depth.shape
    colour = np.broadcast_to(_SKIN, (height, width, 3)).copy()
    pixels = joints[:, :2] / joints[:, 2:] * K[0, 0] + K[:2, 2]
    px_per_m = K[0, 0] / joints[:, 2]
    for joint in (2, 3, 5, 6, 7, 9, 10, 11, 13, 14, 15, 17, 18, 19):
        _tone(colour, pixels[joint], 0.008 * px_per_m[joint], (2.0, -16.0, -16.0))
    for finger in range(5):
        tip, below = 4 + 4 * finger, 3 + 4 * finger
        _nail(colour, pixels[tip], pixels[below], 0.0052 * px_per_m[tip])
        for joint in (below, below - 1):
            _crease(colour, pixels[joint], pixels[joint] - pixels[joint - 1], 0.0060 * px_per_m[joint])
    colour[sleeve] = _SLEEVE
    return colour


def _tone(colour: Grey, centre: Array, radius_px: float, shift: tuple[float, float, float]) -> None:
    reach = int(np.ceil(2.5 * radius_px))
    x0, y0 = max(0, int(centre[0]) - reach), max(0, int(centre[1]) - reach)
    patch = colour[y0 : int(centre[1]) + reach + 1, x0 : int(centre[0]) + reach + 1]
    y, x = np.ogrid[y0 : y0 + patch.shape[0], x0 : x0 + patch.shape[1]]
    bump = np.exp(-((x - centre[0]) ** 2 + (y - centre[1]) ** 2) / (2 * radius_px**2))
    patch += bump[..., None].astype(np.float32) * np.array(shift, dtype=np.float32)


def _nail(colour: Grey, tip: Array, below: Array, radius_px: float) -> None:
    toward = (tip - below) / max(float(np.linalg.norm(tip - below)), 1e-6)
    angle = float(np.rad2deg(np.arctan2(toward[1], toward[0])))
    centre = tip + 0.25 * radius_px * toward
    axes = (max(1, round(1.15 * radius_px)), max(1, round(0.85 * radius_px)))
    cv2.ellipse(
        colour, (round(centre[0]), round(centre[1])), axes, angle, 0, 360, _NAIL.tolist(), -1, cv2.LINE_AA
    )


def _crease(colour: Grey, centre: Array, along: Array, half_px: float) -> None:
    across = np.array([-along[1], along[0]]) / max(float(np.linalg.norm(along)), 1e-6)
    ends = [centre - across * half_px, centre + across * half_px]
    points = [(round(end[0]), round(end[1])) for end in ends]
    tone = (0.86 * _SKIN).tolist()
    cv2.line(colour, points[0], points[1], tone, max(1, round(0.18 * half_px)), cv2.LINE_AA)


def _extend(values: Grey, mask: Grey) -> Grey:
    """Carry values (h,w,c) inside the mask a few pixels outward."""
    weight = cv2.GaussianBlur(mask, (0, 0), 2.0)
    spread = cv2.GaussianBlur(values * mask[..., None], (0, 0), 2.0).reshape(values.shape)
    outside = spread / np.maximum(weight, 1e-4)[..., None]
    return np.where(mask[..., None] > 0, values, outside).astype(np.float32)
