"""CenterFace: its graph made loadable, its input contract, and the decoding of its maps.

The net (github.com/Star-Clouds/CenterFace, MIT) is anchor-free with stride 4. It wants upright RGB pictures in
0..255, sides in multiples of 32, and faces of at least 16 pixels in the picture it is given. It runs in 8 bits on
OpenVINO, with the ranges of `centerface_ranges`, or in float32 on onnxruntime.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from episode_assets import models
from episode_assets.anonymization.boxes import Boxes, keep_best
from episode_assets.anonymization.centerface_ranges import RANGES
from episode_assets.anonymization.detectors import RGB, Label, check_choice, scaled_size
from episode_assets.errors import ModelMissing
from episode_assets.models.onnx_openvino import EightBitNetwork
from episode_assets.models.openvino_runtime import require_openvino
from episode_assets.outcome import ModelUse

_WEIGHT = "centerface"
_STRIDE = 4
_SIDE_MULTIPLE = 32
_SMALLEST_FACE_PX = 16.0
"""Face height in the net's input from which on recall is complete at score 0.2: 43 of 43 faces in either precision."""
_MAX_OVERLAP = 0.3
_OUTPUTS = ("537", "538", "539")
"""Heat, scale and offset; landmarks (`540`) are not asked for."""


Precision = Literal["int8", "float32"]


@dataclass(frozen=True)
class CenterFaceOptions:
    """The settings of `centerface`; see `detectors.BackendOptions`."""

    precision: Precision = field(
        default="int8",
        metadata={
            "help": "int8 (OpenVINO, a third of the time, scores differ by some hundredths) or float32 (onnxruntime, "
            "the net as it was published)"
        },
    )

    labels = frozenset({Label.FACE})

    def __post_init__(self) -> None:
        """Check the choice; raises BadConfig."""
        check_choice("centerface", "precision", self.precision, get_args(Precision))

    def check(self) -> None:
        """Accept: the weights are known."""

    def models(self) -> tuple[ModelUse, ...]:
        """Return the registered weight file."""
        return (models.use(_WEIGHT),)

    def require(self) -> None:
        """Look for the weight file and the packages that run it."""
        models.find(_WEIGHT)
        if self.precision == "int8":
            require_openvino()
        else:
            models.require_package("onnx", remedy="pip install onnx")
            models.require_package("onnxruntime", remedy="pip install onnxruntime")

    def make(self, *, score_threshold: float) -> tuple[CenterFace, ...]:
        """Load the detector."""
        return (make_centerface(score_threshold=score_threshold, precision=self.precision),)


class Net(Protocol):
    """The net on one of its runtimes."""

    def __call__(self, picture: RGB) -> Sequence[NDArray[np.float32]]:
        """Return heat (1, 1, h, w), scale and offset (1, 2, h, w) of a picture with sides in multiples of 32."""


class CenterFace:
    """The detector of one process.

    Args:
        net: The loaded net.
        score_threshold: Cells of the heat map below this are no faces.
    """

    label = Label.FACE

    def __init__(self, net: Net, *, score_threshold: float) -> None:
        self._net = net
        self._threshold = score_threshold

    @property
    def models(self) -> tuple[ModelUse, ...]:
        """The one weight file."""
        return (models.use(_WEIGHT),)

    def input_size(self, width: int, height: int, *, min_face_px: float) -> tuple[int, int]:
        """Return the scaled size, both sides rounded up to multiples of 32."""
        return scaled_size(
            width,
            height,
            min_face_px=min_face_px,
            smallest_px=_SMALLEST_FACE_PX,
            multiple=_SIDE_MULTIPLE,
        )

    def detect(self, pictures: Sequence[RGB]) -> list[Boxes]:
        """Return the faces of each picture; see `FaceDetector.detect`."""
        return [self._detect(picture) for picture in pictures]

    def _detect(self, picture: RGB) -> Boxes:
        # Pictures go one by one: a batch is bit-identical and no faster on one thread.
        heat, scale, offset = self._net(picture)
        return decode_maps(heat[0, 0], scale[0], offset[0], score_threshold=self._threshold)


