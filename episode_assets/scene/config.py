"""The settings of a scene mesh that change its bytes. What only changes the speed does not belong here."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from episode_assets.errors import BadConfig

SOURCES = ("auto", "marker", "fusion", "none")


@dataclass(frozen=True)
class SceneMeshConfig:
    """Where the mesh comes from, and what is done to it."""

    source: Literal["auto", "marker", "fusion", "none"] = field(
        default="auto",
        metadata={
            "help": "'marker' takes the mesh that the recorder sent, 'fusion' makes one from depth and camera poses, "
            "'auto' the first where there is one and else the second, 'none' makes no mesh."
        },
    )

    def __post_init__(self) -> None:
        if self.source not in SOURCES:
            raise BadConfig(f"source must be one of {', '.join(SOURCES)}, got {self.source!r}")
