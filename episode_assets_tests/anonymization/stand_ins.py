"""Detectors with a known defect, named by import path so that worker processes can load them too."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from episode_assets.anonymization.boxes import Boxes, no_boxes
from episode_assets.anonymization.centerface import CenterFace, make_centerface
from episode_assets.anonymization.detectors import RGB, Label
from episode_assets.outcome import ModelUse

BLIND = f"{__name__}:make_blind"
FORGETFUL = f"{__name__}:make_forgetful"
DOUBTFUL = f"{__name__}:make_doubtful"
DECLARED = f"{__name__}:make_declared"
DECLARED_USE = ModelUse("declared", "1" * 64, "MIT")


class Blind:
    """Finds nothing, whatever it is shown."""

    label = Label.FACE
    models: tuple[ModelUse, ...] = ()

    def input_size(self, width: int, height: int, *, min_face_px: float) -> tuple[int, int]:
        return width, height

    def detect(self, pictures: Sequence[RGB]) -> list[Boxes]:
        return [no_boxes() for _ in pictures]


class Liar:
    """CenterFace, and what a liar makes of its boxes."""

    label = Label.FACE

    def __init__(self, detector: CenterFace) -> None:
        self._detector = detector
        self.models = detector.models
        self.input_size = detector.input_size

    def detect(self, pictures: Sequence[RGB]) -> list[Boxes]:
        found = self._detector.detect(pictures)
        return [self.said(picture, boxes) for picture, boxes in zip(pictures, found, strict=True)]

    def said(self, picture: RGB, boxes: Boxes) -> Boxes:
        raise NotImplementedError


class BlackCorner(Liar):
    """CenterFace with a defect in pictures of which a corner is black: the upper left one, before any turn."""

    def said(self, picture: RGB, boxes: Boxes) -> Boxes:
        is_black = min(corner.mean() for corner in corners(picture)) < 40
        return self.spoilt(boxes) if is_black else boxes

    def spoilt(self, boxes: Boxes) -> Boxes:
        raise NotImplementedError


def corners(picture: RGB) -> Iterator[RGB]:
    for rows in (slice(8), slice(-8, None)):
        for columns in (slice(8), slice(-8, None)):
            yield picture[rows, columns]


class Forgetful(BlackCorner):
    """Finds nothing there."""

    def spoilt(self, boxes: Boxes) -> Boxes:
        return no_boxes()


class Doubtful(BlackCorner):
    """Is sure of nothing there."""

    def spoilt(self, boxes: Boxes) -> Boxes:
        boxes[:, 4] = boxes[:, 4].clip(max=0.45)
        return boxes


def make_blind(*, score_threshold: float) -> Blind:
    return Blind()


def make_forgetful(*, score_threshold: float) -> Forgetful:
    return Forgetful(make_centerface(score_threshold=score_threshold))


def make_doubtful(*, score_threshold: float) -> Doubtful:
    return Doubtful(make_centerface(score_threshold=score_threshold))


class MakeDeclared:
    """A factory that says which weights its detectors have."""

    def __call__(self, *, score_threshold: float) -> Blind:
        return Blind()

    def models(self) -> tuple[ModelUse, ...]:
        return (DECLARED_USE,)


make_declared = MakeDeclared()
