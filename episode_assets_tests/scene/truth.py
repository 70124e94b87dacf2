"""The rooms of demo recordings as they are: distances to their surfaces, and the colours painted on these."""

from __future__ import annotations

import numpy as np

from episode_assets.demo import DemoConfig
from episode_assets.demo.film import Film
from episode_assets.demo.scene import Surface


def surfaces_of(config: DemoConfig) -> list[Surface]:
    """Return everything in the room that does not move."""
    scene = Film(config).scene
    return [*scene.room, *scene.table, *(surface for item in scene.objects for surface in item)]


def distances_m(points: np.ndarray, surfaces: list[Surface]) -> np.ndarray:
    """Return (S, N) metres from each point to each rectangle."""
    found = []
    for surface in surfaces:
        a, b = along(points, surface)
        nearest = (
            surface.origin
            + np.clip(a, 0, 1)[:, None] * surface.along_width
            + np.clip(b, 0, 1)[:, None] * surface.along_height
        )
        found.append(np.linalg.norm(points - nearest, axis=1))
    return np.stack(found)


def along(points: np.ndarray, surface: Surface) -> tuple[np.ndarray, np.ndarray]:
    """Return where points lie along the width and the height of a rectangle, 0 to 1 inside."""
    offset = points - surface.origin
    a = offset @ surface.along_width / (surface.along_width @ surface.along_width)
    b = offset @ surface.along_height / (surface.along_height @ surface.along_height)
    return a, b


def painted_colours(points: np.ndarray, surfaces: list[Surface]) -> np.ndarray:
    """Return (N, 3) the colour of the nearest surface's texture at each point."""
    nearest = distances_m(points, surfaces).argmin(axis=0)
    colours = np.empty((len(points), 3))
    for number, surface in enumerate(surfaces):
        chosen = nearest == number
        a, b = along(points[chosen], surface)
        height, width = surface.texture.shape[:2]
        column = np.clip((a * width).astype(int), 0, width - 1)
        row = np.clip((b * height).astype(int), 0, height - 1)
        colours[chosen] = surface.texture[row, column, :3]
    return colours
