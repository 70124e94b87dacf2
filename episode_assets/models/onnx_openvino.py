"""ONNX picture networks on OpenVINO with sums of 8-bit numbers: a third of the time of float32 where it counts.

The file stays as published. Where the table of a network names the range of a tensor, the layers that read it work
with 8-bit numbers; all others stay in float32. Weights are rounded by output channel, so scales between layers need no
folding. Such tables belong to the module that uses the network, as does what goes in and comes out.

On processors with 8-bit dot products (AVX-512 VNNI, AVX-VNNI, AMX) the integer sums are exact. Elsewhere OpenVINO adds
pairs in 16 bits, which can saturate, and takes half as long again: held to AVX2, CenterFace found the same faces of 16
pixels and more, with scores that spread a little wider. What comes out is the same for one kind of processor.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from episode_assets.errors import ModelMissing
from episode_assets.models.openvino_runtime import ONE_THREAD, load_openvino

# What is not rounded is not shortened either, on processors that have bfloat16.
_SETTINGS = {**ONE_THREAD, "INFERENCE_PRECISION_HINT": "f32"}
_SUMS = {"Convolution": 0, "GroupConvolution": 0, "ConvolutionBackpropData": 1}
"""Layers with weights, and the axis of their weights that counts output channels."""
_LEVELS = 256
_LARGEST_WEIGHT = 127
_KEPT_SIZES = 12
"""Sizes whose plans are kept, 15 to 70 MB each. A plan takes 0.2 s; one for any size would take a sixth more time for
every picture. A recording needs about six, one that is rolled by ever other angles more, but few at a time."""


class EightBitNetwork:
    """A loaded network with one RGB picture input of values 0..255; not for use from several threads.

    Args:
        path: The ONNX file. What shape it declares does not matter.
        ranges: Smallest and largest value of the tensors that are rounded, by their names in the file.
        outputs: Names of the tensors that are returned.

    Raises:
        ModelMissing: OpenVINO is not installed, or the file is not the network that the table is for.
    """

    def __init__(
        self, path: Path, *, ranges: Mapping[str, tuple[float, float]], outputs: Sequence[str]
    ) -> None:
        self._openvino = load_openvino()
        self._core = self._openvino.Core()
        try:
            model = self._core.read_model(str(path))
            wanted = [_output_of(model, name) for name in outputs]
        except (RuntimeError, StopIteration) as error:
            raise ModelMissing(
                f"not the expected ONNX network: {error}",
                where=str(path),
                remedy="episode-assets models fetch",
            ) from error
        model = self._openvino.Model(wanted, model.get_parameters(), path.stem)
        _Rounding(self._openvino, ranges).apply(model)
        self._model = self._taking_bytes(model)
        self._requests: OrderedDict[tuple[int, ...], Any] = OrderedDict()

    def __call__(self, picture: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
        """Run one (H, W, 3) uint8 picture of any size that the network takes and return copies of the outputs."""
        request = self._request((1, *picture.shape))
        request.infer([np.ascontiguousarray(picture)[None]])
        return [output.data.copy() for output in request.output_tensors]

    def _request(self, shape: tuple[int, ...]) -> Any:
        if shape not in self._requests:
            if len(self._requests) == _KEPT_SIZES:
                self._requests.popitem(last=False)
            self._model.reshape(list(shape))
            compiled = self._core.compile_model(self._model, "CPU", _SETTINGS)
            self._requests[shape] = compiled.create_infer_request()
        self._requests.move_to_end(shape)
        return self._requests[shape]

    def _taking_bytes(self, model: Any) -> Any:
        """Let the graph itself turn rows of pixels into planes of floats; the first layer never sees the floats."""
        steps = self._openvino.preprocess.PrePostProcessor(model)
        tensor = steps.input().tensor()
        tensor.set_element_type(self._openvino.Type.u8).set_layout(self._openvino.Layout("NHWC"))
        steps.input().model().set_layout(self._openvino.Layout("NCHW"))
        return steps.build()


class _Rounding:
    """Puts the rounding of tensors and weights into a graph."""

    def __init__(self, openvino: Any, ranges: Mapping[str, tuple[float, float]]) -> None:
        self._opset = openvino.opset13
        self._ranges = ranges
        self._rounded: dict[str, Any] = {}

    def apply(self, model: Any) -> None:
        """Round what the layers of a graph read, where the table has its range.

        Raises:
            ModelMissing: A range is of a tensor that the graph does not have.
        """
        there = {
            name
            for node in model.get_ordered_ops()
            for output in node.outputs()
            for name in output.get_names()
        }
        if unknown := sorted(self._ranges.keys() - there):
            raise ModelMissing(
                f"not the expected ONNX network: it has no tensor {unknown[0]}",
                remedy="episode-assets models fetch",
            )
        for layer in model.get_ordered_ops():
            kind = layer.get_type_name()
            if kind in _SUMS and self._knows(layer, 0):
                self._round(layer, 0)
                layer.input(1).replace_source_output(self._rounded_weights(layer, _SUMS[kind]))
            elif kind == "Add" and self._knows(layer, 0) and self._knows(layer, 1):
                self._round(layer, 0)
                self._round(layer, 1)

    def _knows(self, layer: Any, port: int) -> bool:
        return any(True for _ in self._names(layer, port))

    def _names(self, layer: Any, port: int) -> Iterator[str]:
        yield from sorted(self._ranges.keys() & layer.input_value(port).get_names())

    def _round(self, layer: Any, port: int) -> None:
        name = next(self._names(layer, port))
        if name not in self._rounded:
            low, high = (
                self._opset.constant(np.float32(end)) for end in with_exact_zero(*self._ranges[name])
            )
            source = layer.input_value(port)
            self._rounded[name] = self._opset.fake_quantize(source, low, high, low, high, _LEVELS).output(0)
        layer.input(port).replace_source_output(self._rounded[name])

    def _rounded_weights(self, layer: Any, channel_axis: int) -> Any:
        shape = list(layer.input_value(1).get_shape())
        weights = _constant_of(layer.input_value(1).get_node()).reshape(shape)
        others = tuple(axis for axis in range(len(shape)) if axis != channel_axis)
        step = np.maximum(np.abs(weights).max(axis=others, keepdims=True), 1e-8) / _LARGEST_WEIGHT
        whole = self._opset.constant(np.round(weights / step).astype(np.int8))
        return self._opset.multiply(
            self._opset.convert(whole, "f32"), self._opset.constant(step.astype(np.float32))
        ).output(0)


def with_exact_zero(low: float, high: float) -> tuple[float, float]:
    """Return the range, moved by less than one of its 255 steps so that zero is one of its levels.

    Borders are padded with zeros; were zero no level, every border would shift a little.
    """
    low, high = min(low, 0.0), max(high, 0.0)
    step = (high - low) / (_LEVELS - 1)
    below = round(-low / step)
    return -below * step, (_LEVELS - 1 - below) * step


def _output_of(model: Any, name: str) -> Any:
    return next(output.get_node().input_value(0) for output in model.outputs if name in output.get_names())


def _constant_of(node: Any) -> NDArray[np.float32]:
    """Return the weights behind a node; those of grouped layers are reshaped on the way."""
    while node.get_type_name() != "Constant":
        node = node.input_value(0).get_node()
    values: NDArray[np.float32] = node.data
    return values
