"""What a run searches with: each search at its scale, and how it answered the known-answer test.

Whoever searches, inside the computation or afterwards, gets its searches here, so that both see the same. What is
done with the boxes belongs to `looking` (before the blur) and `groups` (after it).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from episode_assets.anonymization.backends import make_detector
from episode_assets.anonymization.closer import CERTAINTY, FAINT_SCORE, CloserLook
from episode_assets.anonymization.config import FaceBlurConfig
from episode_assets.anonymization.detectors import FaceDetector
from episode_assets.anonymization.groups import Auditor
from episode_assets.anonymization.known_answer import KnownAnswer, ask, worst_of
from episode_assets.anonymization.searching import FaceSearch
from episode_assets.anonymization.turning import Turn
from episode_assets.anonymization.union import DetectorUnion
from episode_assets.outcome import ModelUse


@dataclass(frozen=True)
class SearchUse:
    """One search as it was really done: what the detector saw, what it can find, and its known answer.

    Attributes:
        role: What the search is for.
        input_width, input_height: Size of an upright picture as the detector sees it, tiles taken together.
        looks: How often the detector is asked for one picture.
        smallest_face_px: Height of the smallest face that can be found, in source pixels.
        known_answer: What it made of the picture of the test.
    """

    role: str
    input_width: int
    input_height: int
    looks: int
    smallest_face_px: float
    known_answer: KnownAnswer


class Means:
    """Makes searches for pictures of one size, and keeps their known answers.

    Args:
        config: The settings of the run.
        size: True (width, height) of the pictures.
        turns: A turn of each kind in which pictures are searched.

    Attributes:
        uses: The searches that were made.
    """

    def __init__(self, config: FaceBlurConfig, size: tuple[int, int], turns: Sequence[Turn]) -> None:
        self._config = config
        self._size = size
        self._turns = turns
        self.uses: list[SearchUse] = []
        self._models: dict[ModelUse, None] = {}

    @property
    def models(self) -> tuple[ModelUse, ...]:
        """The weight files of the detectors that were loaded."""
        return tuple(self._models)

    @property
    def knows_faces(self) -> bool:
        """Whether every search found the face of the known-answer test."""
        return bool(self.uses) and all(use.known_answer.passed for use in self.uses)

    def detector(self, name: str) -> FaceDetector | DetectorUnion:
        """Load a detector that also reports what is too weak for a find.

        Raises:
            ModelMissing: A weight file or package is not there.
        """
        lowest = min(FAINT_SCORE, self._config.score_threshold)
        detector = make_detector(name, self._config, score_threshold=lowest)
        self._models |= dict.fromkeys(detector.models)
        return detector

    def search(self, role: str, detector: FaceDetector | DetectorUnion, min_face_px: float) -> FaceSearch:
        """Return a search for faces from a size on."""
        width, height = self._size
        search = FaceSearch(
            detector,
            width=width,
            height=height,
            min_face_px=min_face_px,
            tile_px=self._config.tile_px,
            score_threshold=self._config.score_threshold,
        )
        answers = [
            ask(detector, min_face_px=face_px, needed_score=self._config.strong_score, turns=self._turns)
            for face_px in search.levels_face_px
        ]
        use = SearchUse(role, *search.input_size, search.looks, search.reached_face_px, worst_of(answers))
        self.uses.append(use)
        return search

    def auditor(self, detector: FaceDetector | DetectorUnion, again: FaceSearch | None = None) -> Auditor:
        """Return who searches encoded pictures.

        Args:
            detector: Who looks.
            again: A search by the same detector at the scale of the detection; made where it is not there.
        """
        config = self._config
        every = self.search("audit", detector, config.min_face_px / config.audit_scale)
        key = None
        if config.audit_key_scale > 0:
            key = self.search("audit of key frames", detector, config.min_face_px / config.audit_key_scale)
        again = again or self.search("another look of the audit", detector, config.min_face_px)
        closer = CloserLook(
            detector,
            self._size,
            reached_face_px=every.reached_face_px,
            score_threshold=CERTAINTY * config.strong_score,
        )
        return Auditor(every, key, again, closer, doubt_below=config.strong_score)
