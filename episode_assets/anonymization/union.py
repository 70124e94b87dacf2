"""Several detectors that look at the same pictures, and what becomes of boxes that more than one of them reports.

Nothing that any member reports is lost: boxes of one face are joined to their hull, never chosen between.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from episode_assets.anonymization.boxes import SAME_OVERLAP, Boxes, no_boxes, overlap_ratios
from episode_assets.anonymization.detectors import FaceDetector
from episode_assets.outcome import ModelUse


@dataclass(frozen=True)
class DetectorUnion:
    """Detectors that are all asked; each sees the picture at the size that it wants."""

    members: tuple[FaceDetector, ...]

    @property
    def models(self) -> tuple[ModelUse, ...]:
        """The weight files of all members, each once."""
        return tuple(dict.fromkeys(use for member in self.members for use in member.models))


def members_of(detector: FaceDetector | DetectorUnion) -> tuple[FaceDetector, ...]:
    """Return the members of a union, or the one detector."""
    return detector.members if isinstance(detector, DetectorUnion) else (detector,)


def joined_boxes(found: Sequence[Boxes]) -> Boxes:
    """Join what several detectors found of one kind, in pixels of one picture.

    A box that overlaps the best box of another detector (intersection over union at least `SAME_OVERLAP`) is taken for
    the same thing; both give way to their hull with the better score. The boxes of one detector are left alone.

    Args:
        found: For each detector, (N, 5) boxes.

    Returns:
        Boxes that cover every box given, those of the first detector first.
    """
    result = found[0] if found else no_boxes()
    for boxes in found[1:]:
        result = _joined(result, boxes)
    return result


def add_to_hull(boxes: Boxes, index: int, box: NDArray[np.float32]) -> None:
    """Widen one of the boxes in place so that it covers another one too; the better score stays."""
    boxes[index, :2] = np.minimum(boxes[index, :2], box[:2])
    boxes[index, 2:] = np.maximum(boxes[index, 2:], box[2:])


def _joined(known: Boxes, boxes: Boxes) -> Boxes:
    overlaps = overlap_ratios(boxes, known)
    result, alone = known.copy(), []
    for box, shared in zip(boxes, overlaps, strict=True):
        if shared.max(initial=0.0) < SAME_OVERLAP:
            alone.append(box)
            continue
        add_to_hull(result, int(np.argmax(shared)), box)
    return np.concatenate([result, np.array(alone, np.float32).reshape(-1, 5)])
