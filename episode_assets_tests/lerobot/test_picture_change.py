from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from episode_assets.geometry import project
from episode_assets.lerobot.picture_change import (
    TURNS,
    change_source,
    plan_change,
    turned_intrinsics,
    upright_turns,
)
from episode_assets.lerobot.recipe_camera import CameraView
from episode_assets.video import Picture
from episode_assets_tests.lerobot.archive import make_scene, rotation_about
from episode_assets_tests.lerobot.test_rows import source_of

SIZE = (160, 96)
SPOT_PX = 5


def with_spots(pixels):
    """Return a grey picture of SIZE with one bright disc around every pixel position."""
    picture = Picture.blank(*SIZE)
    picture.y[:] = 60
    for x, y in pixels:
        cv2.circle(picture.y, (round(x * 16), round(y * 16)), SPOT_PX * 16, 235, -1, cv2.LINE_AA, 4)
    return picture


def spots_of(picture):
    """Return the centres of the bright discs that lie whole in a picture."""
    count, _, boxes, centres = cv2.connectedComponentsWithStats((picture.y > 150).astype(np.uint8))
    height, width = picture.y.shape
    whole = [
        centre
        for (x, y, w, h, _), centre in zip(boxes[1:], centres[1:], strict=True)
        if x > 0 and y > 0 and x + w < width and y + h < height
    ]
    assert count >= 1
    return np.array(whole).reshape(-1, 2)


VIEWS = [
    CameraView(width=224, height=224),
    CameraView(width=64, height=64, fit="pad"),
    CameraView(width=100, height=90, fit="stretch"),
    CameraView(height=48),
    CameraView(width=320),
]


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("turn", TURNS)
def test_joints_projected_with_the_stored_numbers_lie_on_the_painted_joints(view, turn):
    K = np.array([[120.0, 0, 79.3], [0, 118.0, 47.1], [0, 0, 1]])
    points = np.array([[-0.2, 0.1, 1.0], [0.1, -0.1, 0.9], [0.15, 0.15, 1.1], [-0.05, 0.0, 0.8]])
    change = plan_change(view, SIZE, quarter_turns=TURNS[turn])

    told = change_source(
        replace(
            source_of(make_scene(4)),
            joints_cam=np.broadcast_to(np.resize(points, (21, 3)), (4, 2, 21, 3)),
            intrinsics=np.tile([120.0, 118.0, 79.3, 47.1], (4, 1)),
        ),
        change,
    )
    seen = spots_of(change.apply(with_spots(project(K, points))))

    fx, fy, cx, cy = told.intrinsics[0]
    stored_K = np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])
    expected = project(stored_K, told.joints_cam[0, 0, : len(points)])
    assert len(seen) >= 2
    for spot in seen:
        assert np.linalg.norm(expected - spot, axis=1).min() < 1.0


@pytest.mark.parametrize("turn", TURNS)
def test_the_world_stays_where_it_was_when_the_picture_turns(turn):
    source = source_of(make_scene(5))

    turned = change_source(source, plan_change(CameraView(), SIZE, quarter_turns=TURNS[turn]))

    old, new = (
        np.einsum("fij,fhkj->fhki", told.world_from_optical[:, :3, :3], told.joints_cam)
        for told in (source, turned)
    )
    np.testing.assert_allclose(new, old, atol=1e-12)
    np.testing.assert_allclose(np.linalg.det(turned.world_from_optical[:, :3, :3]), 1.0)


def test_four_quarter_turns_are_none():
    values = np.array([[120.0, 118.0, 79.3, 47.1]])

    np.testing.assert_allclose(turned_intrinsics(values, SIZE, 4), values)


@pytest.mark.parametrize("turns", range(4))
def test_upright_is_found_from_gravity(turns):
    held_turned = rotation_about((0, 0, 1), np.full(6, turns * np.pi / 2))
    pose = make_scene(6).world_from_optical
    pose[:, :3, :3] = pose[:, :3, :3] @ held_turned
    pose[2] = np.nan

    found = upright_turns(pose)
    upright = change_source(
        replace(source_of(make_scene(6)), world_from_optical=pose),
        plan_change(CameraView(), SIZE, quarter_turns=found),
    )

    assert found == turns
    assert upright_turns(upright.world_from_optical) == 0
    assert upright_turns(np.full((3, 4, 4), np.nan)) is None


def test_the_default_view_changes_nothing():
    assert plan_change(CameraView(), SIZE, quarter_turns=0).is_identity
    assert not plan_change(CameraView(), SIZE, quarter_turns=2).is_identity
    assert plan_change(CameraView(width=160), SIZE, quarter_turns=0).is_identity


@settings(max_examples=60, deadline=None)
@given(
    source=st.tuples(st.integers(1, 200), st.integers(1, 200)).map(lambda s: (2 * s[0], 2 * s[1])),
    sides=st.tuples(st.integers(0, 300), st.integers(0, 300)).map(lambda s: (2 * s[0], 2 * s[1])),
    fit=st.sampled_from(["crop", "pad", "stretch"]),
    turns=st.integers(0, 3),
)
def test_any_view_gives_pictures_of_the_planned_size(source, sides, fit, turns):
    change = plan_change(CameraView(width=sides[0], height=sides[1], fit=fit), source, quarter_turns=turns)

    changed = change.apply(Picture.blank(*source))

    assert (changed.width, changed.height) == change.size == (changed.true_width, changed.true_height)
    assert changed.u.shape == changed.v.shape == (changed.height // 2, changed.width // 2)
    for asked, got in zip(sides, change.size, strict=True):
        assert asked in (0, got) and got >= 2 and got % 2 == 0
