"""Runs the published face and hand models on single pictures, straight from their contracts.

A second, plain implementation beside the library's: it answers whether the models see what the demo shows, whatever the
library does around them. No tracking, no flips; the whole picture and three square crops, two rounds of the region.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from episode_assets.models import find

Region = tuple[float, float, float, float]
"""Centre x, centre y, side in pixels, rotation in radians."""


@dataclass(frozen=True)
class FoundHand:
    joints_px: np.ndarray
    presence: float
    right_handedness: float
    region: Region


class FaceModel:
    """CenterFace on onnxruntime at 640 pixels, threshold 0.2."""

    def __init__(self) -> None:
        import onnx
        import onnxruntime

        model = onnx.load(str(find("centerface")))
        constants = {entry.name for entry in model.graph.initializer}
        inputs = [entry for entry in model.graph.input if entry.name not in constants]
        del model.graph.input[:]
        model.graph.input.extend(inputs)
        for value in (*model.graph.input, *model.graph.output):
            value.type.tensor_type.ClearField("shape")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(model.SerializeToString(), options)

    def boxes(self, rgb: np.ndarray) -> list[np.ndarray]:
        """Boxes x0, y0, x1, y1, score; overlapping ones are not merged."""
        height, width = rgb.shape[:2]
        w, h = 640, math.ceil(640 * height / width / 32) * 32
        blob = (
            cv2.resize(rgb, (w, h), interpolation=cv2.INTER_AREA).astype(np.float32).transpose(2, 0, 1)[None]
        )
        heat, scale, offset = self._session.run(["537", "538", "539"], {"input.1": blob})
        found = []
        for y, x in np.argwhere(heat[0, 0] > 0.2):
            size_y, size_x = 4 * np.exp(scale[0, :, y, x])
            cy, cx = 4 * (y + offset[0, 0, y, x] + 0.5), 4 * (x + offset[0, 1, y, x] + 0.5)
            box = np.array([cx - size_x / 2, cy - size_y / 2, cx + size_x / 2, cy + size_y / 2])
            found.append(np.append(box * np.tile([width / w, height / h], 2), heat[0, 0, y, x]))
        return found


class HandModel:
    """Lite palm detector at 0.3 and full landmark model at presence 0.5 on ai-edge-litert."""

    def __init__(self) -> None:
        self._palm = _Network("palm_detection_lite")
        self._landmarks = _Network("hand_landmark_full")
        grids = [(24, 2), (12, 6)]
        anchors = [
            ((x + 0.5) / g, (y + 0.5) / g)
            for g, n in grids
            for y in range(g)
            for x in range(g)
            for _ in range(n)
        ]
        self._anchors = np.array(anchors)

    def hands(self, rgb: np.ndarray) -> list[FoundHand]:
        height, width = rgb.shape[:2]
        crops = [(0, width)] + [(x, height) for x in (0, (width - height) // 2, width - height)]
        found = []
        for left, side in crops:
            for region in self._palms(rgb[:, left : left + side]):
                hand = self._confirmed(rgb, (region[0] + left, *region[1:]))
                if hand is not None:
                    found.append(hand)
        kept: list[FoundHand] = []
        for hand in sorted(found, key=lambda hand: -hand.presence):
            if all(overlap(_square(hand.region), _square(other.region)) < 0.3 for other in kept):
                kept.append(hand)
        return kept

    def _confirmed(self, rgb: np.ndarray, region: Region) -> FoundHand | None:
        for _ in range(2):
            joints, presence, handedness = self._landmark(rgb, region)
            if presence < 0.5:
                return None
            region = _next_region(joints)
        return FoundHand(joints, presence, handedness, region)

    def _palms(self, rgb: np.ndarray) -> list[Region]:
        height, width = rgb.shape[:2]
        scale = 192 / max(height, width)
        w, h = round(width * scale), round(height * scale)
        left, top = (192 - w) // 2, (192 - h) // 2
        blob = np.zeros((192, 192, 3), np.float32)
        blob[top : top + h, left : left + w] = cv2.resize(rgb, (w, h), interpolation=cv2.INTER_AREA) / 255
        outputs = self._palm.run(blob)
        scores = 1 / (1 + np.exp(-np.clip(outputs["Identity_1"][0, :, 0], -100, 100)))
        order = [i for i in np.argsort(-scores) if scores[i] >= 0.3]
        regions: list[Region] = []
        while order:
            points = outputs["Identity"][0][order] / 192
            centres = points[:, :2] + self._anchors[order]
            boxes = np.hstack([centres - points[:, 2:4] / 2, centres + points[:, 2:4] / 2])
            near = np.array([overlap(boxes[0], box) > 0.3 for box in boxes])
            near[0] = True
            keys = points[:, 4:].reshape(-1, 7, 2) + self._anchors[order][:, None]
            weights = scores[np.array(order)[near]]
            merged = np.average(
                np.hstack([boxes, keys.reshape(len(order), -1)])[near], axis=0, weights=weights
            )
            pixels = (merged.reshape(-1, 2) * 192 - [left, top]) * [width / w, height / h]
            regions.append(_palm_region(pixels))
            order = [i for i, merged_away in zip(order, near, strict=True) if not merged_away]
        return regions

    def _landmark(self, rgb: np.ndarray, region: Region) -> tuple[np.ndarray, float, float]:
        cx, cy, side, rotation = region
        k = side / 224
        turn = k * _turn(rotation)
        back = np.hstack([turn, np.array([[cx], [cy]]) - turn @ [[112], [112]]])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        crop = cv2.warpAffine(rgb, back, (224, 224), flags=flags, borderMode=cv2.BORDER_REPLICATE)
        outputs = self._landmarks.run((crop / 255).astype(np.float32))
        joints = outputs["Identity"][0].reshape(21, 3)[:, :2] @ back[:, :2].T + back[:, 2]
        return joints, float(outputs["Identity_1"][0, 0]), float(outputs["Identity_2"][0, 0])


class _Network:
    def __init__(self, name: str) -> None:
        from ai_edge_litert.interpreter import Interpreter

        self._interpreter = Interpreter(str(find(name)), num_threads=1)
        self._interpreter.allocate_tensors()
        self._input = self._interpreter.get_input_details()[0]["index"]

    def run(self, picture: np.ndarray) -> dict[str, np.ndarray]:
        self._interpreter.set_tensor(self._input, picture[None])
        self._interpreter.invoke()
        return {
            output["name"]: self._interpreter.get_tensor(output["index"])
            for output in self._interpreter.get_output_details()
        }


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    """Intersection over union of two boxes."""
    inside = np.prod(np.maximum(np.minimum(a[2:4], b[2:4]) - np.maximum(a[:2], b[:2]), 0))
    return float(inside / (np.prod(a[2:4] - a[:2]) + np.prod(b[2:4] - b[:2]) - inside))


def _square(region: Region) -> np.ndarray:
    cx, cy, side, _ = region
    return np.array([cx - side / 2, cy - side / 2, cx + side / 2, cy + side / 2])


def _turn(angle: float) -> np.ndarray:
    c, s = math.cos(angle), math.sin(angle)
    return np.array([[c, -s], [s, c]])


def _upright(along: np.ndarray) -> float:
    angle = math.pi / 2 - math.atan2(-along[1], along[0])
    return (angle + math.pi) % (2 * math.pi) - math.pi


def _palm_region(pixels: np.ndarray) -> Region:
    low, high, wrist, middle = pixels[0], pixels[1], pixels[2], pixels[4]
    rotation = _upright(middle - wrist)
    size = high - low
    centre = (low + high) / 2 + 0.5 * size[1] * np.array([math.sin(rotation), -math.cos(rotation)])
    return float(centre[0]), float(centre[1]), 2.6 * float(size.max()), rotation


def _next_region(joints: np.ndarray) -> Region:
    rotation = _upright(((joints[5] + joints[13]) / 2 + joints[9]) / 2 - joints[0])
    points = joints[[0, 1, 2, 3, 5, 6, 9, 10, 13, 14, 17, 18]] @ _turn(-rotation).T
    size = np.ptp(points, axis=0)
    centre = _turn(rotation) @ ((points.min(axis=0) + points.max(axis=0)) / 2)
    centre += 0.1 * size[1] * np.array([math.sin(rotation), -math.cos(rotation)])
    return float(centre[0]), float(centre[1]), 2.0 * float(size.max()), rotation
