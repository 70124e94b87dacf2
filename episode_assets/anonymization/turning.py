"""Standing pictures upright before a net looks at them: turns, their geometry, and the way back to source pixels.

Whole quarter turns cost a transposed copy of the scaled picture; what remains of a roll is turned out exactly once it
is more than nets forgive. Which picture is turned how is decided in `upright`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from episode_assets.anonymization.boxes import Boxes
from episode_assets.anonymization.detectors import RGB

_FORGIVEN_DEG = 20.0
"""Faces tilted less than this are found like upright ones; at 45 degrees 3 of 23 are lost, at 90 more than half."""
_OUTSIDE = (128, 128, 128)
"""What lies in the corners of a tilted picture: grey has the weakest edge against any picture."""


class Turn(NamedTuple):
    """How a picture is turned, counter-clockwise, so that it stands upright.

    Attributes:
        quarters: Whole quarter turns, 0..3.
        rest_rad: What is turned beyond them, -pi/4 to pi/4; 0 where it need not be.
    """

    quarters: int
    rest_rad: float = 0.0

    @property
    def angle_rad(self) -> float:
        """The whole angle."""
        return self.quarters * math.pi / 2 + self.rest_rad


UPRIGHT: tuple[Turn, ...] = (Turn(0),)
"""The turns of a picture that is upright as it is."""


def turn_out(roll_rad: float) -> Turn:
    """Return the turn that stands a picture of this roll (see `recording.Attitude`) upright."""
    quarters = round(roll_rad / (math.pi / 2))
    rest_rad = roll_rad - quarters * math.pi / 2
    is_forgiven = abs(rest_rad) <= math.radians(_FORGIVEN_DEG)
    return Turn(quarters % 4, 0.0 if is_forgiven else rest_rad)


def all_right_angles(first: int = 0) -> tuple[Turn, ...]:
    """Return the turns to all four right angles, one of them first."""
    return tuple(Turn((first + quarters) % 4) for quarters in range(4))


@dataclass(frozen=True)
class Turning:
    """A turn of pictures of one size into a canvas of another.

    Attributes:
        turn: The turn.
        source: (width, height) of the source picture.
        scaled: (width, height) to which the picture is scaled before it is turned.
        upright: (width, height) of the upright picture in source pixels, in which all of the source has its place.
        canvas: (width, height) of the same in pixels of what is given to a detector.
    """

    turn: Turn
    source: tuple[int, int]
    scaled: tuple[int, int]
    upright: tuple[int, int]
    canvas: tuple[int, int]

    def turned(self, scaled: RGB) -> RGB:
        """Return a picture that has been scaled, upright on its canvas; never a view of what was given if turned."""
        if self.turn.rest_rad == 0:
            return np.ascontiguousarray(np.rot90(scaled, self.turn.quarters))
        # OpenCV counts from the centre of the first pixel, boxes from its corner.
        to_scaled = self._to_scaled()
        to_scaled[:, 2] += to_scaled[:, :2].sum(axis=1) / 2 - 0.5
        return np.asarray(
            cv2.warpAffine(
                scaled,
                to_scaled,
                self.canvas,
                flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
                borderMode=cv2.BORDER_CONSTANT,
                borderValue=_OUTSIDE,
            ),
            np.uint8,
        )

    def to_upright(self, boxes: Boxes) -> Boxes:
        """Return boxes on the canvas in pixels of the source, but upright still."""
        canvas, upright = np.array(self.canvas), np.array(self.upright)
        if self.turn.rest_rad == 0:
            factor, shift = upright / canvas, np.zeros(2)
        else:  # the canvas is a little wider than the picture, to the next size that the detector takes
            factor = np.full(2, self.source[0] / self.scaled[0])
            shift = upright / 2 - factor * canvas / 2
        placed = boxes[:, :4] * np.tile(factor, 2) + np.tile(shift, 2)
        return np.concatenate([placed, boxes[:, 4:]], axis=1).astype(np.float32)

    def to_source(self, boxes: Boxes) -> Boxes:
        """Return the hulls of upright boxes in the source picture; those that lie beside it are left out."""
        if not len(boxes):
            return boxes
        corners = boxes[:, [0, 1, 2, 1, 2, 3, 0, 3]].reshape(-1, 4, 2) - np.array(self.upright) / 2
        placed = corners @ _rotation(self.turn).T + np.array(self.source) / 2
        low, high = placed.min(axis=1), placed.max(axis=1)
        hulls = np.concatenate([low, high, boxes[:, 4:]], axis=1).astype(np.float32)
        is_seen = np.asarray(((high > 0) & (low < np.array(self.source))).all(axis=1))
        return np.asarray(hulls[is_seen])

    def _to_scaled(self) -> NDArray[np.float64]:
        """Return the (2, 3) matrix from the canvas to the scaled picture: a rotation about both centres."""
        rotation = _rotation(self.turn)
        shift = np.array(self.scaled) / 2 - rotation @ (np.array(self.canvas) / 2)
        return np.concatenate([rotation, shift[:, None]], axis=1)


def plan_turning(
    turn: Turn, width: int, height: int, input_size: Callable[[int, int], tuple[int, int]]
) -> Turning:
    """Return how pictures are scaled and turned.

    Args:
        turn: The turn.
        width: Width of the source in pixels.
        height: Height of the source in pixels.
        input_size: From the size of an upright picture in source pixels to that of the canvas.
    """
    if turn.rest_rad == 0:
        upright = (height, width) if turn.quarters % 2 else (width, height)
        canvas = input_size(*upright)
        scaled = (canvas[1], canvas[0]) if turn.quarters % 2 else canvas
        return Turning(turn, (width, height), scaled, upright, canvas)
    across, down = np.ceil(np.abs(_rotation(turn).T) @ np.array([width, height])).astype(int).tolist()
    upright = (across, down)
    canvas = input_size(*upright)
    scale = min(canvas[0] / upright[0], canvas[1] / upright[1])
    scaled = (max(1, round(width * scale)), max(1, round(height * scale)))
    return Turning(turn, (width, height), scaled, upright, canvas)


def _rotation(turn: Turn) -> NDArray[np.float64]:
    """Return the (2, 2) rotation from the upright picture to the source; of whole numbers at right angles."""
    cosine, sine = math.cos(turn.angle_rad), math.sin(turn.angle_rad)
    rotation = np.array([[cosine, -sine], [sine, cosine]])
    return rotation if turn.rest_rad else np.rint(rotation)
