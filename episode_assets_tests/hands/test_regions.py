"""Regions: formulas, round trips, and what happens to them when the picture is turned."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from episode_assets.hands.regions import (
    CROP_PX,
    crop_to_picture,
    overlap,
    regions_from_joints,
    regions_from_palms,
    turn,
    warp_regions,
    wrap_angle,
)

angles = st.floats(-3.1, 3.1)


def hand_pointing_up() -> np.ndarray:
    """(1, 21, 3) joints of an upright flat hand, wrist at the origin."""
    joints = np.zeros((1, 21, 3))
    for finger, x in enumerate((-40, -20, 0, 20, 40)):
        for bone in range(4):
            joints[0, 1 + 4 * finger + bone, :2] = x, -40 - 25 * bone
    return joints


def test_an_upright_palm_looks_half_a_box_towards_the_fingers():
    keypoints = np.zeros((1, 7, 2))
    keypoints[0, 0], keypoints[0, 2] = (50, 80), (50, 40)

    region = regions_from_palms(np.array([[40.0, 30.0, 60.0, 90.0]]), keypoints)

    np.testing.assert_allclose(region, [[50, 60 - 30, 2.6 * 60, 0]], atol=1e-9)


def test_a_hand_pointing_right_has_a_quarter_turn():
    joints = turn(hand_pointing_up(), np.array([np.pi / 2]))

    assert regions_from_joints(joints)[0, 3] == np.float64(np.pi / 2)


@given(angle=angles, scale=st.floats(0.2, 5), x=st.floats(-500, 500), y=st.floats(-500, 500))
def test_a_region_moves_turns_and_grows_with_its_hand(angle, scale, x, y):
    upright = regions_from_joints(hand_pointing_up())[0]
    moved = turn(hand_pointing_up() * scale, np.array([angle])) + np.array([x, y, 0])

    region = regions_from_joints(moved)[0]

    centre = turn(np.array([[[*upright[:2] * scale, 0.0]]]), np.array([angle]))[0, 0, :2] + [x, y]
    np.testing.assert_allclose(region[:2], centre, atol=1e-6)
    np.testing.assert_allclose(region[2], upright[2] * scale, rtol=1e-9)
    assert abs(wrap_angle(np.array([region[3] - upright[3] - angle]))[0]) < 1e-9


@given(angle=angles, side=st.floats(60, 400), u=st.floats(30, 190), v=st.floats(30, 190))
def test_a_dot_seen_in_the_crop_is_where_it_is_in_the_picture(angle, side, u, v):
    """The way in (warp) and the way back (joints) are inverse to within a fraction of a pixel."""
    region = np.array([[200.0, 150.0, side, angle]])
    there = crop_to_picture(np.array([[[u, v, 0.0]]]), region)[0, 0, :2]
    y, x = np.mgrid[0:300, 0:400]
    size = max(side / CROP_PX * 3, 3)
    blob = np.exp(-((x - there[0]) ** 2 + (y - there[1]) ** 2) / (2 * size**2))
    picture = np.repeat((blob * 250).astype(np.uint8)[..., None], 3, axis=2)

    crop = warp_regions(picture, region)[0, :, :, 0].astype(np.float64)

    inside = (there > 3 * size).all() and there[0] < 400 - 3 * size and there[1] < 300 - 3 * size
    if inside and crop.sum() > 0:
        rows, columns = np.mgrid[0:CROP_PX, 0:CROP_PX] + 0.5
        reach = 3 * size * CROP_PX / side
        if min(u, v, CROP_PX - u, CROP_PX - v) > reach:
            np.testing.assert_allclose((columns * crop).sum() / crop.sum(), u, atol=0.6)
            np.testing.assert_allclose((rows * crop).sum() / crop.sum(), v, atol=0.6)


def test_outside_the_picture_a_crop_repeats_the_edge():
    picture = np.zeros((50, 50, 3), np.uint8)
    picture[:, 0] = 255

    crop = warp_regions(picture, np.array([[-100.0, 25.0, 60.0, 0.0]]))

    assert crop.min() == 1.0


def test_the_depth_of_joints_scales_like_their_pixels():
    joints = crop_to_picture(np.array([[[112.0, 112.0, -20.0]]]), np.array([[5.0, 6.0, 448.0, 1.0]]))

    np.testing.assert_allclose(joints[0, 0], [5, 6, -40])


def test_equal_regions_overlap_fully_and_distant_ones_not_at_all():
    regions = np.array([[10.0, 10, 8, 0], [10, 10, 8, 2], [100, 10, 8, 0]])

    np.testing.assert_allclose(overlap(regions[:1], regions), [[1, 1, 0]])
