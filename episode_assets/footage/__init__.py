"""The published footage of a recording: its blurred pictures row by row, and what each is paired with.

Reading the tables beside a blurred video, the intrinsics, lenses and poses of its pictures, and where depth and the
world show what the video hides belong here, for every room that makes something from blurred pictures. Making the
blurred video belongs to `anonymization`, file formats of what is made from it to those rooms.
"""

from episode_assets.footage.audit import passed_audit
from episode_assets.footage.boxes import (
    BOX_LABELS,
    BOX_SOURCES,
    UNTOLD,
    FaceBoxes,
    read_face_boxes,
    rows_of_messages,
)
from episode_assets.footage.face_space import FaceSpace
from episode_assets.footage.frames import (
    REMEDY,
    FrameTable,
    bool_column,
    float_column,
    int_column,
    read_frame_table,
    read_frames_of,
    read_table,
    require_columns,
)
from episode_assets.footage.holes import (
    DepthHoles,
    rectangles_by_intrinsics,
    rectangles_by_size,
    shows_same_view,
)
from episode_assets.footage.intrinsics import OWN, Intrinsics, depth_intrinsics, picture_intrinsics
from episode_assets.footage.lens import Lens, is_known, lens_at
from episode_assets.footage.poses import FramePoses, poses_of_pictures, usable_poses

__all__ = [
    "BOX_LABELS",
    "BOX_SOURCES",
    "OWN",
    "REMEDY",
    "UNTOLD",
    "DepthHoles",
    "FaceBoxes",
    "FaceSpace",
    "FramePoses",
    "FrameTable",
    "Intrinsics",
    "Lens",
    "bool_column",
    "depth_intrinsics",
    "float_column",
    "int_column",
    "is_known",
    "lens_at",
    "passed_audit",
    "picture_intrinsics",
    "poses_of_pictures",
    "read_face_boxes",
    "read_frame_table",
    "read_frames_of",
    "read_table",
    "rectangles_by_intrinsics",
    "rectangles_by_size",
    "require_columns",
    "rows_of_messages",
    "shows_same_view",
    "usable_poses",
]
