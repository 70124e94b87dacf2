"""Which vertices of a mesh a camera sees, and from how far and at what angle, before anything is asked to hide them.

Colours and the question which side of a surface is its front both start from here.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from episode_assets.footage import Lens

NEAREST_M = 0.2

Floats = NDArray[np.float32]


class Camera(NamedTuple):
    """A colour camera at one moment: its lens, and `p_world = R p_optical + t`."""

    lens: Lens
    R: NDArray[np.float64]
    t: NDArray[np.float64]


class Seen(NamedTuple):
    """Vertices in view, (N,) each: row, ray (x, y, 1), pixel u and v, distance z, cosine between normal and camera.

    The cosine is that of the angle at the vertex between its normal and the direction to the camera.
    """

    row: NDArray[np.int64]
    x: Floats
    y: Floats
    u: Floats
    v: Floats
    z: Floats
    cosine: Floats

    @property
    def slope(self) -> Floats:
        """Tangent of the angle between view and normal, whichever way the normal points."""
        cosine = np.maximum(np.abs(self.cosine), np.float32(1e-3))
        return np.asarray(np.sqrt(np.maximum(1 - cosine**2, 0)) / cosine, dtype=np.float32)

    def where(self, is_chosen: NDArray[np.bool_]) -> Seen:
        """Return some of them."""
        return Seen._make(part[is_chosen] for part in self)


def in_view(vertices: Floats, normals: Floats, camera: Camera, *, farthest_m: float) -> Seen:
    """Return the vertices (V, 3) that lie inside the picture, at most so far away, in their order."""
    R, t = camera.R.astype(np.float32), camera.t.astype(np.float32)
    points = np.asarray((vertices - t) @ R, np.float32)
    row = np.flatnonzero((points[:, 2] > NEAREST_M) & (points[:, 2] < farthest_m))
    points = points[row]
    z = points[:, 2]
    x, y = (np.asarray(points[:, axis] / z, np.float32) for axis in (0, 1))
    u, v = camera.lens.pixels(x, y)
    cosine = -np.einsum("ni,ni->n", points, normals[row] @ R) / np.linalg.norm(points, axis=1)
    width, height = camera.lens.size
    is_in = (u >= 0) & (u <= width - 1) & (v >= 0) & (v <= height - 1)
    return Seen(row, x, y, u, v, z, cosine.astype(np.float32)).where(is_in)
