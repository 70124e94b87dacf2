"""MediaPipe's BlazeFace networks: a pyramid of small tiles over a picture, anchors, decoding, merging.

The nets see 128 or 192 pixels and nothing else, so a picture is cut into overlapping tiles, halved, and cut again until
one tile holds it all. They are light but miss more than CenterFace does: a second opinion, no replacement. Running
tflite files belongs to `models.litert`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from episode_assets import models
from episode_assets.anonymization.boxes import SAME_OVERLAP, Boxes, keep_best, no_boxes, overlap_ratios
from episode_assets.anonymization.detectors import (
    AUTO,
    RGB,
    Label,
    check_certain,
    check_choice,
    from_common_scale,
    scaled_size,
    to_common_scale,
)
from episode_assets.models.litert import Network
from episode_assets.outcome import ModelUse

Range = Literal["full", "short"]


@dataclass(frozen=True)
class Net:
    """One of the two networks.

    Attributes:
        weight: Registry name.
        side: Side of its square input in pixels.
        layers: Anchor layers: cells along a side, anchors in each cell.
        scores, boxes: Names of its outputs.
        certain: Score from which on nearly all that it reports are faces, tiles of the sample pictures counted: full
            range 2.2 boxes for 2 faces at 0.8, short range 2.0 at 0.7. At the publisher's own lines (0.6 and 0.5, meant
            for whole pictures) 3.4 and 5.6.
        smallest_px: Height in the net's input of the smallest face that it finds reliably, when 17 faces were scaled to
            growing sizes: short range 16 of 17 at 24 px (12 at 20), full range 15 of 17 at 32 px (10 at 20).
    """

    weight: str
    side: int
    layers: tuple[tuple[int, int], ...]
    scores: str
    boxes: str
    certain: float
    smallest_px: float


NETS: dict[Range, Net] = {
    "short": Net(
        "face_detection_short_range", 128, ((16, 2), (8, 6)), "classificators", "regressors", 0.7, 24.0
    ),
    "full": Net("face_detection_full_range_sparse", 192, ((48, 1),), "Identity_1", "Identity", 0.8, 32.0),
}


@dataclass(frozen=True)
class BlazeFaceOptions:
    """The settings of `blazeface`; see `detectors.BackendOptions`."""

    range: Range = field(
        default="full",
        metadata={
            "help": "which network: full, for faces up to about 5 m away, or short, for faces within about 2 m; "
            "each needs the file that `episode-assets models fetch` brings"
        },
    )

    certain_score: float = field(
        default=AUTO,
        metadata={
            "help": "score of this network, 0.05..0.99, that counts as certain (0.5 of strong_score's scale); lower "
            "blurs more, false faces too; 0 takes 0.8 for full and 0.7 for short"
        },
    )

    labels = frozenset({Label.FACE})

    def __post_init__(self) -> None:
        """Check every value by itself; raises BadConfig."""
        check_choice("blazeface", "range", self.range, tuple(NETS))
        check_certain("blazeface", "certain_score", self.certain_score, or_auto=True)

    def check(self) -> None:
        """Accept: the weights are known."""

    def models(self) -> tuple[ModelUse, ...]:
        """Return the registered weight file."""
        return (models.use(NETS[self.range].weight),)

    def require(self) -> None:
        """Look for the weight file and the package."""
        models.find(NETS[self.range].weight)
        models.require_package("ai_edge_litert", remedy="pip install ai-edge-litert")

    def make(self, *, score_threshold: float) -> tuple[BlazeFace, ...]:
        """Load the detector."""
        net = NETS[self.range]
        certain = self.certain_score or net.certain
        return (BlazeFace(net, certain=certain, score_threshold=score_threshold),)


class BlazeFace:
    """The detector of one process.

    Args:
        net: Which network.
        certain: Its own score that counts as certain.
        score_threshold: Boxes below this are not reported; on the common scale.

    Raises:
        ModelMissing: The weight file is not there.
    """

    label = Label.FACE

    def __init__(self, net: Net, *, certain: float, score_threshold: float) -> None:
        self._net = net
        self._certain = certain
        self._network = Network(models.find(net.weight))
        self._threshold = from_common_scale(score_threshold, certain=certain)

    @property
    def models(self) -> tuple[ModelUse, ...]:
        """The one weight file."""
        return (models.use(self._net.weight),)

    def input_size(self, width: int, height: int, *, min_face_px: float) -> tuple[int, int]:
        """Return the size of the finest level of the pyramid."""
        return scaled_size(width, height, min_face_px=min_face_px, smallest_px=self._net.smallest_px)

    def detect(self, pictures: Sequence[RGB]) -> list[Boxes]:
        """Return the faces of each picture; see `FaceDetector.detect`."""
        return [self._detect(picture) for picture in pictures]

    def _detect(self, picture: RGB) -> Boxes:
        net = self._net
        overlap = round(2 * net.smallest_px)
        found = [no_boxes()]
        for level, factor in _pyramid(picture, net.side):
            for x, y in tile_corners(level.shape[1], level.shape[0], side=net.side, overlap=overlap):
                boxes = self._look(tile_input(level, x, y, side=net.side))
                boxes[:, :4] = (boxes[:, :4] + np.array([x, y, x, y], np.float32)) * np.tile(factor, 2)
                found.append(boxes)
        limits = np.array([picture.shape[1], picture.shape[0]] * 2)
        boxes = np.concatenate(found)
        boxes[:, :4] = np.clip(boxes[:, :4], 0, limits)
        return keep_best(boxes, max_overlap=SAME_OVERLAP)

    def _look(self, tile: NDArray[np.float32]) -> Boxes:
        outputs = self._network(tile[None])
        net = self._net
        boxes = decode(
            outputs[net.boxes][0], outputs[net.scores][0, :, 0], net=net, threshold=self._threshold
        )
        boxes[:, 4] = to_common_scale(boxes[:, 4], certain=self._certain)
        return boxes


@cache
def anchor_centres(layers: tuple[tuple[int, int], ...]) -> NDArray[np.float64]:
    """Return the (A, 2) anchor centres in 0..1: row by row, cell by cell, all anchors of a cell together."""
    centres = []
    for cells, per_cell in layers:
        line = (np.arange(cells) + 0.5) / cells
        x, y = np.meshgrid(line, line)
        centres.append(np.repeat(np.stack([x.ravel(), y.ravel()], axis=1), per_cell, axis=0))
    result = np.concatenate(centres)
    result.setflags(write=False)
    return result


def decode(
    regressors: NDArray[np.float32], logits: NDArray[np.float32], *, net: Net, threshold: float
) -> Boxes:
    """Turn the raw outputs of one tile into merged boxes.

    Args:
        regressors: (A, 16): centre relative to the anchor, width and height, then keypoints, in pixels of the input.
        logits: (A,).
        net: The network that gave them.
        threshold: Lowest score that counts, in the net's own scores.

    Returns:
        Boxes in pixels of the tile, best first; may reach beyond it.
    """
    scores = 1 / (1 + np.exp(-np.clip(logits.astype(np.float64), -100, 100)))
    kept = np.flatnonzero(scores >= threshold)
    raw = regressors[kept, :4].astype(np.float64)
    centre, half = raw[:, :2] + anchor_centres(net.layers)[kept] * net.side, raw[:, 2:] / 2
    boxes = np.concatenate([centre - half, centre + half, scores[kept, None]], axis=1)
    return merge(boxes.astype(np.float32))


def merge(boxes: Boxes) -> Boxes:
    """Replace every group of overlapping boxes by its score-weighted mean, which keeps the best score."""
    left = boxes[np.argsort(-boxes[:, 4], kind="stable")]
    merged: list[NDArray[np.float32]] = []
    while len(left):
        is_same = overlap_ratios(left[:1], left)[0] > SAME_OVERLAP
        is_same[0] = True
        group = left[is_same]
        mean = np.average(group[:, :4], axis=0, weights=group[:, 4])
        merged.append(np.append(mean, group[0, 4]).astype(np.float32))
        left = left[~is_same]
    return np.stack(merged) if merged else no_boxes()


def tile_corners(width: int, height: int, *, side: int, overlap: int) -> list[tuple[int, int]]:
    """Return the upper left corners of square tiles that cover a picture and overlap by at least `overlap`."""
    xs, ys = (_starts(length, side, overlap) for length in (width, height))
    return [(x, y) for y in ys for x in xs]


def tile_input(picture: RGB, x: int, y: int, *, side: int) -> NDArray[np.float32]:
    """Return the (side, side, 3) float32 input -1..1 at a corner; what lies outside of the picture is black."""
    canvas = np.full((side, side, 3), -1.0, np.float32)
    part = picture[max(y, 0) : y + side, max(x, 0) : x + side]
    top, left = max(-y, 0), max(-x, 0)
    place = canvas[top : top + part.shape[0], left : left + part.shape[1]]
    np.multiply(part, np.float32(2 / 255), out=place)
    place -= 1
    return canvas


def _starts(length: int, side: int, overlap: int) -> list[int]:
    """Return where tiles start along one direction; a shorter picture is centred in its only tile."""
    if length <= side:
        return [-((side - length) // 2)]
    count = -(-(length - overlap) // (side - overlap))
    return [round(start) for start in np.linspace(0, length - side, count)]


def _pyramid(picture: RGB, side: int) -> Iterator[tuple[RGB, NDArray[np.float32]]]:
    """Yield ever smaller versions down to one that fits a tile, each with its pixel size (x, y) in `picture`."""
    height, width = picture.shape[:2]
    level = picture
    while True:
        yield level, np.array([width / level.shape[1], height / level.shape[0]], np.float32)
        longest = max(level.shape[:2])
        if longest <= side:
            return
        shrink = max(0.5, side / longest)
        size = (max(1, round(level.shape[1] * shrink)), max(1, round(level.shape[0] * shrink)))
        level = np.asarray(cv2.resize(level, size, interpolation=cv2.INTER_AREA), np.uint8)
