"""Hands drawn as six discs of pure colour, and where their 21 joints then are."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

COLOURS = ((235, 20, 20), (235, 235, 20), (20, 235, 20), (20, 235, 235), (235, 20, 235), (20, 20, 235))
"""Wrist, then the tips from thumb to little finger."""

PALM_M = 0.17
"""From the wrist to the tip of the middle finger."""

_TIPS = np.array([[-0.55, -0.45], [-0.32, -0.88], [0.0, -1.0], [0.28, -0.9], [0.5, -0.65]])
_RADIUS_PX = 9


@dataclass(frozen=True)
class DrawnHand:
    """One hand seen from its back.

    Attributes:
        wrist: x, y px.
        length_px: From the wrist to the tip of the middle finger.
        angle: How far it is turned clockwise from upright, radians.
        right: Which hand.
    """

    wrist: tuple[float, float]
    length_px: float
    angle: float
    right: bool

    def marks(self) -> np.ndarray:
        """(6, 2) centres of the discs, px."""
        tips = _TIPS * (1 if self.right else -1, 1)
        cos, sin = np.cos(self.angle), np.sin(self.angle)
        turned = tips @ np.array([[cos, sin], [-sin, cos]])
        return np.concatenate([np.zeros((1, 2)), turned]) * self.length_px + self.wrist

    def joints(self) -> np.ndarray:
        """(21, 2) px: those of a finger lie at its quarters."""
        marks = self.marks()
        steps = np.arange(1, 5)[:, None] / 4
        fingers = [marks[0] + (tip - marks[0]) * steps for tip in marks[1:]]
        return np.concatenate([marks[:1], *fingers])


def picture_with(*hands: DrawnHand, size: tuple[int, int] = (800, 600)) -> np.ndarray:
    """RGB of hands before a grey wall."""
    canvas = np.full((size[1], size[0], 3), 128, np.uint8)
    for hand in hands:
        for mark, colour in zip(hand.marks(), COLOURS, strict=True):
            centre = tuple(round(value) for value in 16 * mark)
            cv2.circle(canvas, centre, _RADIUS_PX * 16, colour, -1, cv2.LINE_AA, 4)
    return canvas
