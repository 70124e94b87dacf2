"""The settings of an episode directory that change its bytes.

What only changes the speed of writing (worker counts, caches) does not belong here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from episode_assets.errors import BadConfig

PERSONAL = ("audio", "location")
"""Kinds of personal streams that can be asked for."""


@dataclass(frozen=True)
class BundleConfig:
    """How streams are paired with the pictures, and what happens to depth where a face was."""

    depth_faces: Literal["hole", "keep"] = field(
        default="hole",
        metadata={
            "help": "Depth inside blurred face boxes: 'hole' writes 0 (missing), 'keep' leaves the shape of the face. "
            "Areas that a person drew are holes either way."
        },
    )
    depth_tolerance_s: float = field(
        default=0.1,
        metadata={
            "help": "Largest distance between a picture and its depth frame, s, 0 to 1. Higher pairs more, worse."
        },
    )
    pose_tolerance_s: float = field(
        default=0.1,
        metadata={
            "help": "Largest distance between a picture and its pose, s, 0 to 1. Higher pairs more, worse."
        },
    )
    depth_compression: int = field(
        default=1,
        metadata={
            "help": "Deflate effort of depth, 0 to 3: 0 is fastest and a fifth larger, above 1 gains nothing."
        },
    )
    cloud_voxel_m: float = field(
        default=0.02,
        metadata={
            "help": "Edge of the cubes in which points of clouds are averaged, m, 0.005 to 1, or 0 for no point cloud. "
            "Higher is smaller and coarser."
        },
    )
    depth_video: bool = field(
        default=False,
        metadata={
            "help": "Whether to add depth.mp4, the depth as 12-bit codes in a lossless video, true or false. It costs "
            "about a third of the bytes of the exact depth, which stays where it is."
        },
    )
    depth_video_max_m: float = field(
        default=10.0,
        metadata={
            "help": "Farthest depth that has a code in depth.mp4, m, 0.1 to 65. Lower makes its steps finer: half of "
            "one is 0.7 mm at 1 m and 2.2 mm at 10 m with 10, 0.5 mm at 1 m with 5."
        },
    )
    depth_video_outside: Literal["hole", "clamp"] = field(
        default="hole",
        metadata={
            "help": "Depth out of the range of depth.mp4: 'hole' drops it, 'clamp' moves it to the nearer end. It is "
            "counted either way."
        },
    )
    thumbnail_quality: int = field(
        default=85,
        metadata={"help": "JPEG quality of thumbnail.jpg, 1 to 100. Higher is sharper and larger."},
    )
    hands_preview: bool = field(
        default=False,
        metadata={
            "help": "Whether to add hands_preview.mp4, the blurred video with the skeletons of all hands over it, "
            "true or false. It is there to be looked at and costs one more pass over the video."
        },
    )
    visualization: bool = field(
        default=True,
        metadata={
            "help": "Whether to add visualization.rrd, everything of the bundle for the Rerun viewer, true or false. "
            "It holds the video and the depth a second time."
        },
    )
    visualization_depth_every: int = field(
        default=3,
        metadata={
            "help": "visualization.rrd has the depth of every n-th picture, 1 to 1000. Lower is smoother and larger."
        },
    )
    personal: tuple[str, ...] = field(
        default=(),
        metadata={
            "help": "Personal streams to take along, out of audio and location; none unless asked for. They are not "
            "anonymised, and are written to audio.parquet and location.parquet."
        },
    )

    def __post_init__(self) -> None:
        if self.depth_faces not in {"hole", "keep"}:
            raise BadConfig(f"depth_faces must be 'hole' or 'keep', got {self.depth_faces!r}")
        if self.depth_video_outside not in {"hole", "clamp"}:
            raise BadConfig(
                f"depth_video_outside must be 'hole' or 'clamp', got {self.depth_video_outside!r}"
            )
        for name in ("depth_video", "hands_preview", "visualization"):
            if not isinstance(getattr(self, name), bool):
                raise BadConfig(f"{name} must be true or false, got {getattr(self, name)!r}")
        unknown = sorted(set(self.personal) - set(PERSONAL))
        if unknown:
            raise BadConfig(
                f"personal must list kinds out of {', '.join(PERSONAL)}, got {self.personal!r}",
                remedy="other personal streams are never handed on",
            )
        _within("depth_tolerance_s", self.depth_tolerance_s, 0.0, 1.0)
        _within("pose_tolerance_s", self.pose_tolerance_s, 0.0, 1.0)
        _within("depth_compression", self.depth_compression, 0, 3)
        _within("depth_video_max_m", self.depth_video_max_m, 0.1, 65.0)
        if self.cloud_voxel_m:
            _within("cloud_voxel_m", self.cloud_voxel_m, 0.005, 1.0)
        _within("thumbnail_quality", self.thumbnail_quality, 1, 100)
        _within("visualization_depth_every", self.visualization_depth_every, 1, 1000)


def _within(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise BadConfig(f"{name} must lie within {low} and {high}, got {value}")
