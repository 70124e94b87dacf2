"""The wearer's hands as arrays over the pictures: the rows of `hands.parquet` laid out for `/hand-pose`.

One hand per side and picture, NaN where nothing is known. Finding hands belongs to the room of that name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from episode_assets.bundle.annotation import AnnotationFile, Rows
from episode_assets.bundle.layout import (
    ANCHORS,
    JOINT_LAYOUT,
    MEASURED,
    SIDES,
    SPACE_CAMERA,
    SPACE_IMAGE,
    SPACE_NONE,
    Side,
)
from episode_assets.bundle.picture_blocks import picture_blocks
from episode_assets.errors import ArtifactDamaged
from episode_assets.footage import (
    FrameTable,
    bool_column,
    float_column,
    int_column,
    read_table,
    require_columns,
    rows_of_messages,
)

REMEDY = "materialise hand_poses of this recording again"
JOINTS = 21
IDENTITY = ["message_number", "side", "wearer", "confidence", "backend"]
VALUES = [
    "track",
    "kind",
    "confidence",
    "joints_px",
    "joints_cam",
    "joints_world",
    "joint_valid",
    "anchor",
    "scale",
    "smoothed",
    "uncertainty_px",
    "uncertainty_m",
]
BATCH_ROWS = 1024
"""Rows of the table unpacked at once; about 1 MB."""
READ_BYTES = 1 << 16
"""Bytes of a column that are read at once; without it, all of its row group."""


@dataclass(frozen=True)
class HandArrays:
    """One hand of the wearer over the F pictures of a bundle.

    Attributes:
        valid: (F,) bool, a hand is there.
        space: (F,) uint8, 0 nothing known, 1 pixels only, 2 metres known.
        joints_px: (F, 21, 2) float32 picture pixels, NaN where unknown.
        joints_cam: (F, 21, 3) float32 metres in the camera's optical frame, NaN where unknown and where kind is not 1.
        joints_world: (F, 21, 3) float32 metres in the world, NaN like joints_cam.
        joint_valid: (F, 21) bool, the joint was read in this picture and lies in it. Its metres are measured only where
            kind is 1, too: a held hand has pixels of its own, and the distance of its neighbours.
        confidence: (F,) float32, 0 where there is no hand.
        kind: (F,) int8, 0 nothing, 1 measured, 2 interpolated, 3 held.
        track: (F,) int64 name of the track, -1 where there is none.
        anchor: (F,) uint8, position in `layout.ANCHORS`: how metres were found.
        scale: (F,) float32 factor applied to the model's hand, NaN where unknown.
        smoothed: (F,) bool, joints were moved towards those of the neighbours, each by no more than its uncertainty.
        uncertainty_px: (F, 21) float32 pixels that a joint may be off in the picture, NaN where not stated.
        uncertainty_m: (F, 21) float32 metres that a joint may be off in space, NaN where not stated or not measured.
    """

    valid: NDArray[np.bool_]
    space: NDArray[np.uint8]
    joints_px: NDArray[np.float32]
    joints_cam: NDArray[np.float32]
    joints_world: NDArray[np.float32]
    joint_valid: NDArray[np.bool_]
    confidence: NDArray[np.float32]
    kind: NDArray[np.int8]
    track: NDArray[np.int64]
    anchor: NDArray[np.uint8]
    scale: NDArray[np.float32]
    smoothed: NDArray[np.bool_]
    uncertainty_px: NDArray[np.float32]
    uncertainty_m: NDArray[np.float32]

    @classmethod
    def missing(cls, F: int) -> HandArrays:
        """Return arrays in which nothing is known."""
        return cls(
            valid=np.zeros(F, np.bool_),
            space=np.full(F, SPACE_NONE, np.uint8),
            joints_px=np.full((F, JOINTS, 2), np.nan, np.float32),
            joints_cam=np.full((F, JOINTS, 3), np.nan, np.float32),
            joints_world=np.full((F, JOINTS, 3), np.nan, np.float32),
            joint_valid=np.zeros((F, JOINTS), np.bool_),
            confidence=np.zeros(F, np.float32),
            kind=np.zeros(F, np.int8),
            track=np.full(F, -1, np.int64),
            anchor=np.zeros(F, np.uint8),
            scale=np.full(F, np.nan, np.float32),
            smoothed=np.zeros(F, np.bool_),
            uncertainty_px=np.full((F, JOINTS), np.nan, np.float32),
            uncertainty_m=np.full((F, JOINTS), np.nan, np.float32),
        )


@dataclass(frozen=True)
class HandChoice:
    """Which rows of `hands.parquet` a bundle shows, and what did not fit.

    Attributes:
        rows: Row numbers by side, increasing.
        pictures: Row of the picture table for each of those rows.
        backend: Name of the software that found the hands, empty when there are no rows.
        extra_hands: Rows left out because the side had a hand of higher confidence in the same picture.
        not_wearer: Rows left out because they show somebody else's hand.
        without_picture: Rows left out because their picture is not in the bundle.
    """

    rows: Mapping[Side, NDArray[np.int64]]
    pictures: Mapping[Side, NDArray[np.int64]]
    backend: str
    extra_hands: int
    not_wearer: int
    without_picture: int

    @property
    def count(self) -> int:
        """Number of (picture, side) slots that hold a hand."""
        return sum(len(rows) for rows in self.rows.values())


def choose_hands(path: Path, frames: FrameTable) -> HandChoice:
    """Choose one hand of the wearer per side and picture: the one of highest confidence.

    Raises:
        ArtifactDamaged: The table is unreadable or lacks columns.
    """
    table = read_table(path, IDENTITY, remedy=REMEDY)
    require_columns(table, IDENTITY, where=path.name, remedy=REMEDY)
    picture = rows_of_messages(int_column(table, "message_number"), frames)
    is_wearer = bool_column(table, "wearer")
    confidence = float_column(table, "confidence")
    has_picture = picture >= 0
    rows: dict[Side, NDArray[np.int64]] = {}
    for side in SIDES:
        is_side = pc.equal(table["side"], side).fill_null(False).to_numpy()
        mine = np.flatnonzero(has_picture & is_wearer & is_side)
        rows[side] = np.sort(_best_per_picture(mine, picture, confidence))
    backends = sorted(str(name) for name in pc.unique(table["backend"]).to_pylist())
    return HandChoice(
        rows=rows,
        pictures={side: picture[chosen] for side, chosen in rows.items()},
        backend=",".join(backends),
        extra_hands=int(np.sum(has_picture & is_wearer)) - sum(map(len, rows.values())),
        not_wearer=int(np.sum(has_picture & ~is_wearer)),
        without_picture=int(np.sum(~has_picture)),
    )


def hand_blocks(path: Path, choice: HandChoice, side: Side, F: int) -> Iterator[tuple[int, HandArrays]]:
    """Yield the chosen rows of one side laid out over blocks of pictures, and the first picture of each.

    Raises:
        ArtifactDamaged: The table is unreadable, lacks columns, or its rows are not in the order of the pictures.
    """
    for block in picture_blocks(_chosen(path, choice, side), F, where=path.name, remedy=REMEDY):
        hand = HandArrays.missing(block.count)
        for piece in block.pieces:
            _lay_out(piece.rows, piece.at, hand)
        yield block.start, hand


def _chosen(path: Path, choice: HandChoice, side: Side) -> Iterator[tuple[pa.Table, NDArray[np.int64]]]:
    rows, pictures = choice.rows[side], choice.pictures[side]
    start = 0
    for batch in hand_batches(path, VALUES):
        chosen = slice(*np.searchsorted(rows, (start, start + batch.num_rows)))
        if chosen.start < chosen.stop:
            yield batch.take(pa.array(rows[chosen] - start)), pictures[chosen]
        start += batch.num_rows


def hand_batches(path: Path, columns: list[str]) -> Iterator[pa.Table]:
    """Yield the named columns of a table of hands, at most `BATCH_ROWS` rows at a time.

    Raises:
        ArtifactDamaged: The table is unreadable or lacks columns.
    """
    try:
        with pq.ParquetFile(path, pre_buffer=False, buffer_size=READ_BYTES) as file:
            missing = sorted(set(columns) - set(file.schema_arrow.names))
            if missing:
                raise ArtifactDamaged(f"columns {missing} are missing", where=path.name, remedy=REMEDY)
            # A reader keeps what it has read until its end, so each row group gets one of its own.
            for group in range(file.num_row_groups):
                batches = file.iter_batches(
                    BATCH_ROWS, row_groups=[group], columns=columns, use_threads=False
                )
                for batch in batches:
                    yield pa.Table.from_batches([batch])
    except (OSError, pa.ArrowException) as error:
        raise ArtifactDamaged(f"the table cannot be read: {error}", where=path.name, remedy=REMEDY) from error


def _best_per_picture(
    rows: NDArray[np.int64], picture: NDArray[np.int64], confidence: NDArray[np.float32]
) -> NDArray[np.int64]:
    order = rows[np.lexsort((rows, -np.nan_to_num(confidence[rows]), picture[rows]))]
    _, first = np.unique(picture[order], return_index=True)
    return order[first]


def _lay_out(table: pa.Table, pictures: NDArray[np.int64], hand: HandArrays) -> None:
    kind = int_column(table, "kind")
    joint_valid = list_column(table, "joint_valid", (JOINTS,), fill=False).astype(np.bool_)
    in_space = joint_valid & (kind == MEASURED)[:, None]
    cam = _where(in_space, list_column(table, "joints_cam", (JOINTS, 3)))
    is_metric = np.isfinite(cam).any(axis=(1, 2))
    hand.valid[pictures] = True
    hand.space[pictures] = np.where(is_metric, SPACE_CAMERA, SPACE_IMAGE)
    hand.joints_px[pictures] = _where(joint_valid, list_column(table, "joints_px", (JOINTS, 2)))
    hand.joints_cam[pictures] = cam
    hand.joints_world[pictures] = _where(in_space, list_column(table, "joints_world", (JOINTS, 3)))
    hand.joint_valid[pictures] = joint_valid
    hand.confidence[pictures] = np.nan_to_num(float_column(table, "confidence"))
    hand.kind[pictures] = kind
    hand.track[pictures] = int_column(table, "track")
    words = {word: code for code, word in enumerate(ANCHORS)}
    hand.anchor[pictures] = [words.get(str(word), 0) for word in table["anchor"].to_pylist()]
    hand.scale[pictures] = float_column(table, "scale")
    hand.smoothed[pictures] = bool_column(table, "smoothed")
    hand.uncertainty_px[pictures] = _where(joint_valid, list_column(table, "uncertainty_px", (JOINTS,)))
    hand.uncertainty_m[pictures] = _where(in_space, list_column(table, "uncertainty_m", (JOINTS,)))


def _where(is_known: NDArray[np.bool_], values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return values (rows, 21, …) with NaN for the joints that are not known."""
    return np.where(is_known.reshape(*is_known.shape, *[1] * (values.ndim - 2)), values, np.float32(np.nan))


