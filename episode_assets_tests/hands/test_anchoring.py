"""Metric hands from synthetic depth: each known way to get it wrong has a test."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from episode_assets.geometry import project, rescale_pixels, rotation_exp
from episode_assets.hands.anchoring import (
    SKIN_OF_JOINT,
    anchor,
    facing_along_rays,
    measured_scale,
    place_joints,
    sample_depth,
)
from episode_assets.hands.config import HandPoseConfig
from episode_assets.hands.placing import place_tracks
from episode_assets.hands.sightings import Sightings, no_sightings

K = np.array([[[900.0, 0, 640], [0, 900, 360], [0, 0, 1]]])
PICTURE, DEPTH = (1280, 720), (256, 144)
LIMITS = {"near_m": 0.15, "far_m": 1.5, "quantile": 0.3}
TOLERANCES = {"skin_offset_m": 0.008, "agree_m": 0.03, "min_agreeing": 3}
SKIN_M = TOLERANCES["skin_offset_m"] * SKIN_OF_JOINT


def flat_hand() -> np.ndarray:
    """(1, 21, 3) metres: a flat adult hand facing the camera, fingers up, wrist at the origin."""
    joints = np.zeros((1, 21, 3))
    joints[0, 1:5, :2] = [[-0.03, -0.02], [-0.05, -0.045], [-0.065, -0.065], [-0.075, -0.085]]
    for finger, x in enumerate((-0.03, -0.01, 0.012, 0.03)):
        for bone in range(4):
            joints[0, 5 + 4 * finger + bone, :2] = x, -0.085 - 0.027 * bone
    return joints


def seen_at(place: tuple[float, float, float], shape: np.ndarray) -> np.ndarray:
    return project(K[:, None], shape + np.array(place))


def depth_frame(
    background_mm: int, joints_px: np.ndarray, joints_z: np.ndarray, *, radius: int = 2
) -> np.ndarray:
    """A depth frame with small surfaces of skin before each joint, and something else behind."""
    frame = np.full((DEPTH[1], DEPTH[0]), background_mm, np.uint16)
    places = np.rint(rescale_pixels(joints_px, PICTURE, DEPTH)).astype(int)
    for (x, y), z in zip(places, joints_z - SKIN_M, strict=True):
        frame[y - radius : y + radius + 1, x - radius : x + radius + 1] = round(z * 1000)
    return frame


def sampled(frame: np.ndarray, joints_px: np.ndarray) -> np.ndarray:
    return sample_depth(frame, rescale_pixels(joints_px, PICTURE, DEPTH), **LIMITS).astype(np.float64)


@given(x=st.floats(-0.12, 0.12), y=st.floats(0.06, 0.12), z=st.floats(0.45, 0.9))
def test_a_hand_before_a_table_is_found_where_it_is(x, y, z):
    truth = flat_hand() + np.array([x, y, z])
    joints_px = project(K[:, None], truth)
    frame = depth_frame(1400, joints_px[0], truth[0, :, 2])

    found = anchor(K, joints_px, flat_hand(), sampled(frame, joints_px), **TOLERANCES)
    joints = place_joints(K, joints_px, flat_hand(), found.place)

    np.testing.assert_allclose(joints, truth, atol=0.004)


def test_the_anchor_does_not_depend_on_where_the_origin_of_the_shape_lies():
    """Votes use each joint's own place in the shape; a fixed root would shift the hand by wrist to joint."""
    truth = flat_hand() + np.array([0.05, 0.1, 0.5])
    truth[0, 5:, 2] += 0.04
    joints_px = project(K[:, None], truth)
    depth = (truth[..., 2] - SKIN_M).copy()
    shape = truth - truth.mean(axis=1, keepdims=True)

    for origin in (shape[:, 0], shape[:, 9], np.array([[0.3, -0.2, 0.1]])):
        found = anchor(K, joints_px, shape - origin[:, None], depth, **TOLERANCES)
        joints = place_joints(K, joints_px, shape - origin[:, None], found.place)
        np.testing.assert_allclose(joints, truth, atol=1e-3)


