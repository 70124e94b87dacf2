"""Writes rotations down as numbers and reads them back, in each form that a recipe may ask for.

The formulas are in `geometry`; here is only which form is which. Signs that have to follow a predecessor are the
business of whoever has one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from numpy.typing import ArrayLike

from episode_assets.geometry import (
    Floats,
    euler_to_matrix,
    matrix_to_euler,
    matrix_to_quaternion,
    matrix_to_rot6d,
    quaternion_to_matrix,
    rot6d_to_matrix,
    rotation_exp,
    rotation_log,
)
from episode_assets.lerobot.recipe_layout import Rotation

TO_NUMBERS: Mapping[Rotation, Callable[[ArrayLike], Floats]] = {
    "rot6d": matrix_to_rot6d,
    "quaternion": matrix_to_quaternion,
    "rotation_vector": rotation_log,
    "euler": matrix_to_euler,
}
"""From rotations (..., 3, 3) to numbers (..., D)."""

FROM_NUMBERS: Mapping[Rotation, Callable[[ArrayLike], Floats]] = {
    "rot6d": rot6d_to_matrix,
    "quaternion": quaternion_to_matrix,
    "rotation_vector": rotation_exp,
    "euler": euler_to_matrix,
}
"""From numbers (..., D) to rotations (..., 3, 3)."""
