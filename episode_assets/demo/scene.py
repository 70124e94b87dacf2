"""The room: floor, walls, a table and what lies on it, as flat textured surfaces in the world frame.

World axes are x right, y up, z backward; the camera starts at the origin and looks along -z, downward. What the room
is made of stands in `furnishing`, how a surface becomes pixels and depth in `renderer`; people and hands have modules
of their own.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from episode_assets.demo import textures
from episode_assets.demo.furnishing import FIXED, Block, Decoration, Furnishing, Plate
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
        near = [*self.table, *boxes] or self.room
        return np.concatenate([_triangles(surface) for surface in near])

    def features(self, count: int, random: np.random.Generator) -> Array:
        """(count,3) points on table, objects and room, as a visual tracker would hold them."""
        surfaces = [*self.room, *self.table, *(surface for item in self.objects for surface in item)]
        weights = np.sqrt([np.linalg.norm(surface.normal) for surface in surfaces])
        chosen = random.choice(len(surfaces), count, p=weights / weights.sum())
        origins = np.stack([surface.origin for surface in surfaces])[chosen]
        edges = np.stack([[surface.along_width, surface.along_height] for surface in surfaces])[chosen]
        points: Array = origins + np.einsum("nk,nki->ni", random.uniform(0, 1, (count, 2)), edges)
        return points


def build_scene(
    *, seed: int, picture_width: int, furnishing: Furnishing = FIXED, has_table: bool = True
) -> Scene:
    """Lay out the room, with or without the table and what stands on it. Texture detail follows the picture width."""
    random = np.random.default_rng([seed, 3])
    detail = float(np.clip(picture_width / 1280, 0.15, 1.5))
    if not has_table:
        return Scene(room=_room(detail, furnishing, random), table=(), objects=())
    return Scene(
        room=_room(detail, furnishing, random),
        table=_table(detail, furnishing, random),
        objects=tuple(_box(block, detail, random) for block in furnishing.blocks),
    )


def _room(detail: float, furnishing: Furnishing, random: np.random.Generator) -> tuple[Surface, ...]:
    x, back, front, top = 2.6, -3.2, 1.0, 1.3
    px = max(24, int(420 * detail))
    wall = textures.plaster(2 * px, px, furnishing.wall, random)
    for decoration in furnishing.decorations:
        _hang(wall, decoration, random)
    side = textures.plaster(px, px, furnishing.side, random)
    floor = textures.tiles(2 * px, 2 * px, furnishing.floor, random, count=furnishing.floor_tiles)
    ceiling = textures.plaster(px, px, furnishing.ceiling, random)
    height, depth = top - FLOOR_Y_M, front - back
    return (
        _surface((-x, FLOOR_Y_M, back), (2 * x, 0, 0), (0, 0, depth), floor),
        _surface((-x, top, front), (2 * x, 0, 0), (0, 0, -depth), ceiling),
        _surface((-x, top, back), (2 * x, 0, 0), (0, -height, 0), wall),
        _surface((-x, top, front), (0, 0, -depth), (0, -height, 0), side),
        _surface((x, top, back), (0, 0, depth), (0, -height, 0), side),
        _surface((x, top, front), (-2 * x, 0, 0), (0, -height, 0), side),
    )


def _hang(wall: Picture, decoration: Decoration, random: np.random.Generator) -> None:
    """Paint a decoration onto the back wall's texture."""
    height, width = wall.shape[:2]
    size = int(decoration.width * width), int(decoration.height * height)
    if min(size) < 1:
        return
    picture = _decoration(decoration, size, random)
    y, x = int(decoration.top * height), int(decoration.left * width)
    wall[y : y + picture.shape[0], x : x + picture.shape[1]] = picture


def _decoration(decoration: Decoration, size: tuple[int, int], random: np.random.Generator) -> Picture:
    if decoration.kind == "page":
        return textures.print_page(*size, random)
    draw = {
        "panel": textures.panel,
        "dial": textures.dial,
        "checks": textures.checks,
        "cloth": textures.cloth,
    }[decoration.kind]
    return draw(*size, decoration.colour, random)


def _table(detail: float, furnishing: Furnishing, random: np.random.Generator) -> tuple[Surface, ...]:
    half, length = _TABLE_HALF_WIDTH_M, _TABLE_NEAR_Z_M - TABLE_FAR_Z_M
    top = _table_top(int(1500 * detail), int(900 * detail), furnishing, random)
    edge = textures.panel(max(8, int(800 * detail)), max(4, int(24 * detail)), furnishing.edge, random)
    mat = textures.cloth(int(560 * detail), int(380 * detail), furnishing.mat, random)
    y = TABLE_Y_M
    return (
        _surface((-half, y, TABLE_FAR_Z_M), (2 * half, 0, 0), (0, 0, length), top),
        _surface((-half, y, _TABLE_NEAR_Z_M), (2 * half, 0, 0), (0, -_TABLE_THICKNESS_M, 0), edge),
        _surface((-0.30, y + 0.001, -0.92), (0.60, 0, 0), (0, 0, 0.40), mat),
    )


def _table_top(width: int, height: int, furnishing: Furnishing, random: np.random.Generator) -> Picture:
    material = {
        "wood": textures.wood,
        "cloth": textures.cloth,
        "tiles": textures.tiles,
        "plaster": textures.plaster,
    }[furnishing.material]
    top = material(width, height, furnishing.table, random)
    for plate in furnishing.plates:
        _lay(top, plate)
    return top


def _lay(top: Picture, plate: Plate) -> None:
    """Paint a plate with its rim onto the table top's texture."""
    height, width = top.shape[:2]
    centre = round(plate.centre[0] * width), round(plate.centre[1] * height)
    tones = ((1.0, 1.0), (0.7, 0.85), (0.65, 0.97))
    for share, shade in tones:
        tone = [shade * part for part in plate.colour]
        cv2.circle(top, centre, max(1, round(share * plate.radius * width)), tone, -1, cv2.LINE_AA)


def _box(block: Block, detail: float, random: np.random.Generator) -> tuple[Surface, ...]:
    """A cuboid on the table without its underside."""
    (x, y, z), (w, h, d) = block.corner, block.size
    y += TABLE_Y_M
    random = np.random.default_rng(random.integers(2**32))

    def side(width_m: float, height_m: float, shade: float) -> Picture:
        red, green, blue = block.colour
        tone: Colour = (int(red * shade), int(green * shade), int(blue * shade))
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
