"""The settings of `wilor` and `hamer`: an exported network of the MANO family and one that boxes hands, both by path.

Neither weights nor code come with this package: their licences do not allow it. The two are called alike and differ in
their files and licences only.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from episode_assets import models
from episode_assets.errors import BadConfig
from episode_assets.hands.box_backend import BoxBackend
from episode_assets.hands.mano_network import ManoReader
from episode_assets.hands.network_files import require_network
from episode_assets.hands.yolo_boxes import YoloHandDetector
from episode_assets.outcome import ModelUse

_EXPORT = "exported as TorchScript, or as ONNX (.onnx), which needs no torch"


@dataclass(frozen=True)
class ManoOptions:
    """Which files are used; see `backends.BackendOptions`."""

    name: ClassVar[str]
    licence: ClassVar[str]

    weights: str = field(
        default="",
        metadata={"help": f"path of the network that reads a hand, {_EXPORT}", "is_place": True},
    )
    detector: str = field(
        default="",
        metadata={
            "help": f"path of a YOLO network that boxes left (class 0) and right (class 1) hands, {_EXPORT}",
            "is_place": True,
        },
    )
    detector_score: float = field(
        default=0.3,
        metadata={
            "help": "lowest score of a box that is read, 0.01..0.99; lower finds more, false hands too"
        },
    )

    def __post_init__(self) -> None:
        """Check every value by itself; raises BadConfig."""
        for name in ("weights", "detector"):
            if not isinstance(getattr(self, name), str):
                raise BadConfig(f"{self.name}.{name} must be the path of a file, got {getattr(self, name)!r}")
        score = self.detector_score
        if isinstance(score, bool) or not 0.01 <= score <= 0.99:
            raise BadConfig(f"{self.name}.detector_score must be 0.01..0.99, got {score!r}")

    def check(self) -> None:
        """Refuse to work without both files."""
        for name in ("weights", "detector"):
            if not getattr(self, name):
                raise BadConfig(
                    f"the backend {self.name} has no {name}",
                    where=f"{self.name}.{name}",
                    remedy=f"set it to the path of a network {_EXPORT}",
                )

    def models(self) -> tuple[ModelUse, ...]:
        """Return both files."""
        return (
            models.use_given(self.name, self.weights, licence=self.licence),
            models.use_given(f"{self.name}_detector", self.detector, licence="LicenseRef-unstated"),
        )

    def require(self) -> None:
        """Look for both files, and for torch if one of them needs it."""
        require_network(self.weights, setting=f"{self.name}.weights")
        require_network(self.detector, setting=f"{self.name}.detector")

    def make(self) -> BoxBackend:
        """Load both networks and see that they answer as they should."""
        return BoxBackend(
            YoloHandDetector(
                self.detector, setting=f"{self.name}.detector", score_threshold=self.detector_score
            ),
            ManoReader(self.weights, setting=f"{self.name}.weights"),
        )


@dataclass(frozen=True)
class WiLoROptions(ManoOptions):
    """The settings of `wilor`."""

    name: ClassVar[str] = "wilor"
    licence: ClassVar[str] = "CC-BY-NC-ND-4.0"


@dataclass(frozen=True)
class HaMeROptions(ManoOptions):
    """The settings of `hamer`."""

    name: ClassVar[str] = "hamer"
    licence: ClassVar[str] = "LicenseRef-MANO"
