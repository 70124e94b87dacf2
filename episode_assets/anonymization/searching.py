"""A detector at one scale: from a picture in planes to boxes in the picture's own pixels.

The scale follows from the smallest face that has to be found, never from a fixed width, and detectors see pictures that
stand upright. Detectors themselves belong to `detectors`, what a union of them is to `union`, cutting large pictures to
`tiles`, and turning them to `turning`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from episode_assets.anonymization.boxes import SAME_OVERLAP, Boxes, keep_best
from episode_assets.anonymization.detectors import RGB, FaceDetector, Found, Label
from episode_assets.anonymization.tiles import Level, one_of_each, plan_levels
from episode_assets.anonymization.turning import UPRIGHT, Turn, Turning, plan_turning
from episode_assets.anonymization.union import DetectorUnion, joined_boxes, members_of
from episode_assets.video import Picture, picture_to_rgb

_SURELY_SEEN = 1.5
"""A face this many times the smallest one that a scale serves is seen at that scale."""


class FaceSearch:
    """Searches pictures of one size at one scale.

    Args:
        detector: Who looks; of a union all members.
        width, height: True size of the pictures.
        min_face_px: Smallest face to be found, in source pixels.
        tile_px: Longest side that a detector is given at once; a larger picture is cut into tiles.
        score_threshold: Boxes below this are no finds. The detector itself reports from a lower score on.

    Attributes:
        reached_face_px: Smallest face that every member can find.
        input_size: (width, height) of an upright picture as detectors see it, tiles taken together; of a union the
            largest.
        looks: How often a detector is asked for one picture in one turn.
        levels_face_px: The smallest face of each scale that is looked at, the smallest first.
    """

    def __init__(
        self,
        detector: FaceDetector | DetectorUnion,
        *,
        width: int,
        height: int,
        min_face_px: float,
        tile_px: int,
        score_threshold: float,
    ) -> None:
        self._score_threshold = score_threshold
        self._eyes = tuple(
            _Eye(member, width, height, min_face_px, tile_px) for member in members_of(detector)
        )
        self.reached_face_px = min_face_px
        levels = [level for eye in self._eyes for level, _ in eye.plan(UPRIGHT[0])]
        self.input_size = max(level.size for level in levels)
        self.looks = sum(len(level.corners) for level in levels)
        self.levels_face_px = tuple(sorted({level.face_px for level in levels}))

    def __call__(self, picture: Picture, turns: Sequence[Turn] = UPRIGHT) -> Boxes:
        """Return the faces of one picture in its own pixels, and the plates where a member finds them.

        Args:
            picture: The picture, as it was recorded.
            turns: How it is turned; it is searched in each of these turns.
        """
        return self.labelled(picture, turns).boxes

    def labelled(self, picture: Picture, turns: Sequence[Turn] = UPRIGHT) -> Found:
        """Return the same, and what each box shows."""
        (found,) = self.found([picture], turns, score_threshold=self._score_threshold)
        return _together(found)

    def surely_sees(self, boxes: Boxes) -> NDArray[np.bool_]:
        """Return which of the boxes are so large that a face of their size is found at this scale."""
        return np.asarray(boxes[:, 3] - boxes[:, 1] >= _SURELY_SEEN * self.reached_face_px)

    def traces(self, picture: Picture, turns: Sequence[Turn] = UPRIGHT) -> Boxes:
        """Return all that the detector reports of one picture, scores below the threshold included."""
        (found,) = self.found([picture], turns, score_threshold=0.0)
        return _together(found).boxes

    def found(
        self, pictures: Sequence[Picture], turns: Sequence[Turn] = UPRIGHT, *, score_threshold: float
    ) -> list[dict[Label, Boxes]]:
        """Return for each picture what was found from a score on, by what it is, in the picture's own pixels."""
        return [self._found(picture, turns, score_threshold) for picture in pictures]

    def _found(self, picture: Picture, turns: Sequence[Turn], score_threshold: float) -> dict[Label, Boxes]:
        source = _Scaled(picture)
        seen: dict[Label, list[Boxes]] = {eye.detector.label: [] for eye in self._eyes}
        for eye in self._eyes:
            found = [eye.look(source, turn, score_threshold) for turn in turns]
            seen[eye.detector.label].append(_best_of_turns(found))
        return {label: joined_boxes(boxes) for label, boxes in seen.items()}


def _best_of_turns(found: Sequence[Boxes]) -> Boxes:
    """Return what one detector saw in several turns; a face that it saw in more than one as where it was surest.

    Boxes of faces that lie on their side are poor, and their hull with the right one is needlessly large.
    """
    return found[0] if len(found) == 1 else keep_best(np.concatenate(found), max_overlap=SAME_OVERLAP)


class _Scaled:
    """A picture at the sizes that are asked for, each converted once."""

    def __init__(self, picture: Picture) -> None:
        self._picture = picture
        self._sizes: dict[tuple[int, int], RGB] = {}

    def __call__(self, size: tuple[int, int]) -> RGB:
        if size not in self._sizes:
            self._sizes[size] = picture_to_rgb(self._picture, size=size)
        return self._sizes[size]


@dataclass(frozen=True)
class _Eye:
    """How one detector sees pictures of one size."""

    detector: FaceDetector
    width: int
    height: int
    min_face_px: float
    tile_px: int

    def look(self, source: _Scaled, turn: Turn, score_threshold: float) -> Boxes:
        """Return what one turn of a picture shows, in source pixels."""
        found = []
        for level, turning in reversed(self.plan(turn)):
            picture = turning.turned(source(turning.scaled))
            for boxes, is_cut in level.placed(self.detector.detect(level.cut(picture))):
                is_kept = boxes[:, 4] >= score_threshold
                found.append((turning.to_upright(boxes[is_kept]), is_cut[is_kept]))
        return turning.to_source(one_of_each(found))

    def plan(self, turn: Turn) -> list[tuple[Level, Turning]]:
        """Return the levels of pictures in a turn, the finest first, each with what brings a picture there."""
        levels = plan_levels(
            lambda face_px: self._turning(turn, face_px).canvas,
            face_px=self.min_face_px,
            height=self._turning(turn, self.min_face_px).upright[1],
            tile_px=self.tile_px,
        )
        return [(level, self._turning(turn, level.face_px)) for level in levels]

    def _turning(self, turn: Turn, face_px: float) -> Turning:
        return plan_turning(
            turn, self.width, self.height, partial(self.detector.input_size, min_face_px=face_px)
        )


def _together(found: dict[Label, Boxes]) -> Found:
    return Found.joined(Found.of(boxes, label) for label, boxes in found.items())
