"""How a dataset shows the camera: size and uprightness of the picture, and how it is stored.

What a change of the picture does to the intrinsics is in `picture_change`; the defaults change nothing, and the video
of the bundle is copied.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from episode_assets.lerobot.choices import check_types, require
from episode_assets.video import RGBEncoderConfig

SIDE_MAX = 8192

Turn = Literal["none", "cw90", "180", "ccw90"]
Upright = Literal["none", "auto", "cw90", "180", "ccw90"]


@dataclass(frozen=True)
class CameraView:
    """The picture of one camera in a dataset."""

    width: int = field(
        default=0,
        metadata={"help": "Width of the stored picture, px, even, 2 to 8192; 0 keeps that of the video"},
    )
    height: int = field(
        default=0,
        metadata={"help": "Height of the stored picture, px, even, 2 to 8192; 0 keeps that of the video"},
    )
    fit: Literal["crop", "pad", "stretch"] = field(
        default="crop",
        metadata={
            "help": "When the sides have another ratio: crop the middle, pad right and bottom with black, or stretch"
        },
    )
    upright: Upright = field(
        default="none",
        metadata={
            "help": "Turn of the picture before it is resized: none, cw90, 180, ccw90; auto turns by camera poses"
        },
    )
    store: Literal["video", "images"] = field(
        default="video", metadata={"help": "video: mp4 files; images: one PNG per row inside the data files"}
    )
    encode: Literal["when_needed", "always"] = field(
        default="when_needed",
        metadata={
            "help": "when_needed: copy the video of the bundle where nothing changes it; always: never copy"
        },
    )
    encoder: RGBEncoderConfig = field(
        default_factory=RGBEncoderConfig,
        metadata={"help": "How spans are encoded that cannot be copied from the bundle"},
    )

    def __post_init__(self) -> None:
        check_types(self, section="camera_view")
        for name in ("width", "height"):
            value = getattr(self, name)
            require(
                value == 0 or (2 <= value <= SIDE_MAX and value % 2 == 0),
                f"camera_view.{name}",
                value,
                f"0, or an even number from 2 to {SIDE_MAX}",
            )
