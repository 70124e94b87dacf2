"""One entry of `features` in info.json, as it was found: name, type, shape, names, camera facts, masks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from episode_assets.lerobot.columns import Column, Mask

VISUAL = ("video", "image")
WITHOUT_STATISTICS = ("string", "language")


@dataclass(frozen=True)
class Feature:
    """One feature of an existing dataset.

    Attributes:
        key: Its name.
        dtype: numpy name of the element type, or `video`, `image`, `string`, `language`.
        shape: Elements per row; (height, width, channels) of a camera.
        names: What the document gives as names: a list, a nested list, a mapping or None.
        info: Facts of a camera; empty otherwise.
        masks: Which elements are true where; empty if all are.
    """

    key: str
    dtype: str
    shape: tuple[int, ...]
    names: Any
    info: Mapping[str, Any]
    masks: tuple[Mask, ...] = ()

    @classmethod
    def read(cls, key: str, document: Mapping[str, Any], masks: tuple[Mask, ...]) -> Feature:
        """Return the feature of one entry; `video_info` is the older name of `info`."""
        shape = tuple(int(size) for size in document["shape"])
        info = document.get("info") or document.get("video_info") or {}
        return cls(key, str(document["dtype"]), shape, document.get("names"), info, masks)

    @property
    def is_video(self) -> bool:
        """Whether its pictures lie in mp4 files."""
        return self.dtype == "video"

    @property
    def is_visual(self) -> bool:
        """Whether a policy takes it as a picture."""
        return self.dtype in VISUAL

    @property
    def is_depth(self) -> bool:
        """Whether its values are distances."""
        return bool(self.info.get("is_depth_map", self.info.get("video.is_depth_map", False)))

    @property
    def is_numeric(self) -> bool:
        """Whether its rows are numbers or bools."""
        return not self.is_visual and self.dtype not in WITHOUT_STATISTICS

    @property
    def width(self) -> int:
        """Number of elements per row, of a vector."""
        product = 1
        for size in self.shape:
            product *= size
        return product

    @property
    def column(self) -> Column:
        """The feature as the statistics take it."""
        names = None if self.width == 1 else tuple(self.element(i) for i in range(self.width))
        return Column(self.key, self.dtype, names, self.masks)

    def element(self, position: int) -> str:
        """Return the name of one element, for messages."""
        names = self.names[0] if _is_nested(self.names) else self.names
        if isinstance(names, list) and position < len(names):
            return str(names[position])
        return f"{self.key}[{position}]"


def _is_nested(names: Any) -> bool:
    return isinstance(names, list) and len(names) == 1 and isinstance(names[0], list)
