"""A detector at one scale: from a picture in planes to boxes in the picture's own pixels.

The scale follows from the smallest face that has to be found, never from a fixed width. Detectors themselves belong
to `detectors`.
"""

from __future__ import annotations

import numpy as np

from episode_assets.anonymization.boxes import Boxes
from episode_assets.anonymization.detectors import FaceDetector
from episode_assets.video import Picture, picture_to_rgb


class FaceSearch:
    """Searches pictures of one size at one scale.

    Args:
        detector: Who looks.
        width, height: True size of the pictures.
        min_face_px: Smallest face to be found, in source pixels.
        longest_px: Longest side that the detector is given.
        score_threshold: Boxes below this are no finds. The detector itself reports from a lower score on.

    Attributes:
        input_size: (width, height) of what the detector sees.
        reached_face_px: Smallest face that can be found at that size; above `min_face_px` where `longest_px` limits.
    """

    def __init__(
        self,
        detector: FaceDetector,
        *,
        width: int,
        height: int,
        min_face_px: float,
        longest_px: int,
        score_threshold: float,
    ) -> None:
        self._detector = detector
        self._score_threshold = score_threshold
        wanted = max(detector.input_size(width, height, min_face_px=min_face_px))
        self.reached_face_px = min_face_px * max(1.0, wanted / longest_px)
        self.input_size = detector.input_size(width, height, min_face_px=self.reached_face_px)
        factors = (width / self.input_size[0], height / self.input_size[1])
        self._to_source = np.array([*factors, *factors, 1.0], np.float32)

    def __call__(self, picture: Picture) -> Boxes:
        """Return the faces of one picture in its own pixels."""
        boxes = self.traces(picture)
        return boxes[boxes[:, 4] >= self._score_threshold]

    def traces(self, picture: Picture) -> Boxes:
        """Return all that the detector reports of one picture, scores below the threshold included."""
        rgb = picture_to_rgb(picture, size=self.input_size)
        (boxes,) = self._detector.detect([rgb])
        return boxes * self._to_source
