"""What camera and depth sensor make of the scene: little light, noise, and faults of the lens.

A fault begins and ends at a time and changes what is recorded, never what is true about the scene. Faults of stamps
are made where stamps are: gaps in `timeline`, shifted clocks in `recorder`.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from episode_assets.demo.config import DemoConfig, Interval

Colour = NDArray[np.uint8]
Depth = NDArray[np.float32]

_BLACK_LEVEL = 3.0
_FINGER_RGB = np.array([172.0, 104.0, 84.0])
_FINGER_SHADE = (0.55, 1.0)
_FINGER_SLOPE = 0.04
_FINGER_SWAY_HZ = 0.4


class Sensor:
    """The sensors of one recording."""

    def __init__(self, config: DemoConfig) -> None:
        self._config = config
        random = np.random.default_rng([config.seed, 9])
        self._finger_rgb = _FINGER_RGB * random.uniform(*_FINGER_SHADE)
        self._lean = random.uniform(-1, 1, 2)

    def colour(self, rgb: Colour, *, t_s: float, number: int) -> Colour:
        """Return the picture (H,W,3) that is taken of the scene at a time; `number` is that of its message."""
        config = self._config
        if is_during(config.black_interval_s, t_s):
            rgb = np.full_like(rgb, round(_BLACK_LEVEL))
        elif is_during(config.covered_interval_s, t_s):
            rgb = self._finger(rgb.shape[:2], t_s)
        elif config.light < 1:
            rgb = cv2.convertScaleAbs(rgb, alpha=config.light)
        return _with_noise(rgb, config.sensor_noise, np.random.default_rng([config.seed, 10, number]))

    def depth(self, depth_m: Depth, *, t_s: float) -> Depth:
        """Return the depth (h,w) in metres that is measured at a time; behind a finger nothing is."""
        return np.zeros_like(depth_m) if is_during(self._config.covered_interval_s, t_s) else depth_m

    def _finger(self, shape: tuple[int, ...], t_s: float) -> Colour:
        """Skin that lets light through, a little brighter to one side, and never quite still."""
        y, x = (np.linspace(-1, 1, count)[:, None] for count in shape)
        sway = _FINGER_SLOPE * np.sin(2 * np.pi * _FINGER_SWAY_HZ * t_s)
        shade = 1 + _FINGER_SLOPE * (self._lean[0] * x.T + self._lean[1] * y) + sway
        finger: Colour = np.clip(shade[..., None] * self._finger_rgb, 0, 255).astype(np.uint8)
        return finger


def is_during(interval_s: Interval | None, t_s: float) -> bool:
    """Whether a time lies in an interval, its end excluded."""
    return interval_s is not None and interval_s[0] <= t_s < interval_s[1]


def _with_noise(rgb: Colour, sigma: float, random: np.random.Generator) -> Colour:
    """Add noise of brightness, as the luma of a phone's pictures has it; colour noise is filtered away there."""
    if sigma == 0:
        return rgb
    noise = np.rint(sigma * random.standard_normal(rgb.shape[:2], dtype=np.float32)).astype(np.int16)
    noisy = cv2.add(rgb, cv2.merge([noise] * 3), dtype=cv2.CV_8U)
    return np.asarray(noisy, dtype=np.uint8)
