"""Where the wearer's hands are at each moment, and their place in the pictures.

Both hands run through one cycle of opening and closing, drawn once per step as a sprite. A sprite is shown elsewhere in
the view by turning it about the camera's own centre, which is exact: the picture follows by a homography, the joints by
the same rotation, and no bone changes its length. The left hand is the mirror image of the right.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from episode_assets.demo.hand_skeleton import FingerPose, joints
from episode_assets.demo.hand_sprite import HandSprite, draw_hand
from episode_assets.demo.renderer import Canvas, blend, project

Array = NDArray[np.float64]

_STEPS = 40
_STEPS_PER_S = 15
_FOCAL_MAX_PX = 1100.0
_LEFT = 0
_MIRROR = np.diag([-1.0, 1.0, 1.0])
_CAMERA_FROM_HAND = np.diag([1.0, -1.0, -1.0])
_LEAVE_S = 0.6


@dataclass(frozen=True)
class _Habit:
    """How one hand moves in the view.

    Attributes:
        lag_steps: Head start in the cycle of the fingers.
        azimuth_rad, elevation_rad: Mean direction; the right hand's, positive is right and down.
        sway_rad: Amplitudes of azimuth, elevation and roll.
        sway_hz: Their frequencies.
        away_s: (period, start, stop): in each period the hand is out of view from start to stop.
    """

    lag_steps: int
    azimuth_rad: float
    elevation_rad: float
    sway_rad: tuple[float, float, float]
    sway_hz: tuple[float, float, float]
    away_s: tuple[float, float, float]


_HABITS = (
    _Habit(17, 0.30, 0.158, (0.050, 0.022, 0.09), (0.17, 0.23, 0.13), (26.0, 6.5, 8.0)),
    _Habit(0, 0.29, 0.154, (0.065, 0.024, 0.10), (0.14, 0.21, 0.11), (41.0, 15.0, 16.5)),
)
_ROLL_RAD = -0.36
_AWAY_ELEVATION_RAD = 0.62


class Hands:
    """The wearer's two hands, ready to be painted at any time."""

    def __init__(
        self,
        *,
        focal_px: float,
        seed: int,
        roll_rad: float = 0.0,
        across: float = 1.0,
        shown: tuple[int, ...] = (0, 1),
    ) -> None:
        """Prepare both hands.

        Args:
            focal_px: Focal length of the pictures.
            seed: What the phases of their sway follow from.
            roll_rad: How far the camera is rolled clockwise about its optical axis.
            across: How far the view reaches to left and right, relative to the upright camera's; in a narrower view
                the hands are held closer together.
            shown: Which hands there are, 0 the left and 1 the right one.
        """
        self._shown = shown
        self._unroll = _about_z(-roll_rad)
        self._across = across
        self._focal_px = min(focal_px, _FOCAL_MAX_PX)
        self._phases = np.random.default_rng([seed, 6]).uniform(0, 2 * np.pi, (2, 3))
        self._sprites: dict[int, HandSprite] = {}

    def paint(self, canvas: Canvas, K: Array, t_s: float) -> Array:
        """Paint both hands over what is there and give their joints (2,21,3); NaN for a hand out of view."""
        placed = np.full((2, 21, 3), np.nan)
        size = (canvas.colour.shape[1], canvas.colour.shape[0])
        for side in self._shown:
            habit = _HABITS[side]
            sprite = self._sprite((int(np.floor(t_s * _STEPS_PER_S + 1e-3)) + habit.lag_steps) % _STEPS)
            turn = _turn(habit, self._phases[side], t_s, across=self._across)
            if side == _LEFT:
                turn = _MIRROR @ turn
            turn = self._unroll @ turn
            moved = sprite.joints @ turn.T
            _paint_sprite(canvas, K, sprite, turn)
            if _any_inside(project(K, moved), size):
                placed[side] = moved
        return placed

    def _sprite(self, step: int) -> HandSprite:
        if step not in self._sprites:
            self._sprites[step] = _draw_step(2 * np.pi * step / _STEPS, self._focal_px)
        return self._sprites[step]


