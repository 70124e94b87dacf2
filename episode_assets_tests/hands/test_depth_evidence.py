"""Which depths are believed: the nearest surface of a patch, the palm before the fingers, and neighbours in time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from episode_assets.geometry import project
from episode_assets.hands.anchoring import anchor, place_joints, sample_depth
from episode_assets.hands.sightings import Sightings
from episode_assets_tests.hands.test_anchoring import (
    LIMITS,
    SKIN_M,
    TOLERANCES,
    K,
    flat_hand,
    placed,
    track_of,
)

FINGERS = [joint for joint in range(1, 21) if joint % 4 != 1]


def under_a_patch(frame: np.ndarray) -> float:
    """The depth sampled at the middle of a patch of 7 x 7 depth pixels."""
    joints = np.tile([100.0, 70.0], (1, 21, 1))
    joints[0, 17] = [125, 70]
    return float(sample_depth(frame, joints, **LIMITS)[0, 8])


def background() -> np.ndarray:
    return np.full((144, 256), 1000, np.uint16)


def test_a_finger_one_pixel_wide_is_seen_before_a_table():
    frame = background()
    frame[60:80, 101] = 500

    assert under_a_patch(frame) == pytest.approx(0.5)


def test_a_stray_pixel_before_the_hand_is_no_hand():
    frame = background()
    frame[60:80, 99:105] = 500
    frame[70, 100] = 300

    assert under_a_patch(frame) == pytest.approx(0.5)


def test_depths_mixed_at_an_edge_are_passed_over_for_those_of_the_hand():
    frame = background()
    frame[:, 97:99] = 500
    frame[:, 99:104] = [570, 640, 720, 800, 900]

    assert under_a_patch(frame) == pytest.approx(0.5)


def test_a_hand_whose_fingers_see_the_table_keeps_its_tilt():
    """Fingers outvote the palm in number; they are far behind what it says."""
    truth = flat_hand() + np.array([0, 0.1, 0.5])
    depth = truth[..., 2] - SKIN_M
    depth[0, FINGERS] += 0.05
    joints_px = project(K[:, None], truth)

    found = anchor(K, joints_px, flat_hand(), depth, **TOLERANCES)

    np.testing.assert_allclose(place_joints(K, joints_px, flat_hand(), found.place), truth, atol=0.008)


def test_what_passes_before_a_hand_for_some_frames_is_not_the_hand():
    """Neighbours in time agree with each other; how large the hand looks does not agree with them."""
    result = placed(track_of([*[0.5] * 6, 0.33, 0.33, 0.33, *[0.5] * 6]))

    np.testing.assert_array_equal(np.flatnonzero(result.is_held), [6, 7, 8])
    np.testing.assert_allclose(result.joints_m[:, :, 2], 0.5, atol=0.01)


def test_a_jump_that_a_hand_could_have_by_size_needs_a_neighbour_that_agrees():
    result = placed(track_of([*[0.5] * 5, 0.62, *[0.5] * 5]), max_speed_m_s=0.5)

    np.testing.assert_array_equal(np.flatnonzero(result.is_held), [5])


def test_the_origin_that_a_network_puts_in_a_hand_does_not_move_a_held_hand():
    rows = track_of([0.5, float("nan"), 0.5])
    shape = rows.shape_m.copy()
    shape[1] += [0.02, -0.03, 0.04]

    result = placed(replace(rows, shape_m=shape))

    assert result.is_held[1]
    np.testing.assert_allclose(result.joints_m[1], result.joints_m[0], atol=1e-6)


def side_by_side(first: Sightings, second: Sightings) -> Sightings:
    """Two tracks one after the other, as placing gets them."""
    columns = {
        name: np.concatenate([getattr(first, name), getattr(second, name)])
        for name in Sightings.__dataclass_fields__
    }
    return replace(first, **columns).renumbered(np.repeat([0, 1], [len(first), len(second)]))


@pytest.mark.parametrize(
    ("end", "begin"),
    [([0.5, 0.62], [0.62, 0.5]), ([0.5, float("nan")], [0.56, 0.56]), ([0.5, 0.5], [float("nan"), 0.56])],
    ids=["jumps that agree", "no depth at the end", "no depth at the beginning"],
)
def test_tracks_are_placed_as_if_each_were_alone(end, begin):
    first, second = track_of([0.5, 0.5, 0.5, *end]), track_of([*begin, 0.5, 0.5, 0.5])

    together = placed(side_by_side(first, second), max_speed_m_s=0.5)

    for rows, alone in (
        (slice(0, 5), placed(first, max_speed_m_s=0.5)),
        (slice(5, 10), placed(second, max_speed_m_s=0.5)),
    ):
        np.testing.assert_array_equal(together.is_held[rows], alone.is_held)
        np.testing.assert_allclose(together.joints_m[rows], alone.joints_m)
        np.testing.assert_allclose(together.off_m[rows], alone.off_m)
