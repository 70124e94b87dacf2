"""A hand as scripts hold it: named points of one hand in one picture."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from episode_assets.errors import BadConfig

FINGER_NAMES = ["thumb", "index", "middle", "ring", "pinky"]
FINGER_JOINTS = ["mcp", "pip", "dip", "tip"]
_JOINTS = 1 + len(FINGER_NAMES) * len(FINGER_JOINTS)

Floats = NDArray[np.float64]


@dataclass
class Keypoint:
    """A point in space or in a picture.

    Attributes:
        x, y, z: Metres in the camera's optical frame (x right, y down, z forward), or pixels with z = 0.
        confidence: 0..1.
        name: What it is, such as `index_tip`.
    """

    x: float
    y: float
    z: float = 0.0
    confidence: float = 1.0
    name: str | None = None

    def as_array(self) -> Floats:
        """Return (3,) x, y, z."""
        return np.array([self.x, self.y, self.z])


@dataclass
class HandPose:
    """One hand in one picture.

    Attributes:
        wrist: The wrist.
        fingers: For each name of `FINGER_NAMES` the four points of `FINGER_JOINTS`; empty where only the wrist is
            known.
        hand_side: `left` or `right`.
        frame_idx: Index of the frame, or None.
        confidence: 0..1, that a hand is there.
    """

    wrist: Keypoint
    fingers: dict[str, list[Keypoint]] = field(default_factory=dict)
    hand_side: str = "right"
    frame_idx: int | None = None
    confidence: float = 1.0
    # Named as trackers of other packages name what they attach.
    _kpts_2d_rgb: NDArray[np.float32] | None = field(default=None, repr=False)
    _backend: str | None = field(default=None, repr=False)

    @property
    def has_fingers(self) -> bool:
        """Whether more than the wrist is known."""
        return bool(self.fingers)

    @property
    def all_keypoints(self) -> list[Keypoint]:
        """The 21 points, wrist first and then finger by finger; the wrist alone where nothing else is known."""
        if not self.fingers:
            return [self.wrist]
        return [self.wrist, *(point for name in FINGER_NAMES for point in self.fingers[name])]


def hand_of(
    joints: Floats,
    *,
    side: str,
    confidence: float,
    frame_index: int | None,
    joints_px: Floats | None,
    backend: str,
) -> HandPose:
    """Return a hand of (21, 3) joints."""
    names = ["wrist", *(f"{finger}_{joint}" for finger in FINGER_NAMES for joint in FINGER_JOINTS)]
    points = [
        Keypoint(float(x), float(y), float(z), confidence, name)
        for (x, y, z), name in zip(joints, names, strict=True)
    ]
    count = len(FINGER_JOINTS)
    fingers = {name: points[1 + i * count : 1 + (i + 1) * count] for i, name in enumerate(FINGER_NAMES)}
    pixels = None if joints_px is None else joints_px.astype(np.float32)
    return HandPose(points[0], fingers, side, frame_index, confidence, pixels, backend)


def joints_of(hand: HandPose) -> Floats:
    """Return (21, 3) float64 of a hand, NaN for what is not known.

    A point that is repeated for all joints is the wrist's alone.

    Raises:
        BadConfig: It has another number of points, or no known side.
    """
    joints = np.full((_JOINTS, 3), np.nan)
    points = np.array([[point.x, point.y, point.z] for point in hand.all_keypoints], np.float64)
    if len(points) not in (1, _JOINTS):
        raise BadConfig(
            f"a hand of {len(points)} points was given; 21 or the wrist alone make one", where="hands"
        )
    if hand.hand_side not in ("left", "right"):
        raise BadConfig(f"hand_side must be 'left' or 'right', got {hand.hand_side!r}", where="hands")
    joints[: len(points)] = points
    if len(points) > 1 and (points == points[0]).all():
        joints[1:] = np.nan
    return joints
