"""What audits found outside the blur, as boxes at positions in the stream; they become detections of the next round."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from episode_assets.anonymization.boxes import Boxes, no_boxes
from episode_assets.anonymization.tracks import Detections, Source


@dataclass(frozen=True)
class Finds:
    """What audits found outside the blur.

    Attributes:
        position: (N,) positions in the stream.
        boxes: (N, 5) boxes.
        label: (N,) uint8, what they show, positions in `LABELS`.
    """

    position: NDArray[np.int64]
    boxes: Boxes
    label: NDArray[np.uint8]

    @classmethod
    def none(cls) -> Finds:
        """Return no finds."""
        return cls(np.zeros(0, np.int64), no_boxes(), np.zeros(0, np.uint8))

    @classmethod
    def joined(cls, parts: Sequence[Finds]) -> Finds:
        """Return the finds of several sources, ordered by position, then box."""
        everything = [cls.none(), *parts]
        position = np.concatenate([part.position for part in everything])
        boxes = np.concatenate([part.boxes for part in everything])
        label = np.concatenate([part.label for part in everything])
        order = np.lexsort((label, *boxes.T[::-1], position))
        return cls(position[order], boxes[order], label[order])

    def __len__(self) -> int:
        return len(self.position)

    def as_detections(self) -> Detections:
        """Return the finds as faces; `frame` is the position in the stream."""
        return Detections(
            frame=self.position,
            box=self.boxes[:, :4],
            score=self.boxes[:, 4],
            source=np.full(len(self), Source.AUDIT, np.uint8),
            label=self.label,
        )
