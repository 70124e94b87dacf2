"""Changing a bundle that was just written and that nobody has seen: files that a caller leaves out or brings.

Its list of contents stays true. Published bundles are never changed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from episode_assets.bundle.layout import META
from episode_assets.outcome import Json, Outcome, Skipped


def leave_out(directory: Path, outcome: Outcome, left_out: tuple[Skipped, ...]) -> Outcome:
    """Remove files from a bundle and name the reasons; returns the outcome without them."""
    names = {item.name for item in left_out}
    for name in sorted(names):
        (directory / name).unlink(missing_ok=True)
    meta = _meta(directory)
    meta["files"] = {name: size for name, size in meta["files"].items() if name not in names}
    meta["saved"] = [name for name in meta["saved"] if name not in names]
    kept = [item for item in meta["skipped"] if item["name"] not in names]
    meta["skipped"] = [*kept, *(asdict(item) for item in left_out)]
    _write(directory, meta)
    return replace(
        outcome,
        core=tuple(name for name in outcome.core if name not in names),
        view=tuple(name for name in outcome.view if name not in names),
        saved=tuple(name for name in outcome.saved if name not in names),
        facts={name: facts for name, facts in outcome.facts.items() if name not in names},
        skipped=(*(item for item in outcome.skipped if item.name not in names), *left_out),
    )


def note_changed(directory: Path, outcome: Outcome, name: str, privacy: Mapping[str, Json]) -> Outcome:
    """State the size of a file that was written anew, and what is known of its pixels; returns the outcome with it."""
    meta = _meta(directory)
    meta["files"][name] = (directory / name).stat().st_size
    meta["privacy"] = {**meta["privacy"], **privacy}
    _write(directory, meta)
    return replace(outcome, privacy={**(outcome.privacy or {}), **privacy})


def _meta(directory: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((directory / META).read_text(encoding="utf-8"))
    return content


def _write(directory: Path, meta: Mapping[str, Any]) -> None:
    text = json.dumps(meta, indent=2, sort_keys=True, allow_nan=False, ensure_ascii=False) + "\n"
    (directory / META).write_text(text, encoding="utf-8")
