"""Boxes over time as columns: what detectors found in single pictures, and the tracks that were made of it.

How detections become tracks is in `track_building`; pixels belong to `blur`, and how far a box is widened to
`redaction`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from episode_assets.anonymization.boxes import Boxes
from episode_assets.anonymization.detectors import Found

NO_LABEL = 255
"""The code of a box of which nobody said what it shows."""


class Source(IntEnum):
    """Where a box comes from; the names are those of `faces.parquet`, in lower case."""

    DETECTED = 0
    AUDIT = 1
    INTERPOLATED = 2
    HELD = 3
    REDACTION = 4


@dataclass(frozen=True)
class Detections:
    """Faces found in the frames of a run, as flat columns ordered by frame.

    Attributes:
        frame: (D,) int64 position of the frame in the run.
        box: (D, 4) float32 x0, y0, x1, y1 in source pixels.
        score: (D,) float32.
        source: (D,) uint8, a `Source`.
        label: (D,) uint8, what it shows, a position in `LABELS`.
    """

    frame: NDArray[np.int64]
    box: NDArray[np.float32]
    score: NDArray[np.float32]
    source: NDArray[np.uint8]
    label: NDArray[np.uint8]

    @classmethod
    def of(
        cls,
        boxes: Sequence[Boxes],
        *,
        source: Source = Source.DETECTED,
        label: NDArray[np.uint8] | None = None,
    ) -> Detections:
        """Return the columns for one array of boxes for each frame of the run.

        Args:
            boxes: (N, 5) for each frame.
            source: Where they come from.
            label: What they show, for all boxes of all frames; None for faces.
        """
        counts = [len(entry) for entry in boxes]
        stacked = np.concatenate([np.zeros((0, 5), np.float32), *boxes]).astype(np.float32)
        return cls(
            frame=np.repeat(np.arange(len(boxes), dtype=np.int64), counts),
            box=stacked[:, :4],
            score=stacked[:, 4],
            source=np.full(len(stacked), source, np.uint8),
            label=Found.of(stacked).label if label is None else label,
        )

    def __len__(self) -> int:
        return len(self.frame)

    def joined_with(self, other: Detections) -> Detections:
        """Return both, ordered by frame; within a frame those of `self` come first."""
        frame = np.concatenate([self.frame, other.frame])
        order = np.argsort(frame, kind="stable")
        return Detections(
            frame=frame[order],
            box=np.concatenate([self.box, other.box])[order],
            score=np.concatenate([self.score, other.score])[order],
            source=np.concatenate([self.source, other.source])[order],
            label=np.concatenate([self.label, other.label])[order],
        )


@dataclass(frozen=True)
class TrackBoxes:
    """Every box of every frame, found or derived, as flat columns ordered by frame, then track.

    Attributes:
        frame: (B,) int64 position of the frame in the run.
        box: (B, 4) float32 in source pixels, where the face is or most likely is; may reach beyond the picture.
        hull: (B, 4) float32 around every place where it may be, the box among them.
        side: (B, 2) float32, width and height of the largest box in that hull; what is added around goes by it.
        score: (B,) float32; NaN where nothing was detected.
        source: (B,) uint8, a `Source`.
        label: (B,) uint8, what it shows, a position in `LABELS`; `NO_LABEL` for what a person drew.
        track: (B,) int64; numbered by first detection.
    """

    frame: NDArray[np.int64]
    box: NDArray[np.float32]
    hull: NDArray[np.float32]
    side: NDArray[np.float32]
    score: NDArray[np.float32]
    source: NDArray[np.uint8]
    label: NDArray[np.uint8]
    track: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.frame)
