"""What is true about a demo recording, known from its geometry.

Everything here follows from where camera, face and hands were put, never from a model. Add a column when a new part
of the scene is rendered; how it is rendered stands in the module of that part.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

HAND_SIDES = ("left", "right")
"""Order of the hand axis in every array of `DemoTruth`."""

LINK_FROM_OPTICAL = np.diag([1.0, -1.0, -1.0])
"""Rotation from the optical frame (x right, y down, z forward) to the link frame (x right, y up, z backward)."""


@dataclass(frozen=True)
class DemoTruth:
    """One row per picture message, in file order; F pictures. Arrays are read-only.

    Attributes:
        size_px: (2,) i8, width and height of the pictures.
        message_number: (F,) i8, running number of the message on the picture topic, from 0.
        stamp_ns: (F,) i8, header stamp in device uptime.
        gap_before: (F,) bool, the interval before this picture is longer than 2.5 median intervals.
        K: (F,3,3) f8, intrinsics for the picture's own size in pixels, pixel centres at whole numbers.
        world_from_link_translation: (F,3) f8, metres, world is y up.
        world_from_link_quaternion_xyzw: (F,4) f8.
        face_box_px: (F,4) f8, x0, y0, x1, y1 of the face from hairline to chin and ear to ear, not clipped to the
            picture; NaN where no face is in the scene or none of it lies in the picture.
        head_box_px: (F,4) f8, the same with hair.
        face_visible_ratio: (F,) f8, share of the face box that lies in the picture.
        hand_joints_cam: (F,2,21,3) f8, metres in the optical frame, sides as in `HAND_SIDES`, joints in the order
            wrist, then four each of thumb, index, middle, ring, little finger; NaN where a hand is not in the scene.
        hand_joints_px: (F,2,21,2) f8, projections of these joints; may lie outside the picture.
        hand_in_view: (F,2) bool, all 21 joints lie in the picture.
        lost_ns: (n,2) i8, first and last stamp of each interval without tracking.
    """

    size_px: NDArray[np.int64]
    message_number: NDArray[np.int64]
    stamp_ns: NDArray[np.int64]
    gap_before: NDArray[np.bool_]
    K: NDArray[np.float64]
    world_from_link_translation: NDArray[np.float64]
    world_from_link_quaternion_xyzw: NDArray[np.float64]
    face_box_px: NDArray[np.float64]
    head_box_px: NDArray[np.float64]
    face_visible_ratio: NDArray[np.float64]
    hand_joints_cam: NDArray[np.float64]
    hand_joints_px: NDArray[np.float64]
    hand_in_view: NDArray[np.bool_]
    lost_ns: NDArray[np.int64]

    def __post_init__(self) -> None:
        """Make every array read-only."""
        for column in fields(self):
            getattr(self, column.name).setflags(write=False)

    @property
    def link_from_optical(self) -> NDArray[np.float64]:
        """(3,3) rotation from the optical frame to the link frame."""
        return LINK_FROM_OPTICAL

    @property
    def world_from_optical(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Rotations (F,3,3) and translations (F,3) from the optical frame to the world."""
        return rotation(
            self.world_from_link_quaternion_xyzw
        ) @ LINK_FROM_OPTICAL, self.world_from_link_translation

    @property
    def hand_joints_world(self) -> NDArray[np.float64]:
        """(F,2,21,3) joints in metres in the world frame."""
        R, t = self.world_from_optical
        joints: NDArray[np.float64] = np.einsum("fij,fsnj->fsni", R, self.hand_joints_cam) + t[:, None, None]
        return joints

    def save(self, path: Path) -> None:
        """Write all columns to an .npz file."""
        with path.open("wb") as stream:
            np.savez_compressed(
                stream, **{column.name: getattr(self, column.name) for column in fields(self)}
            )

    @classmethod
    def load(cls, path: Path) -> DemoTruth:
        """Read what `save` wrote."""
        with np.load(path, allow_pickle=False) as archive:
            return cls(**{column.name: archive[column.name] for column in fields(cls)})


def rotation(quaternion_xyzw: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rotation matrices (...,3,3) of unit quaternions (...,4)."""
    x, y, z, w = np.moveaxis(quaternion_xyzw, -1, 0)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ]
    return np.moveaxis(np.array(rows), (0, 1), (-2, -1))
