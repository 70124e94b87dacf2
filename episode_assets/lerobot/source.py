"""Everything that rows are made from, as aligned arrays over the frames of one bundle.

Readers of published artifacts fill it (`inputs`); cuts and rows only see these arrays.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

SIDES = ("left", "right")
MISSING, MEASURED, INTERPOLATED, HELD = 0, 1, 2, 3


@dataclass(frozen=True)
class ManoHands:
    """What a network of the MANO family says of both hands over F frames; NaN where it says nothing.

    Attributes:
        orientation: (F, 2, 3, 3) float64, root of the hand to the optical frame.
        fingers: (F, 2, 15, 3, 3) float64, joints of index, middle, little finger, ring, thumb, in the hand's own axes.
        betas: (F, 2, 10) float64, shape of the hand.
    """

    orientation: NDArray[np.float64]
    fingers: NDArray[np.float64]
    betas: NDArray[np.float64]

    @classmethod
    def unknown(cls, frames: int) -> ManoHands:
        """Return hands of which nothing is known."""
        return cls(
            np.full((frames, 2, 3, 3), np.nan),
            np.full((frames, 2, 15, 3, 3), np.nan),
            np.full((frames, 2, 10), np.nan),
        )

    @property
    def is_known(self) -> NDArray[np.bool_]:
        """(F, 2) bool, there are numbers."""
        return np.asarray(np.isfinite(self.orientation).all(axis=(2, 3)))

    def at(self, frames: NDArray[np.int64]) -> ManoHands:
        """Return what is known at some positions."""
        return ManoHands(self.orientation[frames], self.fingers[frames], self.betas[frames])

    def turned(self, new_from_old: NDArray[np.float64]) -> ManoHands:
        """Return the same hands in optical axes that were turned by a rotation (3, 3)."""
        return replace(self, orientation=new_from_old @ self.orientation)


@dataclass(frozen=True)
class EpisodeSource:
    """One bundle's frames, first axis F everywhere, sorted by stamp.

    Attributes:
        recording_id: The recording.
        message_number: (F,) int64, number of the colour message: with the recording id the frame's lasting name.
        stamp_ns: (F,) int64, true stamps.
        gap_before: (F,) bool, pictures are missing between this frame and the one before.
        is_key: (F,) bool, a copy of the video may start here.
        world_from_optical: (F, 4, 4) float64, optical frame to world; NaN where there is no pose.
        intrinsics: (F, 4) float64, fx, fy, cx, cy in pixels of the video; NaN where unknown.
        has_depth: (F,) bool, a depth frame lies within the allowed time distance.
        joints_cam: (F, 2, 21, 3) float64, left then right, metres in the optical frame; NaN where unknown.
        joint_valid: (F, 2, 21) bool, the joint itself was seen in its picture; its place is measured only where
            hand_kind is 1.
        hand_kind: (F, 2) int64, 0 missing, 1 measured, 2 interpolated, 3 held.
        hand_confidence: (F, 2) float64, 0 where missing.
        hand_smoothed: (F, 2) bool, joints were moved towards those of the neighbouring frames.
        mano: What a network of the MANO family says; None where none was asked or none is needed.
        handedness: (F, 2) float64, how sure the detector is that it is a right hand, 0 to 1; NaN where it does not
            say; None where it was not read.
        imu: (F, 6) float64, mean linear acceleration [m/s^2] and angular velocity [rad/s] around the picture in the
            sensor's frame; NaN where it felt nothing; None where it was not read.
        depth_intrinsics: (F, 4) float64, fx, fy, cx, cy in pixels of the depth images; NaN where unknown; None without
            depth images.
        depth_size: Width and height of the depth images; 0 without.
    """

    recording_id: str
    message_number: NDArray[np.int64]
    stamp_ns: NDArray[np.int64]
    gap_before: NDArray[np.bool_]
    is_key: NDArray[np.bool_]
    world_from_optical: NDArray[np.float64]
    intrinsics: NDArray[np.float64]
    has_depth: NDArray[np.bool_]
    joints_cam: NDArray[np.float64]
    joint_valid: NDArray[np.bool_]
    hand_kind: NDArray[np.int64]
    hand_confidence: NDArray[np.float64]
    hand_smoothed: NDArray[np.bool_]
    mano: ManoHands | None = None
    handedness: NDArray[np.float64] | None = None
    imu: NDArray[np.float64] | None = None
    depth_intrinsics: NDArray[np.float64] | None = None
    depth_size: tuple[int, int] = (0, 0)

    def __len__(self) -> int:
        return len(self.stamp_ns)

    def take(self, frames: NDArray[np.int64]) -> EpisodeSource:
        """Return some frames, (N,) positions, in that order; a frame may be taken more than once."""
        values: dict[str, Any] = {item.name: getattr(self, item.name) for item in fields(self)}
        taken: dict[str, Any] = {
            name: value.at(frames) if isinstance(value, ManoHands) else value[frames]
            for name, value in values.items()
            if isinstance(value, ManoHands | np.ndarray)
        }
        return replace(self, **taken)

    @property
    def has_pose(self) -> NDArray[np.bool_]:
        """(F,) bool, the camera pose is known."""
        return np.asarray(np.isfinite(self.world_from_optical).all(axis=(1, 2)))
