"""The test that every worker runs before it looks at a recording: a face that must be found.

A model that is broken, swapped or blinded finds nothing, and nothing is then exactly what a clean recording looks
like. Without a passed known-answer test no pixel is published.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from episode_assets.anonymization.boxes import overlap_ratios
from episode_assets.anonymization.detectors import FaceDetector, Label
from episode_assets.anonymization.searching import FaceSearch
from episode_assets.anonymization.turning import UPRIGHT, Turn, Turning, plan_turning
from episode_assets.anonymization.union import DetectorUnion, members_of
from episode_assets.errors import ModelMissing
from episode_assets.video import Picture, decode_picture

_CANVAS_FACES = (20.0, 16.0)
"""Width and height of the test picture, in smallest faces: so a net sees one size whatever the scale."""

_FACE = (177.0, 63.0, 269.0, 183.0)
"""The face in skimage's astronaut picture (512x512, NASA, public domain): hairline to chin, cheek to cheek."""
_CROP = (110, 10, 340, 250)
_MAX_FACE_PX = 200.0
_MAX_SCALE_PX = 100.0
"""Smallest faces beyond this are asked for at this scale: the picture would grow large for nothing."""
_MIN_OVERLAP = 0.4
_TILE_PX = 4096
"""The test picture is never cut: what is asked is a scale."""


@dataclass(frozen=True)
class KnownAnswer:
    """What one search made of the test picture.

    Attributes:
        passed: Whether the face was found where it is, with at least the needed score.
        score: Score of the best box on the face; 0 where there is none.
        overlap: Intersection over union of that box with the face.
    """

    passed: bool
    score: float
    overlap: float


def ask(
    detector: FaceDetector | DetectorUnion,
    *,
    min_face_px: float,
    needed_score: float,
    turns: Sequence[Turn] = UPRIGHT,
) -> KnownAnswer:
    """Search the test picture with a detector at the scale that goes with `min_face_px`, rolled for each of the turns.

    Every member of a union that finds faces is asked by itself, or a blind one could hide behind the others; the worst
    answer counts. There is no such picture for licence plates.

    Raises:
        ModelMissing: The picture of the test is not installed.
    """
    answers = [
        _answer_of(member, min_face_px=min_face_px, needed_score=needed_score, turn=turn)
        for turn in turns
        for member in members_of(detector)
        if member.label is Label.FACE
    ]
    return worst_of(answers)


def worst_of(answers: Iterable[KnownAnswer]) -> KnownAnswer:
    """Return the worst of several answers; without any nothing is known, and the test failed."""
    blind = KnownAnswer(passed=False, score=0.0, overlap=0.0)
    return min(answers, key=lambda answer: (answer.passed, answer.score), default=blind)


def _answer_of(detector: FaceDetector, *, min_face_px: float, needed_score: float, turn: Turn) -> KnownAnswer:
    scale_px = min(min_face_px, _MAX_SCALE_PX)
    canvas_px = (round(_CANVAS_FACES[0] * scale_px), round(_CANVAS_FACES[1] * scale_px))
    picture, face = test_picture(min(3.0 * scale_px, _MAX_FACE_PX), turn, canvas_px=canvas_px)
    search = FaceSearch(
        detector,
        width=picture.true_width,
        height=picture.true_height,
        min_face_px=scale_px,
        tile_px=_TILE_PX,
        score_threshold=needed_score,
    )
    boxes = search(picture, (turn,))
    overlap = overlap_ratios(boxes, face[None])[:, 0]
    on_face = overlap >= _MIN_OVERLAP
    if not on_face.any():
        return KnownAnswer(passed=False, score=0.0, overlap=float(overlap.max(initial=0.0)))
    best = int(np.argmax(np.where(on_face, boxes[:, 4], -1.0)))
    score = float(boxes[best, 4])
    return KnownAnswer(passed=score >= needed_score, score=score, overlap=float(overlap[best]))


def test_picture(
    face_px: float, turn: Turn = UPRIGHT[0], *, canvas_px: tuple[int, int] = (640, 480)
) -> tuple[Picture, NDArray[np.float32]]:
    """Return a grey picture with one face, and the box of that face (4,) float32.

    Args:
        face_px: Height of the face.
        turn: What stands the picture upright: it is rolled by as much the other way.
        canvas_px: Width and height of the upright picture.
    """
    canvas, place = _upright_picture(face_px, canvas_px)
    back = plan_turning(Turn(-turn.quarters % 4, -turn.rest_rad), *canvas_px, lambda *size: size)
    rolled = back.turned(canvas)
    height, width = rolled.shape[:2]
    picture = decode_picture("rgb8", rolled.tobytes(), width=width, height=height, step=width * 3)
    forth = Turning(turn, (width, height), (width, height), canvas_px, canvas_px)
    return picture, forth.to_source(np.append(place, 1.0).astype(np.float32)[None])[0, :4]


def _upright_picture(
    face_px: float, canvas_px: tuple[int, int]
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    x0, y0, x1, y1 = _CROP
    crop = _astronaut()[y0:y1, x0:x1]
    factor = face_px / (_FACE[3] - _FACE[1])
    size = (round(crop.shape[1] * factor), round(crop.shape[0] * factor))
    scaled = cv2.resize(crop, size, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR)
    width, height = canvas_px
    rows, columns = min(size[1], height), min(size[0], width)
    canvas = np.full((height, width, 3), 128, np.uint8)
    left, top = (width - columns) // 2, (height - rows) // 2
    canvas[top : top + rows, left : left + columns] = scaled[:rows, :columns]
    corner = np.array([x0, y0, x0, y0])
    return canvas, (np.array(_FACE) - corner) * factor + np.array([left, top, left, top])


@cache
def _astronaut() -> NDArray[np.uint8]:
    # The file itself: the package's own reader imports a second's worth of modules, in every worker.
    package = importlib.util.find_spec("skimage")
    folders = (package.submodule_search_locations if package else None) or []
    for folder in folders:
        picture = cv2.imread(str(Path(folder) / "data" / "astronaut.png"))
        if picture is not None and picture.shape == (512, 512, 3):
            return np.ascontiguousarray(picture[:, :, ::-1], dtype=np.uint8)
    raise ModelMissing(
        "the face of the known-answer test is not installed (skimage/data/astronaut.png)",
        remedy="pip install scikit-image",
    )
