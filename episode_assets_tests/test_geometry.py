from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from episode_assets import geometry as geo

finite = st.floats(-10, 10)
points = st.tuples(finite, finite, finite).map(np.array)
axes = points.filter(lambda v: np.linalg.norm(v) > 1e-3).map(lambda v: v / np.linalg.norm(v))
angles = st.one_of(
    st.floats(0, np.pi),
    st.floats(0, 1e-6),
    st.floats(0, 1e-6).map(lambda x: np.pi - x),
    st.just(0.0),
    st.just(np.pi),
)
rotation_vectors = st.tuples(axes, angles).map(lambda pair: pair[0] * pair[1])
rotations = rotation_vectors.map(geo.rotation_exp)


@given(rotation_vectors)
def test_exponential_and_logarithm_are_inverse_up_to_half_turns(vector: np.ndarray) -> None:
    R = geo.rotation_exp(vector)

    assert_allclose(R @ R.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(R) == pytest.approx(1)
    back = geo.rotation_log(R)
    if np.linalg.norm(vector) < np.pi - 1e-7:
        assert_allclose(back, vector, atol=1e-7)
    assert_allclose(geo.rotation_exp(back), R, atol=1e-12)


@given(axes, st.floats(0, np.pi))
def test_the_exponential_is_the_formula_of_rodrigues(axis: np.ndarray, angle: float) -> None:
    cross = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    expected = np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross

    assert_allclose(geo.rotation_exp(axis * angle), expected, atol=1e-12)


@given(rotations)
def test_quaternions_and_matrices_are_the_same_rotation(R: np.ndarray) -> None:
    q = geo.matrix_to_quaternion(R)

    assert np.linalg.norm(q) == pytest.approx(1)
    assert q[3] >= 0
    assert_allclose(geo.quaternion_to_matrix(q), R, atol=1e-12)
    assert_allclose(geo.quaternion_to_matrix(-3 * q), R, atol=1e-12)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_half_turns_about_the_axes_survive(axis: int) -> None:
    xyzw = np.zeros(4)
    xyzw[axis] = 1

    assert_allclose(geo.matrix_to_quaternion(geo.quaternion_to_matrix(xyzw)), xyzw, atol=1e-15)


def test_a_zero_quaternion_is_not_made_a_rotation() -> None:
    assert np.isnan(geo.quaternion_to_matrix(np.zeros(4))).all()


@given(rotations)
def test_the_row_form_is_rows_and_comes_back(R: np.ndarray) -> None:
    six = geo.matrix_to_rot6d(R)

    assert_allclose(six, [*R[0], *R[1]])
    assert_allclose(geo.rot6d_to_matrix(six * 2.5), R, atol=1e-9)


@given(rotations, points, rotations, points, points)
def test_composition_agrees_with_moving_points_in_turn(
    R1: np.ndarray, t1: np.ndarray, R2: np.ndarray, t2: np.ndarray, p: np.ndarray
) -> None:
    both = geo.compose((R1, t1), (R2, t2))

    assert_allclose(both[0] @ p + both[1], R1 @ (R2 @ p + t2) + t1, atol=1e-9)
    undone = geo.compose(geo.inverse(both), both)
    assert_allclose(undone[0], np.eye(3), atol=1e-9)
    assert_allclose(undone[1], 0, atol=1e-9)


@given(rotations, rotation_vectors)
def test_interpolation_runs_along_the_geodesic(R0: np.ndarray, vector: np.ndarray) -> None:
    step = vector * 0.9
    R1 = R0 @ geo.rotation_exp(step)

    assert_allclose(geo.interpolate_rotation(R0, R1, 0.0), R0, atol=1e-9)
    assert_allclose(geo.interpolate_rotation(R0, R1, 1.0), R1, atol=1e-9)
    assert_allclose(geo.interpolate_rotation(R0, R1, 0.5), R0 @ geo.rotation_exp(step / 2), atol=1e-7)


def test_the_mean_of_two_yaws_across_pi_is_pi() -> None:
    mean = geo.mean_rotation(geo.rotation_exp([[0, 0, 3.13], [0, 0, -3.13]]))

    assert abs(geo.rotation_log(mean)[2]) == pytest.approx(np.pi, abs=0.01)
    assert np.linalg.det(mean) == pytest.approx(1, abs=1e-6)


def test_weights_pull_the_mean() -> None:
    R = geo.rotation_exp([[0, 0, 0], [0, 0, 1.0]])

    assert geo.rotation_angle(geo.mean_rotation(R, weights=[1, 0])) == pytest.approx(0, abs=1e-12)


@given(st.tuples(finite, finite, st.floats(0.05, 10)).map(np.array))
def test_projection_and_back_projection_are_inverse(point: np.ndarray) -> None:
    K = np.array([[600.0, 0, 320], [0, 610, 240], [0, 0, 1]])

    pixel = geo.project(K, point)

    assert_allclose(geo.back_project(K, pixel, point[2]), point, atol=1e-9)


def test_points_behind_the_camera_have_no_pixel() -> None:
    seen = geo.project(np.eye(3), [[0, 0, 1.0], [0, 0, 0], [0, 0, -1.0]])

    assert np.isnan(seen).all(axis=1).tolist() == [False, True, True]
    assert np.isnan(geo.back_project(np.eye(3), [0, 0], 0)).all()


def test_a_point_stays_on_its_picture_content_after_resizing_and_cropping() -> None:
    K = np.array([[600.0, 0, 320], [0, 610, 240], [0, 0, 1]])
    point = np.array([0.1, -0.2, 1.5])
    before = geo.project(K, point)

    resized = geo.project(geo.scale_intrinsics(K, (640, 480), (320, 160)), point)
    cropped = geo.project(geo.crop_intrinsics(K, x0_px=10, y0_px=20), point)

    assert_allclose(resized, geo.rescale_pixels(before, (640, 480), (320, 160)))
    assert_allclose(cropped, before - [10, 20])
    plain = geo.scale_intrinsics(K, (640, 480), (128, 96), convention="plain")
    assert_allclose(plain[:2], K[:2] * 0.2)


def test_the_camera_pose_follows_the_recorded_convention() -> None:
    """A link that looks along -Z sees the point in front of it at positive optical Z."""
    R, t = geo.world_from_optical([[0, 0, 0, 1]], [[1, 2, 3]], np.diag([1.0, -1, -1]))

    optical = geo.transform_points(geo.inverse((R[0], t[0])), [[1, 2, 1]])

    assert_allclose(optical, [[0, 0, 2]])


def test_quaternion_signs_follow_their_predecessors_over_holes() -> None:
    q = np.array([[0, 0, 0, 1], [0, 0, 0, -1], [np.nan] * 4, [0, 0, 0.1, -1], [0, 0, 0.2, 1.0]])

    smooth = geo.continuous_quaternions(q)

    assert (smooth[[0, 1, 3, 4], 3] > 0).all()
    assert np.isnan(smooth[2]).all()


def test_normals_are_weighted_by_area_and_zero_where_no_triangle_is() -> None:
    """A large triangle that looks along z and one of a ninth of its area that looks along x share an edge's end."""
    vertices = np.array([[0, 0, 0], [3, 0, 0], [0, 3, 0], [0, 1, 0], [0, 0, 1], [9, 9, 9]], np.float32)
    triangles = np.array([[0, 1, 2], [0, 3, 4], [5, 5, 5]], np.int32)

    normals = geo.vertex_normals(vertices, triangles)

    assert normals.dtype == np.float32
    assert_allclose(normals[0], np.array([1, 0, 9]) / np.sqrt(82), atol=1e-6)
    assert_allclose(normals[1:3], [[0, 0, 1]] * 2)
    assert_allclose(normals[3:5], [[1, 0, 0]] * 2)
    assert_allclose(normals[5], [0, 0, 0])


@given(st.tuples(st.floats(-3.1, 3.1), st.floats(-1.5, 1.5), st.floats(-3.1, 3.1)).map(np.array))
def test_euler_angles_are_turns_about_fixed_axes_in_the_order_x_y_z(angles: np.ndarray) -> None:
    roll, pitch, yaw = (geo.rotation_exp(angle * axis) for angle, axis in zip(angles, np.eye(3), strict=True))

    assert_allclose(geo.euler_to_matrix(angles), yaw @ pitch @ roll, atol=1e-12)
    assert_allclose(geo.matrix_to_euler(geo.euler_to_matrix(angles)), angles, atol=1e-7)


def test_no_euler_angle_is_minus_pi() -> None:
    angles = geo.matrix_to_euler(np.diag([1.0, -1, -1]) @ geo.rotation_exp([[0, 0, 0], [-1e-16, 0, 0]]))

    assert (angles > -np.pi).all() and abs(angles[0, 0]) == pytest.approx(np.pi)


@pytest.mark.parametrize(
    ("pitch", "is_near"), [(1.5704, True), (-1.5704, True), (1.5690, False), (0.0, False)]
)
def test_a_pitch_next_to_a_quarter_turn_is_told(pitch: float, is_near: bool) -> None:
    assert geo.near_gimbal_lock([0.3, pitch, -2.0]) == is_near


def test_half_turns_point_where_their_predecessors_do() -> None:
    axis = np.array([0.6, 0.0, 0.8])
    vectors = np.array([axis * 3.0, -axis * np.pi, axis * np.pi, [np.nan] * 3, -axis * np.pi, -axis * 3.0])

    followed = geo.continuous_rotation_vectors(vectors)

    assert_allclose(followed[[1, 2, 4]], np.tile(axis * np.pi, (3, 1)))
    assert_allclose(followed[[0, 3, 5]], vectors[[0, 3, 5]])
    assert_allclose(geo.rotation_exp(followed[1]), geo.rotation_exp(vectors[1]), atol=1e-12)
