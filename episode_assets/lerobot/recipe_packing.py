"""How a dataset is put into files: the version of the format, and into which roots its recordings are divided.

Nothing here changes a contribution; a dataset can be packed anew under other choices at once.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import Literal

from episode_assets.lerobot.choices import check_types, require

_SPLIT = re.compile(r"^[a-z][a-z0-9_]{0,31}$")
_RESERVED = frozenset({"data", "meta", "videos", "images"})


@dataclass(frozen=True)
class Packing:
    """Version and division of a dataset."""

    version: Literal["v3.0", "v2.1", "v2.0"] = field(
        default="v3.0",
        metadata={"help": "Format: v3.0; v2.1 and v2.0 for older readers, v2.0 with modality.json for GR00T"},
    )
    splits: tuple[tuple[str, float], ...] = field(
        default=(),
        metadata={
            "help": "Shares by name, such as {train: 0.9, test: 0.1}; each becomes a dataset root of its own. "
            "None packs one root"
        },
    )
    split_key: str = field(
        default="episode-assets",
        metadata={
            "help": "Text that seeds the division; another one divides the same recordings differently"
        },
    )
    group_by: Literal["recording", "person", "place"] = field(
        default="recording",
        metadata={"help": "What must never lie in two splits; person and place come from the sidecar"},
    )

    def __post_init__(self) -> None:
        check_types(self, section="packing")
        names = [name for name, _ in self.splits]
        for name, share in self.splits:
            fits = bool(_SPLIT.match(name)) and name not in _RESERVED
            require(fits, "packing.splits", name, "lower-case words, none of data, images, meta, videos")
            require(0 < share <= 1, f"packing.splits.{name}", share, "more than 0, up to 1")
        require(len(set(names)) == len(names), "packing.splits", names, "names that differ")
        total = math.fsum(share for _, share in self.splits)
        is_whole = not self.splits or abs(total - 1) < 1e-9
        require(is_whole, "packing.splits", dict(self.splits), f"shares that add up to 1, not {total:g}")