def _draw_step(phase: float, focal_px: float) -> HandSprite:
    """Draw the right hand at one phase (radians) of its cycle, on the axis of the sprite's camera."""
    lags = np.array([0.5, 0.0, 0.25, 0.5, 0.75])
    curl = 0.07 + 0.12 * (1 - np.cos(phase - lags))
    curl[0] = 0.05 + 0.06 * (1 - np.cos(phase))
    pose = FingerPose(curl=curl, spread=0.85 + 0.15 * float(np.cos(phase)))
    tilt, lean = 0.24 + 0.10 * np.sin(phase + 0.8), 0.14 * np.sin(phase + 2.0)
    turn = _about_x(tilt) @ _about_y(lean) @ _CAMERA_FROM_HAND
    in_hand = joints(pose)
    middle = in_hand[[0, 5, 9, 13, 17]].mean(axis=0)
    distance = 0.49 + 0.035 * np.sin(phase - 0.4)
    # The wrist is bent back a little: the forearm comes from below and from the wearer's side.
    elbow = turn @ np.array([0.10, -1.0, 0.0]) + np.array([0.0, 0.0, -0.45])
    return draw_hand((in_hand - middle) @ turn.T + [0, 0, distance], elbow, focal_px=focal_px)


def _turn(habit: _Habit, phases: Array, t_s: float, *, across: float) -> Array:
    """Rotation (3,3) that brings the right hand's sprite from the optical axis to its place."""
    sway = np.array(habit.sway_rad) * np.sin(2 * np.pi * np.array(habit.sway_hz) * t_s + phases)
    elevation = habit.elevation_rad + sway[1] + _AWAY_ELEVATION_RAD * _away(habit.away_s, t_s)
    return (
        _about_y(across * (habit.azimuth_rad + sway[0]))
        @ _about_x(-elevation)
        @ _about_z(_ROLL_RAD + sway[2])
    )


def _away(away_s: tuple[float, float, float], t_s: float) -> float:
    """0 while the hand is in its place, 1 while it is out of view, smooth between."""
    period, start, stop = away_s
    now = t_s % period
    rise, fall = (np.clip((now - edge) / _LEAVE_S, 0, 1) for edge in (start, stop))
    return float(rise * rise * (3 - 2 * rise) - fall * fall * (3 - 2 * fall))


def _paint_sprite(canvas: Canvas, K: Array, sprite: HandSprite, turn: Array) -> None:
    homography = K @ turn @ np.linalg.inv(sprite.K)
    _paint_colour(canvas.colour, homography, sprite)
    h, w = canvas.depth_m.shape
    H, W = canvas.colour.shape[:2]
    to_depth = np.array([[w / W, 0, 0.5 * w / W - 0.5], [0, h / H, 0.5 * h / H - 0.5], [0, 0, 1.0]])
    every_second = np.diag([2.0, 2.0, 1.0])
    z = cv2.warpPerspective(
        sprite.depth_m, to_depth @ homography @ every_second, (w, h), flags=cv2.INTER_NEAREST
    )
    # Along the turned ray the depth of a point is its sprite depth over the ray's length on the sprite's axis.
    x, y, one = turn[:, 2].astype(np.float32)
    stretch = x * canvas.ray_x[None, :] + (y * canvas.ray_y[:, None] + one)
    np.copyto(canvas.depth_m, z / stretch, where=z > 0)


def _paint_colour(colour: NDArray[np.uint8], homography: Array, sprite: HandSprite) -> None:
    h, w = sprite.rgba.shape[:2]
    outline = np.array([[[0, 0], [w - 1, 0], [w - 1, h - 1], [0, h - 1]]], dtype=np.float64)
    corners = cv2.perspectiveTransform(outline, homography)[0]
    low = np.maximum(np.floor(corners.min(axis=0)), 0).astype(int)
    high = np.minimum(np.ceil(corners.max(axis=0)) + 1, (colour.shape[1], colour.shape[0])).astype(int)
    if np.any(high <= low):
        return
    shift = np.array([[1, 0, -low[0]], [0, 1, -low[1]], [0, 0, 1]], dtype=np.float64)
    size = (int(high[0] - low[0]), int(high[1] - low[1]))
    painted = cv2.warpPerspective(sprite.rgba, shift @ homography, size)
    blend(colour[low[1] : high[1], low[0] : high[0]], painted)


def _any_inside(pixels: Array, size: tuple[int, int]) -> bool:
    return bool(np.any(np.all((pixels >= -0.5) & (pixels <= np.array(size) - 0.5), axis=1)))


def _about_x(angle_rad: float) -> Array:
    c, s = np.cos(angle_rad), np.sin(angle_rad)
    return np.array([[1, 0, 0], [0, c, -s], [0, s, c]])


def _about_y(angle_rad: float) -> Array:
    c, s = np.cos(angle_rad), np.sin(angle_rad)
    return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])


def _about_z(angle_rad: float) -> Array:
    c, s = np.cos(angle_rad), np.sin(angle_rad)
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