def test_a_narrow_finger_before_a_table_is_not_pulled_back():
    """Two thirds of the patch see the table; a median would take it."""
    frame = np.full((144, 256), 1000, np.uint16)
    frame[60:80, 99:102] = 500
    joints = np.tile([100.0, 70.0], (1, 21, 1))
    joints[0, 17] = [130, 70]

    assert sample_depth(frame, joints, **LIMITS)[0, 8] == pytest.approx(0.5)


def test_the_patch_grows_with_the_hand_and_never_beyond_four_pixels():
    frame = np.zeros((144, 256), np.uint16)
    frame[70, 104] = 600
    near = np.tile([100.0, 70.0], (1, 21, 1))
    near[0, 17] = [140, 70]
    far = np.tile([100.0, 70.0], (1, 21, 1))
    far[0, 17] = [110, 70]

    assert sample_depth(frame, near, **LIMITS)[0, 8] == pytest.approx(0.6)
    assert np.isnan(sample_depth(frame, far, **LIMITS)[0, 8])
    assert np.isnan(sample_depth(frame, near - [1, 0], **LIMITS)[0, 8])


@pytest.mark.parametrize("depth_mm", [0, 100, 1600, 65535])
def test_holes_and_depths_that_no_hand_can_have_do_not_count(depth_mm):
    frame = np.full((144, 256), depth_mm, np.uint16)

    assert np.isnan(sample_depth(frame, np.tile([100.0, 70.0], (1, 21, 1)), **LIMITS)).all()


def test_joints_outside_the_frame_have_no_depth():
    frame = np.full((144, 256), 500, np.uint16)
    joints = np.tile([100.0, 70.0], (2, 21, 1))
    joints[0, 4] = [-30, 70]
    joints[1, 4] = [1e12, 70]

    assert np.isnan(sample_depth(frame, joints, **LIMITS)[:, 4]).all()


def test_a_depth_at_the_wrist_alone_is_not_a_hand():
    depth = np.full((1, 21), np.nan)
    depth[0, 0] = 0.5

    found = anchor(K, seen_at((0, 0.1, 0.5), flat_hand()), flat_hand(), depth, **TOLERANCES)

    assert np.isnan(found.place).all()


def test_palm_joints_that_contradict_each_other_place_nothing():
    depth = np.full((1, 21), np.nan)
    depth[0, [0, 1, 5, 9, 13, 17]] = [0.4, 0.5, 0.6, 0.7, 0.8, 0.9]

    found = anchor(K, seen_at((0, 0.1, 0.5), flat_hand()), flat_hand(), depth, **TOLERANCES)

    assert np.isnan(found.place).all()


def test_two_palm_joints_that_see_the_table_are_outvoted():
    truth = flat_hand() + np.array([0, 0.1, 0.5])
    depth = truth[..., 2] - SKIN_M
    depth[0, [1, 17]] = 1.2

    joints_px = project(K[:, None], truth)
    found = anchor(K, joints_px, flat_hand(), depth, **TOLERANCES)

    np.testing.assert_allclose(place_joints(K, joints_px, flat_hand(), found.place), truth, atol=2e-3)


def test_a_wrong_tilt_of_the_shape_is_corrected_by_depth():
    truth = flat_hand() + np.array([0, 0.1, 0.5])
    joints_px = project(K[:, None], truth)
    tilted = flat_hand()
    tilted[..., 2] += 0.3 * tilted[..., 1]

    found = anchor(K, joints_px, tilted, truth[..., 2] - SKIN_M, **TOLERANCES)

    np.testing.assert_allclose(place_joints(K, joints_px, tilted, found.place), truth, atol=0.006)


