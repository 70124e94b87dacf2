"""The rows of `hands.parquet` and `mano.parquet` as the SDK's own loop would have found them, for its export.

One hand of the wearer per side and picture, the one of highest confidence: metres where depth anchored it, else
pixels with z = 0; NaN for a joint that is not known.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

MEASURED = 1
EXTRAS = {
    "mano_global_orient": ("global_orient", (1, 3, 3)),
    "mano_hand_pose": ("hand_pose", (15, 3, 3)),
    "mano_betas": ("betas", (10,)),
    "pred_cam": ("pred_cam", (3,)),
    "pred_cam_t": ("cam_t", (3,)),
    "cam_t": ("cam_t", (3,)),
    "focal_length": ("focal_px", (2,)),
}
"""What the SDK's trackers attach to a hand, the column of `mano.parquet` that holds it, and its shape."""


def hands_for_stera(directory: Path, messages: Sequence[int]) -> list[dict[str, Any]]:
    """Return the hands of a `hand_poses` directory, for pictures that are these messages of the recording."""
    place = {message: frame for frame, message in enumerate(messages)}
    chosen: dict[tuple[int, str], dict[str, Any]] = {}
    for row in pq.read_table(directory / "hands.parquet").to_pylist():
        key = (place.get(row["message_number"], -1), row["side"])
        is_surer = key not in chosen or row["confidence"] > chosen[key]["confidence"]
        if row["wearer"] and key[0] >= 0 and is_surer:
            chosen[key] = row
    mano = read_mano(directory / "mano.parquet")
    return [one_hand(frame, row, mano) for (frame, _), row in chosen.items()]


def read_mano(path: Path) -> dict[tuple[int, str, int], dict[str, Any]]:
    rows = pq.read_table(path).to_pylist() if path.is_file() else []
    return {(row["message_number"], row["side"], row["track"]): row for row in rows if row["wearer"]}


def one_hand(frame: int, row: dict[str, Any], mano: dict[tuple[int, str, int], Any]) -> dict[str, Any]:
    known = np.array(row["joint_valid"], dtype=bool)
    pixels = np.where(known[:, None], np.reshape(row["joints_px"], (21, 2)), np.nan)
    metres = np.full((21, 3), np.nan)
    if row["joints_cam"] is not None and row["kind"] == MEASURED:
        metres[known] = np.reshape(row["joints_cam"], (21, 3))[known]
    joints = metres if np.isfinite(metres).any() else np.column_stack([pixels, pixels[:, 0] * 0.0])
    numbers = mano.get((row["message_number"], row["side"], row["track"]), {})
    extras = {
        name: np.reshape(numbers[column], shape).tolist()
        for name, (column, shape) in EXTRAS.items()
        if numbers.get(column) is not None
    }
    return {
        "frame": frame,
        "side": row["side"],
        "confidence": row["confidence"],
        "backend": row["backend"],
        "joints": joints.tolist(),
        "extras": {"kpts_2d_rgb": pixels.tolist(), **extras},
    }
