"""Draws flat textured surfaces into a colour picture and a depth picture of the same view.

Surfaces are painted from far to near, each with the exact homography of its plane; the depth of a plane is written
wherever its texture covers the centre of a depth pixel, so both pictures show the same thing. Everything seen here is in
front of the lens; a surface that reaches behind it is cut at the near plane first.
"""

from __future__ import annotations

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
        colour: (H,W,3) u8 RGB.
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
            colour=np.zeros((H, W, 3), dtype=np.uint8),
            depth_m=np.zeros((h, w), dtype=np.float32),
            ray_x=((u - K[0, 2]) / K[0, 0]).astype(np.float32),
            ray_y=((v - K[1, 2]) / K[1, 1]).astype(np.float32),
        )


def project(K: Array, points: Array) -> Array:
    """Pixels (...,2) of optical-frame points (...,3)."""
    homogeneous = points @ K.T
    pixels: Array = homogeneous[..., :2] / homogeneous[..., 2:]
    return pixels


def paint_surface(canvas: Canvas, view: View, surface: Surface, *, alpha: NDArray[np.uint8] | None = None) -> None:
    """Paint one surface over what is there.

    Args:
        canvas: Painted in place.
        view: The camera.
        surface: What to paint.
        alpha: (H,W) opacity of the texture's pixels; depth is written where it is at least half.
    """
    if surface.is_one_sided and np.dot(surface.normal, view.position - surface.centre) <= 0:
        return
    origin = view.points(surface.origin)
    edges = view.vectors(np.stack([surface.along_width, surface.along_height]))
    outline = _clip_near(np.stack([origin, origin + edges[0], origin + edges.sum(axis=0), origin + edges[1]]))
    if len(outline) < 3:
        return
    corners = project(view.K, outline)
    _paint_colour(canvas.colour, view.K, origin, edges, corners, surface.texture, alpha)
    _paint_depth(canvas, origin, edges, corners, alpha)


def _paint_colour(
    colour: NDArray[np.uint8],
    K: Array,
    origin: Array,
    edges: Array,
    corners: Array,
    texture: NDArray[np.uint8],
    alpha: NDArray[np.uint8] | None,
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
    if alpha is not None:
        painted = cv2.warpPerspective(texture, homography, size, borderMode=cv2.BORDER_REPLICATE)
        blend(target, painted, cv2.warpPerspective(alpha, homography, size))
        return
    painted = cv2.warpPerspective(texture, homography, size, borderMode=cv2.BORDER_REPLICATE)
    mask = np.zeros(painted.shape[:2], dtype=np.uint8)
    outline = np.rint((corners - (x0, y0)) * 16).astype(np.int32)
    cv2.fillConvexPoly(mask, outline, 255, lineType=cv2.LINE_8, shift=4)
    cv2.copyTo(painted, mask, target)


def blend(target: NDArray[np.uint8], painted: NDArray[np.uint8], alpha: NDArray[np.uint8]) -> None:
    """Lay a picture over another in place: (H,W,3) over (H,W,3) with (H,W) opacity."""
    weight = cv2.merge([alpha, alpha, alpha])
    kept = cv2.multiply(target, cv2.bitwise_not(weight), scale=1 / 255)
    cv2.add(kept, cv2.multiply(painted, weight, scale=1 / 255), dst=target)


def _paint_depth(
    canvas: Canvas, origin: Array, edges: Array, corners: Array, alpha: NDArray[np.uint8] | None
) -> None:
    h, w = canvas.depth_m.shape
    scale = np.array([w / canvas.colour.shape[1], h / canvas.colour.shape[0]])
    region = _region((corners + 0.5) * scale - 0.5, w, h)
    if region is None:
        return
    x0, y0, x1, y1 = region
    ray_x, ray_y = canvas.ray_x[None, x0:x1], canvas.ray_y[y0:y1, None]
    normal = np.cross(edges[0], edges[1])
    facing = _affine(normal, ray_x, ray_y)
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.float32(normal @ origin) / facing
        # Position on the surface from 0 to 1 along each edge; the dual basis serves parallelograms.
        dual = np.linalg.pinv(edges.T)
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