@given(azimuth=st.floats(-0.5, 0.5), elevation=st.floats(-0.3, 0.3))
def test_a_hand_at_the_border_is_turned_as_far_as_its_ray(azimuth, elevation):
    """What a network sees in a crop does not change when camera and hand turn about the camera's centre."""
    ahead = flat_hand() + np.array([0, 0.045, 0.5])
    turn = rotation_exp([elevation, azimuth, 0.0])
    truth = ahead @ turn.T

    found = facing_along_rays(K, project(K[:, None], truth), flat_hand())

    depth = truth[..., 2] - truth[:, 5, 2]
    assert np.abs(found[..., 2] - found[:, 5, 2] - depth).max() < 0.008


def test_a_smaller_hand_is_measured_as_smaller():
    truth = flat_hand() * 0.85 + np.array([0, 0.1, 0.5])

    scale = measured_scale(K, project(K[:, None], truth), flat_hand(), truth[..., 2])

    np.testing.assert_allclose(scale, 0.85, rtol=1e-6)


# Whole tracks


def track_of(distances_m: list[float], *, scale: float = 1.0, z: float = 0.5) -> Sightings:
    """A still hand at `z` whose sampled depth claims other distances; NaN means no depth."""
    count = len(distances_m)
    truth = flat_hand() * scale + np.array([0, 0.1, z])
    depth = np.array(distances_m)[:, None] - SKIN_M
    return replace(
        no_sightings(),
        track=np.zeros(count, np.int64),
        position=np.arange(count),
        region=np.tile([640.0, 360, 200, 0], (count, 1)).astype(np.float32),
        joints_px=np.tile(project(K[:, None], truth), (count, 1, 1)).astype(np.float32),
        shape_m=np.tile(flat_hand(), (count, 1, 1)).astype(np.float32),
        presence=np.ones(count, np.float32),
        right=np.ones(count, np.float32),
        depth_m=depth.astype(np.float32),
        mano=np.zeros((count, 0), np.float32),
    )


def placed(rows: Sightings, **options):
    stamps = rows.position * 66_666_667
    return place_tracks(rows, np.tile(K, (len(rows), 1, 1)), stamps, config=HandPoseConfig(**options))


def test_one_hand_keeps_one_size_through_its_track():
    result = placed(track_of([0.5, 0.505, 0.5, 0.495], scale=0.9))

    assert len(np.unique(result.scale)) == 1
    assert result.scale[0] == pytest.approx(0.9, abs=0.02)


def test_a_size_is_clipped_to_what_hands_have():
    assert placed(track_of([0.5] * 3, scale=0.75)).scale[0] == 0.8


def test_depth_that_would_make_a_giant_is_not_the_hands_depth():
    result = placed(track_of([1.2] * 3))

    assert np.isnan(result.scale).all()
    assert np.isnan(result.joints_m).all()


def test_a_single_jump_in_depth_is_replaced_by_its_neighbours_and_marked():
    result = placed(track_of([0.5, 0.5, 0.78, 0.5, 0.5]))

    np.testing.assert_array_equal(result.is_held, [False, False, True, False, False])
    np.testing.assert_allclose(result.joints_m[2, :, 2], 0.5, atol=0.01)


def test_a_hand_without_depth_is_held_for_three_frames_and_then_has_no_place():
    result = placed(track_of([0.5, *[float("nan")] * 8, 0.5]))

    np.testing.assert_array_equal(result.is_held, [False, *[True] * 3, False, False, *[True] * 3, False])
    assert np.isnan(result.joints_m[4:6]).all()


def test_without_intrinsics_no_hand_has_a_place():
    rows = track_of([0.5] * 3)

    result = place_tracks(rows, np.full((3, 3, 3), np.nan), rows.position * 1, config=HandPoseConfig())

    assert np.isnan(result.joints_m).all()
    assert not result.is_held.any()


def test_an_empty_table_places_nothing():
    result = place_tracks(no_sightings(), np.zeros((0, 3, 3)), np.zeros(0, np.int64), config=HandPoseConfig())

    assert result.joints_m.shape == (0, 21, 3)
