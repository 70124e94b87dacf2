"""What is kept of the joints of a recording's hands: some numbers per picture, taken a block of pictures at a time.

No threshold is known here and nothing is judged; which numbers are odd stands in `hand_checks`, whose hand it is in
`hand_sides`, how fast it moves in `hand_motion`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from episode_assets.bundle import EpisodeBundle, FaceBoxes, HandArrays
from episode_assets.bundle.hands import JOINTS
from episode_assets.bundle.layout import MEASURED, Side
from episode_assets.geometry import project
from episode_assets.qc.blocks import BLOCK_ROWS, held_once, in_blocks
from episode_assets.qc.hand_shape import (
    WRIST,
    bone_lengths,
    curl,
    finger_order,
    flexion_range,
    palm_sizes,
    palm_widths,
    pointing,
    row_medians,
    tip_distances,
)
from episode_assets.qc.ranges import Flags

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class HandFigures:
    """One hand of the wearer over the F pictures of a bundle; numbers are NaN where nothing is known.

    Attributes:
        valid: (F,) a hand is there.
        kind: (F,) int8, 0 nothing, 1 measured, 2 interpolated, 3 held.
        confidence: (F,) float32, 0 where there is no hand.
        wrist_px: (F, 2) float32 pixels.
        wrist_cam: (F, 3) float32 metres in the camera's optical frame.
        wrist_world: (F, 3) float32 metres in the world.
        joint_step_m: (F,) metres from the frame before, in the world, of the joint that went farthest.
        has_metres: (F,) any joint has a place in the camera's frame.
        joints_seen: (F,) uint8 joints with pixels.
        joints_inside: (F,) uint8 joints with pixels that lie in the picture.
        pointing: (F, 2) unit vectors in the picture from the wrist to the middle finger's knuckle.
        reprojection_px: (F,) median distance in pixels between joints as seen and as projected from their metres.
        hidden_share: (F,) share of the joints in blurred rectangles, 0 where no hand or no rectangle is.
        curl: (F,) -1 to 1, how far fingers are bent to the palm of a right hand.
        flexion_deg: (F, 2) the least and the most that a joint is bent to the palm.
        finger_order_m: (F,) metres by which fingers keep their order across the palm.
        tip_m: (F, 5) float32 metres from the wrist to the tips.
        palm_width_m: (F,) float32 metres across the knuckles.
        bone_deviation: (F,) median over the bones of how far each is from its usual length, relative.
        bone_scale: (F,) median over the bones of length by usual length: 1.5 is a hand half as large again.
        usual_palm_m: (2,) medians of the length of the palm and of its width.
    """

    valid: Flags
    kind: NDArray[np.int8]
    confidence: NDArray[np.float32]
    wrist_px: NDArray[np.float32]
    wrist_cam: NDArray[np.float32]
    wrist_world: NDArray[np.float32]
    joint_step_m: Floats
    has_metres: Flags
    joints_seen: NDArray[np.uint8]
    joints_inside: NDArray[np.uint8]
    pointing: Floats
    reprojection_px: Floats
    hidden_share: Floats
    curl: Floats
    flexion_deg: Floats
    finger_order_m: Floats
    tip_m: NDArray[np.float32]
    palm_width_m: NDArray[np.float32]
    bone_deviation: Floats
    bone_scale: Floats
    usual_palm_m: Floats

    @property
    def is_measured(self) -> Flags:
        """(F,) whether the hand was read in the picture itself."""
        return np.asarray(self.valid & (self.kind == MEASURED))


@dataclass(frozen=True)
class Scene:
    """What pictures say about hands beside the joints.

    Attributes:
        K: (F, 3, 3) intrinsics or None.
        size: Width and height of the pictures.
        faces: Blurred rectangles.
    """

    K: Floats | None
    size: tuple[int, int]
    faces: FaceBoxes


def hand_blocks(bundle: EpisodeBundle, side: Side) -> Iterator[tuple[int, HandArrays]]:
    """Yield one hand a block of pictures at a time, with the first picture of each."""
    for start in range(0, max(len(bundle), 1), BLOCK_ROWS):
        yield start, bundle.hand(side, slice(start, min(start + BLOCK_ROWS, len(bundle))))


def measure_hand(
    blocks: Iterable[tuple[int, HandArrays]], F: int, scene: Scene, *, is_right: bool
) -> HandFigures:
    """Return the figures of a hand over F pictures; blocks come with their first picture and cover all, in order."""
    columns: dict[str, NDArray[Any]] = {}
    before = np.full((1, JOINTS, 3), np.nan, np.float32)
    for start, hand in blocks:
        measured = {
            **_of_picture(hand, scene, start),
            **_of_space(hand, is_right=is_right),
            "joint_step_m": _farthest_steps(np.concatenate([before, hand.joints_world])),
        }
        before = hand.joints_world[-1:]
        for name, values in measured.items():
            if name not in columns:
                columns[name] = np.empty((F, *values.shape[1:]), values.dtype)
            columns[name][start : start + len(values)] = values
    lengths, palms = columns.pop("bone_m"), columns.pop("palm_m")
    is_measured = columns["valid"] & (columns["kind"] == MEASURED)
    columns |= _against_usual(lengths)
    kept = {name: held_once(values) for name, values in columns.items()}
    return HandFigures(**kept, usual_palm_m=_usual(palms[is_measured]))


def _of_picture(hand: HandArrays, scene: Scene, start: int) -> dict[str, NDArray[Any]]:
    """Return what is known of a block without its metres, and how metres and pixels fit."""
    points = hand.joints_px
    is_seen = np.isfinite(points).all(axis=2)
    is_inside = (points >= 0).all(axis=2) & (points < np.array(scene.size)).all(axis=2)
    return {
        "valid": hand.valid,
        "kind": hand.kind,
        "confidence": hand.confidence,
        "wrist_px": points[:, WRIST],
        "joints_seen": is_seen.sum(axis=1, dtype=np.uint8),
        "joints_inside": (is_seen & is_inside).sum(axis=1, dtype=np.uint8),
        "pointing": pointing(points),
        "reprojection_px": _reprojection_px(hand, scene, start),
        "hidden_share": _hidden_share(hand, scene.faces, start),
    }


def _of_space(hand: HandArrays, *, is_right: bool) -> dict[str, NDArray[Any]]:
    """Return what the metres of a block say; bones and palms are those of pictures in which they were measured."""
    joints = hand.joints_cam.astype(np.float64)
    lengths = bone_lengths(joints)
    lengths[hand.kind != MEASURED] = np.nan
    return {
        "wrist_cam": hand.joints_cam[:, WRIST],
        "wrist_world": hand.joints_world[:, WRIST],
        "has_metres": np.asarray(np.isfinite(hand.joints_cam).any(axis=(1, 2))),
        "curl": curl(joints),
        "flexion_deg": flexion_range(joints, is_right=is_right),
        "finger_order_m": finger_order(joints),
        "tip_m": tip_distances(hand.joints_cam),
        "palm_width_m": palm_widths(hand.joints_cam),
        "bone_m": lengths,
        "palm_m": palm_sizes(hand.joints_cam),
    }


def _farthest_steps(joints_world: NDArray[np.float32]) -> Floats:
    """Return (N,) metres of the joint that went farthest between neighbours of (N + 1) pictures."""
    steps = np.linalg.norm(np.diff(joints_world.astype(np.float64), axis=0), axis=2)
    return np.asarray(np.fmax.reduce(steps, axis=1))


def _reprojection_px(hand: HandArrays, scene: Scene, start: int) -> Floats:
    if scene.K is None:
        return np.full(len(hand.valid), np.nan)
    K = scene.K[start : start + len(hand.valid), None]
    distance = np.linalg.norm(project(K, hand.joints_cam.astype(np.float64)) - hand.joints_px, axis=2)
    return row_medians(np.asarray(distance))


def _hidden_share(hand: HandArrays, faces: FaceBoxes, start: int) -> Floats:
    share = np.zeros(len(hand.valid))
    starts = np.searchsorted(faces.frame_index, start + np.arange(len(share) + 1))
    for row in np.flatnonzero(hand.valid & (np.diff(starts) > 0)):
        boxes = faces.rectangle_px[starts[row] : starts[row + 1]]
        points = hand.joints_px[row]
        points = points[np.isfinite(points).all(axis=1)]
        if len(points):
            inside = (points[:, None] >= boxes[None, :, :2]) & (points[:, None] < boxes[None, :, 2:])
            share[row] = float(inside.all(axis=2).any(axis=1).mean())
    return share


def _against_usual(lengths: Floats) -> dict[str, NDArray[Any]]:
    """Compare bone lengths (F, 20) of every measured metric hand with their medians over the recording."""
    usual = _usual(lengths)
    known = np.isfinite(usual)

    def measure(rows: slice) -> Floats:
        relative = lengths[rows, known] / usual[known]
        return np.stack([row_medians(np.abs(relative - 1)), row_medians(relative)], axis=1)

    deviation, scale = in_blocks(len(lengths), 2, measure).T
    return {"bone_deviation": deviation, "bone_scale": scale}


def _usual(sizes: Floats) -> Floats:
    """Return the median of each column without its NaN, NaN where there is nothing else."""
    return np.array([_median(column[np.isfinite(column)]) for column in sizes.T])


def _median(values: Floats) -> float:
    return float(np.median(values)) if len(values) else np.nan
