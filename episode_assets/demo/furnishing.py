"""What a room is made of: colours and materials, what hangs on its wall and what stands on its table.

`FIXED` is the room of every recording by default; `draw_furnishing` draws another one for each seed, for recordings
that must differ in more than grain. Add a kind of decoration here and its picture to `textures`; where things are
laid out in metres stands in `scene`.
"""

from __future__ import annotations

import colorsys
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from episode_assets.demo.textures import Colour

Kind = Literal["panel", "page", "dial", "checks", "cloth"]
Material = Literal["wood", "cloth", "tiles", "plaster"]
_KINDS: tuple[Kind, ...] = ("panel", "page", "dial", "checks", "cloth")
_MATERIALS: tuple[Material, ...] = ("wood", "cloth", "tiles", "plaster")

Metres = tuple[float, float, float]

_COLUMNS, _ROWS = 7, 3
_CELL_M = (0.21, 0.19)
_FIRST_CELL_M = (-0.735, -1.22)
"""The seeded things on the table keep to cells of a grid: nothing stands in another thing."""


@dataclass(frozen=True)
class Decoration:
    """Something on the back wall: its kind, and left, top, width and height as shares of the wall."""

    kind: Kind
    left: float
    top: float
    width: float
    height: float
    colour: Colour


@dataclass(frozen=True)
class Block:
    """A cuboid on the table: its left far lower corner over the table and its size, in metres."""

    corner: Metres
    size: Metres
    colour: Colour


@dataclass(frozen=True)
class Plate:
    """A flat disc on the table: its centre and radius as shares of the table top's width and length."""

    centre: tuple[float, float]
    radius: float
    colour: Colour


@dataclass(frozen=True)
class Furnishing:
    """One room.

    Attributes:
        wall, side, ceiling, floor, table, edge, mat: Colours.
        floor_tiles: Tiles along each side of the floor.
        material: What the table top is made of.
        decorations: On the back wall, in the order in which they are hung.
        blocks: On the table.
        plates: On the table, under the blocks.
    """

    wall: Colour
    side: Colour
    ceiling: Colour
    floor: Colour
    table: Colour
    edge: Colour
    mat: Colour
    floor_tiles: int
    material: Material
    decorations: tuple[Decoration, ...]
    blocks: tuple[Block, ...]
    plates: tuple[Plate, ...] = ()


FIXED = Furnishing(
    wall=(196, 199, 188),
    side=(178, 186, 190),
    ceiling=(222, 222, 218),
    floor=(150, 140, 128),
    table=(168, 124, 84),
    edge=(120, 86, 58),
    mat=(86, 112, 118),
    floor_tiles=14,
    material="wood",
    decorations=(
        Decoration("panel", 0.42, 0.33, 0.16, 0.30, (128, 160, 186)),
        Decoration("panel", 0.495, 0.33, 0.010, 0.30, (228, 226, 220)),
        Decoration("page", 0.30, 0.42, 0.085, 0.24, (236, 236, 236)),
        Decoration("panel", 0.63, 0.46, 0.09, 0.16, (176, 118, 88)),
        Decoration("panel", 0.60, 0.72, 0.24, 0.26, (142, 110, 82)),
        Decoration("panel", 0.61, 0.76, 0.22, 0.03, (112, 88, 66)),
        Decoration("panel", 0.25, 0.62, 0.13, 0.34, (96, 122, 112)),
    ),
    blocks=(
        Block((-0.52, 0.0, -1.05), (0.16, 0.10, 0.12), (170, 62, 52)),
        Block((0.40, 0.0, -1.10), (0.13, 0.14, 0.13), (52, 96, 156)),
        Block((0.50, 0.0, -0.80), (0.20, 0.035, 0.26), (212, 208, 196)),
        Block((-0.62, 0.0, -0.72), (0.21, 0.025, 0.29), (64, 120, 84)),
        Block((0.03, 0.0, -0.84), (0.055, 0.055, 0.055), (222, 178, 60)),
        Block((-0.12, 0.0, -0.76), (0.045, 0.045, 0.045), (92, 150, 96)),
    ),
)
"""A quiet room with a window, posters and a shelf."""


BARE = replace(FIXED, wall=(226, 226, 222), side=(214, 216, 214), decorations=(), blocks=())
"""White walls with nothing on them."""


def draw_furnishing(seed: int) -> Furnishing:
    """Draw the room of a seed."""
    random = np.random.default_rng([seed, 8])
    return Furnishing(
        wall=_colour(random, value=(0.45, 0.95)),
        side=_colour(random, value=(0.4, 0.9)),
        ceiling=_colour(random, saturation=(0.0, 0.1), value=(0.75, 0.95)),
        floor=_colour(random, value=(0.25, 0.8)),
        table=_colour(random, value=(0.2, 0.9)),
        edge=_colour(random, value=(0.2, 0.6)),
        mat=_colour(random, saturation=(0.1, 0.9), value=(0.2, 0.9)),
        floor_tiles=int(random.integers(5, 30)),
        material=_MATERIALS[int(random.integers(len(_MATERIALS)))],
        decorations=tuple(_decoration(random) for _ in range(int(random.integers(3, 12)))),
        blocks=_blocks(random),
        plates=tuple(_plate(random) for _ in range(int(random.integers(0, 6)))),
    )


def _decoration(random: np.random.Generator) -> Decoration:
    width, height = random.uniform(0.03, 0.18), random.uniform(0.08, 0.35)
    left, top = random.uniform(0.02, 0.98 - width), random.uniform(0.15, 0.98 - height)
    kind = _KINDS[int(random.integers(len(_KINDS)))]
    return Decoration(kind, left, top, width, height, _vivid(random))


def _blocks(random: np.random.Generator) -> tuple[Block, ...]:
    cells = random.permutation(_COLUMNS * _ROWS)[: int(random.integers(3, 14))]
    return tuple(_block(divmod(int(cell), _COLUMNS), random) for cell in cells)


def _block(cell: tuple[int, int], random: np.random.Generator) -> Block:
    (row, column), size = cell, random.uniform((0.04, 0.02, 0.04), (0.19, 0.24, 0.17))
    x = _FIRST_CELL_M[0] + column * _CELL_M[0] + random.uniform(0, _CELL_M[0] - size[0])
    z = _FIRST_CELL_M[1] + row * _CELL_M[1] + random.uniform(0, _CELL_M[1] - size[2])
    return Block((x, 0.0, z), (float(size[0]), float(size[1]), float(size[2])), _vivid(random))


def _plate(random: np.random.Generator) -> Plate:
    x, z = random.uniform(0.1, 0.9, 2)
    return Plate((float(x), float(z)), random.uniform(0.03, 0.09), _colour(random, value=(0.6, 0.98)))


def _vivid(random: np.random.Generator) -> Colour:
    return _colour(random, saturation=(0.2, 0.95), value=(0.25, 0.98))


def _colour(
    random: np.random.Generator,
    *,
    saturation: tuple[float, float] = (0.02, 0.45),
    value: tuple[float, float],
) -> Colour:
    """Draw a colour of any hue."""
    rgb = colorsys.hsv_to_rgb(random.uniform(), random.uniform(*saturation), random.uniform(*value))
    red, green, blue = (round(255 * part) for part in rgb)
    return red, green, blue
