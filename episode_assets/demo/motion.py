"""How the camera moves, and what an inertial sensor in it measures.

The pose is a smooth function of time, a sum of slow sines in position and in three angles; gyroscope and accelerometer
follow from finite differences of that same function. Where the wearer's hands and the person go stands with them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from episode_assets.demo.truth import rotation

Array = NDArray[np.float64]

_PITCH_RAD = np.deg2rad(-24.0)
_TURNS = 64
_TURN_S = (0.35, 0.004)
"""Seconds that a turn takes, and how many more for each degree."""
_LOOK_S = (0.3, 1.0)
_STEP_S = 0.005
_GRAVITY_M_S2 = 9.81

_FREQUENCIES_HZ = np.array(
    [[0.11, 0.27], [0.13, 0.31], [0.09, 0.23], [0.07, 0.19], [0.10, 0.29], [0.12, 0.33]]
)
_AMPLITUDES = np.array(
    [[0.050, 0.012], [0.018, 0.006], [0.035, 0.008], [0.070, 0.020], [0.025, 0.010], [0.018, 0.006]]
)
"""Two sines for x, y, z in metres, then yaw, pitch, roll in radians."""

LINK_FROM_IMU_XYZW = np.array([0.0, 0.0, np.sqrt(0.5), np.sqrt(0.5)])
"""Phone axes in the camera link, landscape: the phone's x points up in the picture, its y to the left."""

_Z_UP_FROM_WORLD_XYZW = np.array([np.sqrt(0.5), 0.0, 0.0, np.sqrt(0.5)])
_REFERENCE_YAW_RAD = 0.6


@dataclass(frozen=True)
class ImuSamples:
    """Readings of the phone's IMU.

    Attributes:
        orientation_xyzw: (N,4) device attitude in a z-up frame of arbitrary heading.
        angular_velocity: (N,3) rad/s in device axes.
        linear_acceleration: (N,3) m/s^2 in device axes.
    """

    orientation_xyzw: Array
    angular_velocity: Array
    linear_acceleration: Array


class HeadTurns:
    """Quick turns of the head to a side and back, one in each slot of time, as a smooth yaw."""

    def __init__(self, *, seed: int, per_min: float, mean_deg: float) -> None:
        """Draw the turns; after `_TURNS` of them they come again."""
        random = np.random.default_rng([seed, 7])
        self._slot_s = 60 / per_min
        degrees = mean_deg * random.uniform(0.7, 1.3, _TURNS)
        self._turn_s = _TURN_S[0] + _TURN_S[1] * degrees
        self._look_s = random.uniform(*_LOOK_S, _TURNS)
        spare_s = np.maximum(self._slot_s - 2 * self._turn_s - self._look_s, 0.0)
        self._start_s = random.uniform(0, 1, _TURNS) * spare_s
        self._angle_rad = np.deg2rad(degrees) * random.choice([-1.0, 1.0], _TURNS)

    def yaw_rad(self, t_s: Array) -> Array:
        """Yaw (N,) beside the path's own at times (N,)."""
        slot = np.floor(t_s / self._slot_s).astype(np.int64)
        turn = slot % _TURNS
        since_s = t_s - slot * self._slot_s - self._start_s[turn]
        away = _eased(since_s / self._turn_s[turn])
        back = _eased((since_s - self._look_s[turn]) / self._turn_s[turn] - 1)
        yaw: Array = self._angle_rad[turn] * (away - back)
        return yaw


def _eased(share: Array) -> Array:
    """From 0 to 1 with neither speed nor acceleration at both ends."""
    u = np.clip(share, 0.0, 1.0)
    eased: Array = u**3 * (u * (6 * u - 15) + 10)
    return eased


