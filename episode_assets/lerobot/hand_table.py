"""Lays the rows of `hands.parquet` out over the frames of a bundle: the wearer's two hands, one of each per frame."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from episode_assets.errors import ArtifactDamaged
from episode_assets.lerobot.mano_table import frames_of
from episode_assets.lerobot.source import SIDES

FILE = "hands.parquet"
_COLUMNS = (
    "message_number",
    "side",
    "wearer",
    "track",
    "kind",
    "confidence",
    "joints_cam",
    "joint_valid",
    "smoothed",
)
_HANDEDNESS = "handedness"


@dataclass(frozen=True)
class Hands:
    """Both hands over the F frames; second axis left, right.

    Attributes:
        joints_cam: (F, 2, 21, 3) float64 metres in the optical frame, NaN where unknown.
        joint_valid: (F, 2, 21) bool, the joint itself was seen.
        kind: (F, 2) int64, 0 where there is no row.
        confidence: (F, 2) float64, 0 where there is no row.
        smoothed: (F, 2) bool, joints were moved towards those of the neighbouring frames.
        track: (F, 2) int64, number of the hand's track, -1 where there is no row.
        handedness: (F, 2) float64, how sure the detector is of a right hand, NaN where it does not say.
    """

    joints_cam: NDArray[np.float64]
    joint_valid: NDArray[np.bool_]
    kind: NDArray[np.int64]
    confidence: NDArray[np.float64]
    smoothed: NDArray[np.bool_]
    track: NDArray[np.int64]
    handedness: NDArray[np.float64]


def read_hand_table(directory: Path, message_number: NDArray[np.int64]) -> Hands:
    """Read the wearer's hands, joined to the frames by message number.

    Of several hands of one side in one frame, the one with the highest confidence counts.

    Args:
        directory: Directory of the hand_poses artifact.
        message_number: (F,) messages of the bundle's frames.

    Raises:
        ArtifactDamaged: The table is missing, unreadable, or lacks a column.
    """
    try:
        there = pq.read_schema(directory / FILE).names
        missing = sorted(set(_COLUMNS) - set(there))
        if missing:
            raise ArtifactDamaged(
                f"columns {missing} are missing", where=FILE, remedy="materialise hand_poses again"
            )
        columns = [name for name in (*_COLUMNS, _HANDEDNESS) if name in there]
        return _laid_out(pq.read_table(directory / FILE, columns=columns), message_number)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise ArtifactDamaged(
            f"the hand table cannot be read: {error}", where=FILE, remedy="materialise hand_poses again"
        ) from error


def _laid_out(table: Any, message_number: NDArray[np.int64]) -> Hands:
    count = len(message_number)
    frame = frames_of(table["message_number"].to_numpy(), message_number)
    side = np.array([SIDES.index(word) for word in table["side"].to_pylist()], dtype=np.int64)
    confidence = np.nan_to_num(table["confidence"].to_numpy().astype(np.float64))
    usable = np.flatnonzero((frame >= 0) & table["wearer"].to_numpy(zero_copy_only=False))
    # Ascending confidence, ties in falling order of rows: the last writer of a slot is the one that counts.
    order = usable[np.lexsort((-usable, confidence[usable]))]
    slots = (frame[order], side[order])
    hands = Hands(
        joints_cam=np.full((count, 2, 21, 3), np.nan),
        joint_valid=np.zeros((count, 2, 21), dtype=np.bool_),
        kind=np.zeros((count, 2), dtype=np.int64),
        confidence=np.zeros((count, 2)),
        smoothed=np.zeros((count, 2), dtype=np.bool_),
        track=np.full((count, 2), -1, dtype=np.int64),
        handedness=np.full((count, 2), np.nan),
    )
    hands.joints_cam[slots] = _lists(table["joints_cam"], 63, np.nan)[order].reshape(-1, 21, 3)
    hands.joint_valid[slots] = _lists(table["joint_valid"], 21, 0.0)[order] > 0
    hands.kind[slots] = table["kind"].to_numpy()[order]
    hands.confidence[slots] = confidence[order]
    hands.smoothed[slots] = table["smoothed"].fill_null(False).to_numpy()[order]
    hands.track[slots] = table["track"].to_numpy()[order]
    if _HANDEDNESS in table.column_names:
        told = table[_HANDEDNESS].cast(pa.float64()).to_numpy(zero_copy_only=False)
        hands.handedness[slots] = told[order]
    return hands


def _lists(column: Any, width: int, fill: float) -> NDArray[np.float64]:
    """Return a column of lists as (rows, width) float64; null lists and null elements become `fill`."""
    result = np.full((len(column), width), fill)
    present = column.is_valid().to_numpy(zero_copy_only=False)
    flat = column.drop_null().combine_chunks().flatten().cast(pa.float64())
    result[present] = flat.fill_null(fill).to_numpy(zero_copy_only=False).reshape(-1, width)
    return result
