"""Values out of a document that somebody else may have written, each checked before anything is computed with it."""

from __future__ import annotations

import math
import re
from typing import Any

_DIGEST = re.compile(r"[0-9a-f]{64}")


def real_in(value: Any, low: float, high: float) -> float:
    """Return a finite number from `low` to `high`.

    Raises:
        ValueError: It is none.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise ValueError(f"a number from {low:g} to {high:g} was expected, got {_shown(value)}")
    return float(value)


def whole_in(value: Any, low: int, high: int) -> int:
    """Return a whole number from `low` to `high`.

    Raises:
        ValueError: It is none.
    """
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ValueError(f"a whole number from {low:g} to {high:g} was expected, got {_shown(value)}")
    return value


def flag(value: Any) -> bool:
    """Return a boolean.

    Raises:
        TypeError: It is none.
    """
    if not isinstance(value, bool):
        raise TypeError(f"true or false was expected, got {_shown(value)}")
    return value


def words(value: Any) -> str:
    """Return a text that can be written as UTF-8, whatever was in it.

    Raises:
        TypeError: It is no text.
    """
    if not isinstance(value, str):
        raise TypeError(f"a text was expected, got {_shown(value)}")
    return value.encode("utf-8", "replace").decode()


def digest_or_none(value: Any) -> str | None:
    """Return a SHA-256 in hex, or None.

    Raises:
        ValueError: It is neither.
    """
    if value is not None and not (isinstance(value, str) and _DIGEST.fullmatch(value)):
        raise ValueError(f"a SHA-256 was expected, got {_shown(value)}")
    return value


def _shown(value: object) -> str:
    if isinstance(value, int) and value.bit_length() > 64:
        return f"a number of {value.bit_length()} bits"
    if isinstance(value, float) and not math.isfinite(value):
        return "no finite number"
    return ascii(value)[:40]
