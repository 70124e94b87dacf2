"""A detector at one scale: from a picture in planes to boxes in the picture's own pixels.

The scale follows from the smallest face that has to be found, never from a fixed width. Detectors themselves belong
to `detectors`, and what a union of them is to `union`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from episode_assets.anonymization.boxes import Boxes, no_boxes
from episode_assets.anonymization.detectors import RGB, FaceDetector, Label
from episode_assets.anonymization.union import DetectorUnion, joined_boxes, members_of
from episode_assets.video import Picture, picture_to_rgb


class FaceSearch:
    """Searches pictures of one size at one scale.

    Args:
        detector: Who looks; of a union all members.
        width, height: True size of the pictures.
        min_face_px: Smallest face to be found, in source pixels.
        longest_px: Longest side that a detector is given.
        score_threshold: Boxes below this are no finds. The detector itself reports from a lower score on.

    Attributes:
        input_size: (width, height) of what the detector sees; of a union the largest.
        reached_face_px: Smallest face that can be found at that size; above `min_face_px` where `longest_px` limits.
            What counts for a union is the member with the sharpest eye.
    """

    def __init__(
        self,
        detector: FaceDetector | DetectorUnion,
        *,
        width: int,
        height: int,
        min_face_px: float,
        longest_px: int,
        score_threshold: float,
    ) -> None:
        self._score_threshold = score_threshold
        self._views = tuple(
            _view_of(member, width, height, min_face_px=min_face_px, longest_px=longest_px)
            for member in members_of(detector)
        )
        self.input_size = max(view.input_size for view in self._views)
        faces = [view.reached_face_px for view in self._views if view.detector.label is Label.FACE]
        self.reached_face_px = min(faces or [view.reached_face_px for view in self._views])

    def __call__(self, picture: Picture) -> Boxes:
        """Return the faces of one picture in its own pixels, and the plates where a member finds them."""
        (found,) = self.found([picture], score_threshold=self._score_threshold)
        return _together(found)

    def traces(self, picture: Picture) -> Boxes:
        """Return all that the detector reports of one picture, scores below the threshold included."""
        (found,) = self.found([picture], score_threshold=0.0)
        return _together(found)

    def found(self, pictures: Sequence[Picture], *, score_threshold: float) -> list[dict[Label, Boxes]]:
        """Return for each picture what was found from a score on, by what it is, in the picture's own pixels."""
        seen = [view.look(pictures) for view in self._views]
        return [
            self._by_label([boxes[index] for boxes in seen], score_threshold)
            for index in range(len(pictures))
        ]

    def _by_label(self, seen: Sequence[Boxes], score_threshold: float) -> dict[Label, Boxes]:
        kept = [boxes[boxes[:, 4] >= score_threshold] for boxes in seen]
        labels = [view.detector.label for view in self._views]
        return {
            label: joined_boxes([boxes for boxes, of in zip(kept, labels, strict=True) if of is label])
            for label in dict.fromkeys(labels)
        }


@dataclass(frozen=True)
class _View:
    """How one detector sees pictures of one size."""

    detector: FaceDetector
    input_size: tuple[int, int]
    reached_face_px: float
    to_source: NDArray[np.float32]

    def look(self, pictures: Sequence[Picture]) -> list[Boxes]:
        scaled: list[RGB] = [picture_to_rgb(picture, size=self.input_size) for picture in pictures]
        return [boxes * self.to_source for boxes in self.detector.detect(scaled)]


def _view_of(
    detector: FaceDetector, width: int, height: int, *, min_face_px: float, longest_px: int
) -> _View:
    wanted = max(detector.input_size(width, height, min_face_px=min_face_px))
    reached_face_px = min_face_px * max(1.0, wanted / longest_px)
    input_size = detector.input_size(width, height, min_face_px=reached_face_px)
    factors = (width / input_size[0], height / input_size[1])
    return _View(detector, input_size, reached_face_px, np.array([*factors, *factors, 1.0], np.float32))


def _together(found: dict[Label, Boxes]) -> Boxes:
    return np.concatenate([no_boxes(), *found.values()])
