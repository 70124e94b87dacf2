"""The motion of a picture against the one before, on pictures moved by known amounts."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from episode_assets.video.picture_motion import MotionMeter

NOISE = np.random.default_rng(5).integers(0, 255, (420, 560), dtype=np.uint8)
GROUND = cv2.normalize(cv2.GaussianBlur(NOISE, (0, 0), 9), None, 0, 255, cv2.NORM_MINMAX)


def cut_out(x: int, y: int, width: int = 320, height: int = 180) -> np.ndarray:
    return np.ascontiguousarray(GROUND[y : y + height, x : x + width])


@settings(max_examples=40, deadline=None)
@given(x=st.integers(-30, 30), y=st.integers(-20, 20))
def test_the_shift_of_a_moved_picture_is_found(x: int, y: int) -> None:
    meter = MotionMeter()
    meter.see(cut_out(100, 100))

    shift = meter.measure(cut_out(100 - x, 100 - y))

    assert shift is not None
    assert (shift.x_px, shift.y_px) == pytest.approx((x, y), abs=0.3)
    assert shift.agreement > 0.4


def test_hands_that_move_along_with_the_camera_are_outvoted() -> None:
    meter, hand = MotionMeter(), cut_out(0, 0)[:, 90:230]
    before, after = cut_out(100, 100), cut_out(112, 100)
    before[80:, 90:230] = after[80:, 90:230] = hand[80:]
    meter.see(before)

    shift = meter.measure(after)

    assert shift is not None
    assert shift.x_px == pytest.approx(-12, abs=0.2)


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (16, 9), (320, 2)])
def test_pictures_of_any_size_can_be_asked(size: tuple[int, int]) -> None:
    meter = MotionMeter()
    meter.see(cut_out(10, 10, *size))

    shift = meter.measure(cut_out(11, 10, *size))

    assert shift is None or 0 <= shift.agreement <= 1


def test_nothing_is_said_without_structure_or_a_previous_picture() -> None:
    meter, plain = MotionMeter(), np.full((180, 320), 128, np.uint8)

    assert meter.measure(plain) is None
    assert meter.measure(plain) is None
    meter.see(cut_out(0, 0))
    meter.forget()
    assert meter.measure(cut_out(0, 0)) is None
    assert meter.measure(cut_out(0, 0, 160, 90)) is None
