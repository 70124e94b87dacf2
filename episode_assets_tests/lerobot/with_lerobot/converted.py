"""LeRobot's converter from v2.1 to v3.0 on a copy of a v2.1 dataset; what comes out opens and holds the same rows."""
# ruff: noqa: T201

from __future__ import annotations

from pathlib import Path

import numpy as np

from episode_assets_tests.lerobot.with_lerobot.edited import copy_of, row_values
from episode_assets_tests.lerobot.with_lerobot.opened import check_opened


def check_converted(old: Path, new: Path, scratch: Path, *, marked: bool) -> list[str]:
    """Convert a v2.1 dataset and compare it with the v3.0 dataset of the same episodes."""
    from lerobot.scripts.convert_dataset_v21_to_v30 import convert_dataset

    out = copy_of(old, scratch / "converted")
    convert_dataset("local/converted", root=str(out), push_to_hub=False)
    failures = check_opened(out, marked=marked)
    ours, theirs = row_values(new), row_values(out)
    shared = sorted(set(ours) & set(theirs))
    if set(ours) != set(theirs):
        failures.append(f"only one of the two has {sorted(set(ours) ^ set(theirs))}")
    wrong = [key for key in shared if not np.array_equal(ours[key], theirs[key])]
    print(f"converted: {len(theirs['index'])} rows, {len(shared)} columns compared, {len(wrong)} differ")
    return failures + [f"{key} differs from v3.0 after the conversion" for key in wrong]
