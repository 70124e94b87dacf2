"""The blurred rectangles of every picture, as the table beside the blurred video tells them.

Finding faces and blurring them belongs to `anonymization`.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from episode_assets.errors import ArtifactDamaged
from episode_assets.footage.frames import REMEDY, FrameTable, int_column, read_table, require_columns

BOX_SOURCES = ("detected", "interpolated", "held", "audit", "redaction")
"""Words behind the codes of `FaceBoxes.source`, by position; 255 stands for a word not in this list."""

BOX_LABELS = ("face", "plate")
"""Words behind the codes of `FaceBoxes.label`, by position; 255 where nobody says what a box shows."""

UNTOLD = 255
"""Code of a word that is in no list, or missing."""

RECTANGLE = ("redact_x0", "redact_y0", "redact_x1", "redact_y1")


@dataclass(frozen=True)
class FaceBoxes:
    """All blurred rectangles of a recording, sorted by frame.

    Attributes:
        frame_index: (B,) int64, row of the picture table, not decreasing.
        rectangle_px: (B, 4) int32 x0, y0, x1, y1 of the blurred area, half-open, picture pixels.
        score: (B,) float32 score of the detector, NaN where none was given.
        track: (B,) int64 name of the track, -1 where there is none.
        source: (B,) uint8, position in `BOX_SOURCES`, 255 for another word.
        label: (B,) uint8, position in `BOX_LABELS`, 255 for another word and where nobody says.
    """

    frame_index: NDArray[np.int64]
    rectangle_px: NDArray[np.int32]
    score: NDArray[np.float32]
    track: NDArray[np.int64]
    source: NDArray[np.uint8]
    label: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.frame_index)

    def drawn(self) -> FaceBoxes:
        """Return those that a person drew."""
        is_drawn = self.source == BOX_SOURCES.index("redaction")
        return FaceBoxes(**{item.name: getattr(self, item.name)[is_drawn] for item in fields(self)})

    def of_frames(self, frames: Sequence[int]) -> NDArray[np.int32]:
        """Return the rectangles of the given pictures, (n, 4) int32."""
        parts = [
            self.rectangle_px[bisect_left(self.frame_index, i) : bisect_right(self.frame_index, i)]
            for i in frames
        ]
        return np.concatenate(parts) if len(parts) != 1 else parts[0]


def read_face_boxes(path: Path, frames: FrameTable) -> FaceBoxes:
    """Read `faces.parquet`; rows are matched to the pictures by their message number.

    Raises:
        ArtifactDamaged: The table is unreadable, lacks columns, or speaks of a picture that is not in the video.
    """
    names = ["message_number", *RECTANGLE, "score", "track", "source", "label"]
    table = read_table(path, names, remedy=REMEDY)
    require_columns(table, names, where=path.name, remedy=REMEDY)
    index = rows_of_messages(int_column(table, "message_number"), frames)
    if np.any(index < 0):
        raise ArtifactDamaged(
            f"{int(np.sum(index < 0))} boxes belong to no picture of the video",
            where=path.name,
            remedy=REMEDY,
        )
    order = np.argsort(index, kind="stable")
    corners = np.stack([int_column(table, name) for name in RECTANGLE], axis=1).reshape(-1, 4)
    score = np.asarray(table["score"].to_numpy(), dtype=np.float32)
    return FaceBoxes(
        frame_index=index[order],
        rectangle_px=corners[order].astype(np.int32),
        score=score[order],
        track=int_column(table, "track")[order],
        source=_codes(table, "source", BOX_SOURCES)[order],
        label=_codes(table, "label", BOX_LABELS)[order],
    )


def _codes(table: pa.Table, name: str, words: Sequence[str]) -> NDArray[np.uint8]:
    codes = {word: code for code, word in enumerate(words)}
    return np.array([codes.get(word, UNTOLD) for word in table[name].to_pylist()], dtype=np.uint8)


def rows_of_messages(message_number: NDArray[np.int64], frames: FrameTable) -> NDArray[np.int64]:
    """Return the row of the picture table for each message number, -1 where the bundle has no such picture."""
    order = np.argsort(frames.message_number)
    known = frames.message_number[order]
    place = np.minimum(np.searchsorted(known, message_number), len(known) - 1)
    return np.where(known[place] == message_number, order[place], -1).astype(np.int64)
