"""Networks given by path as TorchScript or ONNX: one float32 batch in, named arrays out, one thread.

What goes in and what comes out of a particular network is known by the module that uses it. torch is optional and
imported when such a file is loaded, never before.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from episode_assets import models
from episode_assets.errors import ModelMissing

Outputs: TypeAlias = Mapping[str, NDArray[np.float32]]
FileNetwork: TypeAlias = Callable[[NDArray[np.float32]], Outputs]
"""Runs (N, C, H, W) float32 and returns arrays by name; one that comes without a name is called `output0`."""

INSTALL_TORCH = "pip install torch"
ONLY_OUTPUT = "output0"
_ONNX = ".onnx"


def require_network(path: str, *, setting: str) -> None:
    """Look for the file, and for torch if it needs that.

    Raises:
        ModelMissing: One of them is not there.
    """
    file = models.find_given(path, setting=setting)
    if file.suffix != _ONNX:
        models.require_package("torch", remedy=INSTALL_TORCH)


def load_network(path: str, *, setting: str) -> FileNetwork:
    """Load a network by its suffix: `.onnx`, and TorchScript for any other.

    Raises:
        ModelMissing: The file or the package is not there, or the file is no such network.
    """
    file = models.find_given(path, setting=setting)
    return _load_onnx(file) if file.suffix == _ONNX else _load_torch(file)


def misfit(path: str, what: str, *, expected: str) -> ModelMissing:
    """Return the error for a network that cannot be called, or answers otherwise than it should."""
    return ModelMissing(f"the network {what}", where=path, remedy=f"give one that {expected}")


def _load_onnx(file: Path) -> FileNetwork:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    try:
        session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the runtime's own classes, one for each kind of damage
        raise _no_network(file, "an ONNX file", error) from error
    given, names = session.get_inputs()[0].name, [item.name for item in session.get_outputs()]

    def run(batch: NDArray[np.float32]) -> Outputs:
        try:
            answer = session.run(None, {given: batch})
        except Exception as error:  # the same
            raise _not_callable(file, batch, error) from error
        named = dict(zip(names, answer, strict=True))
        return named if len(named) > 1 else {ONLY_OUTPUT: answer[0]}

    return run


def _load_torch(file: Path) -> FileNetwork:
    torch = models.load_package("torch", remedy=INSTALL_TORCH)
    # The order of float additions depends on the number of threads; workers are processes anyway.
    torch.set_num_threads(1)
    try:
        network = torch.jit.load(str(file), map_location="cpu").eval()
    except RuntimeError as error:
        raise _no_network(file, "a TorchScript file", error) from error

    def run(batch: NDArray[np.float32]) -> Outputs:
        try:
            with torch.inference_mode():
                answer = network(torch.from_numpy(batch))
        except (RuntimeError, torch.jit.Error) as error:
            raise _not_callable(file, batch, error) from error
        return _named(file, answer)

    return run


def _named(file: Path, answer: Any) -> Outputs:
    if isinstance(answer, tuple | list) and len(answer):
        answer = answer[0]
    named = answer if isinstance(answer, dict) else {ONLY_OUTPUT: answer}
    if not all(hasattr(value, "detach") for value in named.values()):
        raise misfit(
            str(file), "gives something else than tensors", expected="gives a tensor, or tensors by name"
        )
    return {str(name): _array(value) for name, value in named.items()}


def _array(tensor: Any) -> NDArray[np.float32]:
    values: NDArray[np.float32] = tensor.detach().to("cpu").float().numpy()
    return values


def _no_network(file: Path, kind: str, error: Exception) -> ModelMissing:
    return ModelMissing(
        f"not {kind} ({_first_line(error)})",
        where=str(file),
        remedy="export the network as TorchScript or ONNX (.onnx); checkpoints (.ckpt, .pth) cannot be run alone",
    )


def _not_callable(file: Path, batch: NDArray[np.float32], error: Exception) -> ModelMissing:
    shape = "x".join(map(str, batch.shape))
    return misfit(
        str(file), f"cannot be run ({_first_line(error)})", expected=f"takes one float32 batch of {shape}"
    )


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
