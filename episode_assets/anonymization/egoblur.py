"""EgoBlur, generations 1 and 2: faces and licence plates by TorchScript files given by path.

Code around the published models asks for a pinned torch and an old PyAV; the files themselves need torch and
torchvision, which are imported when a detector is made and never before. Both generations want BGR bytes, channels
first, and answer in pixels of what they were given.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from episode_assets import models
from episode_assets.anonymization.boxes import Boxes, keep_best
from episode_assets.anonymization.detectors import (
    AUTO,
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

Generation = Literal["gen1", "gen2"]

INSTALL = "pip install torch torchvision"
_LICENCE = "LicenseRef-EgoBlur"


@dataclass(frozen=True)
class _Contract:
    """What the publisher's own scripts do with a generation of files.

    Attributes:
        max_overlap: Intersection over union above which a worse box is dropped.
        smallest_px: Height that `min_face_px` has in the net's input. With the defaults a picture 1280 pixels wide is
            given to generation 1 as it is and to generation 2 with a long side of 1200, as by the publisher. What the
            nets find at which size was not measured here, for want of weights.
        certain: The scores that the publisher draws the line at.
    """

    max_overlap: float
    smallest_px: float
    certain: dict[Label, float]


_CONTRACTS: dict[Generation, _Contract] = {
    "gen1": _Contract(0.3, 32.0, {Label.FACE: 0.9, Label.PLATE: 0.9}),
    "gen2": _Contract(0.5, 30.0, {Label.FACE: 0.67416, Label.PLATE: 0.74475}),
}


@dataclass(frozen=True)
class EgoBlurOptions:
    """The settings of `egoblur`; see `detectors.BackendOptions`."""

    faces: str = field(
        default="",
        metadata={"help": "path of EgoBlur's TorchScript file (.jit) for faces", "is_place": True},
    )
    plates: str = field(
        default="",
        metadata={"help": "path of EgoBlur's TorchScript file (.jit) for licence plates", "is_place": True},
    )
    generation: Generation = field(
        default="gen2", metadata={"help": "which generation both files are of: gen1 or gen2"}
    )
    certain_face_score: float = field(
        default=AUTO,
        metadata={
            "help": "score of the face model, 0.05..0.99, that counts as certain (0.5 of strong_score's scale); lower "
            "blurs more, false faces too; 0 takes the publisher's (gen1 0.9, gen2 0.674)"
        },
    )
    certain_plate_score: float = field(
        default=AUTO,
        metadata={
            "help": "the same of the plate model; 0 takes the publisher's (gen1 0.9, gen2 0.745)",
        },
    )

    def __post_init__(self) -> None:
        """Check every value by itself; raises BadConfig."""
        check_path("egoblur", "faces", self.faces)
        check_path("egoblur", "plates", self.plates)
        check_choice("egoblur", "generation", self.generation, tuple(_CONTRACTS))
        for name in ("certain_face_score", "certain_plate_score"):
            check_certain("egoblur", name, getattr(self, name), or_auto=True)

    @property
    def labels(self) -> frozenset[Label]:
        """Faces, plates or both, by the files given."""
        return frozenset(self._files())

    def check(self) -> None:
        """Refuse to work without a file."""
        if not self.labels:
            raise BadConfig(
                "the detector egoblur has no files",
                where="egoblur.faces, egoblur.plates",
                remedy="set one or both to the paths of EgoBlur's .jit files",
            )

    def models(self) -> tuple[ModelUse, ...]:
        """Return the files given."""
        return tuple(self._use(label) for label in self._files())

    def require(self) -> None:
        """Look for the files and for torch."""
        for label, path in self._files().items():
            models.find_given(path, setting=f"egoblur.{label}s")
        models.require_package("torch", remedy=INSTALL)

    def make(self, *, score_threshold: float) -> tuple[EgoBlur, ...]:
        """Load a detector for each file given."""
        return tuple(self._made(label, score_threshold) for label in self._files())

    def certain(self, label: Label) -> float:
        """Return the model's own score that counts as certain."""
        chosen = self.certain_face_score if label is Label.FACE else self.certain_plate_score
        return chosen or _CONTRACTS[self.generation].certain[label]

    def _files(self) -> dict[Label, str]:
        given = {Label.FACE: self.faces, Label.PLATE: self.plates}
        return {label: path for label, path in given.items() if path}

    def _use(self, label: Label) -> ModelUse:
        return models.use_given(f"egoblur_{label}_{self.generation}", self._files()[label], licence=_LICENCE)

    def _made(self, label: Label, score_threshold: float) -> EgoBlur:
        path = models.find_given(self._files()[label], setting=f"egoblur.{label}s")
        return EgoBlur(
            path,
            label=label,
            generation=self.generation,
            certain=self.certain(label),
            score_threshold=score_threshold,
            use=self._use(label),
        )


