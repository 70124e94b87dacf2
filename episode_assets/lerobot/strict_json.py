"""JSON as the dataset's readers take it: UTF-8, no NaN, the same bytes for the same content."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def write_json(path: Path, document: Any, *, indent: int = 2, sort_keys: bool = True) -> None:
    """Write a document; `sort_keys=False` keeps an order that means something, such as that of columns."""
    text = json.dumps(document, indent=indent, sort_keys=sort_keys, allow_nan=False, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")


def read_json(path: Path) -> Any:
    """Read a document.

    Raises:
        ValueError: It is no JSON; the words NaN and Infinity, which some writers leave, are none.
    """
    return json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse_constant)


def refuse_constant(word: str) -> None:
    """Raise ValueError about a word that is a number in Python and none in JSON."""
    raise ValueError(f"{word} is not JSON")
