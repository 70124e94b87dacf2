"""The room: floor, walls, a table and what lies on it, as flat textured surfaces in the world frame.

World axes are x right, y up, z backward; the camera starts at the origin and looks along -z, downward. Add an object
here; how a surface becomes pixels and depth stands in `renderer`, people and hands have modules of their own.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from episode_assets.demo import textures
from episode_assets.demo.textures import Colour, Picture

Array = NDArray[np.float64]

FLOOR_Y_M = -1.35
TABLE_Y_M = -0.60
TABLE_FAR_Z_M = -1.25
_TABLE_NEAR_Z_M = -0.34
_TABLE_HALF_WIDTH_M = 0.80
_TABLE_THICKNESS_M = 0.04
_MESH_CELL_M = 0.06


@dataclass(frozen=True)
class Surface:
    """A textured rectangle.

    Attributes:
        origin: (3,) world position of the texture's upper left corner, metres.
        along_width: (3,) vector along the texture's width, metres.
        along_height: (3,) vector along the texture's height, metres.
        texture: (H,W,4) u8, RGB and opacity.
        is_one_sided: Seen only from the side that `along_height` x `along_width` points to.
    """

    origin: Array
    along_width: Array
    along_height: Array
    texture: Picture
    is_one_sided: bool = True

    @cached_property
    def centre(self) -> Array:
        """(3,) world position of the middle."""
        middle: Array = self.origin + 0.5 * (self.along_width + self.along_height)
        return middle

    @cached_property
    def normal(self) -> Array:
        """(3,) direction that the front faces, not normalised."""
        return np.cross(self.along_height, self.along_width)


@dataclass(frozen=True)
class Scene:
    """Everything that does not move: `room` lies behind everybody, `table` and `objects` in front of the person."""

    room: tuple[Surface, ...]
    table: tuple[Surface, ...]
    objects: tuple[tuple[Surface, ...], ...]

    def mesh_corners(self) -> Array:
        """(3N,3) corners of the triangles of table and objects, three rows for each triangle."""
        boxes = [surface for item in self.objects for surface in item]
        return np.concatenate([_triangles(surface) for surface in (*self.table, *boxes)])

    def features(self, count: int, random: np.random.Generator) -> Array:
        """(count,3) points on table, objects and room, as a visual tracker would hold them."""
        surfaces = [*self.room, *self.table, *(surface for item in self.objects for surface in item)]
        weights = np.sqrt([np.linalg.norm(surface.normal) for surface in surfaces])
        chosen = random.choice(len(surfaces), count, p=weights / weights.sum())
        origins = np.stack([surface.origin for surface in surfaces])[chosen]
        edges = np.stack([[surface.along_width, surface.along_height] for surface in surfaces])[chosen]
        points: Array = origins + np.einsum("nk,nki->ni", random.uniform(0, 1, (count, 2)), edges)
        return points


def build_scene(*, seed: int, picture_width: int) -> Scene:
    """Lay out the room. Texture detail follows the picture width."""
    random = np.random.default_rng([seed, 3])
    detail = float(np.clip(picture_width / 1280, 0.15, 1.5))
    return Scene(room=_room(detail, random), table=_table(detail, random), objects=_objects(detail, random))


def _room(detail: float, random: np.random.Generator) -> tuple[Surface, ...]:
    x, back, front, top = 2.6, -3.2, 1.0, 1.3
    px = max(24, int(420 * detail))
    wall = textures.plaster(2 * px, px, (196, 199, 188), random)
    _furnish(wall, random)
    side = textures.plaster(px, px, (178, 186, 190), random)
    floor = textures.tiles(2 * px, 2 * px, (150, 140, 128), random, count=14)
    height, depth = top - FLOOR_Y_M, front - back
    return (
        _surface((-x, FLOOR_Y_M, back), (2 * x, 0, 0), (0, 0, depth), floor),
        _surface(
            (-x, top, front), (2 * x, 0, 0), (0, 0, -depth), textures.plaster(px, px, (222, 222, 218), random)
        ),
        _surface((-x, top, back), (2 * x, 0, 0), (0, -height, 0), wall),
        _surface((-x, top, front), (0, 0, -depth), (0, -height, 0), side),
        _surface((x, top, back), (0, 0, depth), (0, -height, 0), side),
        _surface((x, top, front), (-2 * x, 0, 0), (0, -height, 0), side),
    )


def _furnish(wall: Picture, random: np.random.Generator) -> None:
    """Paint a window, two posters and a shelf onto the back wall's texture."""
    height, width = wall.shape[:2]

    def paint(picture: Picture, left: float, top: float) -> None:
        y, x = int(top * height), int(left * width)
        wall[y : y + picture.shape[0], x : x + picture.shape[1]] = picture

    def box(w: float, h: float, colour: Colour) -> Picture:
        return textures.panel(int(w * width), int(h * height), colour, random)

    paint(box(0.16, 0.30, (128, 160, 186)), 0.42, 0.33)
    paint(box(0.010, 0.30, (228, 226, 220)), 0.495, 0.33)
    paint(textures.print_page(int(0.085 * width), int(0.24 * height), random), 0.30, 0.42)
    paint(box(0.09, 0.16, (176, 118, 88)), 0.63, 0.46)
    paint(box(0.24, 0.26, (142, 110, 82)), 0.60, 0.72)
    paint(box(0.22, 0.03, (112, 88, 66)), 0.61, 0.76)
    paint(box(0.13, 0.34, (96, 122, 112)), 0.25, 0.62)


