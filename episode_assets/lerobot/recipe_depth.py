"""How a dataset shows depth, which is off unless a recipe asks for it: every camera key is an input of a policy."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from episode_assets.lerobot.choices import check_types, require
from episode_assets.video import DepthEncoderConfig


@dataclass(frozen=True)
class DepthFeature:
    """The depth feature of a dataset."""

    enabled: bool = field(
        default=False, metadata={"help": "Add depth; most policies take it as one more picture"}
    )
    store: Literal["video", "tiff"] = field(
        default="video",
        metadata={
            "help": "video: 12-bit codes in an mp4; tiff: raw millimetres, one image per row in the data files"
        },
    )
    size: Literal["own", "picture"] = field(
        default="own",
        metadata={
            "help": "own: as recorded; picture: the nearest measured value for every pixel of the stored picture, by "
            "the intrinsics of both"
        },
    )
    outside: Literal["hole", "clamp"] = field(
        default="hole",
        metadata={"help": "Depth outside depth_min to depth_max becomes a hole or the nearest end"},
    )
    encoder: DepthEncoderConfig = field(
        default_factory=DepthEncoderConfig, metadata={"help": "Range, steps and codec of the codes"}
    )

    def __post_init__(self) -> None:
        check_types(self, section="depth")
        if not self.enabled or self.store != "video":
            return
        config = self.encoder
        require(
            config.pix_fmt == "gray12le", "depth.encoder.pix_fmt", config.pix_fmt, "gray12le, 12-bit codes"
        )
        bundled = dict(config.extra_options).get("x265-params", "")
        # A lossy codec would move codes by far more than the error that is stated for them.
        require(
            config.vcodec == "hevc" and "lossless=1" in bundled.split(":"),
            "depth.encoder",
            config.vcodec,
            "hevc with extra_options x265-params lossless=1",
        )
