"""Numbers as they go into strict JSON."""

from __future__ import annotations

import math

import numpy as np

from episode_assets.outcome import Json

Block = dict[str, Json]
"""One block of metrics: names as in the report, values as in JSON."""


def number(value: float | np.floating | None) -> float | None:
    """Return a number for strict JSON: six significant digits, null for what is not finite."""
    if value is None or not math.isfinite(float(value)):
        return None
    return float(f"{float(value):.6g}")
