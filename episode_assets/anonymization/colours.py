"""Colours by name or number, in the components of the pictures' planes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from episode_assets.errors import BadConfig

NAMES: Mapping[str, str] = {
    "black": "#000000",
    "white": "#FFFFFF",
    "grey": "#808080",
    "gray": "#808080",
    "red": "#FF0000",
    "green": "#008000",
    "blue": "#0000FF",
    "yellow": "#FFFF00",
    "cyan": "#00FFFF",
    "magenta": "#FF00FF",
}
"""As CSS names them."""

_NUMBER = re.compile(r"#([0-9a-fA-F]{2})([0-9a-fA-F]{2})([0-9a-fA-F]{2})")


class Colour(NamedTuple):
    """One colour as the planes hold it: limited range (16..235, 16..240), BT.601."""

    y: int
    u: int
    v: int


def colour_of(word: str) -> Colour:
    """Return a colour by its name or as #RRGGBB.

    Raises:
        BadConfig: It is neither.
    """
    number = _NUMBER.fullmatch(NAMES.get(word, word)) if isinstance(word, str) else None
    if number is None:
        raise BadConfig(
            f"a colour must be #RRGGBB or one of {', '.join(NAMES)}, got {word!r}",
            remedy="write it like #20A0F0",
        )
    red, green, blue = (int(part, 16) / 255 for part in number.groups())
    # ITU-R BT.601 (Kr 0.299, Kb 0.114) with 219 levels of luma and 224 of chroma.
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    return Colour(
        round(16 + 219 * luma),
        round(128 + 224 * (blue - luma) / 1.772),
        round(128 + 224 * (red - luma) / 1.402),
    )


GREY = colour_of("grey")
"""Middle grey: Y 126, U 128, V 128."""
