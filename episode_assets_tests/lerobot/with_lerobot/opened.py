"""Opens a dataset with the real LeRobot and reads every row of every episode, with either of its decoders."""
# ruff: noqa: T201

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

BACKENDS = ("pyav", "torchcodec")


def open_dataset(root: Path, **options: Any) -> Any:
    """Return the dataset as LeRobot opens it."""
    from lerobot.datasets.lerobot_dataset import LeRobotDataset

    return LeRobotDataset("local/verified", root=root, **{"video_backend": "pyav"} | options)


def check_opened(root: Path, *, marked: bool) -> list[str]:
    """Read everything once with each decoder.

    Args:
        root: The dataset.
        marked: The pictures carry their message numbers, as `read_mark` reads them.
    """
    failures = []
    for backend in BACKENDS:
        dataset = open_dataset(root, video_backend=backend)
        wrong = [problem for row in range(len(dataset)) for problem in _row_problems(dataset, row, marked)]
        episodes = {int(index) for index in dataset.hf_dataset["episode_index"]}
        if episodes != set(range(dataset.num_episodes)):
            wrong.append(f"rows belong to {len(episodes)} of {dataset.num_episodes} episodes")
        print(
            f"{root.name}: {len(dataset)} rows of {len(episodes)} episodes with {backend}, {len(wrong)} wrong"
        )
        failures += [f"{root.name} with {backend}: {problem}" for problem in wrong]
    return failures


def _row_problems(dataset: Any, row: int, marked: bool) -> Iterator[str]:
    item = dataset[row]
    if int(item["index"]) != row:
        yield f"row {row} has index {int(item['index'])}"
    if not item["task"] or not isinstance(item["task"], str):
        yield f"row {row} has task {item['task']!r}"
    for key in dataset.meta.camera_keys:
        if tuple(item[key].shape[1:]) != tuple(dataset.meta.features[key]["shape"][:2]):
            yield f"row {row} has pictures {tuple(item[key].shape)} of {key}"
    if marked:
        yield from mark_problems(item, first_colour_camera(dataset))


def first_colour_camera(dataset: Any) -> str:
    """Return the key of the first camera that is no depth map."""
    return next(key for key in dataset.meta.camera_keys if key not in depth_cameras(dataset))


def depth_cameras(dataset: Any) -> list[str]:
    """Return the keys of the cameras that are depth maps."""
    features = dataset.meta.features
    return [key for key in dataset.meta.camera_keys if (features[key].get("info") or {}).get("is_depth_map")]


def mark_problems(item: Any, camera: str) -> Iterator[str]:
    """Tell if the picture of a row is that of another message."""
    seen, true = read_mark(item[camera].numpy()), int(item["source.message_number"])
    if seen != true:
        yield f"row {int(item['index'])} of message {true} shows message {seen}"


def read_mark(picture: np.ndarray) -> int:
    """Return the number painted into a picture (3, H, W): two rows of eight blocks, 8 pixels each, white for a one."""
    blocks = picture[:, :16, :64].mean(axis=0).reshape(2, 8, 8, 8).transpose(0, 2, 1, 3)
    bright = blocks[:, :, 2:6, 2:6].mean(axis=(2, 3)).reshape(-1) > 0.5 * (255 if picture.max() > 1 else 1)
    return int(sum(1 << bit for bit in np.nonzero(bright)[0].tolist()))