def list_column(
    table: pa.Table, name: str, shape: tuple[int, ...], *, fill: float | bool = float("nan")
) -> NDArray[np.float32]:
    """Return a column of equal-length lists as (rows, *shape) float32, null lists as `fill`."""
    size = int(np.prod(shape))
    result = np.full((table.num_rows, size), fill, dtype=np.float32)
    column = table[name].combine_chunks()
    present = np.flatnonzero(column.is_valid().to_numpy(zero_copy_only=False))
    values = column.drop_null().flatten().cast(pa.float32()).to_numpy(zero_copy_only=False)
    if len(values) != len(present) * size:
        raise ArtifactDamaged(
            f"lists of {size} numbers expected, found {len(values)} numbers in {len(present)} rows",
            where=f"column {name}",
            remedy=REMEDY,
        )
    result[present] = values.reshape(-1, size)
    return result.reshape(-1, *shape)


class AlsoWritten(Protocol):
    """Somebody who writes more about the hands of one side, a block at a time."""

    def write(self, start: int, hand: HandArrays) -> None:
        """Write what belongs to the pictures from `start` on; blocks come in order."""


def write_hands(
    file: AnnotationFile,
    path: Path,
    choice: HandChoice,
    frames: FrameTable,
    *,
    also: Callable[[Side], AlsoWritten] | None = None,
) -> None:
    """Write `/hand-pose`; `<side>_joints` holds metres where depth anchored the hand, else pixels with z = 0.

    The attribute `smoothing` is `track` where joints of any row were moved, see `<side>_smoothed`, else `none`.
    Memory does not grow with the number of pictures; who writes `also` is asked for once for each side.
    """
    F = len(frames)
    file.put("/hand-pose/timestamps", frames.stamp_ns / 1e9, units="s")
    is_metric = is_smoothed = False
    for side in SIDES:
        tables, more = _side_tables(file, f"/hand-pose/{side}", F), None if also is None else also(side)
        for start, hand in hand_blocks(path, choice, side, F):
            is_metric = is_metric or bool(np.any(hand.space == SPACE_CAMERA))
            is_smoothed = is_smoothed or bool(hand.smoothed.any())
            _write_block(tables, start, hand)
            if more is not None:
                more.write(start, hand)
    file.describe(
        "/hand-pose",
        {
            "coord_frame": "camera_3d" if is_metric else "image_2d",
            "joint_layout": JOINT_LAYOUT,
            "backend": choice.backend,
            "space_words": "0 none, 1 image pixels, 2 camera metres",
            "anchor_words": ",".join(ANCHORS),
            "smoothing": "track" if is_smoothed else "none",
        },
    )