def make_centerface(*, score_threshold: float, precision: Precision = "int8") -> CenterFace:
    """Return the detector with the registered weight file.

    Raises:
        ModelMissing: The weight file or the runtime is not there.
    """
    path = models.find(_WEIGHT)
    if precision == "float32":
        return CenterFace(_Float32Net(path), score_threshold=score_threshold)
    net = EightBitNetwork(path, ranges=RANGES, outputs=_OUTPUTS)
    return CenterFace(net, score_threshold=score_threshold)


class _Float32Net:
    """The net as it was published, on onnxruntime."""

    def __init__(self, path: Path) -> None:
        self._session = _open_session(cleaned_graph(path))
        self._input = self._session.get_inputs()[0].name

    def __call__(self, picture: RGB) -> Sequence[NDArray[np.float32]]:
        values = np.ascontiguousarray(picture.transpose(2, 0, 1), dtype=np.float32)[None]
        maps: Sequence[NDArray[np.float32]] = self._session.run(_OUTPUTS, {self._input: values})
        return maps


def cleaned_graph(path: Path) -> bytes:
    """Return the serialised model in a form that onnxruntime loads for any picture size, and fast.

    The file declares a fixed 10x3x32x32 input, and lists its 194 weights as inputs too, which keeps the runtime
    from folding them (twice the time). Clearing the shapes and delisting the weights is legal from ir_version 4.
    Only the copy in memory is changed; the digest is that of the untouched file.

    Raises:
        ModelMissing: The `onnx` package is not there, or the graph is not the known one.
    """
    try:
        import onnx
    except ImportError as error:
        raise ModelMissing("the package onnx is not installed", remedy="pip install onnx") from error
    model = onnx.load(str(path))
    graph = model.graph
    weights = {tensor.name for tensor in graph.initializer}
    inputs = [entry for entry in graph.input if entry.name not in weights]
    if len(inputs) != 1:
        raise ModelMissing(f"the CenterFace graph has {len(inputs)} inputs instead of 1", where=str(path))
    del graph.input[:]
    graph.input.extend(inputs)
    for entry in [*graph.input, *graph.output]:
        entry.type.tensor_type.ClearField("shape")
    serialised: bytes = model.SerializeToString()
    return serialised


def decode_maps(
    heat: NDArray[np.float32],
    scale: NDArray[np.float32],
    offset: NDArray[np.float32],
    *,
    score_threshold: float,
) -> Boxes:
    """Turn the net's maps into boxes.

    Args:
        heat: (h, w) scores 0..1, one cell for 4x4 pixels of the input.
        scale: (2, h, w) logarithms of box height and width in cells; the vertical one comes first.
        offset: (2, h, w) position of the centre inside its cell, in cells; the vertical one comes first.
        score_threshold: Cells at or below this are dropped.

    Returns:
        Boxes in pixels of the net's input, clipped to it, best first, overlaps above 0.3 removed.
    """
    rows, columns = np.nonzero(heat > score_threshold)
    heights = _STRIDE * np.exp(scale[0, rows, columns])
    widths = _STRIDE * np.exp(scale[1, rows, columns])
    centre_y = _STRIDE * (rows + offset[0, rows, columns] + 0.5)
    centre_x = _STRIDE * (columns + offset[1, rows, columns] + 0.5)
    right, bottom = heat.shape[1] * _STRIDE, heat.shape[0] * _STRIDE
    boxes = np.stack(
        [
            np.clip(centre_x - widths / 2, 0, right),
            np.clip(centre_y - heights / 2, 0, bottom),
            np.clip(centre_x + widths / 2, 0, right),
            np.clip(centre_y + heights / 2, 0, bottom),
            heat[rows, columns],
        ],
        axis=1,
    )
    return keep_best(boxes.astype(np.float32), max_overlap=_MAX_OVERLAP)


def _open_session(model: bytes) -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise ModelMissing(
            "the package onnxruntime is not installed", remedy="pip install onnxruntime"
        ) from error
    options = onnxruntime.SessionOptions()
    # The order of float additions, and so the last bits of a score, depends on the number of threads.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    # Pictures of several sizes pass through one session, and a memory plan is kept for each. Without plans the arena
    # serves them all; without the arena large pictures take half as long again, in page faults.
    options.enable_mem_pattern = False
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    if len(session.get_inputs()) != 1:
        raise ModelMissing("CenterFace still lists weights as inputs after cleaning")
    return session
