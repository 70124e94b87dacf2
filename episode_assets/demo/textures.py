"""Procedural pictures for the surfaces of the scene: wood, plaster, tiles, cloth, print.

Each function gives an (H,W,3) u8 RGB picture that follows from its random generator alone. Textures are smooth rather
than noisy: noise makes encoders slow and tolerances wide. Which surface carries which stands in `scene`.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
Colour = tuple[int, int, int]


def wood(width: int, height: int, colour: Colour, random: np.random.Generator) -> Picture:
    """Planks with grain along the width."""
    grain = _cloud(width, height, cells=(5, 40), random=random) * 2 + _cloud(
        width, height, cells=(3, 90), random=random
    )
    planks = 7
    plank = np.minimum(np.arange(height) * planks // height, planks - 1)
    shade = grain * 11 + random.uniform(-9, 9, planks)[plank][:, None]
    edges = (np.arange(1, planks) * height) // planks
    shade[edges] -= 28
    return _tint(colour, shade, (1.0, 0.85, 0.65))


def plaster(width: int, height: int, colour: Colour, random: np.random.Generator) -> Picture:
    """A painted wall with soft stains."""
    shade = _cloud(width, height, cells=(6, 4), random=random) * 4 + _cloud(
        width, height, cells=(60, 40), random=random
    )
    return _tint(colour, shade, (1.0, 1.0, 1.0))


def tiles(width: int, height: int, colour: Colour, random: np.random.Generator, *, count: int = 8) -> Picture:
    """Square floor tiles with joints."""
    shades = random.uniform(-10, 10, (count, count)).astype(np.float32)
    shade = cv2.resize(shades, (width, height), interpolation=cv2.INTER_NEAREST)
    shade += _cloud(width, height, cells=(30, 30), random=random) * 5
    column, row = np.arange(width) * count % width < count * 2, np.arange(height) * count % height < count * 2
    shade[:, column] -= 25
    shade[row] -= 25
    return _tint(colour, shade, (1.0, 1.0, 1.0))


def cloth(
    width: int, height: int, colour: Colour, random: np.random.Generator, *, stripes: int = 9
) -> Picture:
    """Woven stripes along the width."""
    wave = np.sin(np.arange(height) * 2 * np.pi * stripes / height)
    shade = (np.sign(wave) * 13)[:, None] + _cloud(width, height, cells=(40, 40), random=random) * 6
    return _tint(colour, shade, (1.0, 1.0, 1.0))


def print_page(width: int, height: int, random: np.random.Generator) -> Picture:
    """A page with a picture and lines of text-like marks."""
    page = np.full((height, width, 3), 236, dtype=np.uint8)
    split = height // 3
    cells = random.uniform(60, 220, (3, 4, 3)).astype(np.float32)
    photo = cv2.resize(
        cells, (width - width // 5, max(1, split - height // 10)), interpolation=cv2.INTER_CUBIC
    )
    page[height // 12 : height // 12 + photo.shape[0], width // 10 : width // 10 + photo.shape[1]] = np.clip(
        photo, 0, 255
    )
    lines = 12
    for line in range(lines):
        top = split + height // 16 + line * (height - split - height // 8) // lines
        length = int(width * random.uniform(0.45, 0.8))
        cv2.rectangle(
            page, (width // 10, top), (width // 10 + length, top + max(1, height // 70)), (92, 92, 100), -1
        )
    return page


def dial(width: int, height: int, colour: Colour, random: np.random.Generator) -> Picture:
    """A clock: a round face with marks and two hands on a plain ground."""
    picture = panel(width, height, colour, random)
    centre, radius = (width // 2, height // 2), max(1, int(0.45 * min(width, height)))
    cv2.circle(picture, centre, radius, (232, 232, 226), -1, cv2.LINE_AA)
    angles = np.concatenate([np.arange(12) * np.pi / 6, random.uniform(0, 2 * np.pi, 2)])
    starts, stops = np.repeat([0.8, 0.0], [12, 2]), np.repeat([0.92, 0.7], [12, 2])
    for angle, start, stop in zip(angles, starts, stops, strict=True):
        ends = [
            np.array(centre) + radius * reach * np.array([np.cos(angle), np.sin(angle)])
            for reach in (start, stop)
        ]
        points = [(round(end[0]), round(end[1])) for end in ends]
        cv2.line(picture, points[0], points[1], (60, 60, 70), max(1, radius // 16), cv2.LINE_AA)
    return picture


def checks(width: int, height: int, colour: Colour, random: np.random.Generator) -> Picture:
    """A painting of squares in shades of one colour."""
    shades = random.uniform(-60, 60, (int(random.integers(2, 9)), int(random.integers(2, 9))))
    shade = cv2.resize(shades.astype(np.float32), (width, height), interpolation=cv2.INTER_NEAREST)
    return _tint(colour, shade, (1.0, 1.0, 1.0))


def panel(width: int, height: int, colour: Colour, random: np.random.Generator) -> Picture:
    """A painted box side: one colour, a soft gradient and a darker rim."""
    shade = _cloud(width, height, cells=(3, 3), random=random) * 6
    rim = max(1, min(width, height) // 24)
    for border in (np.s_[:rim], np.s_[-rim:], np.s_[:, :rim], np.s_[:, -rim:]):
        shade[border] -= 18
    return _tint(colour, shade, (1.0, 1.0, 1.0))


def _cloud(
    width: int, height: int, *, cells: tuple[int, int], random: np.random.Generator
) -> NDArray[np.float32]:
    """Smooth noise of about unit size with so many cells along width and height."""
    coarse = random.standard_normal((cells[1], cells[0])).astype(np.float32)
    cloud: NDArray[np.float32] = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    return cloud


def _tint(colour: Colour, shade: NDArray[np.floating], weights: tuple[float, float, float]) -> Picture:
    tinted: NDArray[np.floating] = np.asarray(colour, dtype=np.float32) + shade[..., None] * np.asarray(
        weights, dtype=np.float32
    )
    picture: Picture = np.clip(tinted, 0, 255).astype(np.uint8)
    return picture
