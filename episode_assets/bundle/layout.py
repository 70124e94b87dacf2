"""Names, versions and word lists of the episode directory: what the writer and the reader must agree on.

A file name, a group name or a code that both sides use belongs here. How a file is written or read does not.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

SCHEMA = "episode_bundle"
SCHEMA_VERSION = 1
"""Raised when a reader of the previous version would misread a file; new datasets alone do not raise it."""

VIDEO = "rgb.mp4"
DEPTH_VIDEO = "depth.mp4"
THUMBNAIL = "thumbnail.jpg"
MESH = "mesh.ply"
MESH_RECORD = "mesh.json"
ANNOTATION = "annotation.hdf5"
FRAMES = "frames.parquet"
META = "meta.json"
MANO = "mano.parquet"
HANDS_PREVIEW = "hands_preview.mp4"
VISUALIZATION = "visualization.rrd"
MANIFEST = "manifest.json"
CALIBRATIONS = "calibrations"
CALIBRATION_META = "calibrations/meta.json"
R_OPTICAL_TO_LINK = "R_optical_to_link.npy"

REMEDY = "materialise episode_bundle of this recording again, or fetch the directory anew"
"""What helps a reader of a damaged bundle."""

Side: TypeAlias = Literal["left", "right"]
SIDES: tuple[Side, Side] = ("left", "right")

SPACE_NONE = 0
SPACE_IMAGE = 1
SPACE_CAMERA = 2
"""Codes of `/hand-pose/<side>_space`: no hand, pixels with z = 0, metres in the camera's optical frame."""

ANCHORS = ("none", "anchored", "held", "pixel_only", "given")
"""Words behind the codes of `/hand-pose/<side>_anchor`, by position."""

MEASURED, INTERPOLATED, HELD = 1, 2, 3
"""Codes of `/hand-pose/<side>_kind`: read in this picture; not read in it; read in it, at the distance of neighbours.

Only where it is `MEASURED` are metres those of the picture; pixels are where it is not `INTERPOLATED`.
"""

JOINT_LAYOUT = "wrist, 5\u00d7[mcp,pip,dip,tip] (thumb,index,middle,ring,pinky)"
"""Attribute `joint_layout` of `/hand-pose`, word for word as scripts for the Stera layout find it."""

JOINT_NAMES = (
    "wrist",
    *(f"thumb_{joint}" for joint in ("cmc", "mcp", "ip", "tip")),
    *(
        f"{finger}_{joint}"
        for finger in ("index", "middle", "ring", "pinky")
        for joint in ("mcp", "pip", "dip", "tip")
    ),
)
"""The 21 joints in their order, each by its anatomical name; attribute `joint_names` lists them."""

FINGER_BONES = tuple(
    (0 if joint == 0 else first + joint - 1, first + joint) for first in range(1, 21, 4) for joint in range(4)
)
"""Pairs of joints that a finger joins, from the wrist outward; 20 of them."""

PALM_BONES = ((5, 9), (9, 13), (13, 17))
"""Pairs of joints that close the palm of a drawn hand."""


def in_annotation(group: str) -> str:
    """Return the name under which the saved and skipped lists speak of an HDF5 group."""
    return f"{ANNOTATION}:/{group}"
