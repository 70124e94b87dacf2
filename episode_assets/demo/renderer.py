"""Draws flat textured surfaces into a colour picture and a depth picture of the same view.

Surfaces are painted from far to near, each with the exact homography of its plane; the depth of a plane is written
wherever its texture covers the centre of a depth pixel, so both pictures show the same thing. Everything seen here is
in front of the lens; a surface that reaches behind it is cut at the near plane first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from episode_assets.demo.scene import Surface

Array = NDArray[np.float64]

_NEAR_M = 0.05


@dataclass(frozen=True)
class View:
    """A camera that looks at the scene.

    Attributes:
        K: (3,3) intrinsics of the colour picture, pixel centres at whole numbers.
        optical_from_world: (3,3) rotation.
        position: (3,) camera position in the world, metres.
    """

    K: Array
    optical_from_world: Array
    position: Array

    def points(self, world: Array) -> Array:
        """World points (...,3) in the optical frame, metres."""
        moved: Array = (world - self.position) @ self.optical_from_world.T
        return moved

    def vectors(self, world: Array) -> Array:
        """World directions (...,3) in the optical frame."""
        turned: Array = world @ self.optical_from_world.T
        return turned


@dataclass(frozen=True)
class Canvas:
    """The two pictures being painted, and the rays of the depth pixels.

    Attributes:
        colour: (H,W,4) u8 RGB and one unused channel; four channels are warped twice as fast as three.
        depth_m: (h,w) f4 distance along the optical axis, 0 where nothing was painted.
        ray_x: (w,) f4, x/z of the ray through each depth column.
        ray_y: (h,) f4, y/z of the ray through each depth row.
    """

    colour: NDArray[np.uint8]
    depth_m: NDArray[np.float32]
    ray_x: NDArray[np.float32]
    ray_y: NDArray[np.float32]

    @classmethod
    def blank(cls, *, size: tuple[int, int], depth_size: tuple[int, int], K: Array) -> Canvas:
        """A black canvas of (width, height); both pictures show the same field of view."""
        (W, H), (w, h) = size, depth_size
        u = (np.arange(w) + 0.5) * W / w - 0.5
        v = (np.arange(h) + 0.5) * H / h - 0.5
        return cls(
            colour=np.zeros((H, W, 4), dtype=np.uint8),
            depth_m=np.zeros((h, w), dtype=np.float32),
            ray_x=((u - K[0, 2]) / K[0, 0]).astype(np.float32),
            ray_y=((v - K[1, 2]) / K[1, 1]).astype(np.float32),
        )


def paint_soft(canvas: Canvas, view: View, surfaces: Sequence[Surface]) -> None:
    """Paint surfaces that fill the picture at half the resolution and scale them up: the far room is out of focus."""
    H, W = canvas.colour.shape[:2]
    h, w = max(1, H // 2), max(1, W // 2)
    ratio = np.array([w / W, h / H])
    K = np.diag([*ratio, 1.0]) @ view.K
    K[:2, 2] += 0.5 * ratio - 0.5
    half = Canvas(np.zeros((h, w, 4), dtype=np.uint8), canvas.depth_m, canvas.ray_x, canvas.ray_y)
    for surface in surfaces:
        paint_surface(half, View(K, view.optical_from_world, view.position), surface)
    cv2.resize(half.colour, (W, H), dst=canvas.colour, interpolation=cv2.INTER_LINEAR)


def project(K: Array, points: Array) -> Array:
    """Pixels (...,2) of optical-frame points (...,3)."""
    homogeneous = points @ K.T
    pixels: Array = homogeneous[..., :2] / homogeneous[..., 2:]
    return pixels


def paint_surface(canvas: Canvas, view: View, surface: Surface, *, is_cut_out: bool = False) -> None:
    """Paint one surface over what is there.

    Args:
        canvas: Painted in place.
        view: The camera.
        surface: What to paint.
        is_cut_out: The texture's fourth channel is its opacity; depth is written where that is at least half.
    """
    if surface.is_one_sided and np.dot(surface.normal, view.position - surface.centre) <= 0:
        return
    origin = view.points(surface.origin)
    edges = view.vectors(np.stack([surface.along_width, surface.along_height]))
    outline = _clip_near(np.stack([origin, origin + edges[0], origin + edges.sum(axis=0), origin + edges[1]]))
    if len(outline) < 3:
        return
    corners = project(view.K, outline)
    _paint_colour(canvas.colour, view.K, origin, edges, corners, surface.texture, is_cut_out=is_cut_out)
    alpha = surface.texture[..., 3] if is_cut_out else None
    _paint_depth(canvas, origin, edges, view.vectors(surface.normal), corners, alpha)


def _paint_colour(
    colour: NDArray[np.uint8],
    K: Array,
    origin: Array,
    edges: Array,
    corners: Array,
    texture: NDArray[np.uint8],
    *,
    is_cut_out: bool,
) -> None:
    region = _region(corners, colour.shape[1], colour.shape[0])
    if region is None:
        return
    x0, y0, x1, y1 = region
    height, width = texture.shape[:2]
    # Texture pixel centres lie half a pixel inside the edges.
    along_u, along_v = edges[0] / width, edges[1] / height
    plane = np.stack([along_u, along_v, origin + 0.5 * (along_u + along_v)], axis=1)
    shift = np.array([[1, 0, -x0], [0, 1, -y0], [0, 0, 1]], dtype=np.float64)
    homography = shift @ K @ plane
    size = (x1 - x0, y1 - y0)
    target = colour[y0:y1, x0:x1]
    border = cv2.BORDER_CONSTANT if is_cut_out else cv2.BORDER_REPLICATE
    painted = cv2.warpPerspective(texture, homography, size, borderMode=border)
    if is_cut_out:
        blend(target, painted)
        return
    mask = np.zeros(painted.shape[:2], dtype=np.uint8)
    outline = np.rint((corners - (x0, y0)) * 16).astype(np.int32)
    cv2.fillConvexPoly(mask, outline, 255, lineType=cv2.LINE_8, shift=4)
    cv2.copyTo(painted, mask, target)


def blend(target: NDArray[np.uint8], painted: NDArray[np.uint8]) -> None:
    """Lay an (H,W,4) picture over another in place; its fourth channel is its opacity."""
    weight = cv2.cvtColor(cv2.extractChannel(painted, 3), cv2.COLOR_GRAY2BGRA)
    kept = cv2.multiply(target, cv2.bitwise_not(weight), scale=1 / 255)
    cv2.add(kept, cv2.multiply(painted, weight, scale=1 / 255), dst=target)


def _paint_depth(
    canvas: Canvas,
    origin: Array,
    edges: Array,
    normal: Array,
    corners: Array,
    alpha: NDArray[np.uint8] | None,
) -> None:
    h, w = canvas.depth_m.shape
    scale = np.array([w / canvas.colour.shape[1], h / canvas.colour.shape[0]])
    region = _region((corners + 0.5) * scale - 0.5, w, h)
    if region is None:
        return
    x0, y0, x1, y1 = region
    ray_x, ray_y = canvas.ray_x[None, x0:x1], canvas.ray_y[y0:y1, None]
    facing = _affine(normal, ray_x, ray_y)
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.float32(normal @ origin) / facing
        # Position on the rectangle from 0 to 1 along each edge.
        dual = edges / (edges**2).sum(axis=1, keepdims=True)
        a = z * _affine(dual[0], ray_x, ray_y) - np.float32(dual[0] @ origin)
        b = z * _affine(dual[1], ray_x, ray_y) - np.float32(dual[1] @ origin)
        covered = (a >= 0) & (a <= 1) & (b >= 0) & (b <= 1) & (z > _NEAR_M)
    if alpha is not None:
        height, width = alpha.shape
        rows = np.clip(np.nan_to_num(b * height), 0, height - 1).astype(np.intp)
        columns = np.clip(np.nan_to_num(a * width), 0, width - 1).astype(np.intp)
        covered &= alpha[rows, columns] >= 128
    np.copyto(canvas.depth_m[y0:y1, x0:x1], z, where=covered)


def _affine(vector: Array, ray_x: NDArray[np.float32], ray_y: NDArray[np.float32]) -> NDArray[np.float32]:
    x, y, z = vector.astype(np.float32)
    combined: NDArray[np.float32] = x * ray_x + (y * ray_y + z)
    return combined


def _clip_near(outline: Array) -> Array:
    """Cut a convex polygon (N,3) in the optical frame at the near plane."""
    if np.all(outline[:, 2] >= _NEAR_M):
        return outline
    kept = []
    for here, there in zip(outline, np.roll(outline, -1, axis=0), strict=True):
        if here[2] >= _NEAR_M:
            kept.append(here)
        if (here[2] >= _NEAR_M) != (there[2] >= _NEAR_M):
            kept.append(here + (there - here) * (_NEAR_M - here[2]) / (there[2] - here[2]))
    return np.array(kept).reshape(-1, 3)


def _region(corners: Array, width: int, height: int) -> tuple[int, int, int, int] | None:
    """Pixel rectangle (half-open) that holds the corners and lies in the picture; None when there is none."""
    low = np.maximum(np.floor(corners.min(axis=0)), 0)
    high = np.minimum(np.ceil(corners.max(axis=0)) + 1, (width, height))
    if np.any(high <= low):
        return None
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])
