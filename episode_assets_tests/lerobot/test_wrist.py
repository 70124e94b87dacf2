import numpy as np
import pytest

from episode_assets.lerobot.reference_frames import episode_from_world, transform
from episode_assets.lerobot.wrist import hold, wrist_rotation, wrist_vector
from episode_assets_tests.lerobot.archive import right_hand, rotation_about

LEFT, RIGHT = 0, 1
LEVEL = np.array([[1.0, 0, 0], [0, -1, 0], [0, 0, -1]])


def pose(rotation, position):
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = rotation, position
    return matrix


def test_axes_point_to_the_fingers_and_out_of_the_back_of_the_hand():
    np.testing.assert_allclose(wrist_rotation(right_hand()[None], side=RIGHT)[0], np.eye(3), atol=1e-12)


def test_a_mirrored_hand_has_the_mirrored_axes():
    mirrored = right_hand() * np.array([1, -1, 1])

    np.testing.assert_allclose(wrist_rotation(mirrored[None], side=LEFT)[0], np.eye(3), atol=1e-12)


def test_the_vector_is_position_and_the_rows_of_the_rotation():
    R = rotation_about((1, 2, 3), 0.7)
    joints = right_hand() @ R.T + [0.1, 0.2, 0.3]

    vector = wrist_vector(joints[None], side=RIGHT)[0]

    np.testing.assert_allclose(vector, [0.1, 0.2, 0.3, *R[0], *R[1]], atol=1e-12)


@pytest.mark.parametrize("fault", ["flat", "unknown", "collapsed"])
def test_a_hand_without_orientation_has_none(fault):
    joints = right_hand()
    if fault == "flat":
        joints[[5, 17]] = joints[9] * np.array([[1.2], [0.8]]) + [[0, 0.003, 0], [0, 0, 0]]
    elif fault == "unknown":
        joints[17] = np.nan
    else:
        joints[:] = 0.5

    assert np.isnan(wrist_rotation(joints[None], side=RIGHT)).all()


def test_a_hole_holds_the_last_value_and_the_beginning_the_first():
    values = np.arange(12.0).reshape(6, 2)
    present = np.array([False, True, False, False, True, False])

    filled = hold(values, present, never=np.zeros(2))

    np.testing.assert_array_equal(filled, values[[1, 1, 1, 1, 4, 4]])


def test_what_was_never_there_is_the_stated_constant():
    filled = hold(np.full((3, 2), np.nan), np.zeros(3, bool), never=np.array([1.0, 2.0]))

    np.testing.assert_array_equal(filled, [[1, 2]] * 3)


def test_an_episode_begins_at_the_origin_with_level_axes():
    heading, tilt = rotation_about((0, 1, 0), 1.1), rotation_about((1, 0, 0), -0.6)
    camera = pose(heading @ tilt @ LEVEL, [3.0, 1.5, -2.0])

    frame = episode_from_world(camera)

    np.testing.assert_allclose((frame @ camera)[:3, 3], 0, atol=1e-12)
    np.testing.assert_allclose(frame[:3, 1] @ np.eye(3), [0, 1, 0], atol=1e-12)
    forward = frame[:3, :3] @ camera[:3, 2]
    assert abs(forward[0]) < 1e-12 and forward[2] < 0
    assert np.linalg.det(frame[:3, :3]) == pytest.approx(1)


@pytest.mark.parametrize(("pitch", "name"), [(-np.pi / 2 + 0.1, "down"), (np.pi / 2 - 0.1, "up")])
def test_a_steep_view_takes_its_heading_from_the_picture(pitch, name):
    """Pitched by less than a quarter turn from the heading, so the heading before pitching is the right answer."""
    heading = rotation_about((0, 1, 0), 0.8)
    camera = pose(heading @ rotation_about((1, 0, 0), pitch) @ LEVEL, [0, 0, 0])

    frame = episode_from_world(camera)

    np.testing.assert_allclose(frame[:3, :3], heading.T, atol=1e-9)


def test_points_move_with_the_transform_of_their_row():
    a_from_b = np.stack([pose(rotation_about((0, 0, 1), angle), [angle, 0, 0]) for angle in (0.0, np.pi / 2)])

    moved = transform(a_from_b, np.array([[[1.0, 0, 0]], [[1.0, 0, 0]]]))

    np.testing.assert_allclose(moved[:, 0], [[1, 0, 0], [np.pi / 2, 1, 0]], atol=1e-12)
