"""Which side of a surface is its front: the side that cameras were on.

Recorders wind their triangles one way or the other, and some not at all alike. Each connected piece asks the cameras
that saw it, most those that looked straight at it; where they disagree, both of its sides count.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from episode_assets.geometry import vertex_normals
from episode_assets.ply import Mesh
from episode_assets.scene.occlusion import Samples, nearest_surface
from episode_assets.scene.topology import pieces_of
from episode_assets.scene.visible import Camera, Floats, in_view

LEAST_AGREEMENT = 0.3
"""How far the votes for one side must outweigh those for the other, as a share of all, before the other is a back."""


class Facing(NamedTuple):
    """Normals (V, 3) of vertices, unit or zero, and (V,) whether a vertex is taken to be seen from both sides."""

    normals: Floats
    is_two_sided: NDArray[np.bool_]


def facing(mesh: Mesh, cameras: Sequence[Camera], samples: Samples, *, farthest_m: float) -> Facing:
    """Return the normals of the vertices, turned to where most of the cameras stand from which they can be seen."""
    normals = vertex_normals(mesh.vertices, mesh.triangles)
    count, piece = pieces_of(mesh.triangles, len(mesh.vertices))
    towards, votes = np.zeros(count), np.zeros(count)
    for camera in cameras:
        seen = in_view(mesh.vertices, normals, camera, farthest_m=farthest_m)
        surface = nearest_surface(samples, camera.R, camera.t, camera.lens)
        # No allowance for slopes: of a thin plate only what really lies in front may vote.
        level = np.zeros_like(seen.z)
        seen = seen.where(~surface.hides(seen.u, seen.v, seen.z, level, tolerance_m=samples.spacing_m / 2))
        towards += np.bincount(piece[seen.row], seen.cosine, count)
        votes += np.bincount(piece[seen.row], np.abs(seen.cosine), count)
    is_two_sided = np.abs(towards) <= LEAST_AGREEMENT * votes
    sign = np.where(towards < 0, -1.0, 1.0).astype(np.float32)
    return Facing(normals * sign[piece][:, None], is_two_sided[piece])
