"""Prints, for every row of a dataset, the task and the subtask that the real LeRobot takes there, as JSON."""
# ruff: noqa: T201

from __future__ import annotations

import json
import sys
from pathlib import Path

from episode_assets_tests.lerobot.with_lerobot.opened import open_dataset


def spoken(root: Path) -> list[list[str | None]]:
    """Return task and active subtask of every row."""
    from lerobot.datasets.language_render import active_at

    told = []
    dataset = open_dataset(root)
    for row in range(len(dataset)):
        item = dataset[row]
        entries = item["language_persistent"]
        found = active_at(float(item["timestamp"]), persistent=entries, style="subtask") if entries else None
        told.append([item["task"], found and found["content"]])
    return told


if __name__ == "__main__":
    print(json.dumps(spoken(Path(sys.argv[1]))))
