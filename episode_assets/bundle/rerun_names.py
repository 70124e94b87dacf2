"""Where everything of an episode lies in its Rerun file, and what it looks like.

Entity paths, colours and sizes belong here; what is written under them is in `rerun_file`, how the views are laid
out in `rerun_blueprint`. Paths and looks follow the Stera layout where it has them; the pictures lie under the
camera here, so that they stand in the scene.
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

from episode_assets.bundle.hand_drawing import COLOURS
from episode_assets.bundle.layout import Side

APPLICATION = "episode_assets"

TIME, FRAME = "time", "frame"
"""Timelines: time since the first picture, and the number of the picture."""

WORLD = "world"
MESH = "world/mesh"
CLOUD = "world/pointcloud"
TRAJECTORY = "world/trajectory"
TRAIL = "world/trail"
BODY = "world/skeleton"
CAMERA = "world/camera"
OPTICAL = "world/camera/optical"
PICTURE = "world/camera/optical/rgb"
FACES = "world/camera/optical/rgb/faces"
DEPTH = "world/camera/optical/depth"
ACCELERATION = "imu/accel"
GYRO = "imu/gyro"
TRACKING_STATE = "tracking/state"
TRACKING_REASON = "tracking/reason"


def hand_in_world(side: Side) -> str:
    """Return where the metres of a hand lie."""
    return f"{WORLD}/hands/{side}"


def hand_before_camera(side: Side) -> str:
    """Return where the metres of a hand lie that has no place in the world, as in a recording without poses."""
    return f"{OPTICAL}/hands/{side}"


def hand_in_picture(side: Side) -> str:
    """Return where the pixels of a hand lie."""
    return f"{PICTURE}/hands/{side}"


Colour: TypeAlias = tuple[int, int, int]

HAND_COLOURS: dict[Side, Colour] = {"left": COLOURS["left"], "right": COLOURS["right"]}

BODY_COLOUR: Colour = (255, 200, 0)
CAMERA_COLOUR: Colour = (255, 220, 0)
TRAIL_COLOUR: Colour = (0, 220, 240)
TRAJECTORY_COLOUR: Colour = (90, 110, 120)
FACE_COLOUR: Colour = (255, 140, 40)
MESH_COLOUR: Colour = (150, 150, 160)
CLOUD_COLOUR: Colour = (80, 80, 90)
AXIS_COLOURS: dict[str, Colour] = {"x": (230, 80, 80), "y": (80, 200, 80), "z": (80, 120, 240)}


class Radii(NamedTuple):
    """How thick a skeleton is drawn, in metres or in pixels of the picture."""

    joint: float
    bone: float


HAND_IN_SPACE, HAND_IN_PICTURE, BODY_IN_SPACE = Radii(0.007, 0.004), Radii(3.0, 1.5), Radii(0.008, 0.004)
TRAIL_RADIUS_M, TRAJECTORY_RADIUS_M = 0.004, 0.002
CLOUD_RADIUS_M = 0.004
IMAGE_PLANE_M = 0.15
AXIS_LENGTH_M = 0.08

TRAIL_PICTURES = 30
"""How many of the latest camera positions the trail joins."""

MOST_CLOUD_POINTS = 200_000
"""Of more points in a cloud, evenly picked ones are shown."""

FARTHEST_COLOURED_MM = 3000.0
"""Depth from which on colours do not change any more."""

STATES: dict[int, tuple[str, Colour]] = {
    0: ("not available", (200, 60, 60)),
    1: ("limited", (230, 160, 40)),
    2: ("normal", (70, 160, 80)),
}
REASONS: dict[int, str] = {
    0: "none",
    1: "initializing",
    2: "excessive motion",
    3: "insufficient features",
    4: "relocalizing",
}
"""Words behind the codes of a tracking state, and behind those of the reason for a limited one."""
