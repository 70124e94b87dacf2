"""Both hands and the camera over the frames of one episode, told in one frame of reference, in float64.

Rows, states and actions are all read from here. What is not known is NaN and marked as not present; fills and masks
come later.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from episode_assets.lerobot.grip import PINCH_JOINTS, bend_grip, mano_grip, pinch_grip
from episode_assets.lerobot.layouts import Block
from episode_assets.lerobot.reference_frames import transform
from episode_assets.lerobot.source import SIDES, ManoHands
from episode_assets.lerobot.wrist import wrist_rotation

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Bodies:
    """What is told of N frames; second axis left, right.

    Attributes:
        joints: (N, 2, 21, 3) metres.
        rotation: (N, 2, 3, 3) axes of the wrist to the frame.
        grip: (N, 2) opening, -1 to 1; NaN where unknown or not asked for.
        fingers: (N, 2, 15, 3, 3) MANO's joints, in the hand's own axes.
        camera: (N, 4, 4) optical frame to the frame of camera poses.
        present: (N, 2) joints and axes of the hand are known.
        has_camera: (N,) the camera pose is known.
    """

    joints: Floats
    rotation: Floats
    grip: Floats
    fingers: Floats
    camera: Floats
    present: Flags
    has_camera: Flags

    def at(self, rows: slice) -> Bodies:
        """Return some of the frames."""
        return Bodies(
            self.joints[rows],
            self.rotation[rows],
            self.grip[rows],
            self.fingers[rows],
            self.camera[rows],
            self.present[rows],
            self.has_camera[rows],
        )

    def hands_moved(self, a_from_b: Floats) -> Bodies:
        """Return the same with the hands told in another frame; where (N, 4, 4) `a_from_b` is NaN there are none."""
        known = np.asarray(np.isfinite(a_from_b).all(axis=(1, 2)))
        joints = np.stack([transform(a_from_b, self.joints[:, side]) for side in (0, 1)], axis=1)
        rotation = a_from_b[:, None, :3, :3] @ self.rotation
        return replace(self, joints=joints, rotation=rotation, present=self.present & known[:, None])

    def read(self, block: Block) -> tuple[Floats, Flags]:
        """Return one quantity (N, ...) and where it is known (N,)."""
        if block.body == "camera":
            part = self.camera[:, :3, 3] if block.quantity == "position" else self.camera[:, :3, :3]
            return part, self.has_camera
        side = SIDES.index(block.body)
        present = self.present[:, side]
        if block.quantity == "position":
            return self.joints[:, side, 0], present
        if block.quantity == "rotation":
            return self.rotation[:, side], present
        if block.quantity == "joints":
            return self.joints[:, side], present
        if block.quantity == "fingers":
            fingers = self.fingers[:, side]
            return fingers, present & np.isfinite(fingers).all(axis=(1, 2, 3))
        grip = self.grip[:, side]
        return grip, present & np.isfinite(grip)


def wrist_axes(joints: Floats, mano: ManoHands | None) -> Floats:
    """Return (N, 2, 3, 3) rotations from the axes of both wrists to the frame of joints (N, 2, 21, 3).

    With `mano`, its root rotations take the place of axes that joints span; they are told in the optical frame.
    """
    if mano is not None:
        return mano.orientation
    return np.stack([wrist_rotation(joints[:, side], side=side) for side in (0, 1)], axis=1)


def openings(way: str, joints: Floats, mano: ManoHands | None) -> Floats:
    """Return (N, 2) openings of both hands, measured as the recipe says; NaN where unknown or not asked for."""
    if way == "none" or (way == "mano" and mano is None):
        return np.full(joints.shape[:2], np.nan)
    if mano is not None and way == "mano":
        return np.stack([mano_grip(mano.fingers[:, side]) for side in (0, 1)], axis=1)
    measure = bend_grip if way == "bend" else pinch_grip
    return np.stack([measure(joints[:, side]) for side in (0, 1)], axis=1)


def joints_of_grip(way: str) -> tuple[int, ...]:
    """Return the joints that must have been seen for an opening to count as measured."""
    if way == "mano":
        return ()
    return PINCH_JOINTS if way == "pinch" else tuple(range(21))
