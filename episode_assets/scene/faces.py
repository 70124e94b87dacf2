"""The shape of people in the recorder's mesh: triangles that lie where pictures were blurred are left out.

A mesh that is fused here leaves faces out from the beginning. Which places are hidden is known to `footage`.
"""

from __future__ import annotations

import numpy as np

from episode_assets.ply import Mesh
from episode_assets.scene.cleaning import without_unused
from episode_assets.scene.views import Views


def may_hold_faces(views: Views, frame_id: str) -> bool:
    """Return whether faces may lie anywhere in a mesh in the frame `frame_id`, since nobody knows where they were."""
    if len(views.boxes) == 0:
        return False
    ours, theirs = frame_id.strip("/"), views.frame_id.strip("/")
    return bool(ours and theirs and ours != theirs) or views.face_space.unplaced_ns is not None


def without_faces(mesh: Mesh, views: Views) -> tuple[Mesh, int]:
    """Return the mesh without the triangles that touch the space behind a blurred rectangle, and how many those are.

    A triangle touches it with a corner, with the middle of a side, or with its own middle.
    """
    corners = mesh.vertices.astype(np.float64)[mesh.triangles]
    sides = (corners + np.roll(corners, 1, axis=1)) / 2
    places = np.concatenate([corners, sides, corners.mean(axis=1, keepdims=True)], axis=1)
    hidden = views.face_space.hides(places.reshape(-1, 3)).reshape(places.shape[:2]).any(axis=1)
    kept = without_unused(Mesh(mesh.vertices, mesh.triangles[~hidden]))
    return kept, int(hidden.sum())
