"""MediaPipe's palm network: anchors, decoding, merging, and the crops of a picture that it looks at.

It only proposes; whether a proposal is a hand is decided by the presence that the landmark network gives it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from episode_assets.hands.networks import PictureNetwork
from episode_assets.hands.regions import Regions, box_overlap, overlap, regions_from_palms

INPUT_PX = 192
_MERGE_OVERLAP = 0.3
_SAME_REGION_OVERLAP = 0.5
_TILES_PER_SIDE = 2
_TILE_STEP = 2 / 3
_SMALLEST_TILE_PX = 32
_COVERED_SHARE = 0.6


@dataclass(frozen=True)
class Palms:
    """Palm proposals of one picture.

    Attributes:
        boxes: (N, 4) float64 x0, y0, x1, y1.
        keypoints: (N, 7, 2) float64: wrist, knuckles of index, middle, ring and little finger, thumb base, thumb
            knuckle.
        scores: (N,) float64 in 0..1.
    """

    boxes: NDArray[np.float64]
    keypoints: NDArray[np.float64]
    scores: NDArray[np.float64]


@dataclass(frozen=True)
class Crop:
    """An upright square of the picture, possibly reaching beyond it: left, top and side in pixels."""

    left: float
    top: float
    side: float


Plan: TypeAlias = Callable[[int, int], tuple[Crop, ...]]
"""Chooses where to look in a picture of this width and height."""


@cache
def anchor_centres() -> NDArray[np.float64]:
    """Return the (2016, 2) anchor centres in 0..1: 24 x 24 cells with 2 anchors, then 12 x 12 cells with 6.

    Row by row, cell by cell, all anchors of a cell together; anchor sizes are 1.
    """
    layers = []
    for cells, per_cell in ((24, 2), (12, 6)):
        line = (np.arange(cells) + 0.5) / cells
        x, y = np.meshgrid(line, line)
        layers.append(np.repeat(np.stack([x.ravel(), y.ravel()], axis=1), per_cell, axis=0))
    centres = np.concatenate(layers)
    centres.setflags(write=False)
    return centres


def decode_palms(regressors: NDArray[np.float32], logits: NDArray[np.float32], *, threshold: float) -> Palms:
    """Turn raw outputs (2016, 18) and (2016,) of one picture into merged palms in 0..1 of the network's input."""
    # Filtering on the logit spares 2016 exponentials per picture.
    kept = np.flatnonzero(logits >= np.log(threshold / (1 - threshold)))
    raw = regressors[kept].astype(np.float64) / INPUT_PX
    anchors = anchor_centres()[kept]
    centre, half = raw[:, :2] + anchors, raw[:, 2:4] / 2
    boxes = np.concatenate([centre - half, centre + half], axis=1)
    keypoints = raw[:, 4:].reshape(-1, 7, 2) + anchors[:, None]
    scores = 1 / (1 + np.exp(-np.clip(logits[kept].astype(np.float64), -100, 100)))
    return merge_palms(Palms(boxes, keypoints, scores))


def merge_palms(palms: Palms) -> Palms:
    """Replace every group of overlapping palms by its score-weighted average, which keeps the best score."""
    order = np.argsort(-palms.scores, kind="stable")
    boxes, keypoints, scores = palms.boxes[order], palms.keypoints[order], palms.scores[order]
    apart = box_overlap(boxes, boxes) <= _MERGE_OVERLAP
    left = np.ones(len(scores), bool)
    merged: list[tuple[NDArray[np.float64], NDArray[np.float64], float]] = []
    for best in range(len(scores)):
        if not left[best]:
            continue
        group = left & ~apart[best]
        group[best] = True
        weight = scores[group] / scores[group].sum()
        merged.append((weight @ boxes[group], np.tensordot(weight, keypoints[group], 1), float(scores[best])))
        left &= ~group
    return Palms(
        np.array([item[0] for item in merged]).reshape(-1, 4),
        np.array([item[1] for item in merged]).reshape(-1, 7, 2),
        np.array([item[2] for item in merged]),
    )


def plan_crops(width: int, height: int, *, squares: int) -> tuple[Crop, ...]:
    """Choose where to look: the whole picture in a square, and `squares` full squares along its longer side."""
    whole = max(width, height)
    crops = [Crop((width - whole) / 2, (height - whole) / 2, whole)]
    side, spare = min(width, height), abs(width - height)
    if not spare:
        return tuple(crops)
    offsets = np.linspace(0, spare, squares) if squares > 1 else np.full(squares, spare / 2)
    for offset in offsets:
        along = float(round(offset))
        crops.append(Crop(along, 0.0, side) if width > height else Crop(0.0, along, side))
    return tuple(crops)


def plan_tiles(width: int, height: int) -> tuple[Crop, ...]:
    """Cover a picture with squares half as long as its shorter side, which share a third with each neighbour.

    For hands of half the size that the whole squares can show: those of other people. A hand as long as the shared
    third is whole in some tile, and a longer one fills enough of a whole square. A picture too slim for tiles that show
    anything gets none.
    """
    side = min(width, height) // _TILES_PER_SIDE
    if side < _SMALLEST_TILE_PX:
        return ()
    lefts, tops = (_starts(length, side) for length in (width, height))
    return tuple(Crop(left, top, side) for top in tops for left in lefts)


