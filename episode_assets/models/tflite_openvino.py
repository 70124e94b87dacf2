"""TensorFlow Lite networks on OpenVINO with bfloat16 sums: half the time on processors that have them.

A drop-in for `litert.Network` where the last bits do not matter. On a processor without bfloat16 OpenVINO works with
float32, slower and with other last bits; what comes out is the same for one kind of processor.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from episode_assets.errors import ModelMissing
from episode_assets.models.openvino_runtime import ONE_THREAD, load_openvino

_IDENTIFIER = b"TFL3"
_SETTINGS = {**ONE_THREAD, "INFERENCE_PRECISION_HINT": "bf16"}


class BriefNetwork:
    """A loaded network with one float32 picture input and named float32 outputs; not for several threads.

    Pictures run one by one: on one thread a batch takes as long.

    Raises:
        ModelMissing: The runtime is not installed, or the file is not a network.
    """

    def __init__(self, path: Path) -> None:
        openvino = load_openvino()
        _require_network(path)
        core = openvino.Core()
        try:
            compiled = core.compile_model(core.read_model(str(path)), "CPU", _SETTINGS)
        except RuntimeError as error:
            raise _no_network(path, str(error)) from error
        self._names = [output.get_any_name() for output in compiled.outputs]
        self._request: Any = compiled.create_infer_request()

    def __call__(self, pictures: NDArray[np.float32]) -> Mapping[str, NDArray[np.float32]]:
        """Run (N, H, W, 3) float32 pictures, N at least 1, and return copies of all outputs by name, first axis N."""
        rows = [self._run(picture[None]) for picture in pictures]
        return {name: np.concatenate([row[at] for row in rows]) for at, name in enumerate(self._names)}

    def _run(self, picture: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        self._request.infer([picture], share_inputs=True)
        return [self._request.get_output_tensor(at).data.copy() for at in range(len(self._names))]


def _require_network(path: Path) -> None:
    # OpenVINO takes a file of another kind for an empty network of some older format.
    with path.open("rb") as file:
        if file.read(8)[4:] != _IDENTIFIER:
            raise _no_network(path, "the mark of the format is not there")


def _no_network(path: Path, why: str) -> ModelMissing:
    return ModelMissing(
        f"not a TensorFlow Lite network: {why}", where=str(path), remedy="episode-assets models fetch"
    )
