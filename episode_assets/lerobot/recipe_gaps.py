"""What a dataset does where something is missing: frames that were never recorded, hands that were not seen."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from episode_assets.lerobot.choices import check_types, require


@dataclass(frozen=True)
class GapChoice:
    """The choices behind gaps."""

    policy: Literal["split", "mask", "interpolate"] = field(
        default="split",
        metadata={
            "help": "Missing frames: split ends the episode; mask keeps its rows, the action across invalid; "
            "interpolate does that up to max_s, splits beyond, and fills hands that were not seen for at most max_s"
        },
    )
    max_s: float = field(
        default=0.2,
        metadata={"help": "Longest time that interpolate bridges, s, 0.01 to 2; the others ignore it"},
    )

    def __post_init__(self) -> None:
        check_types(self, section="gaps")
        require(0.01 <= self.max_s <= 2, "gaps.max_s", self.max_s, "0.01 to 2")