class CameraMotion:
    """Pose of the camera link in the world as a function of seconds since the start; the start is the origin."""

    def __init__(
        self,
        *,
        seed: int,
        amount: float,
        roll_rad: float = 0.0,
        pitch_rad: float = _PITCH_RAD,
        turns: HeadTurns | None = None,
    ) -> None:
        """Draw the path.

        Args:
            seed: What the phases of the sines follow from.
            amount: Amplitudes relative to a calm head.
            roll_rad: How far the camera is rolled clockwise about its optical axis, all the time.
            pitch_rad: Mean pitch; negative looks down.
            turns: Turns of the head to a side and back; None for none.
        """
        self._phases = np.random.default_rng([seed, 2]).uniform(0, 2 * np.pi, _AMPLITUDES.shape)
        self._amplitudes = amount * _AMPLITUDES
        self._roll_rad = roll_rad
        self._pitch_rad = pitch_rad
        self._turns = turns

    def pose(self, t_s: Array) -> tuple[Array, Array]:
        """Translations (N,3) in metres and quaternions (N,4) x, y, z, w at times (N,)."""
        values = self._sines(t_s)
        start = self._sines(np.zeros(1))
        yaw, pitch, roll = values[:, 3], values[:, 4] + self._pitch_rad, values[:, 5]
        if self._turns is not None:
            yaw = yaw + self._turns.yaw_rad(t_s)
        # The link's z points backward: clockwise for somebody who looks forward is negative about it.
        roll = roll - self._roll_rad
        quaternion = multiply(multiply(_about(1, yaw), _about(0, pitch)), _about(2, roll))
        return values[:, :3] - start[:, :3], quaternion

    def angular_velocity(self, t_s: Array) -> Array:
        """(N,3) rad/s in link axes, by central differences of the orientation."""
        _, before = self.pose(t_s - _STEP_S)
        _, after = self.pose(t_s + _STEP_S)
        turn = multiply(before * [-1, -1, -1, 1], after)
        sine = np.linalg.norm(turn[:, :3], axis=1, keepdims=True)
        angle = 2 * np.arctan2(sine, np.abs(turn[:, 3:]))
        axis = np.where(turn[:, 3:] < 0, -1.0, 1.0) * turn[:, :3] / np.maximum(sine, 1e-15)
        return np.where(sine > 1e-12, axis * angle / (2 * _STEP_S), 0.0)

    def imu(
        self, t_s: Array, *, noise: float, random: np.random.Generator, with_gravity: bool = False
    ) -> ImuSamples:
        """What the phone's IMU reads at times (N,). `noise` 1 adds a phone's noise, 0 none."""
        _, quaternion = self.pose(t_s)
        before, here, after = (self.pose(t_s + step)[0] for step in (-_STEP_S, 0.0, _STEP_S))
        acceleration = (after - 2 * here + before) / _STEP_S**2
        if with_gravity:
            acceleration[:, 1] += _GRAVITY_M_S2
        world_from_imu = rotation(multiply(quaternion, LINK_FROM_IMU_XYZW))
        link_from_imu = rotation(LINK_FROM_IMU_XYZW)
        in_device = np.einsum("nji,nj->ni", world_from_imu, acceleration)
        heading = _about(2, np.array([_REFERENCE_YAW_RAD]))[0]
        reference_from_world = multiply(heading, _Z_UP_FROM_WORLD_XYZW)
        return ImuSamples(
            orientation_xyzw=multiply(multiply(reference_from_world, quaternion), LINK_FROM_IMU_XYZW),
            angular_velocity=self.angular_velocity(t_s) @ link_from_imu
            + noise * random.normal(0, 0.002, (len(t_s), 3)),
            linear_acceleration=in_device + noise * random.normal(0, 0.02, (len(t_s), 3)),
        )

    def _sines(self, t_s: Array) -> Array:
        angles = 2 * np.pi * _FREQUENCIES_HZ * t_s[:, None, None] + self._phases
        summed: Array = (self._amplitudes * np.sin(angles)).sum(axis=2)
        return summed


def multiply(a: Array, b: Array) -> Array:
    """Product of quaternions (...,4) x, y, z, w: first `b`, then `a`."""
    ax, ay, az, aw = np.moveaxis(a, -1, 0)
    bx, by, bz, bw = np.moveaxis(b, -1, 0)
    return np.stack(
        [
            aw * bx + ax * bw + ay * bz - az * by,
            aw * by - ax * bz + ay * bw + az * bx,
            aw * bz + ax * by - ay * bx + az * bw,
            aw * bw - ax * bx - ay * by - az * bz,
        ],
        axis=-1,
    )


def _about(axis: int, angle_rad: Array) -> Array:
    quaternion = np.zeros((len(angle_rad), 4))
    quaternion[:, axis] = np.sin(angle_rad / 2)
    quaternion[:, 3] = np.cos(angle_rad / 2)
    return quaternion
