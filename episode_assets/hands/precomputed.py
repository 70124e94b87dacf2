"""The settings of `precomputed`: hands that the recording's own topics or a Parquet file bring.

Nothing is looked at and nothing is loaded; what is done with the hands is in `given`, `given_topics` and `given_file`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, get_args

from episode_assets import models
from episode_assets.errors import BadConfig
from episode_assets.outcome import ModelUse

Frame = Literal["stated", "camera", "world"]


@dataclass(frozen=True)
class PrecomputedOptions:
    """Where known hands come from; see `backends.BackendOptions`."""

    file: str = field(
        default="",
        metadata={
            "help": "path of a Parquet file, one row per joint: stamp_ns or message_number, side (left, right), joint "
            "(0 to 20 or its name), x, y, z in metres or u, v in pixels or both, and confidence if known. Empty takes "
            "such a file beside the recording (NAME.mcap.hands.parquet or NAME.hands.parquet), else the topics of the "
            "recording that fill the role hands",
            "is_place": True,
        },
    )
    left: str = field(
        default="",
        metadata={
            "help": "topic of the left hand; empty takes those with the word left in their name. "
            "Only topics that fill the role hands count"
        },
    )
    right: str = field(default="", metadata={"help": "the same of the right hand"})
    frame: Frame = field(
        default="stated",
        metadata={
            "help": "frame of the joints: camera (optical: x right, y down, z forward), world (that of the camera "
            "poses), or stated, which takes the frame_id of the messages, or the key frame of the file's metadata"
        },
    )

    def __post_init__(self) -> None:
        """Check every value by itself; raises BadConfig."""
        for name in ("file", "left", "right"):
            if not isinstance(getattr(self, name), str):
                raise BadConfig(f"precomputed.{name} must be a text, got {getattr(self, name)!r}")
        if self.frame not in get_args(Frame):
            words = " or ".join(get_args(Frame))
            raise BadConfig(f"precomputed.frame must be {words}, got {self.frame!r}")

    @property
    def takes_file_beside(self) -> bool:
        """Whether a file beside the recording would count: nothing that is named here goes before it."""
        return not (self.file or self.left or self.right)

    def check(self) -> None:
        """Refuse topics beside a file, which would have no effect."""
        if self.file and (self.left or self.right):
            raise BadConfig(
                "precomputed takes a file, and topics are named too",
                where="precomputed.left, precomputed.right",
                remedy="take out the file or the topics",
            )
        if self.left and self.left == self.right:
            raise BadConfig(
                f"precomputed.left and precomputed.right are both {self.left}",
                where="precomputed.right",
                remedy="name a topic for each hand, or leave one empty",
            )

    def models(self) -> tuple[ModelUse, ...]:
        """Return the file: its digest decides about the output as that of weights does."""
        if not self.file:
            return ()
        return (models.use_given("precomputed_hands", self.file, licence="LicenseRef-unstated"),)

    def require(self) -> None:
        """Look for the file."""
        if self.file:
            models.find_given(self.file, setting="precomputed.file")

    def make(self) -> None:
        """Load nothing: no picture is looked at for hands."""
        return
