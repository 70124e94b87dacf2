"""Hand boxes with sides from an exported YOLO network given by path: class 0 is a left hand, class 1 a right one.

The call is that of the files that the publisher's tool exports: RGB in 0..1, 640x640, aspect kept, grey borders; the
answer is (1, 4 + 2 + any, A) with centre, size and one score per class of A candidates, before suppression.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from episode_assets.hands.box_backend import HandBoxes
from episode_assets.hands.network_files import FileNetwork, load_network, misfit
from episode_assets.hands.regions import box_overlap

INPUT_PX = 640
_BORDER = 114
_MAX_OVERLAP = 0.7
_CLASSES = 2
_EXPECTED = (
    f"answers 1x3x{INPUT_PX}x{INPUT_PX} with 1x(4 + 2)xA: centre, size, score of left, score of right; "
    "exported without suppression"
)


class YoloHandDetector:
    """Finds hands and their sides; see `box_backend.HandBoxDetector`.

    Args:
        path: The exported file.
        setting: Name of the setting that it comes from.
        score_threshold: Boxes below are not reported.

    Raises:
        ModelMissing: The file or its package is not there, or it answers otherwise than such a network.
    """

    def __init__(self, path: str, *, setting: str, score_threshold: float) -> None:
        self._path = path
        self._threshold = score_threshold
        self._network: FileNetwork = load_network(path, setting=setting)
        self.detect(np.zeros((8, 8, 3), np.uint8))

    def detect(self, rgb: NDArray[np.uint8]) -> HandBoxes:
        """Return the hands of a picture, surest first, each once whatever its side."""
        picture, scale, left, top = _letterboxed(rgb)
        candidates = self._candidates(picture)
        scores = candidates[:, 4 : 4 + _CLASSES]
        best = scores.max(axis=1, initial=0.0)
        order = np.argsort(-best, kind="stable")
        order = order[best[order] >= self._threshold]
        centre = (candidates[order, :2] - (left, top)) / scale - 0.5
        half = candidates[order, 2:4] / (2 * scale)
        is_right = scores[order].argmax(axis=1) == 1 if len(order) else np.zeros(0, bool)
        found = HandBoxes(np.concatenate([centre - half, centre + half], axis=1), is_right, best[order])
        return found.take(_without_doubles(found.boxes))

    def _candidates(self, picture: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return (A, 6 or more) candidates in pixels of the network's input."""
        outputs = list(self._network(picture).values())
        answer = outputs[0]
        if answer.ndim != 3 or answer.shape[0] != 1 or answer.shape[1] < 4 + _CLASSES:
            shape = "x".join(map(str, answer.shape)) or "a single number"
            raise misfit(self._path, f"answers with {shape}", expected=_EXPECTED)
        return np.asarray(answer[0].T, np.float64)


def _letterboxed(rgb: NDArray[np.uint8]) -> tuple[NDArray[np.float32], float, int, int]:
    """Return the (1, 3, 640, 640) input, its scale, and where the picture begins in it."""
    height, width = rgb.shape[:2]
    scale = INPUT_PX / max(height, width)
    size = max(round(width * scale), 1), max(round(height * scale), 1)
    left, top = (INPUT_PX - size[0]) // 2, (INPUT_PX - size[1]) // 2
    canvas = np.full((INPUT_PX, INPUT_PX, 3), _BORDER, np.uint8)
    canvas[top : top + size[1], left : left + size[0]] = cv2.resize(rgb, size, interpolation=cv2.INTER_LINEAR)
    batch = np.ascontiguousarray(canvas.transpose(2, 0, 1)[None], np.float32) / np.float32(255)
    return batch, scale, left, top


def _without_doubles(boxes: NDArray[np.float64]) -> NDArray[np.intp]:
    kept: list[int] = []
    for index in range(len(boxes)):
        if (box_overlap(boxes[index : index + 1], boxes[kept]) <= _MAX_OVERLAP).all():
            kept.append(index)
    return np.array(kept, np.intp)
