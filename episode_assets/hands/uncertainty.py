"""How far measured joints may be off, in pixels and in metres: one number per joint, stated beside it.

An uncertainty stands for the root mean square of the distance to the true joint, and errs on the cautious side: of
drawn hands, 70 to 80 of 100 joints lie within it in pixels and more than 90 in metres, on clean depth and on a phone's.
It adds up what is known to be uncertain: the network (how large the hand is in the picture, which joint, how sure the
network is of a hand) and depth (how well the depths under the palm agree, how little is known of bent fingers, and for
how long a distance was held).

All of it was measured with MediaPipe's networks; of others nothing is known, and nothing is stated.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_OFF_OF_REGION = np.array([0.020, 0.029, 0.028, 0.025, 0.029, *(0.018, 0.012, 0.013, 0.019) * 4])
"""How far joints lie from the true ones, relative to the side of the region that was looked at, at a presence of 1.
Measured on drawn hands (1027 hands in six demo recordings, root mean square 0.023 over all joints and presences);
photographs of real hands have no such truth, and are harder."""

_PER_MISSING_PRESENCE = 8.0
"""How much the error grows where the network is less sure: from 0.016 of the side at a presence above 0.99 to 0.032
between 0.8 and 0.95, on the same hands."""

_COMMON_M = 0.005
"""What no depth of the same hand tells: calibration of the depth sensor, and how deep joints lie under the skin."""

_HELD_M_PER_S = 0.3
"""How fast the distance of a hand that is held drifts off, at the pace of calm work."""


def uncertainty_px(region_side_px: Floats, presence: Floats) -> Floats:
    """Return (N, 21) pixels: how far joints read in regions of such sides (N,), at such presences (N,), may be off."""
    doubt = 1 + _PER_MISSING_PRESENCE * (1 - np.clip(presence, 0, 1))
    return np.asarray(_OFF_OF_REGION * (region_side_px * doubt)[:, None])


def uncertainty_m(
    K: Floats, depth_m: Floats, off_px: Floats, depth_std_m: Floats, held_for_s: Floats
) -> Floats:
    """Return (N, 21) metres: how far placed joints may be off; NaN where they have no place.

    Args:
        K: (N, 3, 3) intrinsics.
        depth_m: (N, 21) of the placed joints along the optical axis.
        off_px: (N, 21) from `uncertainty_px`.
        depth_std_m: (N, 21) from the fit to the depths under the joints.
        held_for_s: (N,) seconds to the frame whose depth was taken; 0 where it is the own one.
    """
    focal = np.sqrt(K[:, 0, 0] * K[:, 1, 1])[:, None]
    across = off_px * depth_m / focal
    held = _HELD_M_PER_S * held_for_s[:, None]
    return np.asarray(np.sqrt(across**2 + depth_std_m**2 + _COMMON_M**2 + held**2))
