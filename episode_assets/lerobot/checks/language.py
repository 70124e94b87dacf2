"""Rules of the language columns of v3.0: known styles, and a camera where, and only where, a style needs one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from episode_assets.lerobot.existing import EpisodeRows, ExistingDataset
from episode_assets.lerobot.problems import Problem

PERSISTENT = "language_persistent"
EVENTS = "language_events"
STYLES = {
    PERSISTENT: {"subtask", "plan", "memory", "motion", "task_aug"},
    EVENTS: {"interjection", "vqa", "trace"},
}
NEED_A_CAMERA = {"vqa", "trace"}


def language(dataset: ExistingDataset, rows: EpisodeRows) -> Iterator[Problem]:
    """Every entry has a role and a style of its column; the first broken rule of an episode is named."""
    for key in STYLES:
        if key not in rows.table.column_names:
            continue
        for frame, entries in enumerate(rows.table[key].to_pylist()):
            wrong = next(filter(None, (_wrong(key, entry, dataset) for entry in entries or ())), None)
            if wrong:
                yield Problem("language", f"{key}: {wrong}", rows.episode.number, frame)
                break


def _wrong(key: str, entry: dict[str, Any], dataset: ExistingDataset) -> str | None:
    style, camera = entry.get("style"), entry.get("camera")
    if not entry.get("role"):
        return "an entry has no role"
    if style is not None and style not in STYLES[key]:
        return f"style {style!r} is none of {', '.join(sorted(STYLES[key]))}"
    if (style in NEED_A_CAMERA) != (camera is not None):
        return f"style {style!r} with camera {camera!r}"
    if camera is not None and camera not in dataset.features:
        return f"there is no camera {camera!r}"
    if key == PERSISTENT and entry.get("timestamp") is None:
        return "an entry has no timestamp"
    return None
