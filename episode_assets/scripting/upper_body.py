"""The wearer's upper body for a script, frame by frame: an estimate from the camera's pose and the wrists."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from episode_assets.errors import BadConfig
from episode_assets.geometry import transform_points
from episode_assets.hands import BODY_EDGES, BODY_JOINT_NAMES
from episode_assets.hands.camera import CameraPath
from episode_assets.hands.upper_body import estimate_upper_body
from episode_assets.scripting.camera import Floats, SyncedFrame
from episode_assets.scripting.hand_pose import HandPose

if TYPE_CHECKING:
    from episode_assets.scripting.reader import MCAPReader

JOINT_NAMES = list(BODY_JOINT_NAMES)

_REMEMBERED_NS = 2_000_000_000
"""How long a heading is held, see `hands.upper_body`."""


@dataclass(frozen=True, eq=False)
class SkeletonFrame:
    """The upper body at one frame.

    Attributes:
        joints: (10, 3) float64 metres in the world, in the order of `JOINT_NAMES`; NaN where unknown.
        visible: (10,) bool, which have a place.
        edges: Pairs of joints to draw as bones.
    """

    joints: Floats
    visible: NDArray[np.bool_]
    edges: list[tuple[int, int]]

    def bone_lines(self) -> list[list[list[float]]]:
        """Return both ends of each bone that has them."""
        return [
            [self.joints[first].tolist(), self.joints[second].tolist()]
            for first, second in self.edges
            if self.visible[first] and self.visible[second]
        ]

    def visible_joints(self) -> Floats:
        """Return (M, 3) the joints that have a place."""
        return self.joints[self.visible]


class _Moment(NamedTuple):
    stamp_ns: int
    R: Floats
    t: Floats
    wrists: Floats


class UpperBodyEstimator:
    """Estimates the wearer's upper body from the camera's pose and the wrists, for a camera on the head.

    Args:
        session: The session whose frames will come; tells which way is up.
        config: Must be None: the proportions are those of the episode's own estimate.
        R_optical_to_link: (3, 3) in place of the session's.

    Raises:
        BadConfig: Proportions are given.
    """

    def __init__(
        self,
        session: MCAPReader | None = None,
        config: None = None,
        R_optical_to_link: Floats | None = None,
    ) -> None:
        if config is not None:
            raise BadConfig("the proportions of the body cannot be set", remedy="leave config out")
        self._session = session
        self._rotation = R_optical_to_link
        self._moments: deque[_Moment] = deque()

    def reset(self) -> None:
        """Take the next frame for the first one."""
        self._moments.clear()

    def estimate(self, frame: SyncedFrame, hands: Sequence[HandPose] | None = None) -> SkeletonFrame | None:
        """Return the body at a frame, None where the camera has no pose or nothing tells which way is up."""
        if frame.camera_pose is None:
            return None
        session = self._session or (frame.origin.session if frame.origin is not None else None)
        up = None if session is None else session.up_in_world
        if session is None or up is None:
            return None
        rotation = session.R_optical_to_link if self._rotation is None else self._rotation
        R = frame.camera_pose.rotation @ rotation
        t = frame.camera_pose.translation + frame.camera_pose.rotation @ session.view.optical_offset_m
        if self._moments and frame.stamp_ns <= self._moments[-1].stamp_ns:
            self.reset()
        self._moments.append(_Moment(frame.stamp_ns, R, t, _wrists(hands or (), (R, t))))
        while self._moments[0].stamp_ns < frame.stamp_ns - _REMEMBERED_NS:
            self._moments.popleft()
        return self._last(up)

    def _last(self, up: Floats) -> SkeletonFrame:
        stamps, R, t, wrists = (np.stack(column) for column in zip(*self._moments, strict=True))
        body = estimate_upper_body(
            CameraPath(R, t),
            wrists,
            np.zeros((len(stamps), 2), bool),
            run=np.zeros(len(stamps), np.int64),
            stamps_ns=stamps,
            up=up,
        )
        joints = body.joints_world[-1]
        visible: NDArray[np.bool_] = np.isfinite(joints).all(axis=1)
        return SkeletonFrame(joints, visible, list(BODY_EDGES))


def _wrists(hands: Sequence[HandPose], world_from_optical: tuple[Floats, Floats]) -> Floats:
    """Return (2, 3) left and right wrist in the world, NaN where unknown; hands in pixels have no place."""
    wrists = np.full((2, 3), np.nan)
    for hand in hands:
        if hand.wrist.z != 0:
            place = transform_points(world_from_optical, hand.wrist.as_array()[None])[0]
            wrists[int(hand.hand_side == "right")] = place
    return wrists
