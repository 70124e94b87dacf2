"""TensorFlow Lite networks on ai-edge-litert: one thread, outputs by name, any batch size.

What goes in and what comes out of a particular network is known by the module that uses it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from episode_assets.errors import ModelMissing


class Network:
    """A loaded network with one float32 picture input and named float32 outputs.

    One interpreter is kept for each batch size that occurs: a resize would plan the graph anew on every change.
    Not for use from several threads.

    Raises:
        ModelMissing: The runtime is not installed, or the file is not a network.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._interpreters: dict[int, Any] = {}
        self._outputs: dict[int, dict[str, int]] = {}
        self._input: dict[int, int] = {}

    def __call__(self, pictures: NDArray[np.float32]) -> Mapping[str, NDArray[np.float32]]:
        """Run (N, H, W, 3) float32 pictures and return copies of all outputs, by name, first axis N."""
        size = len(pictures)
        if size not in self._interpreters:
            self._prepare(pictures.shape)
        interpreter = self._interpreters[size]
        interpreter.set_tensor(self._input[size], pictures)
        interpreter.invoke()
        return {name: interpreter.get_tensor(index) for name, index in self._outputs[size].items()}

    def _prepare(self, shape: tuple[int, ...]) -> None:
        try:
            from ai_edge_litert.interpreter import Interpreter
        except ImportError as error:
            raise ModelMissing(
                "the package ai-edge-litert is not installed", remedy="pip install ai-edge-litert"
            ) from error
        try:
            interpreter = Interpreter(model_path=str(self._path), num_threads=1)
        except ValueError as error:
            raise ModelMissing(
                f"not a TensorFlow Lite network: {error}",
                where=str(self._path),
                remedy="episode-assets models fetch",
            ) from error
        index = interpreter.get_input_details()[0]["index"]
        interpreter.resize_tensor_input(index, shape)
        interpreter.allocate_tensors()
        self._interpreters[shape[0]] = interpreter
        self._input[shape[0]] = index
        self._outputs[shape[0]] = {item["name"]: item["index"] for item in interpreter.get_output_details()}