def _starts(length: int, side: int) -> list[float]:
    count = 1 + int(np.ceil((length - side) / (side * _TILE_STEP)))
    return [float(round(start)) for start in np.linspace(0, length - side, count)]


class PalmDetector:
    """Finds palms in a picture and proposes regions; see `episode_assets.hands.backends.HandDetector`."""

    def __init__(self, networks: Sequence[PictureNetwork], *, threshold: float, plan: Plan) -> None:
        """Take palm networks, all of which look at every crop of the plan.

        Args:
            networks: At least one.
            threshold: Lowest score of a palm.
            plan: Where to look.
        """
        self._networks = networks
        self._threshold = threshold
        self._plan = plan

    def detect(self, rgb: NDArray[np.uint8]) -> Regions:
        """Propose regions in an (H, W, 3) picture, best first, each hand once."""
        return self.detect_beside(rgb, np.zeros((0, 4)))

    def detect_beside(self, rgb: NDArray[np.uint8], known: Regions) -> Regions:
        """Propose regions as `detect` does, without looking into crops that a known hand's region fills."""
        finest = min((crop.side for crop in self._plan(rgb.shape[1], rgb.shape[0])), default=0.0)
        shrunk, shrink = _shrunk(rgb, finest)
        height, width = shrunk.shape[:2]
        found: list[Palms] = []
        for crop in self._plan(width, height):
            if _is_covered(crop, shrink, known):
                continue
            pixels = cut_crop(shrunk, crop)[None]
            found += [_to_picture(self._palms(network, pixels), crop, shrink) for network in self._networks]
        if not found:
            return np.zeros((0, 4))
        palms = Palms(*(np.concatenate(parts) for parts in zip(*map(_columns, found), strict=True)))
        order = np.argsort(-palms.scores, kind="stable")
        regions = regions_from_palms(palms.boxes[order], palms.keypoints[order])
        return regions[first_of_each(regions)]

    def _palms(self, network: PictureNetwork, pixels: NDArray[np.float32]) -> Palms:
        outputs = network(pixels)
        return decode_palms(outputs["Identity"][0], outputs["Identity_1"][0, :, 0], threshold=self._threshold)


def cut_crop(rgb: NDArray[np.uint8], crop: Crop) -> NDArray[np.float32]:
    """Scale one square of the picture to the network's (192, 192, 3) float32 input, 0..1, zero outside."""
    height, width = rgb.shape[:2]
    left, top = max(round(crop.left), 0), max(round(crop.top), 0)
    right, bottom = min(round(crop.left + crop.side), width), min(round(crop.top + crop.side), height)
    scale = INPUT_PX / crop.side
    size = (max(round((right - left) * scale), 1), max(round((bottom - top) * scale), 1))
    small = cv2.resize(rgb[top:bottom, left:right], size, interpolation=cv2.INTER_AREA)
    canvas = np.zeros((INPUT_PX, INPUT_PX, 3), np.float32)
    x, y = round((left - crop.left) * scale), round((top - crop.top) * scale)
    np.multiply(small, np.float32(1 / 255), out=canvas[y : y + size[1], x : x + size[0]])
    return canvas


def first_of_each(regions: Regions) -> NDArray[np.intp]:
    """Return positions of regions that overlap no earlier kept one; the order of `regions` is the preference."""
    same = overlap(regions, regions) >= _SAME_REGION_OVERLAP
    kept: list[int] = []
    for index in range(len(regions)):
        if not same[index, kept].any():
            kept.append(index)
    return np.array(kept, np.intp)


def _is_covered(crop: Crop, shrink: int, known: Regions) -> bool:
    """Say whether one known region, as an upright square, covers most of a crop of the shrunk picture."""
    low, side = np.array([crop.left, crop.top]) * shrink, crop.side * shrink
    half = known[:, 2:3] / 2
    common = np.minimum(low + side, known[:, :2] + half) - np.maximum(low, known[:, :2] - half)
    return bool((np.prod(np.clip(common, 0, None), axis=1) >= _COVERED_SHARE * side**2).any())


def _columns(palms: Palms) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    return palms.boxes, palms.keypoints, palms.scores


def _shrunk(rgb: NDArray[np.uint8], finest: float) -> tuple[NDArray[np.uint8], int]:
    """Halve a picture while its smallest crop stays well above the network's input; return it and the factor.

    Averaging two by two pixels is several times faster than shrinking by an odd factor at full size, and crops of
    one picture share it.
    """
    factor = 1
    while finest / factor >= 3 * INPUT_PX and not any(side % 2 for side in rgb.shape[:2]):
        size = (rgb.shape[1] // 2, rgb.shape[0] // 2)
        rgb = np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), np.uint8)
        factor *= 2
    return rgb, factor


def _to_picture(palms: Palms, crop: Crop, shrink: int) -> Palms:
    # 0..1 counts from the outer edge of the crop; pixels count from the centre of the first one, hence the half.
    side = crop.side * shrink
    origin = np.array([crop.left, crop.top]) * shrink - 0.5
    boxes = palms.boxes * side + np.concatenate([origin, origin])
    return Palms(boxes, palms.keypoints * side + origin, palms.scores)
