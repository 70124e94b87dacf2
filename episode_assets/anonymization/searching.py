"""A detector at one scale: from a picture in planes to boxes in the picture's own pixels.

The scale follows from the smallest face that has to be found, never from a fixed width, and detectors see pictures that
stand upright. Detectors themselves belong to `detectors`, what a union of them is to `union`, cutting large pictures to
`tiles`, and turning them to `turning`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from episode_assets.anonymization.boxes import SAME_OVERLAP, Boxes, keep_best, no_boxes
from episode_assets.anonymization.detectors import RGB, FaceDetector, Found, Label
from episode_assets.anonymization.tiles import Level, one_of_each, plan_levels
from episode_assets.anonymization.turning import UPRIGHT, Turn, Turning, plan_turning
from episode_assets.anonymization.union import DetectorUnion, joined_boxes, members_of
from episode_assets.video import Picture, picture_to_rgb

_SURELY_SEEN = 1.5
"""A face this many times the smallest one that a scale serves is seen at that scale."""


TRACE_RATIO = 0.5
"""Share of the score threshold from which on a box counts as a trace of a face."""


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

    def with_marks(self, picture: Picture, turns: Sequence[Turn] = UPRIGHT) -> tuple[Found, Boxes]:
        """Return the same, and the boxes of faces that the detector reports below the threshold."""
        looks = self._looks(picture, turns)
        marks = _by_label(looks, 0.0, self._score_threshold)
        finds = _by_label(looks, self._score_threshold, np.inf)
        return _together(finds), marks.get(Label.FACE, no_boxes())

    def surely_sees(self, boxes: Boxes) -> NDArray[np.bool_]:
        """Return which of the boxes are so large that a face of their size is found at this scale."""
        return np.asarray(boxes[:, 3] - boxes[:, 1] >= _SURELY_SEEN * self.reached_face_px)

    def traces(self, picture: Picture, turns: Sequence[Turn] = UPRIGHT) -> Boxes:
        """Return the faces of one picture down to `TRACE_RATIO` of the threshold."""
        (found,) = self.found([picture], turns, score_threshold=self._score_threshold * TRACE_RATIO)
        return _together(found).boxes

    def found(
        self, pictures: Sequence[Picture], turns: Sequence[Turn] = UPRIGHT, *, score_threshold: float
    ) -> list[dict[Label, Boxes]]:
        """Return for each picture what was found from a score on, by what it is, in the picture's own pixels."""
        return [_by_label(self._looks(picture, turns), score_threshold, np.inf) for picture in pictures]

    def _looks(self, picture: Picture, turns: Sequence[Turn]) -> list[tuple[Label, list[_Look]]]:
        source = _Scaled(picture)
        return [(eye.detector.label, [eye.look(source, turn) for turn in turns]) for eye in self._eyes]


def _by_label(looks: Sequence[tuple[Label, list[_Look]]], low: float, high: float) -> dict[Label, Boxes]:
    """Return what the members of a search saw, joined, of scores in the half-open range."""
    seen: dict[Label, list[Boxes]] = {label: [] for label, _ in looks}
    for label, of_turns in looks:
        seen[label].append(_best_of_turns([look.boxes(low, high) for look in of_turns]))
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


class _Look(NamedTuple):
    """What one detector saw in one turn of a picture.

    Attributes:
        turning: What brings upright pixels back to the source.
        tiles: For each tile its boxes in upright pixels, and which of them the tile's border cuts.
    """

    turning: Turning
    tiles: list[tuple[Boxes, NDArray[np.bool_]]]

    def boxes(self, low: float, high: float) -> Boxes:
        """Return the boxes with a score in `[low, high)`, each face once, in source pixels."""
        kept = [
            (boxes[is_kept], is_cut[is_kept])
            for boxes, is_cut in self.tiles
            for is_kept in [(boxes[:, 4] >= low) & (boxes[:, 4] < high)]
        ]
        return self.turning.to_source(one_of_each(kept))


@dataclass(frozen=True)
class _Eye:
    """How one detector sees pictures of one size."""

    detector: FaceDetector
    width: int
    height: int
    min_face_px: float
    tile_px: int

    def look(self, source: _Scaled, turn: Turn) -> _Look:
        """Look at one turn of a picture."""
        found = []
        for level, turning in reversed(self.plan(turn)):
            picture = turning.turned(source(turning.scaled))
            for boxes, is_cut in level.placed(self.detector.detect(level.cut(picture))):
                found.append((turning.to_upright(boxes), is_cut))
        return _Look(turning, found)

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
