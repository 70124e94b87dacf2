"""`/upper-body`: the wearer's body over the pictures, guessed from the camera and the wrists where that was asked for.

Guessing it belongs to the room of hands; here its table is laid out, with what is measured in it told apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from episode_assets.bundle.annotation import AnnotationFile
from episode_assets.bundle.hands import hand_batches, list_column
from episode_assets.footage import FrameTable, bool_column, int_column, rows_of_messages

GROUP = "upper-body"
BODY_JOINTS = 10
UNKNOWN = 0
"""Value of `joint_source` for joints that have no place."""

_COLUMNS = ["message_number", "joints_world", "joint_source", "heading_held"]
_TOLD = ("joint_names", "edges", "frame", "source")


@dataclass(frozen=True)
class UpperBody:
    """The wearer's upper body over the F pictures of a bundle; an estimate but for what `joint_source` calls measured.

    Attributes:
        valid: (F,) bool, any joint has a place.
        joints_world: (F, 10, 3) float32 metres in the frame of the camera poses, NaN where unknown.
        joint_source: (F, 10) uint8, 0 unknown, 1 measured, 2 estimated.
        heading_held: (F,) bool, the camera looks straight up or down and the body keeps the heading of a frame near by.
    """

    valid: NDArray[np.bool_]
    joints_world: NDArray[np.float32]
    joint_source: NDArray[np.uint8]
    heading_held: NDArray[np.bool_]

    @classmethod
    def missing(cls, F: int) -> UpperBody:
        """Return arrays in which nothing is known."""
        return cls(
            valid=np.zeros(F, np.bool_),
            joints_world=np.full((F, BODY_JOINTS, 3), np.nan, np.float32),
            joint_source=np.full((F, BODY_JOINTS), UNKNOWN, np.uint8),
            heading_held=np.zeros(F, np.bool_),
        )


def read_upper_body(path: Path, frames: FrameTable) -> UpperBody:
    """Lay the rows of `upper_body.parquet` out over the pictures of the bundle, by message number.

    Raises:
        ArtifactDamaged: The table is unreadable or lacks columns.
    """
    body = UpperBody.missing(len(frames))
    for batch in hand_batches(path, _COLUMNS):
        frame = rows_of_messages(int_column(batch, "message_number"), frames)
        rows = np.flatnonzero(frame >= 0)
        pictures = frame[rows]
        source = list_column(batch, "joint_source", (BODY_JOINTS,), fill=UNKNOWN)[rows].astype(np.uint8)
        joints = list_column(batch, "joints_world", (BODY_JOINTS, 3))[rows]
        body.joint_source[pictures] = source
        body.joints_world[pictures] = np.where(source[:, :, None] == UNKNOWN, np.float32(np.nan), joints)
        body.heading_held[pictures] = bool_column(batch, "heading_held")[rows]
        body.valid[pictures] = (source != UNKNOWN).any(axis=1)
    return body


def write_upper_body(file: AnnotationFile, body: UpperBody, frames: FrameTable, told: dict[str, str]) -> None:
    """Write the group; `told` are its attributes."""
    found = int(body.valid.sum())
    file.put(f"/{GROUP}/timestamps", frames.stamp_ns / 1e9, units="s")
    file.put(f"/{GROUP}/valid", body.valid, valid_count=found)
    file.put(f"/{GROUP}/joints_world", body.joints_world, units="m", valid_count=found, is_packed=True)
    file.put(f"/{GROUP}/joint_source", body.joint_source, is_packed=True)
    file.put(f"/{GROUP}/heading_held", body.heading_held, is_packed=True)
    file.describe(f"/{GROUP}", {**told, "joint_source_words": "0 unknown, 1 measured, 2 estimated"})


def attributes_of(path: Path) -> dict[str, str]:
    """Return what the table says of itself: names and edges of its joints, frame, and where it comes from."""
    metadata = pq.read_schema(path).metadata or {}
    return {name: metadata[name.encode()].decode() for name in _TOLD if name.encode() in metadata}
