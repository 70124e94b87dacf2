"""Turns the exact depth of the geometry into depth as a phone might give it.

What a phone does to its depth is not published; this model is an assumption, and its constants are round numbers
chosen to be no kinder than what such maps look like. In this order:

1. Edges bleed: the map is shifted by a smooth field of a few depth pixels that drifts over time, so that a finger's
   depth lies partly beside the finger, and the table's depth on it.
2. Low-pass: the map is smoothed, which puts depths between hand and table along every edge.
3. Noise grows with the square of the distance and is alike among neighbours; the whole map breathes by a small factor.
   Both are drawn anew for each picture: temporal jitter.
4. Dropouts: zeros in patches on edges, where the picture is dark, and where the surface is seen at a grazing angle.

Everything follows from the seed, the time and the number of the picture. How exact depth is painted stands in
`renderer`.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from episode_assets.demo.renderer import Canvas

Grey = NDArray[np.float32]
Mask = NDArray[np.bool_]

_BLEED_PX = 1.2
"""Standard deviation of the shift along each axis, in depth pixels; shifts of twice this are common."""
_BLEED_CELL_PX = 12
_BLEED_HOLDS_S = 0.4
_LOW_PASS_PX = 1.3
_NOISE_M = 0.002
_NOISE_PER_SQUARE_M = 0.003
"""Noise in metres at distance z: `_NOISE_M + _NOISE_PER_SQUARE_M * z^2`; 3 mm at 0.5 m, 14 mm at 2 m."""
_NOISE_CELL_PX = 3
_BREATH_RATIO = 0.003
_EDGE_RATIO = 0.08
_DARK_LUMA = 36
_GRAZING_COSINE = 0.14
_DROPOUT_CELL_PX = 4
_DROPPED_ABOVE = {"edge": 0.6, "dark": 0.6, "grazing": 0.0}
"""A patch is lost where a smooth field of standard deviation 1 exceeds this: about a quarter of edges and of dark
places, half of grazing ones."""


def phone_depth(canvas: Canvas, *, seed: int, t_s: float, number: int) -> Grey:
    """Return the depth (h,w) in metres as a phone would give it, 0 where nothing is measured.

    Args:
        canvas: The painted pictures; not changed.
        seed: The recording's seed.
        t_s: Seconds since the start: what drifts slowly follows from it.
        number: Message number of the picture: what jitters follows from it.
    """
    random = np.random.default_rng([seed, 7, number])
    bled = _bleed(canvas.depth_m, seed, t_s)
    low_passed = _low_pass(bled)
    sigma = _NOISE_M + _NOISE_PER_SQUARE_M * low_passed**2
    noise = sigma * _field(bled.shape, _NOISE_CELL_PX, random)
    breath = np.float32(1 + _BREATH_RATIO * random.standard_normal())
    depth = np.maximum(low_passed * breath + noise, 0)
    depth[_dropouts(canvas, bled, random) | (bled == 0)] = 0
    return depth.astype(np.float32)


def _bleed(depth_m: Grey, seed: int, t_s: float) -> Grey:
    h, w = depth_m.shape
    tick, share = divmod(t_s / _BLEED_HOLDS_S, 1.0)
    fields = [_shift((h, w), np.random.default_rng([seed, 9, int(tick) + step])) for step in (0, 1)]
    # Weights on the circle keep the spread of a mix of two independent fields.
    angle = 0.5 * np.pi * share
    shift = _BLEED_PX * (np.cos(angle) * fields[0] + np.sin(angle) * fields[1])
    x, y = np.meshgrid(np.arange(w, dtype=np.float32), np.arange(h, dtype=np.float32))
    maps = (x + shift[0]).astype(np.float32), (y + shift[1]).astype(np.float32)
    bled: Grey = cv2.remap(depth_m, *maps, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE)
    return bled


def _shift(shape: tuple[int, int], random: np.random.Generator) -> Grey:
    return np.stack([_field(shape, _BLEED_CELL_PX, random), _field(shape, _BLEED_CELL_PX, random)])


def _low_pass(depth_m: Grey) -> Grey:
    """Smooth over measured pixels only."""
    weight = cv2.GaussianBlur((depth_m > 0).astype(np.float32), (0, 0), _LOW_PASS_PX)
    smoothed: Grey = cv2.GaussianBlur(depth_m, (0, 0), _LOW_PASS_PX) / np.maximum(weight, np.float32(1e-4))
    return smoothed


def _dropouts(canvas: Canvas, depth_m: Grey, random: np.random.Generator) -> Mask:
    field = _field(depth_m.shape, _DROPOUT_CELL_PX, random)
    places = {
        "edge": _is_edge(depth_m),
        "dark": _is_dark(canvas.colour, depth_m.shape),
        "grazing": _is_grazing(canvas),
    }
    lost = [places[name] & (field > limit) for name, limit in _DROPPED_ABOVE.items()]
    dropped: Mask = np.logical_or.reduce(lost)
    return dropped


def _is_edge(depth_m: Grey) -> Mask:
    kernel = np.ones((3, 3), dtype=np.uint8)
    steps = cv2.dilate(depth_m, kernel) - cv2.erode(depth_m, kernel)
    edge: Mask = steps > _EDGE_RATIO * depth_m
    return edge


def _is_dark(colour: NDArray[np.uint8], shape: tuple[int, int]) -> Mask:
    small = cv2.resize(colour, (shape[1], shape[0]), interpolation=cv2.INTER_AREA)
    dark: Mask = cv2.cvtColor(small, cv2.COLOR_RGBA2GRAY) < _DARK_LUMA
    return dark


def _is_grazing(canvas: Canvas) -> Mask:
    """Where the ray meets the surface at a flat angle, from the slopes of the exact depth."""
    rays = np.broadcast_arrays(canvas.ray_x[None, :], canvas.ray_y[:, None], np.float32(1))
    points = np.stack(rays, axis=-1) * canvas.depth_m[..., None]
    normal = np.cross(np.gradient(points, axis=1), np.gradient(points, axis=0))
    lengths = np.linalg.norm(normal, axis=-1) * np.linalg.norm(points, axis=-1)
    grazing: Mask = np.abs((normal * points).sum(axis=-1)) < _GRAZING_COSINE * lengths
    return grazing


def _field(shape: tuple[int, ...], cell_px: int, random: np.random.Generator) -> Grey:
    """Smooth noise (h,w) of standard deviation 1 in which places `cell_px` apart are independent."""
    h, w = shape
    coarse = random.standard_normal((h // cell_px + 2, w // cell_px + 2)).astype(np.float32)
    field = cv2.resize(coarse, (w, h), interpolation=cv2.INTER_CUBIC)
    scaled: Grey = field / max(float(field.std()), 1e-6)
    return scaled
