"""Which runtime a hand network runs on; what goes in and comes out is known by the module of the network."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from episode_assets import models
from episode_assets.models import litert, openvino_runtime, tflite_openvino

Precision: TypeAlias = Literal["bfloat16", "float32"]


class PictureNetwork(Protocol):
    """One float32 picture input and named float32 outputs."""

    def __call__(self, pictures: NDArray[np.float32]) -> Mapping[str, NDArray[np.float32]]:
        """Run (N, H, W, 3) float32 pictures and return all outputs by name, first axis N."""


def load_network(path: Path, precision: Precision) -> PictureNetwork:
    """Load a network in this process.

    Raises:
        ModelMissing: The runtime is not installed, or the file is not a network.
    """
    return litert.Network(path) if precision == "float32" else tflite_openvino.BriefNetwork(path)


def require_runtime(precision: Precision) -> None:
    """Look for the runtime without loading it.

    Raises:
        ModelMissing: It is not installed.
    """
    if precision == "float32":
        models.require_package("ai_edge_litert", remedy="pip install ai-edge-litert")
    else:
        openvino_runtime.require_openvino()
