from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from episode_assets.lerobot.hand_motion import motion_segments, rest_cuts, smoothed
from episode_assets.lerobot.recipe_motion import MotionChoice
from episode_assets_tests.lerobot.archive import make_scene, stamps

ROUGH = MotionChoice(smooth_s=0.0)
RATE = 15


def moves(*stretches, rate=RATE):
    """Return a path along x: (seconds, speed in m/s) one after another."""
    speeds = np.concatenate([np.full(round(seconds * rate), speed) for seconds, speed in stretches])
    return np.concatenate([[0.0], np.cumsum(speeds) / rate])


def source_along(path, *, right=True, holes=(), **changes):
    """Return a recording whose hands are moved along x by `path`, seen by a camera that moves as well."""
    scene = make_scene(stamp_ns=stamps(len(path), holes=holes))
    joints = np.repeat(scene.joints_world[:1], len(path), axis=0)
    joints[:, 1 if right else 0, :, 0] += path[:, None]
    return replace(scene, joints_world=joints).source(**changes)


def segments_of(source, *, choice=ROUGH, valid=None):
    valid = np.ones((len(source), 2), bool) if valid is None else valid
    found = motion_segments(source, hand_valid=valid, choice=choice, bridge_s=0.2)
    return [(one.start, one.stop) for one in found]


def test_a_movement_is_cut_in_the_middle_of_its_rest():
    source = source_along(moves((2, 0.3), (1, 0.0), (2, 0.3)))

    (first, second) = segments_of(source)

    assert first == (0, second[0]) and second[1] == len(source)
    assert abs(second[0] - 2.5 * RATE) <= 1


def test_a_still_hand_is_no_segment_at_all():
    """Rests of any length are one plateau; upstream cuts 600 still frames into 74 segments."""
    noise = 1e-4 * np.random.default_rng(5).standard_normal(600)

    assert segments_of(source_along(noise)) == []


def test_a_long_rest_with_jitter_between_two_movements_is_one_place_to_cut():
    path = moves((2, 0.3), (30, 0.0), (2, 0.3))
    path += 2e-4 * np.random.default_rng(6).standard_normal(len(path))

    assert len(segments_of(source_along(path), choice=replace(ROUGH, max_s=60.0))) == 2


def test_a_steady_movement_is_cut_only_where_it_is_too_long():
    path = moves((20, 0.3))

    assert len(segments_of(source_along(path), choice=replace(ROUGH, max_s=60.0))) == 1
    pieces = segments_of(source_along(path), choice=replace(ROUGH, max_s=8.0))
    assert len(pieces) == 4 and max(stop - start for start, stop in pieces) <= 8 * RATE + 1


def test_a_slow_moment_is_a_cut_without_a_standstill():
    t = np.arange(6 * RATE) / RATE
    speeds = 0.3 + 0.2 * np.cos(2 * np.pi * t / 3)
    path = np.concatenate([[0.0], np.cumsum(speeds) / RATE])

    cuts = [start for start, _ in segments_of(source_along(path))][1:]

    assert np.allclose(np.array(cuts) / RATE, [1.5, 4.5], atol=0.1)


def test_the_camera_may_move_while_the_hand_rests():
    """Speeds are those in the world: a hand that rests in front of a turning head rests."""
    assert segments_of(source_along(np.zeros(90))) == []


def test_a_gap_ends_a_segment_and_its_jump_is_no_speed():
    path = moves((4, 0.0))
    path[30:] += 0.5
    source = source_along(path, holes=[30])

    assert segments_of(source) == []
    moving = source_along(moves((4, 0.3)), holes=[30])
    assert segments_of(moving) == [(0, 30), (30, 61)]


def test_frames_without_a_hand_are_in_no_segment():
    valid = np.ones((76, 2), bool)
    valid[30:45] = False

    assert segments_of(source_along(moves((5, 0.3))), valid=valid) == [(0, 30), (45, 76)]


def test_a_hand_that_is_lost_for_a_moment_goes_on():
    valid = np.ones((76, 2), bool)
    valid[30:32] = False

    assert segments_of(source_along(moves((5, 0.3))), valid=valid) == [(0, 76)]


@pytest.mark.parametrize(("hand", "pieces"), [("left", 0), ("right", 2), ("any", 2)])
def test_the_hand_that_counts_is_chosen(hand, pieces):
    source = source_along(moves((2, 0.3), (1, 0.0), (2, 0.3)))

    assert len(segments_of(source, choice=replace(ROUGH, hand=hand))) == pieces


def test_without_camera_poses_no_speed_is_known():
    source = source_along(moves((2, 0.3)))

    assert segments_of(replace(source, world_from_optical=np.full((31, 4, 4), np.nan))) == []


def test_short_segments_are_not_made():
    path = moves((2, 0.3), (0.3, 0.0), (0.2, 0.3), (0.3, 0.0), (2, 0.3))

    pieces = segments_of(source_along(path), choice=replace(ROUGH, half_window_s=0.1, min_s=1.0))

    assert len(pieces) == 2 and min(stop - start for start, stop in pieces) >= RATE


def test_smoothing_is_that_of_savitzky_and_golay_on_even_stamps():
    from scipy.signal import savgol_filter

    values = 0.4 + 0.1 * np.random.default_rng(7).standard_normal(60)

    ours = smoothed(values, np.arange(60) / RATE, window_s=4 / RATE)

    np.testing.assert_allclose(ours, savgol_filter(values, 5, 2), atol=1e-12)


def test_smoothing_keeps_a_parabola_on_uneven_stamps():
    seconds = np.cumsum(np.random.default_rng(8).uniform(0.05, 0.08, 50))
    values = 2.0 - 0.3 * seconds + 0.1 * seconds**2

    np.testing.assert_allclose(smoothed(values, seconds, window_s=0.4), values, atol=1e-9)


@settings(max_examples=100, deadline=None)
@given(
    speeds=st.lists(st.floats(0, 2), min_size=2, max_size=150),
    smooth_s=st.sampled_from([0.0, 0.35]),
    min_s=st.sampled_from([0.0, 0.4]),
)
def test_cuts_are_inside_sorted_and_far_enough_apart(speeds, smooth_s, min_s):
    seconds = np.arange(len(speeds)) / RATE
    choice = MotionChoice(smooth_s=smooth_s, min_s=min_s, max_s=2.0)

    cuts = rest_cuts(np.array(speeds), seconds, choice=choice)

    edges = [0.0, *seconds[cuts].tolist(), float(seconds[-1])]
    assert cuts == sorted(set(cuts)) and all(0 < cut < len(speeds) for cut in cuts)
    if cuts:
        assert min(np.diff(edges)) >= min_s - 1e-9
