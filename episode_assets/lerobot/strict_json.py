"""JSON as the dataset's readers take it: UTF-8, no NaN, the same bytes for the same content."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def write_json(path: Path, document: Any, *, indent: int = 2, sort_keys: bool = True) -> None:
    """Write a document; `sort_keys=False` keeps an order that means something, such as that of columns."""
    text = json.dumps(document, indent=indent, sort_keys=sort_keys, allow_nan=False, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")
