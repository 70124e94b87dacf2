"""Values between samples, held against scipy, and what is never filled."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from episode_assets.recording import interpolate_positions, interpolate_rotations

STEP = 10_000_000
EPOCH_NS = 1_700_000_000_123_456_789
components = st.floats(-1, 1, allow_nan=False, width=32)


def _stamps(count: int) -> np.ndarray:
    return EPOCH_NS + np.arange(count, dtype=np.int64) * STEP


@settings(max_examples=60, deadline=None)
@given(
    quaternions=arrays.arrays(np.float64, (6, 4), elements=components),
    at=st.lists(st.integers(0, 5 * STEP), min_size=1, max_size=12),
)
def test_rotations_between_samples_are_those_of_another_library(
    quaternions: np.ndarray, at: list[int]
) -> None:
    from scipy.spatial.transform import Rotation, Slerp

    lengths = np.linalg.norm(quaternions, axis=1)
    quaternions[lengths < 0.1] = (0, 0, 0, 1)
    turns = Rotation.from_quat(quaternions)
    half_turns = (turns[:-1].inv() * turns[1:]).magnitude() > np.pi - 1e-3
    queries = np.array([q for q in at if not half_turns[min(q // STEP, 4)]], dtype=np.int64)

    found = interpolate_rotations(_stamps(6), quaternions, EPOCH_NS + queries)

    assert found.is_known.all()
    assert found.is_interpolated.tolist() == [bool(q % STEP) for q in queries]
    assert np.allclose(np.linalg.norm(found.values, axis=1), 1, atol=1e-12)
    if len(queries):
        other = Slerp(np.arange(6.0), turns)(queries / STEP)
        # Two arcs of nearly half a turn differ in direction with the last bit; a thousandth of a radian is far from it.
        assert (Rotation.from_quat(found.values).inv() * other).magnitude().max() < 1e-5


@settings(max_examples=60, deadline=None)
@given(
    positions=arrays.arrays(np.float64, (5, 3), elements=st.floats(-1e3, 1e3, allow_nan=False)),
    at=st.lists(st.integers(-STEP, 5 * STEP), min_size=1, max_size=12),
)
def test_positions_lie_on_lines_and_never_outside(positions: np.ndarray, at: list[int]) -> None:
    queries = np.array(at, dtype=np.int64)

    found = interpolate_positions(_stamps(5), positions, EPOCH_NS + queries)

    inside = (queries >= 0) & (queries <= 4 * STEP)
    assert found.is_known.tolist() == inside.tolist()
    assert np.isnan(found.values[~inside]).all()
    for axis in range(3):
        expected = np.interp(queries[inside], np.arange(5) * STEP, positions[:, axis])
        assert np.allclose(found.values[inside, axis], expected, atol=1e-9)


def test_nothing_is_filled_across_a_gap_but_samples_at_its_edges_count() -> None:
    stamps = np.array([0, 10, 20, 30, 90, 100], dtype=np.int64)
    positions = stamps[:, None].astype(float) * [1.0, 2.0, 3.0]

    found = interpolate_positions(stamps, positions, np.array([25, 30, 31, 89, 90, 95]))

    assert found.is_known.tolist() == [True, True, False, False, True, True]
    assert found.is_interpolated.tolist() == [True, False, False, False, False, True]
    assert found.values[[0, 1, 4, 5], 0].tolist() == [25, 30, 90, 95]


def test_opposite_signs_of_one_rotation_take_the_short_way() -> None:
    eighth = np.array([0, 0, np.sin(np.pi / 8), np.cos(np.pi / 8)])

    found = interpolate_rotations(
        np.array([0, 10], dtype=np.int64), np.stack([[0, 0, 0, 1.0], -3 * eighth]), np.array([5])
    )

    assert np.allclose(found.values[0], [0, 0, np.sin(np.pi / 16), np.cos(np.pi / 16)])


def test_zero_and_nan_samples_are_left_out_and_never_normalised() -> None:
    stamps = np.array([0, 10, 20, 30], dtype=np.int64)
    turns = np.array([[0, 0, 0, 1], [0, 0, 0, 0], [np.nan] * 4, [0, 0, 0, 2]], dtype=float)

    found = interpolate_rotations(stamps, turns, stamps)

    assert found.is_interpolated.tolist() == [False, True, True, False]
    assert found.values.tolist() == [[0, 0, 0, 1]] * 4
    nothing = interpolate_rotations(stamps, np.zeros((4, 4)), stamps)
    assert not nothing.is_known.any()
    assert np.isnan(nothing.values).all()
