"""What networks of the MANO family say of the hands: the rows of `mano.parquet`, and the wearer's over the pictures.

The file goes on with its rows as they are, those of other people included; beside the joints of `/hand-pose` stand
the numbers of the very hand that is there. Reading hands belongs to the room of that name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from episode_assets.bundle.annotation import AnnotationFile
from episode_assets.bundle.hands import REMEDY, HandArrays, hand_batches, list_column
from episode_assets.bundle.layout import Side
from episode_assets.bundle.picture_blocks import Block, picture_blocks
from episode_assets.errors import ArtifactDamaged
from episode_assets.footage import FrameTable, bool_column, int_column, rows_of_messages

_KEYS = ["message_number", "side", "wearer", "track"]
_SHAPES: Mapping[str, tuple[int, ...]] = {
    "global_orient": (1, 3, 3),
    "hand_pose": (15, 3, 3),
    "betas": (10,),
    "pred_cam": (3,),
    "cam_t": (3,),
    "focal_px": (2,),
    "principal_px": (2,),
}
"""Columns of `mano.parquet`, fields of `ManoArrays`, and their shape for one hand."""

_DATASETS: Mapping[str, str] = {
    "mano_global_orient": "global_orient",
    "mano_hand_pose": "hand_pose",
    "mano_betas": "betas",
    "pred_cam": "pred_cam",
    "pred_cam_t": "cam_t",
    "cam_t": "cam_t",
    "focal_length": "focal_px",
    "principal_point": "principal_px",
}
"""Dataset behind `/hand-pose/<side>_` and the numbers in it; scripts for the Stera layout know one of them twice."""

DATASET_OF: Mapping[str, str] = {
    "valid": "mano_valid",
    **{name: dataset for dataset, name in _DATASETS.items()},
}
"""Dataset behind `/hand-pose/<side>_` for each field of `ManoArrays`."""

MANO_SPACE = "matrices of the true side, left hands mirrored back; order index, middle, pinky, ring, thumb"
"""What `/hand-pose` says of these numbers in its attribute `mano_space`."""

_UNITS: Mapping[str, str] = {"cam_t": "m", "focal_px": "px", "principal_px": "px"}


@dataclass(frozen=True)
class ManoArrays:
    """MANO numbers of one hand of the wearer over the F pictures of a bundle, NaN where `valid` is false.

    Rotations are matrices in the order of MANO's joints (index, middle, pinky, ring, thumb), in the space of the true
    side: those of left hands are mirrored back.

    Attributes:
        valid: (F,) bool, the hand in this picture was read by such a network.
        global_orient: (F, 1, 3, 3) float32 rotation of the wrist.
        hand_pose: (F, 15, 3, 3) float32 rotations of the joints.
        betas: (F, 10) float32 shape.
        pred_cam: (F, 3) float32 camera (s, tx, ty) of the square crop.
        cam_t: (F, 3) float32 metres from the camera to the hand's origin; a guess of the network, no measurement.
        focal_px: (F, 2) float32 focal lengths that `cam_t` holds for.
        principal_px: (F, 2) float32 principal point that `cam_t` holds for.
    """

    valid: NDArray[np.bool_]
    global_orient: NDArray[np.float32]
    hand_pose: NDArray[np.float32]
    betas: NDArray[np.float32]
    pred_cam: NDArray[np.float32]
    cam_t: NDArray[np.float32]
    focal_px: NDArray[np.float32]
    principal_px: NDArray[np.float32]

    @classmethod
    def missing(cls, F: int) -> ManoArrays:
        """Return arrays in which nothing is known."""
        unknown = {name: np.full((F, *shape), np.nan, np.float32) for name, shape in _SHAPES.items()}
        return cls(valid=np.zeros(F, np.bool_), **unknown)


def copy_mano(path: Path, frames: FrameTable, out: Path) -> int:
    """Copy the rows whose picture is in the bundle, with its frame numbers, and return how many there are.

    Raises:
        ArtifactDamaged: The table is unreadable or lacks columns.
    """
    schema = _schema_of(path)
    names = schema.names
    count = 0
    with pq.ParquetWriter(out, schema, compression="zstd") as writer:
        for batch in hand_batches(path, names):
            frame = rows_of_messages(int_column(batch, "message_number"), frames)
            at = names.index("frame_index")
            numbered = batch.set_column(at, batch.schema.field(at), pa.chunked_array([frame]))
            kept = numbered.filter(pa.array(frame >= 0))
            writer.write_table(kept)
            count += kept.num_rows
    return count


def _schema_of(path: Path) -> pa.Schema:
    try:
        schema = pq.read_schema(path)
    except (OSError, pa.ArrowException) as error:
        raise ArtifactDamaged(f"the table cannot be read: {error}", where=path.name, remedy=REMEDY) from error
    missing = sorted({*_KEYS, "frame_index", *_SHAPES} - set(schema.names))
    if missing:
        raise ArtifactDamaged(f"columns {missing} are missing", where=path.name, remedy=REMEDY)
    return schema


class ManoWriter:
    """Writes the numbers of one side beside its joints: those of the tracks that `/hand-pose` shows.

    Args:
        file: Where to.
        path: `mano.parquet`.
        frames: The pictures.
        side: Which hand.
    """

    def __init__(self, file: AnnotationFile, path: Path, frames: FrameTable, side: Side) -> None:
        F, prefix = len(frames), f"/hand-pose/{side}"
        self._valid = file.rows(f"{prefix}_mano_valid", (F,), np.bool_, is_packed=True)
        self._tables = {
            dataset: file.rows(
                f"{prefix}_{dataset}",
                (F, *_SHAPES[name]),
                np.float32,
                units=_UNITS.get(name),
                is_packed=True,
            )
            for dataset, name in _DATASETS.items()
        }
        self._blocks = picture_blocks(_of_side(path, frames, side), F, where=path.name, remedy=REMEDY)

    def write(self, start: int, hand: HandArrays) -> None:
        """Write what belongs to the hand in the pictures from `start` on; blocks come in order.

        Raises:
            ArtifactDamaged: The table is unreadable, lacks columns, or its rows are not in the order of the pictures.
        """
        mano = _laid_out(next(self._blocks), hand)
        found = int(mano.valid.sum())
        self._valid.write(start, mano.valid, found=found)
        for dataset, name in _DATASETS.items():
            self._tables[dataset].write(start, getattr(mano, name), found=found)


def _of_side(path: Path, frames: FrameTable, side: Side) -> Iterator[tuple[pa.Table, NDArray[np.int64]]]:
    for batch in hand_batches(path, [*_KEYS, *_SHAPES]):
        frame = rows_of_messages(int_column(batch, "message_number"), frames)
        is_side = pc.equal(batch["side"], side).fill_null(False).to_numpy()
        rows = np.flatnonzero((frame >= 0) & is_side & bool_column(batch, "wearer"))
        yield batch.take(pa.array(rows)), frame[rows]


def _laid_out(block: Block, hand: HandArrays) -> ManoArrays:
    mano = ManoArrays.missing(block.count)
    for piece in block.pieces:
        is_shown = hand.valid[piece.at] & (hand.track[piece.at] == int_column(piece.rows, "track"))
        shown, pictures = piece.rows.filter(pa.array(is_shown)), piece.at[is_shown]
        mano.valid[pictures] = True
        for name, shape in _SHAPES.items():
            getattr(mano, name)[pictures] = list_column(shown, name, shape)
    return mano
