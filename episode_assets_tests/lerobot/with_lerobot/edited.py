"""LeRobot's own merge, delete and resume on copies of a dataset; afterwards every row still has what it had."""
# ruff: noqa: T201

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from episode_assets_tests.lerobot.with_lerobot.opened import (
    check_opened,
    depth_cameras,
    first_colour_camera,
    open_dataset,
)

RENUMBERED = {"index", "episode_index", "task_index"}
"""Columns that say where a row lies; every other one has to come through unchanged."""


def check_edited(root: Path, scratch: Path, *, marked: bool) -> list[str]:
    """Merge a dataset with itself, delete an episode of it, and record another one into it."""
    rows = row_values(root)
    edits: dict[str, Callable[[Path, Path], list[tuple[int, int]]]] = {
        "merged": _merge,
        "deleted": _delete,
        "resumed": _resume,
    }
    failures = []
    for name, edit in edits.items():
        out = scratch / name
        origin = edit(root, out)
        failures += check_opened(out, marked=marked)
        failures += [f"{name}: {problem}" for problem in _changed(rows, row_values(out), origin)]
    return failures


def copy_of(root: Path, out: Path) -> Path:
    """Return a writable copy of a dataset, whose own files may be read-only."""
    shutil.copytree(root, out, copy_function=shutil.copyfile)
    return out


def row_values(root: Path) -> dict[str, np.ndarray]:
    """Return all columns of the rows."""
    table = open_dataset(root).hf_dataset.with_format("numpy")
    return {key: np.array(table[key]) for key in table.column_names}


def _merge(root: Path, out: Path) -> list[tuple[int, int]]:
    from lerobot.datasets.dataset_tools import merge_datasets

    twice = [open_dataset(root), open_dataset(root)]
    merged = merge_datasets(twice, "local/merged", output_dir=out)
    assert merged.num_episodes == 2 * twice[0].num_episodes
    rows = len(twice[0])
    return [(0, rows), (0, rows)]


def _delete(root: Path, out: Path) -> list[tuple[int, int]]:
    from lerobot.datasets.dataset_tools import delete_episodes

    dataset = open_dataset(root)
    gone = dataset.num_episodes // 2
    spans = [
        (int(episode["dataset_from_index"]), int(episode["dataset_to_index"]))
        for episode in dataset.meta.episodes
    ]
    left = delete_episodes(dataset, [gone], output_dir=out, repo_id="local/deleted")
    assert left.num_episodes == dataset.num_episodes - 1
    return [span for number, span in enumerate(spans) if number != gone]


def _resume(root: Path, out: Path) -> list[tuple[int, int]]:
    """Record the first episode once more, with pictures that went through LeRobot's reader and encoder."""
    from lerobot.configs.video import RGBEncoderConfig
    from lerobot.datasets.lerobot_dataset import LeRobotDataset

    known = open_dataset(root)
    # A dataset of images says nothing of videos, and needs no encoder.
    block = known.meta.features[first_colour_camera(known)].get("info") or {}
    codec = block.get("video.codec", "h264")
    encoder = RGBEncoderConfig(
        vcodec={"av1": "libsvtav1"}.get(codec, codec), g=15, crf=18, extra_options={"bf": 0}
    )
    dataset = LeRobotDataset.resume(
        "local/resumed", root=copy_of(root, out), video_backend="pyav", rgb_encoder=encoder
    )
    length = int(known.meta.episodes[0]["length"])
    for row in range(length):
        dataset.add_frame(_frame(known, row))
    dataset.save_episode()
    dataset.finalize()
    return [(0, len(known)), (0, length)]


def _frame(dataset: Any, row: int) -> dict[str, Any]:
    """Return one row as `add_frame` takes it."""
    from lerobot.utils.constants import DEFAULT_FEATURES

    item = dataset[row]
    frame: dict[str, Any] = {"task": item["task"]}
    for key, feature in dataset.meta.features.items():
        if key in depth_cameras(dataset):
            frame[key] = np.rint(item[key].numpy().transpose(1, 2, 0)).astype(np.uint16)
        elif key in dataset.meta.camera_keys:
            frame[key] = np.rint(item[key].numpy().transpose(1, 2, 0) * 255).astype(np.uint8)
        elif key not in DEFAULT_FEATURES:
            frame[key] = item[key].numpy().astype(feature["dtype"]).reshape(feature["shape"])
    return frame


def _changed(
    before: dict[str, np.ndarray], after: dict[str, np.ndarray], origin: list[tuple[int, int]]
) -> list[str]:
    expected_rows = np.concatenate([np.arange(start, stop) for start, stop in origin])
    if len(after["index"]) != len(expected_rows):
        return [f"{len(after['index'])} rows instead of {len(expected_rows)}"]
    compared = sorted(set(before) - RENUMBERED)
    wrong = [key for key in compared if not np.array_equal(after[key], before[key][expected_rows])]
    print(f"{len(expected_rows)} rows, {len(compared)} columns compared, {len(wrong)} changed")
    return [f"{key} has changed" for key in wrong]
