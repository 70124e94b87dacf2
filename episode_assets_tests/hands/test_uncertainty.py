"""What makes joints less certain: an unsure network, a large region, few depths, bent fingers, and held places."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from episode_assets.hands.uncertainty import uncertainty_px
from episode_assets_tests.hands.test_anchoring import placed, track_of

NOTHING = float("nan")


@given(
    side=st.floats(40, 900), presence=st.floats(0.4, 1), less=st.floats(0.01, 0.4), larger=st.floats(1.01, 3)
)
def test_pixels_are_less_certain_in_larger_regions_and_of_hands_less_present(side, presence, less, larger):
    plain, unsure, large = uncertainty_px(
        np.array([side, side, larger * side]), np.array([presence, presence - less, presence])
    )

    assert (plain > 0).all()
    assert (unsure > plain).all()
    np.testing.assert_allclose(large, larger * plain)


def test_a_held_place_is_less_certain_the_longer_it_is_held():
    result = placed(track_of([0.5, NOTHING, NOTHING, NOTHING]))

    np.testing.assert_array_equal(result.is_held, [False, True, True, True])
    assert (np.diff(result.off_m, axis=0) > 0).all()


def test_a_hand_without_a_place_has_pixels_only():
    result = placed(track_of([NOTHING] * 3))

    assert np.isfinite(result.off_px).all()
    assert np.isnan(result.off_m).all()


def test_fewer_depths_under_a_hand_make_its_place_less_certain():
    rows = track_of([0.5, 0.5])
    depth = rows.depth_m.copy()
    depth[1, 6:] = np.nan

    result = placed(replace(rows, depth_m=depth))

    assert not result.is_held.any()
    assert (result.off_m[1] > result.off_m[0]).all()


def test_fingertips_are_less_certain_than_knuckles():
    result = placed(track_of([0.5]))

    assert (result.off_m[0, [8, 12, 16, 20]] > result.off_m[0, [5, 9, 13, 17]]).all()