class EgoBlur:
    """The detector of one file in one process.

    Args:
        path: The TorchScript file.
        label: What it finds.
        generation: How it is called.
        certain: Its own score that counts as certain.
        score_threshold: Boxes below this are not reported; on the common scale.
        use: What the manifest says of the file.

    Raises:
        ModelMissing: torch is not there, or the file is no TorchScript.
    """

    def __init__(
        self,
        path: Path,
        *,
        label: Label,
        generation: Generation,
        certain: float,
        score_threshold: float,
        use: ModelUse,
    ) -> None:
        self.label = label
        self.models = (use,)
        self._path = path
        self._generation = generation
        self._contract = _CONTRACTS[generation]
        self._certain = certain
        self._threshold = from_common_scale(score_threshold, certain=certain)
        self._torch = models.load_package("torch", remedy=INSTALL)
        self._model = _load(self._torch, path)

    def input_size(self, width: int, height: int, *, min_face_px: float) -> tuple[int, int]:
        """Return the scaled size; the network takes any."""
        smallest = self._contract.smallest_px
        return scaled_size(width, height, min_face_px=min_face_px, smallest_px=smallest)

    def detect(self, pictures: Sequence[RGB]) -> list[Boxes]:
        """Return the faces or plates of each picture; see `FaceDetector.detect`."""
        # One by one: files of the traced kind take one picture, and batches gain nothing on a CPU.
        return [self._detect(picture) for picture in pictures]

    def _detect(self, picture: RGB) -> Boxes:
        bgr = np.ascontiguousarray(picture[:, :, ::-1].transpose(2, 0, 1))
        with self._torch.inference_mode():
            boxes, scores = self._answer(self._torch.from_numpy(bgr))
        found = np.concatenate([_array(boxes, columns=4), _array(scores, columns=1)], axis=1)
        found = keep_best(found[found[:, 4] >= self._threshold], max_overlap=self._contract.max_overlap)
        found[:, 4] = to_common_scale(found[:, 4], certain=self._certain)
        return found

    def _answer(self, picture: Any) -> tuple[Any, Any]:
        """Return boxes and scores of a (3, H, W) uint8 tensor, however this kind of file gives them.

        Classes are not looked at: each file knows one, and a box too many is cheap.
        """
        if self._generation == "gen2" and hasattr(self._model, "inference"):
            return self._instances(self._model.inference([{"image": picture}], do_postprocess=False))
        answer = self._model(picture)
        if self._generation == "gen2" and len(answer) == 5:
            return answer[0], answer[3]
        if len(answer) == 4:
            return answer[0], answer[2]
        raise self._misfit(f"{len(answer)} outputs")

    def _instances(self, answer: Any) -> tuple[Any, Any]:
        if len(answer) != 1:
            raise self._misfit(f"{len(answer)} pictures in answer to one")
        # Fields of the scripted class are stored under a leading underscore; its properties need the class itself.
        instances = answer[0]
        return instances._pred_boxes.tensor, instances._scores

    def _misfit(self, found: str) -> ModelMissing:
        return ModelMissing(
            f"the file gives {found}, unlike an EgoBlur model of {self._generation}",
            where=str(self._path),
            remedy="set egoblur.generation to that of the file, or give the right file",
        )


def _array(tensor: Any, *, columns: int) -> Boxes:
    values: Boxes = tensor.detach().to("cpu").float().numpy().reshape(-1, columns)
    return values


def _load(torch: Any, path: Path) -> Any:
    # The order of float additions depends on the number of threads; workers are processes anyway.
    torch.set_num_threads(1)
    # The published files call operators of torchvision, which its import registers; a file without them needs none.
    with suppress(ModelMissing, RuntimeError):
        models.load_package("torchvision", remedy=INSTALL)
    try:
        return torch.jit.load(str(path), map_location="cpu").eval()
    except RuntimeError as error:
        if "torchvision::" in str(error):
            raise ModelMissing(
                "the file needs the package torchvision, which is missing or not of the same release as torch",
                where=str(path),
                remedy=INSTALL,
            ) from error
        raise ModelMissing(
            f"the file is no TorchScript model ({str(error).splitlines()[0]})",
            where=str(path),
            remedy="give a .jit file of EgoBlur",
        ) from error
