"""The language column of v3.0: the subtasks of an episode, each active from its time on until the next one.

Only recipes that ask for it have the column, because it has to be in every file of a dataset, whether or not
somebody has named a subtask. The older formats have no such thing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

LANGUAGE = "language_persistent"
FEATURE: Mapping[str, Any] = {"dtype": "language", "shape": [1], "names": None}
"""Its entry under `features` of info.json."""

ENTRIES_PER_ROW = 64
"""Every row lists the entries around it. All of a long episode in each of its rows would grow with its square."""

_ENTRY = pa.struct(
    [
        pa.field("role", pa.string(), nullable=False),
        pa.field("content", pa.string()),
        pa.field("style", pa.string()),
        pa.field("timestamp", pa.float32(), nullable=False),
        pa.field("camera", pa.string()),
        pa.field("tool_calls", pa.list_(pa.string())),
    ]
)


def with_language_field(schema: Any) -> Any:
    """Return the schema of a data file with the language column behind all others."""
    return schema.append(pa.field(LANGUAGE, pa.list_(_ENTRY)))


def with_language(table: Any, subtasks: Sequence[Mapping[str, Any]], *, length: int, fps: int) -> Any:
    """Return rows of one episode with the language column.

    Args:
        table: Rows with `frame_index`.
        subtasks: Parts of the episode with `start_row`, `stop_row` and `text`, in order, without overlap.
        length: Rows of the whole episode.
        fps: Rows per second.
    """
    entries = _entries(subtasks, length, fps)
    rows = table["frame_index"].to_numpy()
    starts = np.array([entry["timestamp"] for entry in entries], dtype=np.float32)
    active = np.searchsorted(starts, (rows / fps).astype(np.float32), side="right") - 1
    first = np.clip(active - ENTRIES_PER_ROW // 2, 0, max(len(entries) - ENTRIES_PER_ROW, 0))
    values = [entries[place : place + ENTRIES_PER_ROW] for place in first.tolist()]
    return table.append_column(LANGUAGE, pa.array(values, type=pa.list_(_ENTRY)))


def _entries(subtasks: Sequence[Mapping[str, Any]], length: int, fps: int) -> list[dict[str, Any]]:
    """Return one entry for every subtask, and one without content where none follows at once."""
    entries = []
    for number, part in enumerate(subtasks):
        entries.append(_entry(part["text"], int(part["start_row"]), fps))
        following = subtasks[number + 1]["start_row"] if number + 1 < len(subtasks) else length
        if following != part["stop_row"]:
            entries.append(_entry(None, int(part["stop_row"]), fps))
    return entries


def _entry(text: str | None, row: int, fps: int) -> dict[str, Any]:
    # The time is that of the row, to the last bit: readers look for entries by equal times.
    return {
        "role": "assistant",
        "content": text,
        "style": "subtask",
        "timestamp": np.float32(row / fps),
        "camera": None,
        "tool_calls": None,
    }
