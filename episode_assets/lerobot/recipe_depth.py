"""How a dataset shows depth, which is off unless a recipe asks for it: every camera key is an input of a policy."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from episode_assets.lerobot.choices import check_types
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
    outside: Literal["hole", "clamp"] = field(
        default="hole",
        metadata={"help": "Depth outside depth_min to depth_max becomes a hole or the nearest end"},
    )
    encoder: DepthEncoderConfig = field(
        default_factory=DepthEncoderConfig, metadata={"help": "Range, steps and codec of the codes"}
    )

    def __post_init__(self) -> None:
        check_types(self, section="depth")
