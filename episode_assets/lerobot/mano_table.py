"""What networks of the MANO family say of the wearer's hands, laid out over the frames of a bundle.

Only some backends write `mano.parquet`; its rows belong to rows of the hand table with the same message, side and
track. Where the hand's origin lies is a guess of the network and is left out: joints have a measured place.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from episode_assets.errors import ArtifactDamaged
from episode_assets.lerobot.source import SIDES, ManoHands

FILE = "mano.parquet"
_KEYS = ("message_number", "side", "wearer", "track")
_WIDTHS = {"global_orient": 9, "hand_pose": 135, "betas": 10}


def read_mano_table(
    directory: Path, message_number: NDArray[np.int64], track: NDArray[np.int64]
) -> ManoHands | None:
    """Read MANO's numbers of the hands that the hand table gave to each frame; None if the backend writes none.

    Args:
        directory: Directory of the hand_poses artifact.
        message_number: (F,) messages of the bundle's frames.
        track: (F, 2) track of the left and right hand, -1 where there is none.

    Raises:
        ArtifactDamaged: The table is unreadable or lacks a column.
    """
    if not (directory / FILE).is_file():
        return None
    try:
        table = pq.read_table(directory / FILE, columns=[*_KEYS, *_WIDTHS])
        return _laid_out(table, message_number, track)
    except (OSError, ValueError, KeyError, pa.ArrowException) as error:
        raise ArtifactDamaged(
            f"MANO's numbers cannot be read: {error}", where=FILE, remedy="materialise hand_poses again"
        ) from error


def _laid_out(table: Any, message_number: NDArray[np.int64], track: NDArray[np.int64]) -> ManoHands:
    frame = frames_of(table["message_number"].to_numpy(), message_number)
    side = np.array([SIDES.index(word) for word in table["side"].to_pylist()], dtype=np.int64)
    is_wanted = (frame >= 0) & table["wearer"].to_numpy(zero_copy_only=False)
    is_wanted &= track[frame, side] == table["track"].to_numpy()
    slots = (frame[is_wanted], side[is_wanted])
    found = ManoHands.unknown(len(message_number))
    values = {name: _rows(table[name], width)[is_wanted] for name, width in _WIDTHS.items()}
    found.orientation[slots] = values["global_orient"].reshape(-1, 3, 3)
    found.fingers[slots] = values["hand_pose"].reshape(-1, 15, 3, 3)
    found.betas[slots] = values["betas"]
    return found


def frames_of(numbers: NDArray[np.int64], message_number: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the frame of each message number, -1 where the bundle does not have it."""
    order = np.argsort(message_number)
    place = np.minimum(np.searchsorted(message_number, numbers, sorter=order), len(order) - 1)
    return np.where(message_number[order[place]] == numbers, order[place], -1)


def _rows(column: Any, width: int) -> NDArray[np.float64]:
    return np.asarray(column.combine_chunks().flatten().cast(pa.float64()).to_numpy()).reshape(-1, width)
