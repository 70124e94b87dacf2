"""Loose triangles of markers become a mesh whose neighbours share their corners."""

from __future__ import annotations

import numpy as np

from episode_assets.scene.welding import weld


def test_triangles_without_area_or_with_unknown_corners_are_dropped() -> None:
    corners = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 0], [-0.0, 0, 0], [0, 1, 0], [np.nan, 0, 0]])
    triangles = np.array([[0, 1, 2], [3, 4, 5], [0, 1, 6]])

    mesh, dropped = weld(corners, triangles)

    assert dropped == 2
    assert mesh.triangles.tolist() == [[0, 1, 2]]
    assert mesh.vertices.tolist() == [[0, 0, 0], [1, 0, 0], [0, 1, 0]]
