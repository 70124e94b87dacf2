"""What becomes of the action where time is missing inside an episode: invalid, or told for one period of the way.

Whether an episode goes on at such a place is decided in `cuts`; masks and numbers of all other steps in `rows`.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from episode_assets.geometry import interpolate_rotation
from episode_assets.lerobot.bodies import Bodies
from episode_assets.lerobot.hand_interpolation import between
from episode_assets.lerobot.recipe_gaps import GapChoice
from episode_assets.lerobot.spaces import Steps

Flags = NDArray[np.bool_]


def over_gaps(steps: Steps, *, leads_on: Flags, choice: GapChoice) -> Steps:
    """Return the steps of an episode with those over missing time treated as a recipe says.

    Args:
        steps: All steps, told by their true stamps.
        leads_on: (n,) no time is missing between a row and the next one.
        choice: `interpolate` takes the hands to where they were one period later on an even way, which is exact for
            even motion; any other policy leaves no step there.
    """
    if leads_on.all():
        return steps
    if choice.policy != "interpolate":
        return replace(steps, possible=steps.possible & leads_on)
    bridged = ~leads_on & (steps.dt_s > 0) & (steps.dt_s <= choice.max_s)
    ratio = np.where(bridged, steps.period_s / np.where(bridged, steps.dt_s, 1.0), 1.0)
    return replace(
        steps,
        then=_part_way(steps.now, steps.then, ratio, bridged),
        possible=(steps.possible & leads_on) | bridged,
        dt_s=np.where(bridged, steps.period_s, steps.dt_s),
    )


def _part_way(now: Bodies, then: Bodies, ratio: NDArray[np.float64], which: Flags) -> Bodies:
    """Return bodies on the way from one to the other, in the rows where `which`; the others are those of `then`."""
    at = ratio[which]
    joints, rotation = then.joints.copy(), then.rotation.copy()
    for side in (0, 1):
        ends = now.joints[which, side], now.rotation[which, side]
        others = then.joints[which, side], then.rotation[which, side]
        joints[which, side] = between(*ends, *others, ratio=at)
        rotation[which, side] = interpolate_rotation(ends[1], others[1], at)
    grip, fingers, camera = then.grip.copy(), then.fingers.copy(), then.camera.copy()
    grip[which] += (at[:, None] - 1) * (then.grip - now.grip)[which]
    fingers[which] = interpolate_rotation(now.fingers[which], then.fingers[which], at[:, None, None])
    camera[which, :3, 3] += (at[:, None] - 1) * (then.camera - now.camera)[which, :3, 3]
    camera[which, :3, :3] = interpolate_rotation(now.camera[which, :3, :3], then.camera[which, :3, :3], at)
    return replace(then, joints=joints, rotation=rotation, grip=grip, fingers=fingers, camera=camera)
