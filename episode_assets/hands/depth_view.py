"""Where the depth camera sees what a pixel of the picture shows, and whether it does at all.

Reading depth there belongs to `anchoring`, the calibrations themselves to `recording`.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from episode_assets.geometry import rescale_pixels
from episode_assets.hands.camera import intrinsics_of
from episode_assets.recording import CameraInfoStream, RecordingView

_SAME_FOCAL, _SAME_CENTRE = 0.05, 0.02
"""How far depth and picture may differ, as a share of the focal length and of the size: autofocus breathes by 1
percent, and 2 percent of the width are 5 pixels of a phone's depth, a third of a palm."""

_ASPECT_TOLERANCE = 0.02

Size = tuple[int, int]
"""(width, height) in pixels."""

Floats = NDArray[np.float64]


class Shot(NamedTuple):
    """One picture or depth frame: when it was taken, ns, and its size."""

    stamp_ns: int
    size: Size


class DepthView(Enum):
    """How the depth camera looks at what the picture shows."""

    SAME = "as the picture does, in pixels of another size"
    OTHER_LENS = "from the same place, with another focal length or centre"
    UNKNOWN = "differently, and from where is not known"


def depth_view(view: RecordingView) -> DepthView:
    """Return how pictures and depth of a recording stand to each other, by their calibrations.

    Without both calibrations the depth is taken to be cut to the picture, as recorders of phones do. Where the views
    differ, messages that name one frame for both say that the cameras stand in one place.
    """
    picture, depth = view.camera_info, view.depth_camera_info
    if picture is None or depth is None or see_the_same(picture, depth):
        return DepthView.SAME
    names = {info.frame_id.strip("/") for info in (picture, depth)}
    return DepthView.OTHER_LENS if len(names) == 1 and "" not in names else DepthView.UNKNOWN


def depth_pixels(view: RecordingView, joints_px: Floats, picture: Shot, depth: Shot) -> Floats | None:
    """Return where pixels (..., 2) of a picture lie in a depth frame; None where that cannot be said.

    Args:
        view: The recording.
        joints_px: Pixels of the picture.
        picture: The picture.
        depth: The depth frame.
    """
    relation = depth_view(view)
    if relation is DepthView.SAME:
        stretch = (depth.size[0] / depth.size[1]) / (picture.size[0] / picture.size[1])
        fits = abs(stretch - 1) <= _ASPECT_TOLERANCE
        return rescale_pixels(joints_px, picture.size, depth.size) if fits else None
    if relation is DepthView.UNKNOWN:
        return None
    K, K_depth = _one_matrix(view.camera_info, picture), _one_matrix(view.depth_camera_info, depth)
    axes = [0, 1]
    mapped = (joints_px - K[:2, 2]) / K[axes, axes] * K_depth[axes, axes] + K_depth[:2, 2]
    return mapped if np.isfinite(mapped).all() else None


def _one_matrix(info: CameraInfoStream | None, shot: Shot) -> Floats:
    K, _ = intrinsics_of(info, np.array([shot.stamp_ns]), np.array([shot.size], np.int32))
    return np.asarray(K[0])


def see_the_same(picture: CameraInfoStream, depth: CameraInfoStream) -> bool:
    """Say whether pictures and depth show the same view, so that positions in both differ by the ratio of sizes only.

    Compares focal lengths and principal points relative to the sizes that the calibrations are for, over all messages:
    a phone's depth is cut to its picture, other rigs have another depth camera. Calibrations of zeros tell nothing.
    """
    both = [_relative_view(info) for info in (picture, depth)]
    known = [view for view in both if view is not None]
    if len(known) < 2:
        return True
    focal, centre = np.abs(known[0] - known[1])
    return bool((focal <= _SAME_FOCAL * known[0][0]).all() and (centre <= _SAME_CENTRE).all())


def _relative_view(info: CameraInfoStream) -> Floats | None:
    """Return focal lengths and principal point (2, 2) as shares of width and height; None without a calibration."""
    usable = (info.K[:, 0, 0] > 0) & (info.K[:, 1, 1] > 0) & (info.width > 0) & (info.height > 0)
    if not usable.any():
        return None
    size = np.stack([info.width, info.height], axis=1)[usable]
    focal = np.stack([info.K[usable, 0, 0], info.K[usable, 1, 1]], axis=1)
    return np.stack([np.median(focal / size, axis=0), np.median(info.K[usable, :2, 2] / size, axis=0)])
