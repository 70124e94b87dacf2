"""One epoch of a torch DataLoader that asks for neighbouring rows by delta timestamps, compared with the plain rows."""
# ruff: noqa: T201

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np

from episode_assets_tests.lerobot.with_lerobot.opened import (
    BACKENDS,
    first_colour_camera,
    open_dataset,
    read_mark,
)

CHUNK = 8
"""Actions per row, the row's own first."""


def check_loaded(root: Path, *, marked: bool) -> list[str]:
    """Load every row once with an action chunk and the picture before it, with each decoder."""
    return [
        f"{root.name} with {backend}: {problem}"
        for backend in BACKENDS
        for problem in _problems(root, backend, marked)
    ]


def _problems(root: Path, backend: str, marked: bool) -> list[str]:
    import torch

    plain = open_dataset(root)
    camera, fps = first_colour_camera(plain), plain.meta.fps
    deltas = {"action": [step / fps for step in range(CHUNK)], camera: [-1 / fps, 0.0]}
    dataset = open_dataset(root, video_backend=backend, delta_timestamps=deltas)
    rows = {key: np.array(plain.hf_dataset.with_format("numpy")[key]) for key in ("action", "episode_index")}
    rows["source.message_number"] = np.array(plain.hf_dataset["source.message_number"])
    wrong, seen, began = [], 0, time.monotonic()
    for batch in torch.utils.data.DataLoader(dataset, batch_size=16, shuffle=True, num_workers=0):
        seen += len(batch["index"])
        if not all(torch.isfinite(value).all() for value in batch.values() if torch.is_tensor(value)):
            wrong.append("a batch holds NaN or infinity")
        for i, row in enumerate(batch["index"].tolist()):
            wrong += _chunk_problems(batch, i, row, rows)
            wrong += _picture_problems(batch, i, row, rows, camera) if marked else []
    if seen != len(plain):
        wrong.append(f"{seen} of {len(plain)} rows were loaded")
    seconds = time.monotonic() - began
    print(
        f"{root.name}: {seen} rows in chunks of {CHUNK} with {backend} in {seconds:.1f} s, {len(wrong)} wrong"
    )
    return wrong


def _chunk_problems(batch: Any, i: int, row: int, rows: dict[str, np.ndarray]) -> list[str]:
    last = int(np.flatnonzero(rows["episode_index"] == rows["episode_index"][row])[-1])
    wanted = row + np.arange(CHUNK)
    expected = rows["action"][np.minimum(wanted, last)]
    if not np.array_equal(batch["action"][i].numpy(), expected):
        return [f"the chunk of row {row} is not that of rows {row} and on"]
    if not np.array_equal(batch["action_is_pad"][i].numpy(), wanted > last):
        return [f"the chunk of row {row} is padded elsewhere than after row {last}"]
    return []


def _picture_problems(batch: Any, i: int, row: int, rows: dict[str, np.ndarray], camera: str) -> list[str]:
    first = int(np.flatnonzero(rows["episode_index"] == rows["episode_index"][row])[0])
    expected = [int(rows["source.message_number"][max(row + step, first)]) for step in (-1, 0)]
    seen = [read_mark(picture.numpy()) for picture in batch[camera][i]]
    return [] if seen == expected else [f"row {row} shows messages {seen} instead of {expected}"]