def _table(detail: float, random: np.random.Generator) -> tuple[Surface, ...]:
    half, length = _TABLE_HALF_WIDTH_M, _TABLE_NEAR_Z_M - TABLE_FAR_Z_M
    top = textures.wood(int(1500 * detail), int(900 * detail), random)
    edge = textures.panel(max(8, int(800 * detail)), max(4, int(24 * detail)), (120, 86, 58), random)
    mat = textures.cloth(int(560 * detail), int(380 * detail), (86, 112, 118), random)
    y = TABLE_Y_M
    return (
        _surface((-half, y, TABLE_FAR_Z_M), (2 * half, 0, 0), (0, 0, length), top),
        _surface((-half, y, _TABLE_NEAR_Z_M), (2 * half, 0, 0), (0, -_TABLE_THICKNESS_M, 0), edge),
        _surface((-0.30, y + 0.001, -0.92), (0.60, 0, 0), (0, 0, 0.40), mat),
    )


def _objects(detail: float, random: np.random.Generator) -> tuple[tuple[Surface, ...], ...]:
    boxes: tuple[tuple[tuple[float, float, float], tuple[float, float, float], Colour], ...] = (
        ((-0.52, 0.0, -1.05), (0.16, 0.10, 0.12), (170, 62, 52)),
        ((0.40, 0.0, -1.10), (0.13, 0.14, 0.13), (52, 96, 156)),
        ((0.50, 0.0, -0.80), (0.20, 0.035, 0.26), (212, 208, 196)),
        ((-0.62, 0.0, -0.72), (0.21, 0.025, 0.29), (64, 120, 84)),
        ((0.03, 0.0, -0.84), (0.055, 0.055, 0.055), (222, 178, 60)),
        ((-0.12, 0.0, -0.76), (0.045, 0.045, 0.045), (92, 150, 96)),
    )
    return tuple(_box(corner, size, colour, detail, random) for corner, size, colour in boxes)


def _box(
    corner: tuple[float, float, float],
    size: tuple[float, float, float],
    colour: Colour,
    detail: float,
    random: np.random.Generator,
) -> tuple[Surface, ...]:
    """A cuboid on the table without its underside; `corner` is its left far lower corner over the table."""
    (x, y, z), (w, h, d) = (corner[0], TABLE_Y_M + corner[1], corner[2]), size
    random = np.random.default_rng(random.integers(2**32))

    def side(width_m: float, height_m: float, shade: float) -> Picture:
        tone = (int(colour[0] * shade), int(colour[1] * shade), int(colour[2] * shade))
        return textures.panel(
            max(4, int(1300 * detail * width_m)), max(4, int(1300 * detail * height_m)), tone, random
        )

    return (
        _surface((x, y + h, z), (w, 0, 0), (0, 0, d), side(w, d, 1.0)),
        _surface((x, y + h, z + d), (w, 0, 0), (0, -h, 0), side(w, h, 0.78)),
        _surface((x, y + h, z), (0, 0, d), (0, -h, 0), side(d, h, 0.66)),
        _surface((x + w, y + h, z + d), (0, 0, -d), (0, -h, 0), side(d, h, 0.60)),
        _surface((x + w, y + h, z), (-w, 0, 0), (0, -h, 0), side(w, h, 0.55)),
    )


def _surface(
    origin: tuple[float, float, float],
    along_width: tuple[float, float, float],
    along_height: tuple[float, float, float],
    texture: Picture,
) -> Surface:
    opaque = np.dstack([texture, np.full(texture.shape[:2], 255, dtype=np.uint8)])
    return Surface(
        np.array(origin, float), np.array(along_width, float), np.array(along_height, float), opaque
    )


def _triangles(surface: Surface) -> Array:
    columns = max(1, round(float(np.linalg.norm(surface.along_width)) / _MESH_CELL_M))
    rows = max(1, round(float(np.linalg.norm(surface.along_height)) / _MESH_CELL_M))
    a, b = np.linspace(0, 1, columns + 1), np.linspace(0, 1, rows + 1)
    grid = surface.origin + a[None, :, None] * surface.along_width + b[:, None, None] * surface.along_height
    p00, p01, p10, p11 = grid[:-1, :-1], grid[:-1, 1:], grid[1:, :-1], grid[1:, 1:]
    corners: Array = np.stack([p00, p10, p11, p00, p11, p01], axis=2).reshape(-1, 3)
    return corners
