"""Recorders whose topic names are known: which topic fills which role there. Data only, in the order of the check.

`{camera}` stands for the name space of one camera, which a recording may contain several times. A layout applies to
a camera when all its `signature` roles find a topic with messages of a fitting kind; of several names for a role the
first that is there counts. To know another recorder, add a layout.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

CAMERA = "{camera}"


@dataclass(frozen=True)
class Layout:
    """The topic names of one recorder.

    Attributes:
        name: What people call it.
        signature: Roles that must be there for the layout to apply.
        topics: Names for each role, the preferred first.
    """

    name: str
    signature: tuple[str, ...]
    topics: Mapping[str, tuple[str, ...]]

    def cameras(self, role: str, topic: str) -> frozenset[str]:
        """Return the name spaces in which a topic has this role; the empty one for names without a camera."""
        found = (_pattern(template).fullmatch(topic) for template in self.topics.get(role, ()))
        return frozenset(match.groupdict().get("camera") or "" for match in found if match)

    def names(self, role: str, camera: str) -> tuple[str, ...]:
        """Return the names of a role for one camera, the preferred first."""
        return tuple(template.replace(CAMERA, camera) for template in self.topics.get(role, ()))


def _pattern(template: str) -> re.Pattern[str]:
    return re.compile(re.escape(template).replace(re.escape(CAMERA), r"(?P<camera>(?:/[^/]+)*)"))


_STERA = {
    "rgb": ("/camera/rgb/compressed",),
    "depth": ("/camera/depth",),
    "camera_info": ("/camera/camera_info",),
    "depth_camera_info": ("/camera/depth/camera_info",),
    "pose": ("/camera/pose",),
    "imu": ("/device/imu",),
    "tracking": ("/camera/tracking_state",),
    "mesh": ("/map/mesh",),
}

LAYOUTS = (
    Layout("Stera app, iOS", ("rgb", "pose", "imu", "tracking"), _STERA),
    Layout("Stera app, Android", ("rgb", "pose", "imu"), _STERA),
    Layout(
        "RealSense",
        ("rgb", "camera_info"),
        {
            "rgb": ("{camera}/color/image_raw", "{camera}/color/image_raw/compressed"),
            "depth": (
                "{camera}/aligned_depth_to_color/image_raw",
                "{camera}/aligned_depth_to_color/image_raw/compressedDepth",
                "{camera}/depth/image_rect_raw",
                "{camera}/depth/image_rect_raw/compressedDepth",
                "{camera}/depth/image_raw",
            ),
            "camera_info": ("{camera}/color/camera_info",),
            "depth_camera_info": (
                "{camera}/aligned_depth_to_color/camera_info",
                "{camera}/depth/camera_info",
            ),
            "imu": ("{camera}/imu",),
        },
    ),
    Layout(
        "ZED",
        ("rgb", "depth"),
        {
            "rgb": (
                "{camera}/zed_node/rgb/color/rect/image",
                "{camera}/zed_node/rgb/color/rect/image/compressed",
                "{camera}/zed_node/rgb/image_rect_color",
                "{camera}/zed_node/rgb/image_rect_color/compressed",
                "{camera}/zed_node/left/image_rect_color",
                "{camera}/zed_node/left/image_rect_color/compressed",
            ),
            "depth": (
                "{camera}/zed_node/depth/depth_registered",
                "{camera}/zed_node/depth/depth_registered/compressedDepth",
            ),
            "camera_info": (
                "{camera}/zed_node/rgb/color/rect/camera_info",
                "{camera}/zed_node/rgb/camera_info",
                "{camera}/zed_node/left/camera_info",
            ),
            "depth_camera_info": (
                "{camera}/zed_node/depth/depth_registered/camera_info",
                "{camera}/zed_node/depth/camera_info",
            ),
            "pose": ("{camera}/zed_node/pose", "{camera}/zed_node/odom"),
            "imu": ("{camera}/zed_node/imu/data",),
        },
    ),
    Layout(
        "OAK",
        ("rgb", "depth"),
        {
            "rgb": (
                "{camera}/rgb/image_raw",
                "{camera}/rgb/image_raw/compressed",
                "{camera}/color/image",
                "{camera}/rgb/image_rect",
            ),
            "depth": (
                "{camera}/stereo/image_raw",
                "{camera}/stereo/image_raw/compressedDepth",
                "{camera}/stereo/depth",
            ),
            "camera_info": ("{camera}/rgb/camera_info", "{camera}/color/camera_info"),
            "depth_camera_info": ("{camera}/stereo/camera_info",),
            "imu": ("{camera}/imu/data", "{camera}/imu"),
        },
    ),
    Layout(
        "Azure Kinect",
        ("rgb", "depth"),
        {
            "rgb": ("{camera}/rgb/image_raw", "{camera}/rgb/image_raw/compressed"),
            "depth": (
                "{camera}/depth_to_rgb/image_raw",
                "{camera}/depth_to_rgb/image_raw/compressedDepth",
                "{camera}/depth/image_raw",
                "{camera}/depth/image_raw/compressedDepth",
            ),
            "camera_info": ("{camera}/rgb/camera_info",),
            "depth_camera_info": ("{camera}/depth_to_rgb/camera_info", "{camera}/depth/camera_info"),
            "imu": ("{camera}/imu",),
        },
    ),
    Layout(
        "OpenNI",
        ("rgb", "depth"),
        {
            "rgb": ("{camera}/rgb/image_color", "{camera}/rgb/image_color/compressed"),
            "depth": (
                "{camera}/depth_registered/image_raw",
                "{camera}/depth_registered/image",
                "{camera}/depth/image_raw",
                "{camera}/depth/image",
            ),
            "camera_info": ("{camera}/rgb/camera_info",),
            "depth_camera_info": ("{camera}/depth_registered/camera_info", "{camera}/depth/camera_info"),
        },
    ),
    Layout(
        "Foxglove",
        ("rgb", "camera_info"),
        {
            "rgb": (
                "{camera}/rgb/image",
                "{camera}/rgb",
                "{camera}/image",
                "{camera}/image_rect_compressed",
                "{camera}/image_compressed",
                "{camera}/video",
            ),
            "depth": ("{camera}/depth/image", "{camera}/depth"),
            "camera_info": (
                "{camera}/rgb/calibration",
                "{camera}/calibration",
                "{camera}/camera_calibration",
                "{camera}/camera_info",
            ),
            "depth_camera_info": ("{camera}/depth/calibration", "{camera}/depth/camera_info"),
            "pose": ("{camera}/pose",),
            "imu": ("{camera}/imu",),
        },
    ),
)
