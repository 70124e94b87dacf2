"""Depth as 12-bit codes and back, by the logarithmic or linear steps of LeRobot's depth quantiser.

Code 0 is ours: it means that nothing was measured. LeRobot's readers show it as the smallest depth. How codes become a
video belongs to `depth_video`.
"""

from __future__ import annotations

import math
from functools import cached_property
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from episode_assets.errors import BadConfig
from episode_assets.video.encoder_config import DepthEncoderConfig

HOLE_CODE = 0
LARGEST_CODE = 4095

Codes: TypeAlias = NDArray[np.uint16]
"""(H, W) uint16, 0 where nothing was measured, else 1 to 4095."""

Outside: TypeAlias = Literal["hole", "clamp"]
"""What becomes of depth nearer than `depth_min` or farther than `depth_max`."""

DepthUnit: TypeAlias = Literal["mm", "m"]


class DepthCoder:
    """Turns depth into codes and back.

    With u the depth, m, M and s the configuration's `depth_min`, `depth_max` and `shift`, and Q = 4095, LeRobot's
    quantiser (0.6.1) is

        logarithmic: q = rint(Q (ln(u + s) - ln(m + s)) / (ln(M + s) - ln(m + s)))
        linear:      q = rint(Q (u - m) / (M - m))

    Measured depth gets codes 1 to 4095, so that 0 is left for what was not measured.

    Args:
        config: Range and steps.
        outside: `hole` drops depth out of range, `clamp` moves it to the nearer end.

    Raises:
        BadConfig: `outside` is neither.
    """

    def __init__(self, config: DepthEncoderConfig, *, outside: Outside = "hole") -> None:
        if outside not in ("hole", "clamp"):
            raise BadConfig(f"depth out of range becomes 'hole' or 'clamp', got {outside!r}")
        self.config = config
        self.outside = outside

    def codes(self, depth: NDArray[np.integer] | NDArray[np.floating]) -> Codes:
        """Return the codes of a depth image.

        Args:
            depth: (H, W); integers are millimetres, floats are metres. 0, negative and not finite: nothing measured.
        """
        if depth.dtype == np.uint16:
            return np.take(self._code_of_mm, depth.astype(np.intp))
        is_whole = np.issubdtype(depth.dtype, np.integer)
        return self._coded(depth.astype(np.float64) / (1000.0 if is_whole else 1.0))

    def count_outside(self, depth_mm: NDArray[np.uint16]) -> int:
        """Return how many measured pixels of an image lie out of range, (H, W) uint16 mm."""
        low, high = 1000.0 * self.config.depth_min, 1000.0 * self.config.depth_max
        return int(np.count_nonzero((depth_mm > 0) & ((depth_mm < low) | (depth_mm > high))))

    def depth(self, codes: Codes, *, unit: DepthUnit = "mm") -> NDArray[np.float32]:
        """Return the depth of codes, (H, W) float32; 0 where nothing was measured. Millimetres are whole."""
        metres = np.take(self._metres_of_code, codes)
        return np.rint(1000.0 * metres) if unit == "mm" else metres

    def largest_error_m(self, depth_m: float) -> float:
        """Return how far the depth of a code can lie from what was measured, in metres: half a step.

        Below `depth_min` plus half a step it is a whole one, because code 0 is taken.
        """
        config = self.config
        if not config.use_log:
            return (config.depth_max - config.depth_min) / LARGEST_CODE / 2
        return (depth_m + config.shift) * math.expm1(self._log_range / LARGEST_CODE / 2)

    @property
    def _log_range(self) -> float:
        config = self.config
        return math.log((config.depth_max + config.shift) / (config.depth_min + config.shift))

    @cached_property
    def _code_of_mm(self) -> Codes:
        return self._coded(np.arange(1 << 16) / 1000.0)

    def _coded(self, metres: NDArray[np.float64]) -> Codes:
        low, high = self.config.depth_min, self.config.depth_max
        with np.errstate(invalid="ignore"):
            is_measured = np.isfinite(metres) & (metres > 0)
            if self.outside == "hole":
                is_measured &= (metres >= low) & (metres <= high)
        inside = np.clip(np.where(is_measured, metres, low), low, high)
        if self.config.use_log:
            share = np.log((inside + self.config.shift) / (low + self.config.shift)) / self._log_range
        else:
            share = (inside - low) / (high - low)
        codes = np.clip(np.rint(LARGEST_CODE * share), 1, LARGEST_CODE)
        return np.where(is_measured, codes, HOLE_CODE).astype(np.uint16)

    @cached_property
    def _metres_of_code(self) -> NDArray[np.float32]:
        low, high, shift = self.config.depth_min, self.config.depth_max, self.config.shift
        share = np.arange(1 << 12) / LARGEST_CODE
        if self.config.use_log:
            metres = np.exp(share * self._log_range + math.log(low + shift)) - shift
        else:
            metres = low + share * (high - low)
        metres = np.clip(metres, low, high)
        metres[HOLE_CODE] = 0.0
        return metres.astype(np.float32)
