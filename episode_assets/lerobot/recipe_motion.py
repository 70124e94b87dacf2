"""How a recording is cut where its hands come to rest; what the numbers do is in `hand_motion`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from episode_assets.lerobot.choices import check_types, require


@dataclass(frozen=True)
class MotionChoice:
    """The choices behind segments between moments of rest. Times, never frames, so that any rate gives the same."""

    hand: Literal["any", "left", "right"] = field(
        default="any",
        metadata={"help": "Whose speed counts: left, right, or any, which takes the faster of both"},
    )
    smooth_s: float = field(
        default=0.35,
        metadata={
            "help": "Length of the Savitzky-Golay window over wrist speeds, s, 0 to 5; 0 smooths nothing"
        },
    )
    half_window_s: float = field(
        default=0.5, metadata={"help": "A rest is the slowest moment this far around, s, 0.05 to 30"}
    )
    drop: float = field(
        default=0.25,
        metadata={
            "help": "Share of the speed on either side by which a slow moment is slower, 0.01 to 1; noise is no rest"
        },
    )
    min_s: float = field(
        default=0.5, metadata={"help": "Shorter segments are joined with the one before, s, 0 to 60"}
    )
    max_s: float = field(
        default=10.0, metadata={"help": "Longer segments are cut at their slowest moments, s, 0.2 to 3600"}
    )
    still_m_s: float = field(
        default=0.02,
        metadata={"help": "Below this speed a hand rests, m/s, 0 to 1; a whole rest is one place to cut"},
    )

    def __post_init__(self) -> None:
        check_types(self, section="segments.motion")
        for name, low, high in (
            ("smooth_s", 0, 5),
            ("half_window_s", 0.05, 30),
            ("drop", 0.01, 1),
            ("min_s", 0, 60),
            ("max_s", 0.2, 3600),
            ("still_m_s", 0, 1),
        ):
            value = getattr(self, name)
            require(low <= value <= high, f"segments.motion.{name}", value, f"{low} to {high}")
        require(
            self.max_s >= 2 * self.min_s,
            "segments.motion.max_s",
            self.max_s,
            f"at least twice min_s, which is {self.min_s}",
        )