_DATASETS: Mapping[str, tuple[str, str | None]] = {
    "valid": ("valid", None),
    "confidence": ("confidence", None),
    "kpts_2d_rgb": ("joints_px", "px"),
    "joints_world": ("joints_world", "m"),
    "joint_valid": ("joint_valid", None),
    "space": ("space", None),
    "kind": ("kind", None),
    "track": ("track", None),
    "anchor": ("anchor", None),
    "scale": ("scale", None),
    "smoothed": ("smoothed", None),
    "uncertainty_px": ("uncertainty_px", "px"),
    "uncertainty_m": ("uncertainty_m", "m"),
}
"""Dataset behind `/hand-pose/<side>_`, the field of `HandArrays` in it, and its unit; joints are put together."""

_PLAIN = frozenset({"valid", "confidence"})
"""Datasets that are not compressed, as in the Stera layout."""

_COUNTED = frozenset({"joints", "valid", "confidence", "kpts_2d_rgb"})
"""Datasets whose entry in the list says in how many pictures a hand is there."""


def _side_tables(file: AnnotationFile, prefix: str, F: int) -> dict[str, Rows]:
    one = HandArrays.missing(1)
    tables = {"joints": file.rows(f"{prefix}_joints", (F, JOINTS, 3), np.float32, is_packed=True)}
    for dataset, (name, units) in _DATASETS.items():
        row = getattr(one, name)
        tables[dataset] = file.rows(
            f"{prefix}_{dataset}",
            (F, *row.shape[1:]),
            row.dtype,
            units=units,
            is_packed=dataset not in _PLAIN,
        )
    return tables


def _write_block(tables: Mapping[str, Rows], start: int, hand: HandArrays) -> None:
    joints = hand.joints_cam.copy()
    is_image = hand.space == SPACE_IMAGE
    joints[is_image, :, :2] = hand.joints_px[is_image]
    joints[is_image, :, 2] = np.where(np.isnan(hand.joints_px[is_image, :, 0]), np.nan, 0.0)
    blocks = {"joints": joints, **{name: getattr(hand, field) for name, (field, _) in _DATASETS.items()}}
    found = int(hand.valid.sum())
    for name, block in blocks.items():
        tables[name].write(start, block, found=found if name in _COUNTED else None)
