"""A closer look at places that are too faint for a find: the same detector, on a small crop at a finer scale.

Searching whole pictures finely costs most where there is nothing to see. Faces at the limit of a coarse search leave a
faint mark there nearly always, and little else does, so looking closely at the marks costs next to nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from episode_assets.anonymization.boxes import SAME_OVERLAP, Boxes, keep_best, no_boxes, overlap_ratios
from episode_assets.anonymization.detectors import FaceDetector
from episode_assets.anonymization.searching import FaceSearch
from episode_assets.anonymization.turning import Turn
from episode_assets.anonymization.union import DetectorUnion
from episode_assets.video import Picture

FAINT_SCORE = 0.02
"""What a detector must report of a place so that it is looked at closely. Of pasted faces of 24 to 36 px that a
search down to 24 px missed, 57 of 62 left more than this there; pictures without a face have some two such places."""

CERTAINTY = 0.8
"""Share of the certain score from which on a closer look counts: so many places are looked at, and so finely, that
textures reach 0.32; faces of 25 and 40 px reached 0.70 and 0.73."""

_FINER = 2.0
_SIDE_FACES = 4.0
"""Side of a crop, in faces of the size that the coarse search reaches."""
_LARGEST_FACES = 2.0
"""Marks of this many times that size need no closer look; they would not fit into the crop either."""
_MOST_MARKS = 16
_WHOLE_PX = 8192


class CloserLook:
    """Looks closely at faint marks.

    Args:
        detector: Who looks, the same that left the marks.
        size: True (width, height) of the pictures.
        reached_face_px: The smallest face of the search that left the marks.
        score_threshold: Boxes from this on are finds.
    """

    def __init__(
        self,
        detector: FaceDetector | DetectorUnion,
        size: tuple[int, int],
        *,
        reached_face_px: float,
        score_threshold: float,
    ) -> None:
        # Rounded down: scaled up this is 128 pixels for CenterFace, and one more would make it 160, half as dear again.
        side = 2 * int(_SIDE_FACES * reached_face_px / 2)
        self._largest_px = _LARGEST_FACES * reached_face_px
        self._size = tuple(min(side, length + length % 2) for length in size)
        self._search = FaceSearch(
            detector,
            width=self._size[0],
            height=self._size[1],
            min_face_px=reached_face_px / _FINER,
            tile_px=_WHOLE_PX,
            score_threshold=score_threshold,
        )

    def __call__(self, picture: Picture, marks: Boxes, turns: Sequence[Turn]) -> Boxes:
        """Return the faces at the strongest of the marks.

        Args:
            picture: The picture that was searched.
            marks: What the search reported below its threshold.
            turns: How the picture is turned.
        """
        small = marks[self.fits(marks)]
        strongest = small[np.argsort(-small[:, 4], kind="stable")[:_MOST_MARKS]]
        found = [no_boxes(), *(self._at(picture, mark, turns) for mark in strongest)]
        return keep_best(np.concatenate(found), max_overlap=SAME_OVERLAP)

    def fits(self, boxes: Boxes) -> NDArray[np.bool_]:
        """Return which boxes are small enough for a closer look."""
        return np.asarray((boxes[:, 2:4] - boxes[:, :2]).max(axis=1, initial=0.0) <= self._largest_px)

    def leave_traces(self, picture: Picture, boxes: Boxes, turns: Sequence[Turn]) -> NDArray[np.bool_]:
        """Return which boxes, each in the middle of its crop, leave a trace of a face.

        Of 30 pasted faces of 23 to 48 px that were weak finds of the coarse search, all scored 0.59 or more here; a
        trace is 0.2.
        """
        return np.array([self._leaves_trace(picture, box, turns) for box in boxes], np.bool_)

    def _leaves_trace(self, picture: Picture, box: NDArray[np.float32], turns: Sequence[Turn]) -> bool:
        crop, corner = self._crop(picture, box)
        traces = self._search.traces(crop, turns) + corner
        return bool((overlap_ratios(box[None], traces) >= SAME_OVERLAP).any())

    def _at(self, picture: Picture, mark: NDArray[np.float32], turns: Sequence[Turn]) -> Boxes:
        crop, corner = self._crop(picture, mark)
        return self._search(crop, turns) + corner

    def _crop(self, picture: Picture, mark: NDArray[np.float32]) -> tuple[Picture, NDArray[np.float32]]:
        (width, height), centre = self._size, (mark[:2] + mark[2:4]) / 2
        left = int(np.clip(centre[0] - width / 2, 0, picture.width - width)) // 2 * 2
        top = int(np.clip(centre[1] - height / 2, 0, picture.height - height)) // 2 * 2
        ys, xs = slice(top, top + height), slice(left, left + width)
        half_ys, half_xs = slice(top // 2, (top + height) // 2), slice(left // 2, (left + width) // 2)
        crop = Picture(
            picture.y[ys, xs], picture.u[half_ys, half_xs], picture.v[half_ys, half_xs], width, height
        )
        return crop, np.array([left, top, left, top, 0], np.float32)
